use std::collections::BTreeMap;
use std::sync::Arc;

use innkeeper_api::{RoomSpec, Sale};
use jiff::civil::date;
use rstest::rstest;

use super::*;
use crate::model::views::{CalendarView, Claim, RoomView};

const UID: &str = "room-1";

fn room() -> RoomView {
    let spec = serde_json::from_value(serde_json::json!({
        "units": 2,
        "rate": { "currency": "EUR", "minorUnits": 12_000 },
        "timeZone": "Europe/Lisbon",
    }));
    RoomView { name: "double".into(), uid: UID.into(), generation: 1, spec: spec.unwrap(), going: false }
}

fn wish() -> Wish {
    Wish {
        check_in: date(2030, 7, 30),
        check_out: date(2030, 8, 2),
        units: 1,
        guests: Guests { adults: 1, children: 0 },
    }
}

/// A night with these holders.
fn night(date: Date, capacity: u32, generation: i64, holders: &[u128]) -> NightView {
    let sold = u32::try_from(holders.len()).unwrap();
    NightView { date, capacity, generation, sold, holders: holders.into() }
}

/// July with these nights, and an August in which nothing was ever sold.
fn stock(nights: &[NightView], claims: &[Claim]) -> Stock {
    let july = CalendarView { room_uid: UID.into(), nights: nights.into() };
    let months = BTreeMap::from([
        (Month::of(date(2030, 7, 1)), Some(Arc::new(july))),
        (Month::of(date(2030, 8, 1)), None),
    ]);
    Stock { room: Arc::new(room()), months, claims: claims.to_vec() }
}

fn now() -> Timestamp {
    "2030-06-01T12:00:00Z".parse().unwrap()
}

fn claim(uid: u128, from: Date, to: Date, units: u32) -> Claim {
    Claim { uid, from, to, units }
}

#[rstest]
#[case::nothing_sold(&[], &[], 2)]
#[case::one_sold(&[night(date(2030, 7, 31), 2, 1, &[7])], &[], 1)]
#[case::sold_before_the_stay(&[night(date(2030, 7, 29), 2, 1, &[7, 8])], &[], 2)]
#[case::under_way(&[], &[claim(7, date(2030, 8, 1), date(2030, 8, 5), 1)], 1)]
#[case::under_way_after_the_stay(&[], &[claim(7, date(2030, 8, 2), date(2030, 8, 5), 2)], 2)]
#[case::under_way_and_held_already(
    &[night(date(2030, 7, 31), 2, 1, &[7])],
    &[claim(7, date(2030, 7, 31), date(2030, 8, 1), 1)],
    1
)]
#[case::more_under_way_than_there_is(&[], &[claim(7, date(2030, 8, 1), date(2030, 8, 5), 9)], 0)]
#[case::an_older_generation_in_the_calendar(&[night(date(2030, 7, 31), 9, 0, &[7])], &[], 1)]
#[case::a_newer_generation_in_the_calendar(&[night(date(2030, 7, 31), 1, 2, &[])], &[], 1)]
#[case::more_sold_than_there_is_now(&[night(date(2030, 7, 31), 0, 2, &[7])], &[], 0)]
fn what_is_free_is_what_nobody_has_and_nobody_ahead_will_take(
    #[case] nights: &[NightView],
    #[case] claims: &[Claim],
    #[case] free: u32,
) {
    let found = offer(&stock(nights, claims), &wish(), now());
    assert_eq!(found.free, free);
    assert_eq!(found.verdict.is_ok(), free > 0);
}

#[test]
fn a_calendar_of_a_room_that_had_the_name_before_takes_nobody() {
    let mut stock = stock(&[], &[]);
    let old = CalendarView { room_uid: "room-0".into(), nights: [].into() };
    stock.months.insert(Month::of(date(2030, 8, 1)), Some(Arc::new(old)));
    let found = offer(&stock, &wish(), now());
    assert_eq!((found.free, found.verdict.unwrap_err().why), (0, Why::SoldOut));
}

#[test]
fn what_is_full_is_named_night_by_night() {
    let full = [night(date(2030, 7, 30), 2, 1, &[7, 8]), night(date(2030, 7, 31), 2, 1, &[8])];
    let told = offer(&stock(&full, &[]), &wish(), now()).verdict.unwrap_err();
    assert!(told.message.starts_with("No unit is free on 2030-07-30;"), "{}", told.message);
    let told = offer(&stock(&full, &[]), &Wish { units: 2, ..wish() }, now()).verdict.unwrap_err();
    assert!(
        told.message.starts_with("Fewer than 2 units are free on 2030-07-30, 2030-07-31;"),
        "{}",
        told.message
    );
}

#[rstest]
#[case::stopped(|r: &mut RoomView| r.spec.sale = Sale::Stopped, Reason::SaleStopped)]
#[case::being_deleted(|r: &mut RoomView| r.going = true, Reason::SaleStopped)]
#[case::a_zone_that_does_not_exist(|r: &mut RoomView| r.spec.time_zone = "Mars/North".into(), Reason::UnknownTimeZone)]
#[case::a_restriction(restricted, Reason::RestrictionViolated)]
fn a_room_that_does_not_take_the_stay_says_why(#[case] change: fn(&mut RoomView), #[case] reason: Reason) {
    let mut stock = stock(&[], &[]);
    change(Arc::make_mut(&mut stock.room));
    assert_eq!(offer(&stock, &wish(), now()).verdict.unwrap_err().why, Why::Terms(reason));
}

fn restricted(room: &mut RoomView) {
    let spec: &mut RoomSpec = &mut room.spec;
    spec.restrictions = serde_json::from_value(serde_json::json!({ "minNights": 4 })).unwrap();
}

#[test]
fn a_stay_with_a_limit_is_declined_above_it_and_a_search_has_none() {
    let stock = stock(&[], &[]);
    let quote = offer(&stock, &wish(), now()).verdict.unwrap();
    assert_eq!((quote.total, quote.collect_online), (36_000, 0));
    let max = innkeeper_api::Money { currency: "EUR".into(), minor_units: 35_999 };
    let stay = ReservationSpec { max_total: Some(max), ..wish().as_stay("double") };
    assert_eq!(judge(&stock, &stay, now()).verdict.unwrap_err().why, Why::Terms(Reason::PriceAboveMax));
}
