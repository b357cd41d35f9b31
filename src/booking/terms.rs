//! Whether a stay can be had, and on which terms. A refusal is final.

use innkeeper_api::{Collect, MAX_NIGHTS, Quote, Reason, ReservationSpec, Restrictions, Sale, nights};
use jiff::Timestamp;
use jiff::civil::Time;

use crate::policy;
use crate::price::price;
use crate::room::SellableRoom;

/// Why a stay is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason that `Accepted` gives.
    pub reason: Reason,
    /// What to change, in a sentence.
    pub message: String,
}

impl Refusal {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Identity of the Room that is quoted.
#[derive(Debug, Clone, Copy)]
pub struct RoomIdentity<'a> {
    /// Its UID.
    pub uid: &'a str,
    /// Its generation.
    pub generation: i64,
}

/// Accepts a stay with its price and its terms, or refuses it.
pub fn accept(
    stay: &ReservationSpec,
    room: &SellableRoom<'_>,
    identity: RoomIdentity<'_>,
    now: Timestamp,
) -> Result<Quote, Refusal> {
    let invalid = |message: String| Refusal::new(Reason::InvalidStay, message);
    let count = i32::try_from(nights(stay.check_in, stay.check_out).take(100).count()).unwrap_or(i32::MAX);
    if count == 0 {
        return Err(invalid("checkOut must be after checkIn.".to_owned()));
    }
    if count > MAX_NIGHTS {
        return Err(invalid(format!(
            "A stay has at most {MAX_NIGHTS} nights; split it into several Reservations."
        )));
    }
    let today = room.today(now);
    if stay.check_in < today {
        return Err(invalid(format!(
            "checkIn {} is in the past: it is {today} at the Room ({}).",
            stay.check_in, room.spec.time_zone
        )));
    }
    if room.spec.sale == Sale::Stopped {
        return Err(Refusal::new(
            Reason::SaleStopped,
            "The hotel has stopped selling this Room; choose another.",
        ));
    }
    restrictions(stay, room, count, today)?;

    let price =
        price(room.spec, room.currency, stay.check_in, stay.check_out, stay.units).ok_or_else(|| {
            invalid(
                "The price is more than one charge can be; book fewer nights or units in one Reservation."
                    .to_owned(),
            )
        })?;
    if let Some(max) = &stay.max_total {
        if max.currency != room.currency.code() {
            return Err(Refusal::new(
                Reason::PriceAboveMax,
                format!("maxTotal is in {}, and the Room is sold in {}.", max.currency, room.currency.code()),
            ));
        }
        if price.total > max.minor_units {
            return Err(Refusal::new(
                Reason::PriceAboveMax,
                format!(
                    "The price is {}, above maxTotal {}.",
                    room.currency.show(price.total),
                    room.currency.show(max.minor_units)
                ),
            ));
        }
    }
    let unrepresentable = || invalid("The dates cannot be represented as instants.".to_owned());
    let check_in_at = room.instant(stay.check_in, room.check_in_time).ok_or_else(unrepresentable)?;
    let after = stay.check_out.tomorrow().map_err(|_| unrepresentable())?;
    let finished_at = room.instant(after, Time::midnight()).ok_or_else(unrepresentable)?;
    Ok(Quote {
        currency: room.currency.code().to_owned(),
        total: price.total,
        flow: room.spec.flow,
        collect_online: if stay.payment.collect == Collect::Online { price.total } else { 0 },
        lines: price.lines,
        refund_deadlines: policy::deadlines(&room.spec.cancellation, check_in_at),
        check_in_at,
        finished_at,
        room_uid: identity.uid.to_owned(),
        room_generation: identity.generation,
    })
}

fn restrictions(
    stay: &ReservationSpec,
    room: &SellableRoom<'_>,
    count: i32,
    today: jiff::civil::Date,
) -> Result<(), Refusal> {
    let violated = |message: String| Err(Refusal::new(Reason::RestrictionViolated, message));
    let Restrictions { min_nights, max_nights, min_days_ahead, max_days_ahead } =
        room.spec.restrictions.clone().unwrap_or_default();
    if let Some(min) = min_nights.filter(|min| count < *min) {
        return violated(format!("This Room is sold for {min} nights or more; the stay has {count}."));
    }
    if let Some(max) = max_nights.filter(|max| count > *max) {
        return violated(format!("This Room is sold for {max} nights at most; the stay has {count}."));
    }
    let ahead = (stay.check_in - today).get_days();
    if let Some(min) = min_days_ahead.filter(|min| ahead < *min) {
        return violated(format!("This Room is sold {min} days ahead or more; arrival is in {ahead}."));
    }
    if let Some(max) = max_days_ahead.filter(|max| ahead > *max) {
        return violated(format!("This Room is sold at most {max} days ahead; arrival is in {ahead}."));
    }
    if let Some(most) = room.spec.max_guests {
        let guests = u64::from(stay.guests.adults) + u64::from(stay.guests.children);
        let places = u64::from(most) * u64::from(stay.units);
        if guests > places {
            return violated(format!(
                "{guests} guests do not fit: {} units take {places} at most.",
                stay.units
            ));
        }
    }
    let most = room.spec.units + room.spec.overbooking;
    if stay.units > most {
        let overbooked = if room.spec.overbooking > 0 { ", overbooking included" } else { "" };
        return Err(Refusal::new(
            Reason::InvalidStay,
            format!("units {} is more than the Room ever has ({most}{overbooked}).", stay.units),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
