use innkeeper_api::OutOfOrder;
use jiff::civil::date;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::fixtures::{ROOM_UID, day, room};

fn stay(uid: &str, from: &str, to: &str, units: u32) -> Stay {
    Stay { uid: uid.to_owned(), from: day(from), to: day(to), units }
}

fn empty(month: &str, units: u32) -> RoomCalendarFields {
    with(month, units, &[])
}

fn with(month: &str, units: u32, there: &[Stay]) -> RoomCalendarFields {
    let spec = RoomSpec { units, ..room() };
    rebuild("sea-view", ROOM_UID, Month::parse(month).unwrap(), &spec, 1, there)
}

fn months(calendars: impl IntoIterator<Item = RoomCalendarFields>) -> BTreeMap<Month, RoomCalendarFields> {
    calendars.into_iter().map(|c| (Month::parse(&c.month).unwrap(), c)).collect()
}

fn held(calendar: &RoomCalendarFields, date: &str) -> Vec<String> {
    calendar.nights.iter().find(|n| n.date == day(date)).unwrap().holders.clone()
}

/// What the API server asks of one night: order, each once, and a release or nothing where it is full.
fn assert_storable(calendar: &RoomCalendarFields) {
    for night in &calendar.nights {
        assert!(night.holders.windows(2).all(|w| w[0] < w[1]), "not ascending: {night:?}");
        assert!(night.sold() <= night.capacity, "oversold: {night:?}");
    }
}

// Two units; `a` has one of them from the 10th to the 12th.
#[rstest]
#[case::next_to_it(stay("b", "2026-12-12", "2026-12-14", 2), Standing::Fits)]
#[case::before_it(stay("b", "2026-12-08", "2026-12-10", 2), Standing::Fits)]
#[case::beside_it(stay("b", "2026-12-10", "2026-12-12", 1), Standing::Fits)]
#[case::too_much(stay("b", "2026-12-08", "2026-12-14", 2), Standing::Full(date(2026, 12, 10)))]
#[case::too_much_anywhere(stay("b", "2026-12-20", "2026-12-21", 3), Standing::Full(date(2026, 12, 20)))]
#[case::itself(stay("a", "2026-12-10", "2026-12-12", 1), Standing::Held)]
#[case::itself_with_a_night_missing(stay("a", "2026-12-10", "2026-12-13", 1), Standing::Fits)]
#[case::itself_with_a_unit_missing(stay("a", "2026-12-10", "2026-12-12", 2), Standing::Fits)]
#[case::a_month_that_is_not_in_hand(
    stay("b", "2026-12-31", "2027-01-02", 1),
    Standing::Full(date(2027, 1, 1))
)]
fn a_stay_stands(#[case] wanted: Stay, #[case] standing_then: Standing) {
    let calendars = months([with("2026-12", 2, &[stay("a", "2026-12-10", "2026-12-12", 1)])]);
    assert_eq!(standing(&wanted, &calendars), standing_then);
}

#[test]
fn a_stay_is_held_although_the_hotel_has_fewer_units_now() {
    let there = [stay("a", "2026-12-10", "2026-12-12", 2)];
    let mut calendar = with("2026-12", 2, &there);
    sync(&mut calendar, &RoomSpec { units: 1, ..room() }, 2);
    let calendars = months([calendar]);
    assert_eq!(standing(&there[0], &calendars), Standing::Held);
    let other = stay("b", "2026-12-11", "2026-12-12", 1);
    assert_eq!(standing(&other, &calendars), Standing::Full(date(2026, 12, 11)));
}

