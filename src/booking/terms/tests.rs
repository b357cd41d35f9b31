use innkeeper_api::{Guests, Money, Payment, RoomSpec};
use rstest::rstest;

use super::*;
use crate::fixtures::{NOW, ROOM_UID, at, day, room, stay};

/// What comes of `stay` in `room` at `now`.
fn answer(stay: &ReservationSpec, room: &RoomSpec, now: &str) -> Result<Quote, Refusal> {
    let identity = RoomIdentity { uid: ROOM_UID, generation: 3 };
    accept(stay, &SellableRoom::check(room).unwrap(), identity, at(now)).map_err(Refusal::from)
}

/// `ok`, or the reason.
fn verdict(outcome: &Result<Quote, Refusal>) -> &str {
    outcome.as_ref().map_or_else(|refusal| refusal.reason.as_str(), |_| "ok")
}

fn nights_from(from: &str, to: &str) -> ReservationSpec {
    ReservationSpec { check_in: day(from), check_out: day(to), ..stay() }
}

#[test]
fn what_is_agreed_is_complete() {
    let quote = answer(&stay(), &room(), NOW).unwrap();
    assert_eq!(quote.currency, "EUR");
    assert_eq!((quote.total, quote.collect_online), (24_000, 24_000));
    assert_eq!(quote.lines.len(), 1);
    assert_eq!(quote.check_in_at, at("2026-12-01T15:00:00Z"));
    assert_eq!(quote.finished_at, at("2026-12-04T00:00:00Z"), "the end of the day of check-out");
    assert_eq!(quote.refund_deadlines.len(), 1);
    assert_eq!((quote.room_uid.as_str(), quote.room_generation), (ROOM_UID, 3));
}

#[rstest]
#[case(Collect::Online, 24_000)]
#[case(Collect::AtProperty, 0)]
#[case(Collect::External, 0)]
fn only_what_is_collected_online_is_collected_here(#[case] collect: Collect, #[case] online: i64) {
    let method = (collect == Collect::Online).then(|| "pm_card_visa".to_owned());
    let stay = ReservationSpec { payment: Payment { collect, method, reference: None }, ..stay() };
    let quote = answer(&stay, &room(), NOW).unwrap();
    assert_eq!((quote.total, quote.collect_online), (24_000, online));
}

#[rstest]
#[case::one_night("2026-12-01", "2026-12-02", "ok")]
#[case::the_longest("2026-12-01", "2027-02-01", "ok")]
#[case::one_more("2026-12-01", "2027-02-02", "InvalidStay")]
#[case::far_too_long("2026-12-01", "9999-12-31", "InvalidStay")]
#[case::no_night("2026-12-01", "2026-12-01", "InvalidStay")]
#[case::backwards("2026-12-02", "2026-12-01", "InvalidStay")]
#[case::over_the_leap_day("2028-02-28", "2028-03-01", "ok")]
#[case::at_the_end_of_time("9999-12-30", "9999-12-31", "InvalidStay")]
fn a_stay_has_between_one_and_62_nights(#[case] from: &str, #[case] to: &str, #[case] wanted: &str) {
    assert_eq!(verdict(&answer(&nights_from(from, to), &room(), NOW)), wanted);
}

// It is a day of its own at every Room.
#[rstest]
#[case::today("Europe/Lisbon", "2026-11-30T12:00:00Z", "2026-11-30", "ok")]
#[case::yesterday("Europe/Lisbon", "2026-11-30T12:00:00Z", "2026-11-29", "InvalidStay")]
#[case::late_in_the_evening("Europe/Lisbon", "2026-11-30T23:59:59Z", "2026-11-30", "ok")]
#[case::midnight("Europe/Lisbon", "2026-12-01T00:00:00Z", "2026-11-30", "InvalidStay")]
#[case::tomorrow_already_there("Pacific/Kiritimati", "2026-11-30T11:00:00Z", "2026-11-30", "InvalidStay")]
#[case::and_today_is_tomorrow("Pacific/Kiritimati", "2026-11-30T11:00:00Z", "2026-12-01", "ok")]
#[case::still_yesterday_there("Pacific/Pago_Pago", "2026-12-01T10:59:59Z", "2026-11-30", "ok")]
#[case::until_eleven("Pacific/Pago_Pago", "2026-12-01T11:00:00Z", "2026-11-30", "InvalidStay")]
#[case::the_day_that_samoa_skipped_is_past(
    "Pacific/Apia",
    "2011-12-30T10:00:00Z",
    "2011-12-30",
    "InvalidStay"
)]
#[case::new_years_eve("Asia/Seoul", "2026-12-31T14:59:59Z", "2026-12-31", "ok")]
#[case::new_year("Asia/Seoul", "2026-12-31T15:00:00Z", "2026-12-31", "InvalidStay")]
fn arrival_is_not_in_the_past_at_the_room(
    #[case] zone: &str,
    #[case] now: &str,
    #[case] check_in: &str,
    #[case] wanted: &str,
) {
    let check_in = day(check_in);
    let stay = ReservationSpec { check_in, check_out: check_in.tomorrow().unwrap(), ..stay() };
    let room = RoomSpec { time_zone: zone.to_owned(), ..room() };
    assert_eq!(verdict(&answer(&stay, &room, now)), wanted);
}

