//! Whether a booking fits into what a hotel has: by the operator's own rules, on calendars in hand.

use std::collections::{BTreeMap, HashMap};

use innkeeper_api::{
    ConditionType, Month, Reason, Reservation, ReservationSpec, Room, RoomCalendar, RoomCalendarFields,
};
use innkeeper_booking::inventory::{Standing, Stay, rebuild, standing, sync, take};
use innkeeper_booking::room::SellableRoom;
use innkeeper_booking::terms::{RoomIdentity, accept};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::rows::{Booking, Row};

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It fits, as this Reservation.
    Fits(Box<Reservation>),
    /// It is there.
    There,
    /// It does not, for this reason.
    DoesNot(String),
}

/// A hotel as it was read, with what was judged to fit in its calendars.
pub struct Hotel {
    rooms: HashMap<String, Room>,
    calendars: HashMap<String, BTreeMap<Month, RoomCalendarFields>>,
    by_reference: HashMap<String, Reservation>,
    /// The line of every reference of the file so far.
    lines: HashMap<String, u64>,
}

impl Hotel {
    /// With these objects.
    #[must_use]
    pub fn new(rooms: Vec<Room>, calendars: Vec<RoomCalendar>, reservations: Vec<Reservation>) -> Self {
        let mut months: HashMap<String, BTreeMap<Month, RoomCalendarFields>> = HashMap::new();
        for calendar in calendars {
            if let Some(month) = Month::parse(&calendar.spec.month) {
                months.entry(calendar.spec.room_name.clone()).or_default().insert(month, calendar.spec);
            }
        }
        // Of several with one reference the one that was not refused counts.
        let (refused, others): (Vec<_>, Vec<_>) =
            reservations.into_iter().partition(|r| refused(r).is_some());
        let reference = |r: &Reservation| r.spec.payment.reference.clone();
        let by_reference =
            refused.into_iter().chain(others).filter_map(|r| Some((reference(&r)?, r))).collect();
        Self {
            rooms: rooms.into_iter().map(|room| (room.name_any(), room)).collect(),
            calendars: months,
            by_reference,
            lines: HashMap::new(),
        }
    }

    /// Judges one row; what fits has its nights from then on.
    pub fn judge(&mut self, row: &Row, now: Timestamp) -> Verdict {
        match &row.booking {
            Ok(booking) => self.fits(booking, row.line, now).unwrap_or_else(Verdict::DoesNot),
            Err(why) => Verdict::DoesNot(why.clone()),
        }
    }

    fn fits(&mut self, booking: &Booking, line: u64, now: Timestamp) -> Result<Verdict, String> {
        if let Some(before) = self.lines.insert(booking.reference.clone(), line) {
            return Err(format!("its reference is that of line {before} too"));
        }
        let reservation = booking.reservation();
        if let Some(there) = self.by_reference.get(&booking.reference) {
            if let Some(why) = refused(there) {
                return Err(why);
            }
            if same_booking(there, &reservation) {
                return Ok(Verdict::There);
            }
            return Err(format!(
                "its reference is that of Reservation {}, which is for other terms; delete that one, or correct the row",
                there.name_any()
            ));
        }
        let spec = &reservation.spec;
        let room =
            self.rooms.get(&spec.room_name).ok_or_else(|| format!("there is no Room {}", spec.room_name))?;
        let (uid, generation) = (room.uid().unwrap_or_default(), room.metadata.generation.unwrap_or(0));
        let sellable =
            SellableRoom::check(&room.spec).map_err(|fault| format!("Room {}: {fault}", spec.room_name))?;
        accept(spec, &sellable, RoomIdentity { uid: &uid, generation }, now)
            .map_err(|objection| objection.to_string())?;

        let stay =
            Stay { uid: booking.object_name(), from: spec.check_in, to: spec.check_out, units: spec.units };
        let months = self.calendars.entry(spec.room_name.clone()).or_default();
        for month in stay.months() {
            let calendar = months
                .entry(month)
                .or_insert_with(|| rebuild(&spec.room_name, &uid, month, &room.spec, generation, &[]));
            sync(calendar, &room.spec, generation);
        }
        match standing(&stay, months) {
            Standing::Full(night) => {
                Err(format!("Room {} has no {} free on {night}", spec.room_name, units(spec.units)))
            }
            Standing::Held | Standing::Fits => {
                for month in stay.months() {
                    if let Some(calendar) = months.get_mut(&month) {
                        take(calendar, &stay);
                    }
                }
                Ok(Verdict::Fits(Box::new(reservation)))
            }
        }
    }
}

fn units(count: u32) -> String {
    if count == 1 { "unit".to_owned() } else { format!("{count} units") }
}

/// Why a Reservation was refused, where it was, and what to do to bring its booking in all the same.
#[must_use]
pub fn refused(reservation: &Reservation) -> Option<String> {
    let conditions = &reservation.status.as_ref()?.conditions;
    let settled = conditions.get(&ConditionType::Settled).filter(|c| c.reason == Reason::Rejected)?;
    let why = conditions.get(&ConditionType::Ready).map_or(&settled.message, |ready| &ready.message);
    Some(format!("Reservation {} was refused: {why}", reservation.name_any()))
}