#[test]
fn a_stay_over_two_months_is_taken_in_each_and_fits_only_in_both() {
    let wanted = stay("b", "2026-12-30", "2027-01-02", 1);
    let full = stay("a", "2027-01-01", "2027-01-02", 1);
    let calendars = months([empty("2026-12", 1), with("2027-01", 1, &[full])]);
    assert_eq!(standing(&wanted, &calendars), Standing::Full(date(2027, 1, 1)));

    let (mut december, mut january) = (empty("2026-12", 1), empty("2027-01", 1));
    assert!(take(&mut december, &wanted));
    assert_eq!(standing(&wanted, &months([december.clone(), january.clone()])), Standing::Fits);
    assert!(take(&mut january, &wanted));
    assert_eq!(standing(&wanted, &months([december.clone(), january.clone()])), Standing::Held);
    assert_eq!(held(&december, "2026-12-29"), Vec::<String>::new());
    assert_eq!(held(&december, "2026-12-30"), ["b"]);
    assert_eq!(held(&december, "2026-12-31"), ["b"]);
    assert_eq!(held(&january, "2027-01-01"), ["b"]);
    assert_eq!(held(&january, "2027-01-02"), Vec::<String>::new(), "the day of check-out is no night");
}

#[test]
fn ten_units_are_in_the_order_that_the_api_server_wants() {
    let mut calendar = with("2026-12", 20, &[stay("m", "2026-12-10", "2026-12-11", 1)]);
    take(&mut calendar, &stay("a", "2026-12-10", "2026-12-11", 11));
    let names = held(&calendar, "2026-12-10");
    assert_eq!(names.len(), 12);
    assert_eq!(names[..3], ["a", "a/10", "a/11"]);
    assert_storable(&calendar);
}

#[test]
fn one_reservation_is_not_taken_for_another_whose_uid_it_begins_with() {
    let mut calendar = with("2026-12", 3, &[stay("ab", "2026-12-10", "2026-12-11", 1)]);
    take(&mut calendar, &stay("a", "2026-12-10", "2026-12-11", 2));
    assert!(release(&mut calendar, "a"));
    assert_eq!(held(&calendar, "2026-12-10"), ["ab"]);
    assert!(!holds(&calendar, "a"));
    assert!(holds(&calendar, "ab"));
}

#[test]
fn a_part_of_what_was_taken_is_completed() {
    let mut calendar = empty("2026-12", 2);
    take(&mut calendar, &stay("a", "2026-12-10", "2026-12-11", 2));
    assert!(take(&mut calendar, &stay("a", "2026-12-10", "2026-12-13", 2)));
    for night in ["2026-12-10", "2026-12-11", "2026-12-12"] {
        assert_eq!(held(&calendar, night), ["a", "a/2"]);
    }
}

#[test]
fn a_calendar_with_nobody_in_it_is_empty() {
    let mut calendar = empty("2026-12", 2);
    assert!(is_empty(&calendar));
    take(&mut calendar, &stay("a", "2026-12-31", "2027-01-01", 1));
    assert!(!is_empty(&calendar));
    release(&mut calendar, "a");
    assert!(is_empty(&calendar));
}

// Nights stored with capacity 2 at generation 5; the Room now has 3 units.
#[rstest]
#[case::a_newer_generation_is_taken_over(6, true, 3, 6)]
#[case::the_same_keeps_what_is_stored(5, false, 2, 5)]
#[case::an_older_view_changes_nothing(4, false, 2, 5)]
fn capacity_follows_the_rooms_generation(
    #[case] seen: i64,
    #[case] changed: bool,
    #[case] capacity: u32,
    #[case] generation: i64,
) {
    let mut calendar = empty("2026-12", 2);
    for night in &mut calendar.nights {
        night.room_generation = 5;
    }
    assert_eq!(sync(&mut calendar, &RoomSpec { units: 3, ..room() }, seen), changed);
    assert!(calendar.nights.iter().all(|n| n.capacity == capacity && n.room_generation == generation));
}

#[test]
fn a_newer_generation_is_stamped_although_the_capacity_is_the_same() {
    let mut calendar = empty("2026-12", 2);
    assert!(sync(&mut calendar, &room(), 2), "an older view must be refused from now on");
    assert!(calendar.nights.iter().all(|n| n.room_generation == 2));
}

#[test]
fn a_rebuilt_month_has_every_night_and_the_rooms_capacity() {
    let out = OutOfOrder { from: day("2028-02-29"), to: day("2028-03-01"), units: 1, reason: None };
    let spec = RoomSpec { out_of_order: vec![out], ..room() };
    let calendar = rebuild("sea-view", ROOM_UID, Month::parse("2028-02").unwrap(), &spec, 4, &[]);
    assert_eq!((calendar.room_name.as_str(), calendar.room_uid.as_str()), ("sea-view", ROOM_UID));
    assert_eq!(calendar.month, "2028-02");
    assert_eq!(calendar.nights.len(), 29);
    assert_eq!(calendar.nights[27].capacity, 2);
    assert_eq!(calendar.nights[28].capacity, 1);
    assert!(calendar.nights.iter().all(|n| n.room_generation == 4));
}