// Where clocks are put forward over midnight the day begins an hour late; where they are put back, at the first.
#[rstest]
#[case::an_ordinary_day("Europe/Berlin", "2026-12-03", "2026-12-03T23:00:00Z")]
#[case::before_clocks_go_forward("Europe/Berlin", "2027-03-28", "2027-03-28T22:00:00Z")]
#[case::before_they_go_back("Europe/Berlin", "2027-10-31", "2027-10-31T23:00:00Z")]
#[case::no_midnight_in_cairo("Africa/Cairo", "2027-04-29", "2027-04-29T22:00:00Z")]
#[case::midnight_twice_in_havana("America/Havana", "2027-11-06", "2027-11-07T04:00:00Z")]
#[case::new_years_eve_in_seoul("Asia/Seoul", "2026-12-31", "2026-12-31T15:00:00Z")]
#[case::the_leap_day("Europe/Lisbon", "2028-02-29", "2028-03-01T00:00:00Z")]
#[case::kiritimati("Pacific/Kiritimati", "2026-12-03", "2026-12-03T10:00:00Z")]
fn a_stay_is_finished_when_the_day_of_check_out_ends(
    #[case] zone: &str,
    #[case] check_out: &str,
    #[case] wanted: &str,
) {
    let check_out = day(check_out);
    let stay = ReservationSpec { check_in: check_out.yesterday().unwrap(), check_out, ..stay() };
    let room = RoomSpec { time_zone: zone.to_owned(), ..room() };
    assert_eq!(answer(&stay, &room, NOW).unwrap().finished_at, at(wanted));
}

fn restricted(text: &str) -> RoomSpec {
    let (name, value) = text.split_once(' ').unwrap();
    let value: i32 = value.parse().unwrap();
    let mut all = Restrictions::default();
    match name {
        "minNights" => all.min_nights = Some(value),
        "maxNights" => all.max_nights = Some(value),
        "minDaysAhead" => all.min_days_ahead = Some(value),
        "maxDaysAhead" => all.max_days_ahead = Some(value),
        other => panic!("no such restriction: {other}"),
    }
    RoomSpec { restrictions: Some(all), ..room() }
}

// The stay has two nights, and arrival is nine days ahead.
#[rstest]
#[case("minNights 2", "ok")]
#[case("minNights 3", "RestrictionViolated")]
#[case("maxNights 2", "ok")]
#[case("maxNights 1", "RestrictionViolated")]
#[case("minDaysAhead 9", "ok")]
#[case("minDaysAhead 10", "RestrictionViolated")]
#[case("maxDaysAhead 9", "ok")]
#[case("maxDaysAhead 8", "RestrictionViolated")]
fn restrictions_hold_at_their_edges(#[case] restriction: &str, #[case] wanted: &str) {
    let outcome = answer(&stay(), &restricted(restriction), NOW);
    assert_eq!(verdict(&outcome), wanted);
    if let Err(refusal) = outcome {
        let value = restriction.split_once(' ').unwrap().1;
        assert!(refusal.message.contains(value), "says what is allowed: {}", refusal.message);
    }
}

#[rstest]
#[case::arriving_today("maxDaysAhead 0", "2026-11-22", "ok")]
#[case::tomorrow_is_too_far("maxDaysAhead 0", "2026-11-23", "RestrictionViolated")]
#[case::not_on_the_day("minDaysAhead 1", "2026-11-22", "RestrictionViolated")]
fn days_ahead_are_counted_from_today(
    #[case] restriction: &str,
    #[case] check_in: &str,
    #[case] wanted: &str,
) {
    let check_in = day(check_in);
    let stay = ReservationSpec { check_in, check_out: check_in.tomorrow().unwrap(), ..stay() };
    assert_eq!(verdict(&answer(&stay, &restricted(restriction), NOW)), wanted);
}

// At this instant it is the 25th on one side of the date line and the 27th on the other.
#[rstest]
#[case::today_in_kiritimati("Pacific/Kiritimati", "maxDaysAhead 0", "2026-11-27", "ok")]
#[case::tomorrow_there("Pacific/Kiritimati", "maxDaysAhead 0", "2026-11-28", "RestrictionViolated")]
#[case::today_on_the_other_side("Etc/GMT+12", "maxDaysAhead 0", "2026-11-25", "ok")]
#[case::tomorrow_on_the_other_side("Etc/GMT+12", "maxDaysAhead 0", "2026-11-26", "RestrictionViolated")]
#[case::two_days_ahead_of_it("Etc/GMT+12", "minDaysAhead 2", "2026-11-27", "ok")]
#[case::which_are_none_in_kiritimati(
    "Pacific/Kiritimati",
    "minDaysAhead 1",
    "2026-11-27",
    "RestrictionViolated"
)]
#[case::apia("Pacific/Apia", "maxDaysAhead 0", "2026-11-27", "ok")]
fn the_window_is_counted_from_the_day_at_the_room(
    #[case] zone: &str,
    #[case] restriction: &str,
    #[case] check_in: &str,
    #[case] wanted: &str,
) {
    let check_in = day(check_in);
    let stay = ReservationSpec { check_in, check_out: check_in.tomorrow().unwrap(), ..stay() };
    let room = RoomSpec { time_zone: zone.to_owned(), ..restricted(restriction) };
    assert_eq!(verdict(&answer(&stay, &room, "2026-11-26T11:30:00Z")), wanted);
}

