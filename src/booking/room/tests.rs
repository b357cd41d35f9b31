use innkeeper_api::{ConditionType, Conditions, OutOfOrder, Rate, holder_entries};
use rstest::rstest;

use super::*;
use crate::fixtures::{at, day, now, room};

fn out(from: &str, to: &str, units: u32) -> OutOfOrder {
    OutOfOrder { from: day(from), to: day(to), units, reason: None }
}

// The Room has two units.
#[rstest]
#[case::as_written(0, &[], 2)]
#[case::with_overbooking(1, &[], 3)]
#[case::one_out_of_order(0, &[("2026-12-24", "2026-12-27", 1)], 1)]
#[case::from_that_night_on(0, &[("2026-12-25", "2026-12-27", 1)], 1)]
#[case::until_that_night(0, &[("2026-12-20", "2026-12-25", 1)], 2)]
#[case::after_that_night(0, &[("2026-12-26", "2026-12-27", 1)], 2)]
#[case::several_add_up(0, &[("2026-12-24", "2026-12-27", 1), ("2026-12-25", "2026-12-26", 1)], 0)]
#[case::never_below_nothing(0, &[("2026-12-24", "2026-12-27", 200)], 0)]
#[case::overbooking_is_not_what_is_out_of_order(3, &[("2026-12-24", "2026-12-27", 2)], 3)]
fn christmas_night_has(#[case] overbooking: u32, #[case] gone: &[(&str, &str, u32)], #[case] wanted: u32) {
    let out_of_order = gone.iter().map(|(from, to, units)| out(from, to, *units)).collect();
    let spec = RoomSpec { overbooking, out_of_order, ..room() };
    assert_eq!(capacity(&spec, day("2026-12-25")), wanted);
}

#[test]
fn capacity_stays_within_what_a_calendar_can_hold() {
    let spec = RoomSpec { units: 200, overbooking: 200, ..room() };
    assert_eq!(capacity(&spec, day("2026-12-25")), innkeeper_api::MAX_UNITS);
}

#[rstest]
#[case::as_it_should_be("Europe/Lisbon", "EUR", None)]
#[case::no_such_zone("Europe/Atlantis", "EUR", Some(Reason::UnknownTimeZone))]
#[case::a_path("../../etc/passwd", "EUR", Some(Reason::UnknownTimeZone))]
#[case::no_zone("", "EUR", Some(Reason::UnknownTimeZone))]
#[case::no_such_currency("Europe/Lisbon", "ABC", Some(Reason::UnknownCurrency))]
#[case::gold("Europe/Lisbon", "XAU", Some(Reason::UnknownCurrency))]
fn a_room_can_be_sold_where_its_zone_and_currency_exist(
    #[case] time_zone: &str,
    #[case] currency: &str,
    #[case] wanted: Option<Reason>,
) {
    let spec = RoomSpec {
        time_zone: time_zone.to_owned(),
        rate: Rate { currency: currency.to_owned(), minor_units: 1 },
        ..room()
    };
    let fault = SellableRoom::check(&spec).err();
    assert_eq!(fault.as_ref().map(RoomFault::reason), wanted);
    if let Some(fault) = fault {
        assert!(fault.to_string().contains("write"), "says what to change: {fault}");
    }
}

// Where the clocks skip a time it is as late as it would have been; where they repeat it, it is the first.
#[rstest]
#[case::winter("Europe/Berlin", "2026-12-01", "15:00", "2026-12-01T14:00:00Z")]
#[case::summer("Europe/Berlin", "2026-07-01", "15:00", "2026-07-01T13:00:00Z")]
#[case::a_time_that_is_skipped("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:30:00Z")]
#[case::a_time_that_comes_twice("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00Z")]
#[case::a_day_that_is_skipped("Pacific/Apia", "2011-12-30", "15:00", "2011-12-31T01:00:00Z")]
#[case::half_an_hour_zone("Asia/Kolkata", "2026-12-01", "15:00", "2026-12-01T09:30:00Z")]
fn a_local_time_is_an_instant(
    #[case] zone: &str,
    #[case] date: &str,
    #[case] time: &str,
    #[case] wanted: &str,
) {
    let spec = RoomSpec { time_zone: zone.to_owned(), check_in_time: time.to_owned(), ..room() };
    let room = SellableRoom::check(&spec).unwrap();
    assert_eq!(room.instant(day(date), room.check_in_time), Some(at(wanted)));
}

fn night(date: &str, capacity: u32, holders: &[(&str, u32)]) -> (Date, Night) {
    let mut entries: Vec<String> =
        holders.iter().flat_map(|(uid, units)| holder_entries(uid, *units)).collect();
    entries.sort();
    (day(date), Night { date: day(date), capacity, room_generation: 1, holders: entries })
}

