//! A batch of asks on the calendars in hand: who gets what, and which calendars change.
//!
//! Pure: the allocator reads the calendars, asks here, and writes what changed with the resourceVersions it read.
//! A verdict that would be wrong on an old view (nothing left, held already, gone) is given only on a fresh one.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_api::{Month, RoomCalendarFields, RoomSpec};

use crate::inventory::{self, Standing, Stay};
use crate::knowledge::NightsKnown;

/// What is asked of an allocator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Take the nights.
    Take(Stay),
    /// Release the nights.
    Release(Stay),
    /// Bring capacities to what the Room says.
    Sync,
    /// Drop the holders that nobody stands for any more.
    Sweep,
    /// Empty a month that is past of those whose stay is over.
    Retire(Month),
}

/// Whose Reservations are there, by their UIDs, as a list past the cache showed it after the calendars were read. Whoever
/// came in later than the list came in after the calendars too, and the write then meets a conflict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct There {
    /// Whoever has not ended without nights.
    pub may_hold: BTreeSet<String>,
    /// Of those, whose stay is not over.
    pub unfinished: BTreeSet<String>,
}

impl Ask {
    /// The stay that wants nights.
    #[must_use]
    pub const fn taken(&self) -> Option<&Stay> {
        match self {
            Self::Take(stay) => Some(stay),
            Self::Release(_) | Self::Sync | Self::Sweep | Self::Retire(_) => None,
        }
    }
}

/// The Room as it was last seen.
#[derive(Debug, Clone, Copy)]
pub struct RoomSeen<'a> {
    /// Its UID.
    pub uid: &'a str,
    /// Its generation.
    pub generation: i64,
    /// What it says.
    pub spec: &'a RoomSpec,
}

/// What a batch comes to.
#[derive(Debug, PartialEq, Eq)]
pub struct Decided {
    /// One for each ask, in their order. Housekeeping has none to wait for and gets `NotAsked`.
    pub answers: Vec<NightsKnown>,
    /// Calendars to be written, ascending by month.
    pub changed: BTreeMap<Month, RoomCalendarFields>,
}

/// Decides a batch. `None` where an answer needs a fresh view: the caller reads everything again and asks again.
///
/// On a fresh view the Room was read after the calendars. `there` is asked by housekeeping alone.
#[must_use]
pub fn decide(
    asks: &[Ask],
    calendars: &BTreeMap<Month, RoomCalendarFields>,
    room: Option<RoomSeen<'_>>,
    fresh: bool,
    there: &There,
) -> Option<Decided> {
    let mut work = calendars.clone();
    if let Some(room) = room {
        // Before anybody is judged: what is free is what the Room says now.
        for calendar in work.values_mut().filter(|c| c.room_uid == room.uid) {
            if inventory::is_ahead(calendar, room.spec, room.generation) {
                if !fresh {
                    return None;
                }
                inventory::put_right(calendar, room.spec, room.generation);
            }
            inventory::sync(calendar, room.spec, room.generation);
        }
    }
    let mut answers = Vec::with_capacity(asks.len());
    for ask in asks {
        answers.push(match ask {
            Ask::Sync => NightsKnown::NotAsked,
            Ask::Sweep => {
                for calendar in work.values_mut() {
                    inventory::keep_only(calendar, &there.may_hold);
                }
                NightsKnown::NotAsked
            }
            Ask::Retire(month) => {
                if let Some(calendar) = work.get_mut(month) {
                    inventory::keep_only(calendar, &there.unfinished);
                }
                NightsKnown::NotAsked
            }
            Ask::Release(stay) => release(stay, &mut work),
            Ask::Take(stay) => take(stay, &mut work, room, fresh)?,
        });
    }
    let changed = work.into_iter().filter(|(month, fields)| calendars.get(month) != Some(fields)).collect();
    Some(Decided { answers, changed })
}

