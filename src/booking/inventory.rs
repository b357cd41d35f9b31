//! The nights, pure: who fits, taking, releasing, and keeping capacity as the Room says.
//!
//! Works on calendars in hand; reading and writing them is the allocator's. Everything here can be repeated without
//! harm: what is held already is not taken again, and what is not held is released by doing nothing.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_api::{Month, Night, RoomCalendarFields, RoomSpec, holder_entries, nights, uid_of_holder};
use jiff::civil::Date;

use crate::room::capacity;

/// The nights a Reservation wants: half-open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// UID of the Reservation.
    pub uid: String,
    /// First night.
    pub from: Date,
    /// First day that is no night of it.
    pub to: Date,
    /// Units in every night.
    pub units: u32,
}

impl Stay {
    /// Its nights, ascending.
    pub fn nights(&self) -> impl Iterator<Item = Date> + Clone {
        nights(self.from, self.to)
    }

    /// The months it touches, ascending.
    #[must_use]
    pub fn months(&self) -> Vec<Month> {
        Month::of_stay(self.from, self.to)
    }
}

/// How a stay stands in the calendars in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Every night is held.
    Held,
    /// It can be taken.
    Fits,
    /// This night, the first of them, has too few units.
    Full(Date),
}

/// How a stay stands. A night without a calendar is one that is missing: the caller loads all months first.
#[must_use]
pub fn standing(stay: &Stay, months: &BTreeMap<Month, RoomCalendarFields>) -> Standing {
    let mut held = true;
    for date in stay.nights() {
        let night = months.get(&Month::of(date)).and_then(|c| c.nights.iter().find(|n| n.date == date));
        let (free, mine) = night.map_or((0, 0), |n| (n.free(), n.held_by(&stay.uid)));
        if mine >= stay.units {
            continue;
        }
        held = false;
        if free < stay.units - mine {
            return Standing::Full(date);
        }
    }
    if held { Standing::Held } else { Standing::Fits }
}

/// What calendars in the cache show of a stay, which may be old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NightsSeen {
    /// No entry of it.
    #[default]
    None,
    /// Entries, and not in every night as many as it has units.
    Some,
    /// Every night.
    All,
}

/// What these calendars show of a stay.
#[must_use]
pub fn seen(stay: &Stay, calendars: &[&RoomCalendarFields]) -> NightsSeen {
    let night = |date: Date| {
        let month = Month::of(date).to_string();
        calendars.iter().find(|c| c.month == month)?.nights.iter().find(|n| n.date == date)
    };
    let held = |date: Date| night(date).map_or(0, |n| n.held_by(&stay.uid));
    if stay.nights().all(|date| held(date) >= stay.units) {
        NightsSeen::All
    } else if calendars.iter().any(|c| holds(c, &stay.uid)) {
        NightsSeen::Some
    } else {
        NightsSeen::None
    }
}

/// Units that may be sold for a night, as its calendar will have them: by the Room at this generation, unless what is
/// stored (a capacity and the generation it was made from) is as new or newer.
#[must_use]
pub fn capacity_ahead(stored: Option<(u32, i64)>, spec: &RoomSpec, generation: i64, night: Date) -> u32 {
    match stored {
        Some((stored, made_from)) if made_from >= generation => stored,
        _ => capacity(spec, night),
    }
}

/// Puts a stay into one month. Says whether anything changed. The caller has seen that it fits.
pub fn take(calendar: &mut RoomCalendarFields, stay: &Stay) -> bool {
    let mut changed = false;
    for night in calendar.nights.iter_mut().filter(|n| stay.from <= n.date && n.date < stay.to) {
        for entry in holder_entries(&stay.uid, stay.units) {
            if let Err(place) = night.holders.binary_search(&entry) {
                night.holders.insert(place, entry);
                changed = true;
            }
        }
    }
    changed
}