fn shown(spec: &RoomSpec, nights: &[(Date, Night)]) -> RoomStatus {
    let nights = nights.iter().cloned().collect();
    room_status(spec, 7, &nights, &RoomStatus::default(), now())
}

/// Status and reason of a condition, or `-`.
fn says(conditions: &Conditions, type_: &ConditionType) -> String {
    conditions.get(type_).map_or_else(|| "-".to_owned(), |c| format!("{} {}", c.status, c.reason))
}

// It is 22 November at the Room.
#[test]
fn a_room_without_calendars_shows_all_its_units() {
    let spec = RoomSpec { overbooking: 1, out_of_order: vec![out("2026-11-22", "2026-11-23", 1)], ..room() };
    let status = shown(&spec, &[]);
    assert_eq!(status.tonight, Some(Tonight { date: day("2026-11-22"), sold: 0, free: 2 }));
    assert_eq!((status.sold_out_nights, status.stays_ahead), (0, 0));
    assert!(status.nights.is_empty());
}

#[test]
fn what_is_overbooked_is_free_too_where_nothing_is_sold() {
    assert_eq!(shown(&RoomSpec { overbooking: 1, ..room() }, &[]).fewest_free, Some(3));
}

#[rstest]
#[case::ahead(&[("2027-01-01", "2027-01-05", 1)], 1)]
#[case::past(&[("2026-01-01", "2026-11-22", 1)], 2)]
#[case::begun(&[("2026-11-01", "2026-11-23", 1)], 1)]
#[case::overlapping(&[("2027-01-01", "2027-01-05", 1), ("2027-01-04", "2027-01-09", 1)], 0)]
#[case::apart(&[("2027-01-01", "2027-01-05", 1), ("2027-01-05", "2027-01-09", 1)], 1)]
fn out_of_order_nights_without_a_calendar_count_too(
    #[case] spans: &[(&str, &str, u32)],
    #[case] fewest: u32,
) {
    let out_of_order = spans.iter().map(|(from, to, units)| out(from, to, *units)).collect();
    assert_eq!(shown(&RoomSpec { out_of_order, ..room() }, &[]).fewest_free, Some(fewest));
}

#[test]
fn a_rooms_numbers_are_of_tonight_and_the_nights_ahead() {
    let status = shown(
        &room(),
        &[
            night("2026-11-21", 2, &[("gone", 2)]),
            night("2026-11-22", 2, &[("a", 1)]),
            night("2026-11-23", 2, &[("a", 1), ("b", 1)]),
            night("2026-11-24", 2, &[]),
            night("2026-11-25", 0, &[]),
            night("2027-01-01", 2, &[("c", 2)]),
        ],
    );
    assert_eq!(status.tonight, Some(Tonight { date: day("2026-11-22"), sold: 1, free: 1 }));
    assert_eq!(status.fewest_free, Some(0));
    assert_eq!(status.sold_out_nights, 3, "full ones, and one that is not sold at all");
    assert_eq!(status.stays_ahead, 3, "several units and nights of one stay are one stay");
    let listed: Vec<(Date, u32, u32)> = status.nights.iter().map(|n| (n.date, n.sold, n.free)).collect();
    assert_eq!(
        listed,
        [(day("2026-11-22"), 1, 1), (day("2026-11-23"), 2, 0), (day("2027-01-01"), 2, 0)],
        "only what is sold, ascending"
    );
}

#[rstest]
#[case("Pacific/Kiritimati", "2026-11-22T09:59:59Z", "2026-11-22")]
#[case("Pacific/Kiritimati", "2026-11-22T10:00:00Z", "2026-11-23")]
#[case("Pacific/Pago_Pago", "2026-11-22T10:59:59Z", "2026-11-21")]
fn tonight_is_the_rooms_own(#[case] zone: &str, #[case] now: &str, #[case] wanted: &str) {
    let spec = RoomSpec { time_zone: zone.to_owned(), ..room() };
    let status = room_status(&spec, 1, &BTreeMap::new(), &RoomStatus::default(), at(now));
    assert_eq!(status.tonight.unwrap().date, day(wanted));
}

#[test]
fn no_more_than_a_month_of_nights_is_listed() {
    let nights: Vec<(Date, Night)> = innkeeper_api::nights(day("2026-12-01"), day("2027-02-01"))
        .map(|date| night(&date.to_string(), 2, &[("a", 1)]))
        .collect();
    let status = shown(&room(), &nights);
    assert_eq!(status.nights.len(), NIGHTS_SHOWN);
    assert_eq!(status.nights[0].date, day("2026-12-01"));
}

