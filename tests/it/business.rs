//! What a hotel can say of what it sells, each rule on the real API server: the price, who may come, who collects, and the
//! edges of the calendar. The tables of cases are with the rules; here is that they are what a guest meets.

use innkeeper_api::{
    Collect, ConditionStatus, ConditionType, Money, OutOfOrder, Payment, Reason, Reservation,
    ReservationSpec, Restrictions, RoomSpec,
};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use kube::api::{Patch, PatchParams};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::checker::Checker;
use crate::support::hotel::{Hotel, is, room_spec};

use ConditionStatus::{False, True, Unknown};
use ConditionType as C;

fn nights(s: &mut ReservationSpec, from: Date, to: Date) {
    (s.check_in, s.check_out) = (from, to);
}

fn says(reservation: &Reservation) -> String {
    let ready = reservation.status.as_ref().unwrap().conditions.get(&C::Ready).unwrap();
    format!("{}: {}", ready.reason, ready.message)
}

/// Arrival in so many days at the Room.
fn in_days<const DAYS: i32>(s: &mut ReservationSpec) {
    let today = jiff::Timestamp::now().in_tz("Europe/Lisbon").unwrap().date();
    let from = today.checked_add(DAYS.days()).unwrap();
    nights(s, from, from.checked_add(2.days()).unwrap());
}

