//! Nights: every confirmed stay is in its calendars, nobody else is, and no night has more holders than units.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_api::{
    ConditionStatus, ConditionType, Reason, Reservation, RoomSpec, holder_entries, nights, uid_of_holder,
};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use kube::ResourceExt;

use crate::{About, Books, Imbalance, claimed};

/// A night of a Room of a hotel.
type Place = (String, String, Date);

/// Who should be in the calendars, and who may be.
#[derive(Default)]
struct Stays {
    should: BTreeMap<Place, BTreeSet<String>>,
    may: BTreeMap<Place, BTreeSet<String>>,
    names: BTreeMap<String, String>,
}

impl Stays {
    fn of(reservations: &[Reservation]) -> Self {
        let mut stays = Self::default();
        for reservation in reservations {
            let spec = &reservation.spec;
            let uid = reservation.uid().unwrap_or_default();
            let namespace = reservation.namespace().unwrap_or_default();
            stays.names.insert(uid.clone(), reservation.name_any());
            let place = match claimed(reservation) {
                Some(Reason::Confirmed) if !lost(reservation) => &mut stays.should,
                // On its way to being booked, or back.
                None | Some(Reason::Confirmed) => &mut stays.may,
                Some(_) => continue,
            };
            for night in nights(spec.check_in, spec.check_out) {
                let at = (namespace.clone(), spec.room_name.clone(), night);
                place.entry(at).or_default().extend(holder_entries(&uid, spec.units));
            }
        }
        stays
    }

    fn name_of<'a>(&'a self, holder: &'a str) -> &'a str {
        let uid = uid_of_holder(holder);
        self.names.get(uid).map_or(uid, String::as_str)
    }
}

/// Booked, and said to have lost nights: a person is told of that already.
fn lost(reservation: &Reservation) -> bool {
    reservation.status.as_ref().is_some_and(|s| {
        s.conditions.is(&ConditionType::Allocated, ConditionStatus::False, &Reason::NightsLost)
    })
}

/// Units that may be sold for a night.
fn units(spec: &RoomSpec, night: Date) -> u32 {
    let out = spec.out_of_order.iter().filter(|o| (o.from..o.to).contains(&night)).map(|o| o.units).sum();
    (spec.units + spec.overbooking).saturating_sub(out).min(innkeeper_api::MAX_UNITS)
}

pub(crate) fn count(books: &Books, now: Timestamp, found: &mut Vec<Imbalance>) {
    // Past months are emptied and go, wherever on earth the hotel is.
    let first = now.to_zoned(TimeZone::UTC).date().saturating_sub(1.day());
    let stays = Stays::of(&books.reservations);
    let mut there: BTreeMap<Place, BTreeSet<String>> = BTreeMap::new();
    for calendar in &books.calendars {
        let namespace = calendar.namespace().unwrap_or_default();
        let room_name = &calendar.spec.room_name;
        let room = books
            .rooms
            .iter()
            .find(|r| r.name_any() == *room_name && r.namespace().as_deref() == Some(&namespace));
        for night in calendar.spec.nights.iter().filter(|n| n.date >= first) {
            let date = night.date;
            let mut add = |about, what: String, to_do: &str| {
                let (namespace, name) = (namespace.clone(), room_name.clone());
                found.push(Imbalance { about, namespace, name, what, to_do: to_do.to_owned() });
            };
            let there_are = u32::try_from(night.holders.len()).unwrap_or(u32::MAX);
            if there_are > night.capacity {
                add(
                    About::Oversold,
                    format!(
                        "The night of {date} is sold {there_are} times, and there are {} units.",
                        night.capacity
                    ),
                    "The hotel has lowered its units since, or put some out of order: move a guest, or raise them.",
                );
            }
            if let Some(declared) = room.map(|r| units(&r.spec, date)).filter(|n| *n != night.capacity) {
                add(
                    About::Capacity,
                    format!(
                        "The calendar has {} units on {date}, and the Room has {declared}.",
                        night.capacity
                    ),
                    "The operator brings it up to date; if it does not, look whether one runs.",
                );
            }
            let place = (namespace.clone(), room_name.clone(), date);
            there.entry(place).or_default().extend(night.holders.iter().cloned());
        }
    }
    let places: BTreeSet<&Place> = there.keys().chain(stays.should.keys()).collect();
    let nobody = BTreeSet::new();
    for place in places.into_iter().filter(|(_, _, date)| *date >= first) {
        let (namespace, room, date) = place;
        let is = there.get(place).unwrap_or(&nobody);
        let should = stays.should.get(place).unwrap_or(&nobody);
        let may = stays.may.get(place).unwrap_or(&nobody);
        for holder in is.iter().filter(|h| !should.contains(*h) && !may.contains(*h)) {
            found.push(Imbalance {
                about: About::Nights,
                namespace: namespace.clone(),
                name: stays.name_of(holder).to_owned(),
                what: format!("It holds the night of {date} in {room}, and has no stay there."),
                to_do: "The operator lets it go within a minute; if it does not, look whether one runs."
                    .to_owned(),
            });
        }
        for holder in should.iter().filter(|h| !is.contains(*h)) {
            found.push(Imbalance {
                about: About::Nights,
                namespace: namespace.clone(),
                name: stays.name_of(holder).to_owned(),
                what: format!("It is booked, and the night of {date} in {room} is not held for it."),
                to_do: "The operator takes it again where it is free; else it says NightsLost.".to_owned(),
            });
        }
    }
}
