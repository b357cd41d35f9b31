//! A hotel whose books are right, and every way in which they can be wrong.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const UID: &str = "0a2f9f6e-3f5b-4d7e-9c3e-5b8d6a1f0c11";

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Anna: two nights at 120.00 EUR, with half of it back until the end of November.
fn anna(settled: &str, status: &str) -> Reservation {
    read(json!({
        "apiVersion": "innkeeper.dev/v1alpha1", "kind": "Reservation",
        "metadata": { "name": "anna", "namespace": "seaside", "uid": UID },
        "spec": {
            "roomName": "double", "checkIn": "2026-12-01", "checkOut": "2026-12-03", "units": 1, "guestID": "g-1",
            "payment": { "collect": "Online", "method": "pm_card_visa" },
        },
        "status": {
            "observedGeneration": 1,
            "quote": {
                "currency": "EUR", "total": 24_000, "collectOnline": 24_000,
                "lines": [{ "kind": "Nights", "from": "2026-12-01", "nights": 2, "minorUnits": 12_000 }],
                "refundDeadlines": [{ "until": "2026-11-30T00:00:00Z", "percent": 50 }],
                "checkInAt": "2026-12-01T15:00:00Z", "finishedAt": "2026-12-04T00:00:00Z",
                "roomUID": "room-1", "roomGeneration": 1,
            },
            "decision": { "at": "2026-11-22T11:00:00Z", "refundPercent": 50 },
            "payment": { "captured": 24_000, "refunded": if settled == "Confirmed" { 0 } else { 12_000 } },
            "history": [{ "number": 1, "fact": "Confirmed", "time": "2026-11-22T10:00:00Z" }],
            "conditions": [{
                "type": "Settled", "status": status, "reason": settled, "message": "So it is.",
                "lastTransitionTime": "2026-11-22T11:00:00Z",
            }],
        },
    }))
}

fn paid(captured: i64, returning: i64) -> Payment {
    Payment {
        id: "pi_1".to_owned(),
        namespace: "seaside".to_owned(),
        name: "anna".to_owned(),
        uid: UID.to_owned(),
        check_in: Some("2026-12-01".parse().unwrap()),
        currency: "EUR".to_owned(),
        progress: Progress::Captured,
        captured,
        returning,
        refund_pending: false,
        settled: false,
    }
}

fn books() -> Books {
    let room = json!({
        "apiVersion": "innkeeper.dev/v1alpha1", "kind": "Room",
        "metadata": { "name": "double", "namespace": "seaside", "uid": "room-1" },
        "spec": { "units": 1, "rate": { "currency": "EUR", "minorUnits": 12_000 }, "timeZone": "Europe/Lisbon" },
    });
    let night = |date: &str| json!({ "date": date, "capacity": 1, "roomGeneration": 1, "holders": [UID] });
    let calendar = json!({
        "apiVersion": "innkeeper.dev/v1alpha1", "kind": "RoomCalendar",
        "metadata": { "name": "double-2026-12", "namespace": "seaside" },
        "roomName": "double", "roomUID": "room-1", "month": "2026-12",
        "nights": [night("2026-12-01"), night("2026-12-02")],
    });
    Books {
        reservations: vec![anna("Confirmed", "True")],
        rooms: vec![read(room)],
        calendars: vec![read(calendar)],
        payments: vec![paid(24_000, 0)],
    }
}

fn without_nights(books: &mut Books) {
    for night in &mut books.calendars[0].spec.nights {
        night.holders.clear();
    }
}

#[test]
fn books_that_are_right_have_nothing_to_tell() {
    assert_eq!(imbalances(&books(), now()), []);
    let mut cancelled = books();
    cancelled.reservations = vec![anna("Cancelled", "True")];
    cancelled.payments = vec![paid(24_000, 12_000)];
    without_nights(&mut cancelled);
    assert_eq!(imbalances(&cancelled, now()), []);
    // On its way, with everything taken and nothing said yet.
    let mut moving = books();
    moving.reservations = vec![anna("InProgress", "False")];
    assert_eq!(imbalances(&moving, now()), []);
    // What is marked stays with the hotel, whoever has gone.
    let mut filed = books();
    filed.reservations.clear();
    without_nights(&mut filed);
    filed.payments[0].settled = true;
    assert_eq!(imbalances(&filed, now()), []);
}

#[rstest]
#[case::refunded_behind_its_back(|b: &mut Books| b.payments[0].returning = 24_000, About::Kept, "0 is kept, and 24000 is due")]
#[case::charged_twice(
    |b: &mut Books| b.payments.push(Payment { id: "pi_2".into(), ..paid(24_000, 24_000) }), About::Charged, "charged 2 times")]
#[case::more_than_the_price(
    |b: &mut Books| { b.reservations = vec![anna("InProgress", "False")]; b.payments[0].captured = 25_000; },
    About::Charged, "25000 is kept, and the price is 24000")]
#[case::cancelled_and_all_of_it_kept(
    |b: &mut Books| { b.reservations = vec![anna("Cancelled", "True")]; without_nights(b); }, About::Kept, "24000 is kept, and 12000 is due")]
#[case::rejected_and_not_refunded(
    |b: &mut Books| { b.reservations = vec![anna("Rejected", "True")]; without_nights(b); }, About::Kept, "and 0 is due")]
#[case::settled_and_still_moving(|b: &mut Books| b.payments[0].refund_pending = true, About::Kept, "still under way")]
#[case::nobodys_money(
    |b: &mut Books| { b.reservations.clear(); without_nights(b); }, About::Orphan, "is not there")]
#[case::money_of_an_earlier_object(
    |b: &mut Books| b.payments.push(Payment { id: "pi_0".into(), uid: "old".into(), ..paid(24_000, 0) }), About::Orphan, "pi_0")]
#[case::a_night_torn_out(|b: &mut Books| b.calendars[0].spec.nights[1].holders.clear(), About::Nights, "2026-12-02 in double is not held")]
#[case::a_calendar_lost(|b: &mut Books| b.calendars.clear(), About::Nights, "2026-12-01")]
#[case::a_stranger(
    |b: &mut Books| b.calendars[0].spec.nights[0].holders = vec![UID.into(), "stranger".into()], About::Nights, "has no stay there")]
#[case::sold_twice(
    |b: &mut Books| b.calendars[0].spec.nights[0].holders = vec![UID.into(), "stranger".into()], About::Oversold, "sold 2 times")]
#[case::more_units_than_there_are(|b: &mut Books| b.rooms[0].spec.units = 3, About::Capacity, "the Room has 3")]
fn what_is_wrong_is_told_with_its_name(
    #[case] change: fn(&mut Books),
    #[case] about: About,
    #[case] words: &str,
) {
    let mut books = books();
    change(&mut books);
    let found = imbalances(&books, now());
    let told = found.iter().find(|i| i.about == about && i.to_string().contains(words));
    let told = told.unwrap_or_else(|| panic!("{about:?} {words:?} is not in {found:#?}"));
    assert_eq!(told.namespace, "seaside");
    assert!(told.to_do.len() > 10 && told.to_do.ends_with('.'), "{told:?}");
}