/// A Room from JSON over the usual one.
fn room(change: &Value) -> RoomSpec {
    let mut spec = serde_json::to_value(room_spec(1)).unwrap();
    for (field, value) in change.as_object().unwrap() {
        spec[field] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_costs_what_its_nights_cost_and_the_quote_says_how() {
    let hotel = Hotel::open("seasons").await;
    let operator = hotel.operator();
    let spec = room(&json!({ "rates": [
        { "from": "2030-07-01", "to": "2030-09-01", "minorUnits": 15_000 },
        { "from": "2030-07-01", "to": "2030-09-01", "weekdays": ["Friday", "Saturday"], "minorUnits": 18_000 },
        { "from": "2030-07-07", "to": "2030-07-08", "minorUnits": 20_000 },
    ] }));
    hotel.room_with("double", 1, |r| *r = spec).await;
    // Thursday 4 July to Tuesday 9 July.
    hotel.reserve_with("ada", "double", |s| nights(s, date(2030, 7, 4), date(2030, 7, 9))).await;
    let ada = hotel.settled("ada", Reason::Confirmed).await;
    let quote = ada.status.unwrap().quote.unwrap();
    let lines: Vec<_> = quote.lines.iter().map(|l| (l.from.day(), l.nights, l.minor_units)).collect();
    assert_eq!(lines, [(4, 1, 15_000), (5, 2, 18_000), (7, 1, 20_000), (8, 1, 15_000)]);
    assert_eq!(quote.total, 86_000);
    assert_eq!(hotel.account().await.intent.amount_received, 86_000);
    operator.stop().await;
    Checker::of(&hotel).price("ada", 86_000).check().await;
}

/// Rounded half up to what can be charged, and charged so: in units of the currency, as the provider has it.
#[rstest]
#[case::won("KRW", 99_999, 199_998)]
#[case::kronur("ISK", 12_325, 24_700)]
#[case::dinars("KWD", 12_343, 24_690)]
#[case::shillings("UGX", 12_340, 24_700)]
#[case::yen("JPY", 12_345, 24_690)]
#[tokio::test(flavor = "multi_thread")]
async fn every_currency_is_charged_in_its_own_steps(
    #[case] currency: &str,
    #[case] rate: i64,
    #[case] total: i64,
) {
    let hotel = Hotel::open("currency").await;
    let operator = hotel.operator();
    let spec = room(&json!({ "rate": { "currency": currency, "minorUnits": rate },
        "cancellation": [{ "hoursBefore": 0, "refundPercent": 33 }] }));
    hotel.room_with("double", 1, |r| *r = spec).await;
    hotel.reserve("bo", "double").await;
    hotel.settled("bo", Reason::Confirmed).await;
    assert_eq!(hotel.account().await.intent.amount_received, total);
    hotel.cancel("bo").await;
    let bo = hotel.settled("bo", Reason::Cancelled).await;
    let money = bo.status.unwrap().payment.unwrap();
    assert_eq!(money.refunded + money.kept, total);
    assert_eq!(hotel.refund().await.amount, money.refunded, "the provider gave back what the status says");
    operator.stop().await;
    Checker::of(&hotel).price("bo", total).keeps("bo", money.kept).check().await;
}

/// Refused for good, nothing charged, and told how to book anew.
#[rstest]
#[case::too_dear(json!({}), |s: &mut ReservationSpec| s.max_total = Some(euros(23_999)), "PriceAboveMax: The price is 240.00 EUR")]
#[case::stopped(json!({ "sale": "Stopped" }), |_: &mut ReservationSpec| (), "SaleStopped: ")]
#[case::too_short(json!({ "restrictions": { "minNights": 3 } }), |_: &mut ReservationSpec| (), "RestrictionViolated: This Room is sold for 3 nights or more")]
#[case::too_long(json!({ "restrictions": { "maxNights": 1 } }), |_: &mut ReservationSpec| (), "RestrictionViolated: This Room is sold for 1 nights at most")]
#[case::too_early(json!({ "restrictions": { "maxDaysAhead": 30 } }), |_: &mut ReservationSpec| (), "RestrictionViolated: This Room is sold at most 30 days ahead")]
#[case::too_late(json!({ "restrictions": { "minDaysAhead": 5 } }), in_days::<2>, "RestrictionViolated: This Room is sold 5 days ahead or more")]
#[case::too_many(json!({ "maxGuests": 2 }), |s: &mut ReservationSpec| s.guests.adults = 3, "RestrictionViolated: 3 guests do not fit")]
#[case::more_than_there_is(json!({}), |s: &mut ReservationSpec| s.units = 2, "InvalidStay: units 2 is more")]
#[case::in_the_past(json!({}), |s: &mut ReservationSpec| nights(s, date(2020, 7, 1), date(2020, 7, 2)), "InvalidStay: checkIn 2020-07-01 is in the past")]
#[tokio::test(flavor = "multi_thread")]
async fn a_stay_against_the_rules_is_refused_and_says_why(
    #[case] change: Value,
    #[case] wish: fn(&mut ReservationSpec),
    #[case] why: &str,
) {
    let hotel = Hotel::open("refused").await;
    let operator = hotel.operator();
    hotel.room_with("double", 1, |r| *r = room(&change)).await;
    hotel.reserve_with("cy", "double", wish).await;
    let cy = hotel.settled("cy", Reason::Rejected).await;
    let told = says(&cy);
    assert!(told.starts_with(why), "{told}");
    assert!(told.ends_with("To book again, delete this Reservation and create a new one."), "{told}");
    assert!(hotel.accounts().await.is_empty(), "nothing was ever asked of the provider");
    assert_eq!(hotel.holders().await, []);
    // Final: the Room that would take it now does not change it.
    let patch =
        Patch::Merge(json!({ "spec": { "sale": "Open", "restrictions": null, "maxGuests": 9, "units": 2 } }));
    hotel.rooms().patch("double", &PatchParams::default(), &patch).await.unwrap();
    operator.looks_at(&hotel, "cy").await;
    assert!(is(&hotel.reservations().get("cy").await.unwrap(), &C::Settled, True, &Reason::Rejected));
    operator.stop().await;
    hotel.check().await;
}

fn euros(minor_units: i64) -> Money {
    Money { currency: "EUR".to_owned(), minor_units }
}

/// At its edge every rule lets the stay in.
#[tokio::test(flavor = "multi_thread")]
async fn a_stay_at_the_edge_of_every_rule_is_booked() {
    let hotel = Hotel::open("edge").await;
    let operator = hotel.operator();
    hotel
        .room_with("double", 1, |r| {
            r.restrictions = Some(Restrictions {
                min_nights: Some(2),
                max_nights: Some(2),
                // The day may change at the Room while this runs.
                min_days_ahead: Some(9),
                max_days_ahead: Some(10),
            });
            r.max_guests = Some(2);
        })
        .await;
    hotel
        .reserve_with("di", "double", |s| {
            in_days::<10>(s);
            (s.guests.adults, s.guests.children) = (1, 1);
            s.max_total = Some(euros(24_000));
        })
        .await;
    hotel.settled("di", Reason::Confirmed).await;
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_may_be_overbooked_and_out_of_order_by_the_night() {
    let hotel = Hotel::open("capacity").await;
    let operator = hotel.operator();
    hotel
        .room_with("double", 1, |r| {
            r.overbooking = 1;
            let from = date(2030, 7, 2);
            r.out_of_order = vec![OutOfOrder { from, to: date(2030, 7, 3), units: 1, reason: None }];
        })
        .await;
    // Two units may be sold on 1 July, one on 2 July.
    let one = |s: &mut ReservationSpec| nights(s, date(2030, 7, 1), date(2030, 7, 2));
    let two = |s: &mut ReservationSpec| nights(s, date(2030, 7, 2), date(2030, 7, 3));
    for (name, wish, end) in [
        ("a", one as fn(&mut ReservationSpec), Reason::Confirmed),
        ("b", one, Reason::Confirmed),
        ("c", one, Reason::Rejected),
        ("d", two, Reason::Confirmed),
        ("e", two, Reason::Rejected),
    ] {
        hotel.reserve_with(name, "double", wish).await;
        hotel.settled(name, end).await;
    }
    // Another unit breaks down: who is booked stays, and the Room says which nights are over.
    let patch = Patch::Merge(json!({ "spec": { "overbooking": 0 } }));
    hotel.rooms().patch("double", &PatchParams::default(), &patch).await.unwrap();
    let double = hotel
        .room_until("double", |r| {
            r.status.as_ref().is_some_and(|s| s.conditions.is(&C::Available, False, &Reason::Oversold))
        })
        .await;
    let told = double.status.unwrap().conditions.get(&C::Available).unwrap().message.clone();
    assert!(told.contains("2030-07-01 (2 sold, 1 to sell)"), "{told}");
    assert!(told.contains("2030-07-02 (1 sold, 0 to sell)"), "{told}");
    // Releases go through.
    hotel.cancel("b").await;
    hotel.settled("b", Reason::Cancelled).await;
    for name in ["a", "d"] {
        assert!(is(&hotel.reservations().get(name).await.unwrap(), &C::Settled, True, &Reason::Confirmed));
    }
    assert_eq!(hotel.money_kept().await, 24_000);
    operator.stop().await;
}

/// Who comes by phone or from an agency holds the nights, and is charged nothing here.
#[rstest]
#[case(Collect::AtProperty, None)]
#[case(Collect::External, Some("agency:4711"))]
#[tokio::test(flavor = "multi_thread")]
async fn who_pays_elsewhere_is_in_the_same_calendar(
    #[case] collect: Collect,
    #[case] reference: Option<&str>,
) {
    let hotel = Hotel::open("elsewhere").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    let payment = Payment { collect, method: None, reference: reference.map(ToOwned::to_owned) };
    hotel.reserve_with("eve", "double", |s| s.payment = payment).await;
    let eve = hotel.settled("eve", Reason::Confirmed).await;
    assert!(is(&eve, &C::Paid, True, &Reason::NotCollectedHere));
    assert_eq!(eve.status.unwrap().quote.unwrap().total, 24_000, "the price is agreed all the same");
    hotel.reserve("flo", "double").await;
    let flo = hotel.settled("flo", Reason::Rejected).await;
    assert!(is(&flo, &C::Allocated, False, &Reason::OutOfStock));
    hotel.cancel("eve").await;
    let eve = hotel.settled("eve", Reason::Cancelled).await;
    assert!(is(&eve, &C::Refunded, True, &Reason::NothingDue));
    assert_eq!(hotel.accounts().await.len(), 1, "Flo's alone");
    operator.stop().await;
    hotel.check().await;
}

/// Stays over the edges of the calendar: every night of theirs is held and paid, the day of departure is not.
#[rstest]
#[case::the_leap_day("Europe/Lisbon", date(2032, 2, 28), 3, &["2032-02", "2032-03"])]
#[case::no_leap_day("Europe/Lisbon", date(2031, 2, 28), 1, &["2031-02"])]
#[case::clocks_go_forward("Europe/Lisbon", date(2030, 3, 30), 3, &["2030-03", "2030-04"])]
#[case::clocks_go_back("Europe/Lisbon", date(2030, 10, 26), 3, &["2030-10"])]
#[case::years_end("Asia/Seoul", date(2030, 12, 31), 2, &["2030-12", "2031-01"])]
#[case::the_first_to_see_the_day("Pacific/Kiritimati", date(2030, 1, 1), 1, &["2030-01"])]
#[case::the_last_to_see_it("Pacific/Pago_Pago", date(2030, 1, 1), 1, &["2030-01"])]
#[case::no_midnight("Africa/Cairo", date(2030, 4, 25), 2, &["2030-04"])]
#[case::sixty_two_nights_in_three_months("Europe/Lisbon", date(2030, 6, 30), 62, &["2030-06", "2030-07", "2030-08"])]
#[case::sixty_two_nights_in_four("Europe/Lisbon", date(2031, 1, 31), 62, &["2031-01", "2031-02", "2031-03", "2031-04"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_stay_over_an_edge_of_the_calendar(
    #[case] zone: &str,
    #[case] from: Date,
    #[case] count: i32,
    #[case] months: &[&str],
) {
    let hotel = Hotel::open("calendar").await;
    let operator = hotel.operator();
    hotel.room_with("double", 1, |r| zone.clone_into(&mut r.time_zone)).await;
    let to = from.checked_add(count.days()).unwrap();
    hotel.reserve_with("gia", "double", |s| nights(s, from, to)).await;
    let gia = hotel.settled("gia", Reason::Confirmed).await;
    let status = gia.status.unwrap();
    let calendars: Vec<String> = months.iter().map(|m| format!("double-{m}")).collect();
    assert_eq!(status.allocation.unwrap().calendars, calendars);
    let held: Vec<Date> = hotel.holders().await.into_iter().map(|(night, _)| night).collect();
    let wanted: Vec<Date> = innkeeper_api::nights(from, to).collect();
    assert_eq!(held, wanted);
    assert_eq!(status.quote.unwrap().total, i64::from(count) * 12_000);
    // Half-open: the next guest arrives on the day this one leaves.
    hotel.reserve_with("next", "double", |s| nights(s, to, to.tomorrow().unwrap())).await;
    hotel.settled("next", Reason::Confirmed).await;
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_whose_last_month_is_full_keeps_nothing_of_the_others() {
    let hotel = Hotel::open("last-month").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel.reserve_with("ida", "double", |s| nights(s, date(2031, 4, 2), date(2031, 4, 3))).await;
    hotel.settled("ida", Reason::Confirmed).await;
    hotel.reserve_with("long", "double", |s| nights(s, date(2031, 1, 31), date(2031, 4, 3))).await;
    let long = hotel.settled("long", Reason::Rejected).await;
    assert!(
        says(&long).starts_with("OutOfStock: Not enough units are left for the night of 2031-04-02."),
        "{}",
        says(&long)
    );
    assert!(is(&long, &C::Refunded, True, &Reason::Refunded));
    assert_eq!(hotel.holders().await.len(), 1);
    operator.stop().await;
    hotel.check().await;
}

/// Only what may still come is waited for: a Room that is not there yet, until the deadline.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_room_is_waited_for_until_the_deadline_and_no_longer() {
    let mut hotel = Hotel::open("unknown").await;
    let ahead = hotel.movable_clock();
    let operator = hotel.operator();
    hotel.reserve("jo", "double").await;
    hotel.becomes("jo", C::Accepted, Unknown, Reason::RoomNotFound).await;
    ahead.store(3_500, std::sync::atomic::Ordering::SeqCst);
    operator.looks_at(&hotel, "jo").await;
    assert!(is(&hotel.reservations().get("jo").await.unwrap(), &C::Accepted, Unknown, &Reason::RoomNotFound));
    ahead.store(3_700, std::sync::atomic::Ordering::SeqCst);
    hotel.wake("jo").await;
    let jo = hotel.settled("jo", Reason::Rejected).await;
    assert!(says(&jo).starts_with("TimedOut: There is no Room \"double\""), "{}", says(&jo));
    hotel.room("double", 1).await;
    operator.looks_at(&hotel, "jo").await;
    assert!(is(&hotel.reservations().get("jo").await.unwrap(), &C::Settled, True, &Reason::Rejected));
    operator.stop().await;
}