/// Whether two Reservations are for the same booking.
#[must_use]
pub fn same_booking(one: &Reservation, other: &Reservation) -> bool {
    terms(&one.spec) == terms(&other.spec)
}

/// What two Reservations have to share to be the same booking: everything that cannot be changed.
fn terms(spec: &ReservationSpec) -> ReservationSpec {
    ReservationSpec { state: None, ttl_after_finished: None, ..spec.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::rows::parse;
    use super::*;
    use serde_json::json;

    fn room(name: &str, units: u32) -> Room {
        let spec = json!({
            "units": units, "rate": { "currency": "EUR", "minorUnits": 12000 }, "timeZone": "Europe/Lisbon",
            "restrictions": { "maxNights": 14 },
        });
        let mut room = Room::new(name, serde_json::from_value(spec).unwrap());
        room.metadata.uid = Some(format!("uid-of-{name}"));
        room.metadata.generation = Some(1);
        room
    }

    fn judged(there: Vec<Reservation>, rows: &str) -> Vec<Result<bool, String>> {
        let mut hotel = Hotel::new(vec![room("double", 1)], vec![], there);
        let now: Timestamp = "2030-01-01T12:00:00Z".parse().unwrap();
        let rows = parse(&format!("reference,room,checkIn,checkOut,guestID,units\n{rows}")).unwrap();
        rows.iter()
            .map(|row| match hotel.judge(row, now) {
                Verdict::Fits(_) => Ok(true),
                Verdict::There => Ok(false),
                Verdict::DoesNot(why) => Err(why),
            })
            .collect()
    }

    #[test]
    fn rows_take_their_nights_one_after_another_and_nights_are_half_open() {
        let all = judged(
            vec![],
            "a,double,2030-07-01,2030-07-03,g,1\nb,double,2030-07-02,2030-07-04,g,1\nc,double,2030-07-03,2030-07-04,g,1\n\
             d,double,2030-07-31,2030-08-02,g,1\ne,double,2030-08-01,2030-08-02,g,1\n",
        );
        let full = |night: &str| Err(format!("Room double has no unit free on {night}"));
        assert_eq!(all, [Ok(true), full("2030-07-02"), Ok(true), Ok(true), full("2030-08-01")]);
    }

    #[test]
    fn what_the_operator_would_refuse_does_not_fit_for_the_same_reason() {
        let all = judged(
            vec![],
            "a,attic,2030-07-01,2030-07-03,g,1\nb,double,2029-07-01,2029-07-03,g,1\nc,double,2030-07-03,2030-07-01,g,1\n\
             d,double,2030-07-01,2030-07-20,g,1\ne,double,2030-07-01,2030-07-03,g,2\na,double,2030-07-01,2030-07-03,g,1\n",
        );
        let said = [
            "there is no Room attic",
            "in the past",
            "checkOut must be after checkIn",
            "14 nights at most",
            "more than the Room ever has",
            "its reference is that of line 2 too",
        ];
        assert_eq!(all.len(), said.len());
        for (row, said) in all.iter().zip(said) {
            assert!(row.as_ref().is_err_and(|why| why.contains(said)), "{row:?}: {said}");
        }
    }

    #[test]
    fn a_reference_that_is_there_is_not_brought_in_again_whatever_its_object_is_called() {
        let rows =
            parse("reference,room,checkIn,checkOut,guestID\na,double,2030-07-01,2030-07-03,g\n").unwrap();
        let mut there = rows[0].booking.clone().unwrap().reservation();
        there.metadata.name = Some("by-hand".to_owned());
        there.spec.state = Some(innkeeper_api::WantedState::Cancelled);
        let again = judged(vec![there.clone()], "a,double,2030-07-01,2030-07-03,g,1\n");
        assert_eq!(again, [Ok(false)], "also once it was cancelled here");
        let other = judged(vec![there], "a,double,2030-07-01,2030-07-04,g,1\n");
        assert!(other[0].as_ref().is_err_and(|why| why.contains("Reservation by-hand")), "{other:?}");
    }

    #[test]
    fn a_booking_that_was_refused_is_not_there_unless_another_reservation_has_it() {
        let row = "a,double,2030-07-01,2030-07-03,g,1\n";
        let rows = parse(&format!("reference,room,checkIn,checkOut,guestID,units\n{row}")).unwrap();
        let there = rows[0].booking.clone().unwrap().reservation();
        let mut refused = there.clone();
        let conditions = json!([
            { "type": "Settled", "status": "True", "reason": "Rejected", "message": "x",
              "observedGeneration": 1, "lastTransitionTime": "2030-01-01T00:00:00Z" },
            { "type": "Ready", "status": "False", "reason": "OutOfStock", "message": "Not enough units.",
              "observedGeneration": 1, "lastTransitionTime": "2030-01-01T00:00:00Z" },
        ]);
        refused.metadata.name = Some("late".to_owned());
        refused.status = Some(serde_json::from_value(json!({ "conditions": conditions })).unwrap());
        let again = judged(vec![refused.clone()], row);
        assert_eq!(again, [Err("Reservation late was refused: Not enough units.".to_owned())]);
        for both in [[refused.clone(), there.clone()], [there, refused]] {
            assert_eq!(judged(both.into(), row), [Ok(false)]);
        }
    }
}