fn release(stay: &Stay, work: &mut BTreeMap<Month, RoomCalendarFields>) -> NightsKnown {
    for month in stay.months() {
        if let Some(calendar) = work.get_mut(&month) {
            inventory::release(calendar, &stay.uid);
        }
    }
    NightsKnown::Released
}

fn take(
    stay: &Stay,
    work: &mut BTreeMap<Month, RoomCalendarFields>,
    room: Option<RoomSeen<'_>>,
    fresh: bool,
) -> Option<NightsKnown> {
    let Some(room) = room else {
        let why = "The Room is gone; nothing can be taken in it.".to_owned();
        return fresh.then_some(NightsKnown::Full { why });
    };
    if stay.months().iter().any(|m| work.get(m).is_none_or(|c| c.room_uid != room.uid)) {
        // A calendar of another UID of its Room takes no nights; it goes once the last guest of that Room has gone.
        return fresh.then_some(NightsKnown::Busy);
    }
    let held = || Some(NightsKnown::Held { room_uid: room.uid.to_owned() });
    match inventory::standing(stay, work) {
        // Held without a write in this round: only what the API server has just said is believed.
        Standing::Held if fresh => held(),
        Standing::Full(night) if fresh => {
            let why = format!("Not enough units are left for the night of {night}.");
            Some(NightsKnown::Full { why })
        }
        Standing::Held | Standing::Full(_) => None,
        Standing::Fits => {
            for month in stay.months() {
                if let Some(calendar) = work.get_mut(&month) {
                    inventory::take(calendar, stay);
                }
            }
            held()
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_api::RoomSpec;
    use jiff::civil::{Date, date};

    use super::*;

    fn spec(units: u32) -> RoomSpec {
        let rate = serde_json::json!({ "currency": "EUR", "minorUnits": 100 });
        serde_json::from_value(serde_json::json!({ "units": units, "rate": rate, "timeZone": "UTC" }))
            .unwrap()
    }

    fn stay(uid: &str, from: Date, to: Date) -> Stay {
        Stay { uid: uid.to_owned(), from, to, units: 1 }
    }

    fn july(uid: &str) -> Stay {
        stay(uid, date(2030, 7, 1), date(2030, 7, 3))
    }

    /// July and August of a Room with this many units, with these stays in them.
    fn calendars(units: u32, there: &[Stay]) -> BTreeMap<Month, RoomCalendarFields> {
        [date(2030, 7, 1), date(2030, 8, 1)]
            .map(Month::of)
            .map(|month| (month, inventory::rebuild("double", "room-1", month, &spec(units), 1, there)))
            .into()
    }

    #[test]
    fn only_who_takes_nights_wants_calendars_that_are_not_there_yet() {
        let asks = [
            Ask::Take(july("a")),
            Ask::Release(july("b")),
            Ask::Sync,
            Ask::Sweep,
            Ask::Retire(Month::of(date(2030, 7, 1))),
        ];
        assert_eq!(asks.iter().filter_map(Ask::taken).collect::<Vec<_>>(), [&july("a")]);
    }

    fn full(answer: &NightsKnown) -> bool {
        matches!(answer, NightsKnown::Full { .. })
    }

    fn held(answer: &NightsKnown) -> bool {
        matches!(answer, NightsKnown::Held { room_uid } if room_uid == "room-1")
    }

    #[test]
    fn as_many_as_fit_get_in_with_one_write_in_order_of_arrival() {
        let (two, spec) = (calendars(2, &[]), spec(2));
        let room = RoomSeen { uid: "room-1", generation: 1, spec: &spec };
        let asks: Vec<Ask> = ["a", "b", "c"].map(|uid| Ask::Take(july(uid))).into();
        assert_eq!(
            decide(&asks, &two, Some(room), false, &There::default()),
            None,
            "that nothing is left is said on a fresh view only"
        );
        let decided = decide(&asks, &two, Some(room), true, &There::default()).unwrap();
        assert!(held(&decided.answers[0]) && held(&decided.answers[1]) && full(&decided.answers[2]));
        assert_eq!(decided.changed.len(), 1);
    }

    #[test]
    fn a_full_calendar_refuses_without_a_write() {
        let (one, spec) = (calendars(1, &[july("a")]), spec(1));
        let room = RoomSeen { uid: "room-1", generation: 1, spec: &spec };
        let decided = decide(&[Ask::Take(july("b"))], &one, Some(room), true, &There::default()).unwrap();
        assert!(full(&decided.answers[0]));
        assert!(decided.changed.is_empty());
    }

    #[test]
    fn a_stay_that_is_full_in_its_second_month_takes_nothing_in_its_first() {
        let august = stay("a", date(2030, 8, 1), date(2030, 8, 2));
        let (one, spec) = (calendars(1, &[august]), spec(1));
        let room = RoomSeen { uid: "room-1", generation: 1, spec: &spec };
        let over = stay("b", date(2030, 7, 31), date(2030, 8, 2));
        let decided = decide(&[Ask::Take(over)], &one, Some(room), true, &There::default()).unwrap();
        assert!(full(&decided.answers[0]));
        assert!(decided.changed.is_empty());
    }

    #[test]
    fn what_is_held_already_is_believed_on_a_fresh_view_only() {
        let (one, spec) = (calendars(1, &[july("a")]), spec(1));
        let room = RoomSeen { uid: "room-1", generation: 1, spec: &spec };
        let ask = [Ask::Take(july("a"))];
        assert_eq!(decide(&ask, &one, Some(room), false, &There::default()), None);
        let decided = decide(&ask, &one, Some(room), true, &There::default()).unwrap();
        assert!(held(&decided.answers[0]));
        assert!(decided.changed.is_empty());
    }

    #[test]
    fn nights_released_in_a_batch_serve_who_comes_after_in_it() {
        let (one, spec) = (calendars(1, &[july("a")]), spec(1));
        let room = RoomSeen { uid: "room-1", generation: 1, spec: &spec };
        let asks = [Ask::Release(july("a")), Ask::Take(july("b"))];
        let decided = decide(&asks, &one, Some(room), true, &There::default()).unwrap();
        assert_eq!(decided.answers[0], NightsKnown::Released);
        assert!(held(&decided.answers[1]));
    }

    #[test]
    fn a_newer_room_decides_what_is_free_and_an_older_one_does_not() {
        let one = calendars(1, &[july("a")]);
        let (more, fewer) = (spec(2), spec(0));
        let newer = RoomSeen { uid: "room-1", generation: 2, spec: &more };
        assert!(held(
            &decide(&[Ask::Take(july("b"))], &one, Some(newer), true, &There::default()).unwrap().answers[0]
        ));
        let older = RoomSeen { uid: "room-1", generation: 0, spec: &fewer };
        let decided = decide(&[Ask::Sync], &one, Some(older), false, &There::default());
        assert_eq!(decided, None, "a stale view of the Room changes no capacity");
    }

    /// Written by hand: a generation that the Room has never had, and a capacity that it never said.
    #[test]
    fn a_capacity_that_the_room_never_said_is_put_right_and_sells_nothing() {
        let (mut one, spec, more) = (calendars(1, &[july("a")]), spec(1), spec(3));
        let month = Month::of(date(2030, 7, 1));
        for night in &mut one.get_mut(&month).unwrap().nights {
            (night.capacity, night.room_generation) = (200, 99);
        }
        let room = RoomSeen { uid: "room-1", generation: 1, spec: &spec };
        let ask = [Ask::Take(july("b"))];
        assert_eq!(decide(&ask, &one, Some(room), false, &There::default()), None, "the Room may be newer");
        let decided = decide(&ask, &one, Some(room), true, &There::default()).unwrap();
        assert!(full(&decided.answers[0]));
        let nights = &decided.changed[&month].nights;
        assert!(nights.iter().all(|n| (n.capacity, n.room_generation) == (1, 100)));
        assert_eq!(nights[0].holders, ["a"]);
        // From then on the Room is followed as before.
        let again = decided.changed;
        let edited = RoomSeen { uid: "room-1", generation: 2, spec: &more };
        let decided = decide(&[Ask::Sync], &again, Some(edited), true, &There::default()).unwrap();
        assert!(decided.changed[&month].nights.iter().all(|n| n.capacity == 3));
        let quiet = decide(&[Ask::Sync], &decided.changed, Some(edited), true, &There::default()).unwrap();
        assert!(quiet.changed.is_empty());
    }

    #[test]
    fn above_the_last_generation_there_is_none_and_the_calendar_stays_as_it_is() {
        let (mut one, spec) = (calendars(1, &[]), spec(1));
        for night in one.values_mut().flat_map(|c| &mut c.nights) {
            (night.capacity, night.room_generation) = (0, i64::MAX);
        }
        let room = RoomSeen { uid: "room-1", generation: 1, spec: &spec };
        let decided = decide(&[Ask::Sync], &one, Some(room), true, &There::default()).unwrap();
        assert!(decided.changed.is_empty());
    }

    #[test]
    fn a_calendar_of_another_uid_takes_no_nights_and_still_lets_go() {
        let (one, spec) = (calendars(1, &[july("a")]), spec(1));
        let anew = RoomSeen { uid: "room-2", generation: 1, spec: &spec };
        let asks = [Ask::Take(stay("b", date(2030, 7, 9), date(2030, 7, 10))), Ask::Release(july("a"))];
        let decided = decide(&asks, &one, Some(anew), true, &There::default()).unwrap();
        assert_eq!(decided.answers, [NightsKnown::Busy, NightsKnown::Released]);
        assert!(inventory::is_empty(&decided.changed[&Month::of(date(2030, 7, 1))]));
    }

    #[test]
    fn where_the_room_is_gone_nothing_is_taken_and_releases_pass() {
        let one = calendars(1, &[july("a")]);
        let asks = [Ask::Take(july("b")), Ask::Release(july("a"))];
        assert_eq!(decide(&asks, &one, None, false, &There::default()), None);
        let decided = decide(&asks, &one, None, true, &There::default()).unwrap();
        assert!(full(&decided.answers[0]));
        assert_eq!(decided.answers[1], NightsKnown::Released);
    }

    #[test]
    fn a_past_month_keeps_only_whose_stay_is_not_over() {
        let over_the_end = stay("long", date(2030, 7, 30), date(2030, 8, 3));
        let (two, spec) = (calendars(2, &[july("a"), over_the_end]), spec(2));
        let room = RoomSeen { uid: "room-1", generation: 1, spec: &spec };
        let all = ["a", "long"].map(str::to_owned);
        let there = There { may_hold: all.into(), unfinished: ["long".to_owned()].into() };
        let month = Month::of(date(2030, 7, 1));
        let decided = decide(&[Ask::Retire(month)], &two, Some(room), true, &there).unwrap();
        assert!(!inventory::holds(&decided.changed[&month], "a"));
        assert!(inventory::holds(&decided.changed[&month], "long"));
        assert_eq!(decided.changed.len(), 1, "no other month is touched");
    }

    #[test]
    fn a_sweep_drops_whom_nobody_stands_for_and_nobody_else() {
        let (two, spec) = (calendars(2, &[july("a"), july("gone")]), spec(2));
        let room = RoomSeen { uid: "room-1", generation: 1, spec: &spec };
        let there = There { may_hold: ["a", "new"].map(str::to_owned).into(), ..There::default() };
        let decided = decide(&[Ask::Sweep], &two, Some(room), true, &there).unwrap();
        let july = &decided.changed[&Month::of(date(2030, 7, 1))];
        assert!(inventory::holds(july, "a"));
        assert!(!inventory::holds(july, "gone"));
        assert_eq!(decided.changed.len(), 1, "August has nobody to drop");
    }
}