#[test]
fn a_rebuilt_month_holds_those_who_are_there_and_only_their_nights_of_it() {
    let there = [stay("b", "2026-11-29", "2026-12-02", 1), stay("a", "2026-12-01", "2026-12-03", 1)];
    let calendar = with("2026-12", 2, &there);
    assert_eq!(held(&calendar, "2026-12-01"), ["a", "b"]);
    assert_eq!(held(&calendar, "2026-12-02"), ["a"]);
    assert_storable(&calendar);
    assert_eq!(calendar.nights[0].room_generation, 1);
}

#[test]
fn a_month_rebuilt_over_its_capacity_is_first_made_as_it_is_and_then_lowered() {
    let there = [stay("a", "2026-12-10", "2026-12-11", 1), stay("b", "2026-12-10", "2026-12-11", 1)];
    let spec = RoomSpec { units: 1, ..room() };
    let mut calendar = rebuild("sea-view", ROOM_UID, Month::parse("2026-12").unwrap(), &spec, 9, &there);
    // The API server takes a new calendar only with no more holders than capacity, and generation 0 is below any.
    assert_storable(&calendar);
    assert!(calendar.nights.iter().all(|n| n.room_generation == 0));
    assert_eq!(standing(&there[0], &months([calendar.clone()])), Standing::Held);
    assert!(matches!(
        standing(&stay("c", "2026-12-20", "2026-12-21", 1), &months([calendar.clone()])),
        Standing::Full(_)
    ));

    assert!(sync(&mut calendar, &spec, 9));
    assert!(calendar.nights.iter().all(|n| n.capacity == 1 && n.room_generation == 9));
    assert_eq!(held(&calendar, "2026-12-10"), ["a", "b"], "nobody is put out");
    assert!(!sync(&mut calendar, &spec, 9));
}

fn any_stay() -> impl Strategy<Value = Stay> {
    (0..6_u8, 0..40_i64, 1..6_i64, 1..4_u32).prop_map(|(who, start, nights, units)| {
        let from = date(2026, 11, 25).checked_add(jiff::Span::new().days(start)).unwrap();
        Stay {
            uid: format!("guest-{who}"),
            from,
            to: from.checked_add(jiff::Span::new().days(nights)).unwrap(),
            units,
        }
    })
}

proptest! {
    #[test]
    fn taking_only_what_fits_never_exceeds_capacity(units in 0..5_u32, wanted in prop::collection::vec(any_stay(), 0..40)) {
        let mut calendars = months(["2026-11", "2026-12", "2027-01"].map(|m| empty(m, units)));
        for stay in &wanted {
            // A Reservation's dates never change: a guest who is there already does not come a second time.
            if calendars.values().any(|c| holds(c, &stay.uid)) {
                continue;
            }
            let fits = standing(stay, &calendars);
            prop_assert_ne!(fits, Standing::Held);
            if fits == Standing::Fits {
                for calendar in calendars.values_mut() {
                    take(calendar, stay);
                }
                prop_assert_eq!(standing(stay, &calendars), Standing::Held);
            }
            calendars.values().for_each(assert_storable);
        }
    }

    #[test]
    fn taking_twice_is_taking_once_and_releasing_undoes_it(
        first in any_stay(),
        second in any_stay(),
    ) {
        prop_assume!(first.uid != second.uid);
        let before = with("2026-12", 6, std::slice::from_ref(&first));
        let mut calendar = before.clone();
        let changed = take(&mut calendar, &second);
        prop_assert_eq!(changed, calendar != before);
        assert_storable(&calendar);
        let once = calendar.clone();
        prop_assert!(!take(&mut calendar, &second));
        prop_assert_eq!(&calendar, &once);
        prop_assert_eq!(release(&mut calendar, &second.uid), changed);
        prop_assert_eq!(&calendar, &before);
        prop_assert!(!release(&mut calendar, &second.uid));
    }

    #[test]
    fn a_rebuilt_month_does_not_depend_on_the_order_in_which_guests_were_found(
        mut there in prop::collection::vec(any_stay(), 0..6),
        units in 0..5_u32,
    ) {
        there.sort_by(|a, b| a.uid.cmp(&b.uid));
        there.dedup_by(|a, b| a.uid == b.uid);
        let one = with("2026-12", units, &there);
        there.reverse();
        prop_assert_eq!(one, with("2026-12", units, &there));
    }
}