#[rstest]
#[case::not_limited(None, 1, 500, 500, "ok")]
#[case::they_fit(Some(3), 1, 2, 1, "ok")]
#[case::one_too_many(Some(3), 1, 2, 2, "RestrictionViolated")]
#[case::two_units_take_twice_as_many(Some(3), 2, 4, 2, "ok")]
#[case::and_not_one_more(Some(3), 2, 4, 3, "RestrictionViolated")]
fn guests_fit_into_the_units(
    #[case] max_guests: Option<u32>,
    #[case] units: u32,
    #[case] adults: u32,
    #[case] children: u32,
    #[case] wanted: &str,
) {
    let stay = ReservationSpec { units, guests: Guests { adults, children }, ..stay() };
    assert_eq!(verdict(&answer(&stay, &RoomSpec { max_guests, ..room() }, NOW)), wanted);
}

#[rstest]
#[case::all_there_are(2, 0, "ok")]
#[case::one_more(3, 0, "InvalidStay")]
#[case::which_may_be_overbooked(3, 1, "ok")]
#[case::and_no_more(4, 1, "InvalidStay")]
fn units_are_no_more_than_a_night_may_be_sold(
    #[case] units: u32,
    #[case] overbooking: u32,
    #[case] wanted: &str,
) {
    let stay = ReservationSpec { units, ..stay() };
    let outcome = answer(&stay, &RoomSpec { overbooking, ..room() }, NOW);
    assert_eq!(verdict(&outcome), wanted);
    if let Err(refusal) = outcome {
        let most = if overbooking > 0 { "(3, overbooking included)" } else { "(2)" };
        assert!(refusal.message.contains(most), "{}", refusal.message);
    }
}

#[rstest]
#[case::enough("EUR", 24_000, "ok")]
#[case::a_cent_too_little("EUR", 23_999, "PriceAboveMax")]
#[case::another_currency("USD", 99_999_999, "PriceAboveMax")]
fn the_price_is_at_most_max_total(#[case] currency: &str, #[case] minor_units: i64, #[case] wanted: &str) {
    let max_total = Some(Money { currency: currency.to_owned(), minor_units });
    assert_eq!(verdict(&answer(&ReservationSpec { max_total, ..stay() }, &room(), NOW)), wanted);
}

#[test]
fn a_price_above_max_total_says_both() {
    let max_total = Some(Money { currency: "EUR".to_owned(), minor_units: 20_050 });
    let refusal = answer(&ReservationSpec { max_total, ..stay() }, &room(), NOW).unwrap_err();
    assert_eq!(refusal.message, "The price is 240.00 EUR, above maxTotal 200.50 EUR.");
}

#[test]
fn max_total_is_compared_with_what_is_charged_not_with_what_it_was_rounded_from() {
    let mut room = room();
    room.rate = innkeeper_api::Rate { currency: "ISK".to_owned(), minor_units: 12_324 };
    let at_most = |minor_units| Some(Money { currency: "ISK".to_owned(), minor_units });
    assert_eq!(verdict(&answer(&ReservationSpec { max_total: at_most(24_600), ..stay() }, &room, NOW)), "ok");
}

#[rstest]
#[case(49_999_999, "ok")]
#[case(50_000_000, "InvalidStay")]
fn a_price_that_cannot_be_charged_is_refused(#[case] night: i64, #[case] wanted: &str) {
    let mut room = room();
    room.rate.minor_units = night;
    assert_eq!(verdict(&answer(&stay(), &room, NOW)), wanted);
}

#[test]
fn a_room_that_is_not_being_sold_takes_nobody() {
    let room = RoomSpec { sale: Sale::Stopped, ..room() };
    assert_eq!(verdict(&answer(&stay(), &room, NOW)), "SaleStopped");
}

#[test]
fn every_refusal_is_a_sentence() {
    let stopped = RoomSpec { sale: Sale::Stopped, ..room() };
    let outcomes = [
        answer(&stay(), &stopped, NOW),
        answer(&nights_from("2026-12-01", "2026-12-01"), &room(), NOW),
        answer(&nights_from("2026-11-01", "2026-11-02"), &room(), NOW),
        answer(&ReservationSpec { units: 3, ..stay() }, &room(), NOW),
        answer(&stay(), &restricted("minNights 3"), NOW),
    ];
    for refusal in outcomes.map(Result::unwrap_err) {
        assert!(refusal.message.ends_with('.') && refusal.message.len() > 20, "{refusal:?}");
    }
}
