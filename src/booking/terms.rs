//! Whether a stay can be had, and on which terms. A refusal is final.

mod objection;

use innkeeper_api::{Collect, MAX_NIGHTS, Quote, Reason, ReservationSpec, Restrictions, Sale, nights};
use jiff::Timestamp;
use jiff::civil::Time;

use crate::policy;
use crate::price::price;
use crate::room::SellableRoom;

pub use objection::Objection;

/// Why a stay is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason that `Accepted` gives.
    pub reason: Reason,
    /// What to change, in a sentence.
    pub message: String,
}

impl From<Objection> for Refusal {
    fn from(objection: Objection) -> Self {
        Self { reason: objection.reason(), message: objection.to_string() }
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

/// Accepts a stay with its price and its terms, or says what stands against it.
pub fn accept(
    stay: &ReservationSpec,
    room: &SellableRoom<'_>,
    identity: RoomIdentity<'_>,
    now: Timestamp,
) -> Result<Quote, Objection> {
    let count = i32::try_from(nights(stay.check_in, stay.check_out).take(100).count()).unwrap_or(i32::MAX);
    if count == 0 {
        return Err(Objection::NoNights);
    }
    if count > MAX_NIGHTS {
        return Err(Objection::TooLong { most: MAX_NIGHTS });
    }
    let today = room.today(now);
    if stay.check_in < today {
        let zone = room.spec.time_zone.clone();
        return Err(Objection::InThePast { check_in: stay.check_in, today, zone });
    }
    if room.spec.sale == Sale::Stopped {
        return Err(Objection::SaleStopped);
    }
    restrictions(stay, room, count, today)?;

    let price = price(room.spec, room.currency, stay.check_in, stay.check_out, stay.units);
    let price = price.ok_or(Objection::TooMuchForOneCharge)?;
    if let Some(max) = &stay.max_total {
        if max.currency != room.currency.code() {
            let (wanted, sold_in) = (max.currency.clone(), room.currency.code());
            return Err(Objection::OtherCurrency { wanted, sold_in });
        }
        if price.total > max.minor_units {
            let (currency, total, max) = (room.currency, price.total, max.minor_units);
            return Err(Objection::AboveMax { currency, total, max });
        }
    }
    let unrepresentable = || Objection::OutOfTime;
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
) -> Result<(), Objection> {
    let Restrictions { min_nights, max_nights, min_days_ahead, max_days_ahead } =
        room.spec.restrictions.clone().unwrap_or_default();
    if let Some(min) = min_nights.filter(|min| count < *min) {
        return Err(Objection::FewerNights { min, count });
    }
    if let Some(max) = max_nights.filter(|max| count > *max) {
        return Err(Objection::MoreNights { max, count });
    }
    let ahead = (stay.check_in - today).get_days();
    if let Some(min) = min_days_ahead.filter(|min| ahead < *min) {
        return Err(Objection::TooSoon { min, ahead });
    }
    if let Some(max) = max_days_ahead.filter(|max| ahead > *max) {
        return Err(Objection::TooFarAhead { max, ahead });
    }
    if let Some(most) = room.spec.max_guests {
        let guests = u64::from(stay.guests.adults) + u64::from(stay.guests.children);
        let places = u64::from(most) * u64::from(stay.units);
        if guests > places {
            return Err(Objection::TooManyGuests { guests, units: stay.units, places });
        }
    }
    let most = room.spec.units + room.spec.overbooking;
    if stay.units > most {
        let overbooked = room.spec.overbooking > 0;
        return Err(Objection::TooManyUnits { wanted: stay.units, most, overbooked });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