#[rstest]
#[case::nothing_is_stored(None, 7)]
#[case::an_older_generation_is_stored(Some((9, 2)), 7)]
#[case::a_calendar_that_is_being_rebuilt(Some((9, 0)), 7)]
#[case::another_operator_computed_it(Some((5, 3)), 5)]
#[case::the_view_of_the_room_is_the_older_one(Some((5, 4)), 5)]
fn the_newer_of_calendar_and_room_says_how_many_there_are(
    #[case] stored: Option<(u32, i64)>,
    #[case] units: u32,
) {
    let spec = RoomSpec { units: 7, ..room() };
    assert_eq!(capacity_ahead(stored, &spec, 3, day("2026-12-10")), units);
}

// One unit for the nights of 31 December and 1 January.
#[rstest]
#[case::nothing_is_there(&[], &[], NightsSeen::None)]
#[case::somebody_else_is_there(&["b"], &["b"], NightsSeen::None)]
#[case::only_the_first_night(&["a"], &["b"], NightsSeen::Some)]
#[case::only_the_last_night(&[], &["a"], NightsSeen::Some)]
#[case::both_nights(&["a"], &["a", "b"], NightsSeen::All)]
fn of_a_stay_over_two_months_is_seen(
    #[case] december: &[&str],
    #[case] january: &[&str],
    #[case] then: NightsSeen,
) {
    let there = |uids: &[&str], from: &str, to: &str| -> Vec<Stay> {
        uids.iter().map(|uid| stay(uid, from, to, 1)).collect()
    };
    let first = with("2026-12", 2, &there(december, "2026-12-31", "2027-01-01"));
    let second = with("2027-01", 2, &there(january, "2027-01-01", "2027-01-02"));
    assert_eq!(seen(&stay("a", "2026-12-31", "2027-01-02", 1), &[&first, &second]), then);
}

#[test]
fn whoever_is_not_there_is_taken_out_and_it_is_said_whether_anybody_was() {
    let (a, b) = (stay("a", "2026-12-10", "2026-12-11", 1), stay("b", "2026-12-20", "2026-12-21", 1));
    let mut calendar = with("2026-12", 2, &[a, b]);
    let there = |uids: &[&str]| uids.iter().map(|uid| (*uid).to_owned()).collect::<BTreeSet<String>>();
    assert!(!keep_only(&mut calendar, &there(&["a", "b"])), "everybody is there");
    assert!(keep_only(&mut calendar, &there(&["b"])), "on an early night alone");
    assert_eq!((held(&calendar, "2026-12-10").len(), held(&calendar, "2026-12-20").len()), (0, 1));
    assert!(!keep_only(&mut calendar, &there(&["b"])), "nobody is left to take out");
}

// Of a Room of 2 units, seen at its generation 5; the nights have 3 and say this generation.
#[rstest]
#[case::of_an_older_view(4, false)]
#[case::of_this_view(5, false)]
#[case::of_the_next(6, true)]
#[case::of_a_later_one(9, true)]
#[case::of_the_last_there_can_be(i64::MAX, false)]
fn another_capacity_is_ahead_where_it_claims_a_newer_room(#[case] said: i64, #[case] ahead: bool) {
    let mut calendar = with("2026-12", 3, &[]);
    calendar.nights.iter_mut().for_each(|night| night.room_generation = said);
    assert_eq!(is_ahead(&calendar, &RoomSpec { units: 2, ..room() }, 5), ahead);
    assert!(!is_ahead(&calendar, &RoomSpec { units: 3, ..room() }, 5), "the same capacity is never ahead");
}