/// Takes every entry of a Reservation out of one month. Says whether anything changed.
pub fn release(calendar: &mut RoomCalendarFields, uid: &str) -> bool {
    let mut changed = false;
    for night in &mut calendar.nights {
        let before = night.holders.len();
        night.holders.retain(|h| uid_of_holder(h) != uid);
        changed |= night.holders.len() != before;
    }
    changed
}

/// Takes out every entry of a Reservation that is not among these. Says whether anything changed.
pub fn keep_only(calendar: &mut RoomCalendarFields, there: &BTreeSet<String>) -> bool {
    let mut changed = false;
    for night in &mut calendar.nights {
        let before = night.holders.len();
        night.holders.retain(|h| there.contains(uid_of_holder(h)));
        changed |= night.holders.len() != before;
    }
    changed
}

/// Whether a Reservation has any entry in this month.
#[must_use]
pub fn holds(calendar: &RoomCalendarFields, uid: &str) -> bool {
    calendar.nights.iter().any(|n| n.held_by(uid) > 0)
}

/// Whether anybody has.
#[must_use]
pub fn is_empty(calendar: &RoomCalendarFields) -> bool {
    calendar.nights.iter().all(|n| n.holders.is_empty())
}

/// Brings capacities to what a generation of the Room says. Nights that know a newer one are left alone, and so is
/// another capacity at the same generation: another version of the operator computed it. Says whether anything
/// changed.
pub fn sync(calendar: &mut RoomCalendarFields, spec: &RoomSpec, generation: i64) -> bool {
    let mut changed = false;
    for night in calendar.nights.iter_mut().filter(|n| n.room_generation < generation) {
        night.capacity = capacity(spec, night.date);
        night.room_generation = generation;
        changed = true;
    }
    changed
}

/// Whether nights have another capacity than this Room says, and claim a generation of it that is newer than this one:
/// either this is an old view of the Room, or somebody wrote it by hand.
#[must_use]
pub fn is_ahead(calendar: &RoomCalendarFields, spec: &RoomSpec, generation: i64) -> bool {
    calendar.nights.iter().any(|n| ahead(n, spec, generation))
}

fn ahead(night: &Night, spec: &RoomSpec, generation: i64) -> bool {
    // Above the last there is none with which the API server would let the capacity change.
    (generation + 1..i64::MAX).contains(&night.room_generation)
        && night.capacity != capacity(spec, night.date)
}

/// Puts such nights right. Only for a Room that was read after the calendar was: then no operator can have written them,
/// for the Room has never been what they claim. Their generation rises by one more, as the API server asks.
pub fn put_right(calendar: &mut RoomCalendarFields, spec: &RoomSpec, generation: i64) {
    for night in calendar.nights.iter_mut().filter(|n| ahead(n, spec, generation)) {
        night.capacity = capacity(spec, night.date);
        night.room_generation += 1;
    }
}

/// A month's calendar made anew, holding those who are known to be there. Where they are more than the capacity, it
/// is made with their number at generation 0, which the API server accepts; syncing it then lowers the capacity
/// under those who were there before.
#[must_use]
pub fn rebuild(
    room_name: &str,
    room_uid: &str,
    month: Month,
    spec: &RoomSpec,
    generation: i64,
    there: &[Stay],
) -> RoomCalendarFields {
    let mut calendar = RoomCalendarFields {
        room_name: room_name.to_owned(),
        room_uid: room_uid.to_owned(),
        month: month.to_string(),
        nights: month
            .nights()
            .map(|date| Night { date, capacity: 0, room_generation: 0, holders: Vec::new() })
            .collect(),
    };
    for stay in there {
        take(&mut calendar, stay);
    }
    let over = calendar.nights.iter().any(|n| n.sold() > capacity(spec, n.date));
    if over {
        for night in &mut calendar.nights {
            night.capacity = night.sold();
        }
    } else {
        sync(&mut calendar, spec, generation);
    }
    calendar
}

#[cfg(test)]
mod tests;