#[rstest]
#[case::as_it_should_be(room(), "True Sellable", "True Open", "-")]
#[case::stopped(RoomSpec { sale: Sale::Stopped, ..room() }, "True Sellable", "False SaleStopped", "-")]
#[case::no_such_zone(RoomSpec { time_zone: "Mars/Base".into(), ..room() },
    "False UnknownTimeZone", "False UnknownTimeZone", "True UnknownTimeZone")]
#[case::no_such_currency(RoomSpec { rate: Rate { currency: "ABC".into(), minor_units: 1 }, ..room() },
    "False UnknownCurrency", "False UnknownCurrency", "True UnknownCurrency")]
fn a_rooms_conditions_say(
    #[case] spec: RoomSpec,
    #[case] ready: &str,
    #[case] available: &str,
    #[case] stalled: &str,
) {
    let status = shown(&spec, &[]);
    assert_eq!(says(&status.conditions, &ConditionType::Ready), ready);
    assert_eq!(says(&status.conditions, &ConditionType::Available), available);
    assert_eq!(says(&status.conditions, &ConditionType::Stalled), stalled);
    assert_eq!(status.observed_generation, 7);
    for condition in &status.conditions.0 {
        assert_eq!(condition.observed_generation, 7, "{condition:?}");
        assert!(condition.message.len() > 10, "{condition:?}");
    }
}

#[rstest]
#[case::ahead("2026-11-30", "False Oversold")]
#[case::tonight("2026-11-22", "False Oversold")]
#[case::in_the_past_nobody_can_help_it("2026-11-21", "True Open")]
fn a_room_with_more_sold_than_there_is_says_so(#[case] date: &str, #[case] wanted: &str) {
    let status = shown(&room(), &[night(date, 1, &[("a", 2)])]);
    assert_eq!(says(&status.conditions, &ConditionType::Available), wanted);
    if wanted != "True Open" {
        let message = &status.conditions.get(&ConditionType::Available).unwrap().message;
        assert!(message.contains(&format!("{date} (2 sold, 1 to sell)")), "{message}");
        assert!(message.contains("raise units"), "{message}");
    }
}

// The status is written for generation 7, whose Room has two units.
#[rstest]
#[case::edited_by_hand(7, 5, "True CalendarOutOfDate")]
#[case::with_a_generation_that_cannot_be_raised(i64::MAX, 0, "True CalendarOutOfDate")]
#[case::about_to_be_brought_up(6, 5, "True Open")]
#[case::as_the_room_says(7, 2, "True Open")]
fn a_room_whose_calendar_says_otherwise_tells(
    #[case] generation: i64,
    #[case] capacity: u32,
    #[case] wanted: &str,
) {
    let (date, mut night) = night("2026-11-30", capacity, &[]);
    night.room_generation = generation;
    let status = shown(&room(), &[(date, night)]);
    assert_eq!(says(&status.conditions, &ConditionType::Available), wanted);
    if wanted != "True Open" {
        let message = &status.conditions.get(&ConditionType::Available).unwrap().message;
        assert!(message.contains(&format!("1 nights: 2026-11-30 ({capacity} instead of 2)")), "{message}");
    }
}

#[test]
fn a_full_room_is_not_oversold() {
    let status = shown(&room(), &[night("2026-11-30", 2, &[("a", 2)])]);
    assert_eq!(says(&status.conditions, &ConditionType::Available), "True Open");
}

#[test]
fn a_room_put_right_is_no_longer_stalled() {
    let wrong = RoomSpec { time_zone: "Mars/Base".into(), ..room() };
    let before = room_status(&wrong, 1, &BTreeMap::new(), &RoomStatus::default(), at("2026-11-22T11:00:00Z"));
    let after = room_status(&room(), 2, &BTreeMap::new(), &before, now());
    assert_eq!(says(&after.conditions, &ConditionType::Ready), "True Sellable");
    assert_eq!(says(&after.conditions, &ConditionType::Stalled), "-");
    assert_eq!(after.conditions.get(&ConditionType::Ready).unwrap().last_transition_time, now());
}

#[test]
fn an_hour_later_nothing_has_changed() {
    let before = shown(&room(), &[night("2026-11-30", 2, &[("a", 1)])]);
    let nights = [night("2026-11-30", 2, &[("a", 1)])].into();
    let after = room_status(&room(), 7, &nights, &before, at("2026-11-22T13:00:00Z"));
    assert_eq!(after, before);
}
