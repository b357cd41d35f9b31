//! Reservations, as they are created.

use rstest::rstest;
use serde_json::{Value, json};

use super::{check, offer, reservation};

fn spec(spec: &Value) -> Value {
    json!({ "spec": spec })
}

fn stay(check_in: &str, check_out: &str) -> Value {
    spec(&json!({ "checkIn": check_in, "checkOut": check_out }))
}

fn payment(payment: &Value) -> Value {
    spec(&json!({ "payment": payment }))
}

fn max_total(currency: &str, minor_units: i64) -> Value {
    spec(&json!({ "maxTotal": { "currency": currency, "minorUnits": minor_units } }))
}

#[rstest]
#[case::no_night(
    stay("2030-07-01", "2030-07-01"),
    "the night of checkOut is not part of the stay",
    stay("2030-07-01", "2030-07-02")
)]
#[case::backwards(
    stay("2030-07-02", "2030-07-01"),
    "checkOut must be after checkIn",
    stay("2030-07-02", "2030-07-03")
)]
#[case::too_long(
    stay("2030-07-01", "2030-09-02"),
    "at most 62 nights: split it into several Reservations",
    stay("2030-07-01", "2030-09-01")
)]
#[case::over_a_leap_february(
    stay("2028-01-01", "2028-03-04"),
    "at most 62 nights",
    stay("2028-01-01", "2028-03-03")
)]
#[case::no_such_day(
    stay("2030-11-30", "2030-11-31"),
    "must be of type date",
    stay("2030-11-30", "2030-12-01")
)]
#[case::no_leap_year(
    stay("2030-02-28", "2030-02-29"),
    "must be of type date",
    stay("2028-02-28", "2028-02-29")
)]
#[case::with_a_time(
    stay("2030-07-01T15:00:00Z", "2030-07-02"),
    "must be of type date",
    stay("2030-07-01", "2030-07-02")
)]
#[case::arrival_missing(spec(&json!({"checkIn": null})), "spec.checkIn: Required value", json!({}))]
#[case::departure_missing(spec(&json!({"checkOut": null})), "spec.checkOut: Required value", json!({}))]
#[case::room_missing(spec(&json!({"roomName": null})), "spec.roomName: Required value", json!({}))]
#[case::room_empty(spec(&json!({"roomName": ""})), "at least 1 chars", spec(&json!({"roomName": "d"})))]
#[case::room_no_name(spec(&json!({"roomName": " "})), "roomName is the name of a Room", spec(&json!({"roomName": "d.1-b"})))]
#[case::room_in_capitals(spec(&json!({"roomName": "Double"})), "roomName is the name of a Room", spec(&json!({"roomName": "double"})))]
#[case::room_elsewhere(spec(&json!({"roomName": "../../x"})), "roomName is the name of a Room", spec(&json!({"roomName": "x"})))]
#[case::room_too_long(spec(&json!({"roomName": "d".repeat(56)})), "Too long", spec(&json!({"roomName": "d".repeat(55)})))]
#[case::units_below(spec(&json!({"units": 0})), "greater than or equal to 1", spec(&json!({"units": 1})))]
#[case::units_above(spec(&json!({"units": 201})), "less than or equal to 200", spec(&json!({"units": 200})))]
#[case::guest_missing(spec(&json!({"guestID": null})), "spec.guestID: Required value", json!({}))]
#[case::guest_empty(spec(&json!({"guestID": ""})), "at least 1 chars", spec(&json!({"guestID": "g"})))]
#[case::guest_too_long(spec(&json!({"guestID": "g".repeat(129)})), "Too long", spec(&json!({"guestID": "g".repeat(128)})))]
#[case::guest_is_an_address(spec(&json!({"guestID": "anna@example.com"})), "never a name or an e-mail address",
    spec(&json!({"guestID": "auth0:5f7c8ec7=x+y/z._-"})))]
#[case::guest_is_a_name(spec(&json!({"guestID": "Anna Smith"})), "never a name or an e-mail address", spec(&json!({"guestID": "8f14e45f"})))]
#[case::guest_has_letters_of_a_name(spec(&json!({"guestID": "安娜"})), "an opaque id of letters, digits", spec(&json!({"guestID": "a"})))]
#[case::nobody_comes(spec(&json!({"guests": {"adults": 0}})), "greater than or equal to 1", spec(&json!({"guests": {"adults": 1}})))]
#[case::too_many_come(spec(&json!({"guests": {"adults": 501}})), "less than or equal to 500", spec(&json!({"guests": {"adults": 500}})))]
#[case::fewer_than_no_children(spec(&json!({"guests": {"children": -1}})), "greater than or equal to 0", spec(&json!({"guests": {"children": 0}})))]
#[case::too_many_children(spec(&json!({"guests": {"children": 501}})), "less than or equal to 500", spec(&json!({"guests": {"children": 500}})))]
#[case::payment_missing(spec(&json!({"payment": null})), "spec.payment: Required value", json!({}))]
#[case::no_such_collector(payment(&json!({"collect": "Cash"})), "supported values: \"Online\", \"AtProperty\", \"External\"",
    payment(&json!({"collect": "Online"})))]
#[case::online_without_a_method(payment(&json!({"method": null})), "the provider's token for the guest's means of payment, such as pm_card_visa",
    payment(&json!({"method": "pm_card_visa"})))]
#[case::a_method_for_the_desk(payment(&json!({"collect": "AtProperty"})), "only for collect: Online; leave it out",
    payment(&json!({"collect": "AtProperty", "method": null})))]
#[case::a_method_for_an_agency(payment(&json!({"collect": "External"})), "only for collect: Online; leave it out",
    payment(&json!({"collect": "External", "method": null, "reference": "BKG-20301/7"})))]
#[case::a_card_number(payment(&json!({"method": "4242424242424242"})), "never put a card number here", payment(&json!({"method": "card_1NXWPn"})))]
#[case::a_card_number_behind_a_token(payment(&json!({"method": "pm 4242 4242 4242 4242"})), "never put a card number here",
    payment(&json!({"method": "pm_1NXWPnCo"})))]
#[case::method_too_long(payment(&json!({"method": format!("pm_{}", "x".repeat(126))})), "Too long",
    payment(&json!({"method": format!("pm_{}", "x".repeat(125))})))]
#[case::reference_is_an_address(payment(&json!({"reference": "anna@example.com"})), "never a name or an e-mail address",
    payment(&json!({"reference": "HTL-1:2/3#4.5_6"})))]
#[case::reference_too_long(payment(&json!({"reference": "r".repeat(129)})), "Too long", payment(&json!({"reference": "r".repeat(128)})))]
#[case::max_total_currency(max_total("eur", 1), "an ISO 4217 code in capitals", max_total("EUR", 1))]
#[case::max_total_below(max_total("EUR", -1), "greater than or equal to 0", max_total("EUR", 0))]
#[case::max_total_above(
    max_total("EUR", 100_000_000),
    "less than or equal to 99999999",
    max_total("EUR", 99_999_999)
)]
#[case::no_such_state(spec(&json!({"state": "Confirmed"})), "supported values: \"Cancelled\"", spec(&json!({"state": "Cancelled"})))]
#[case::days_are_no_duration(spec(&json!({"ttlAfterFinished": "30d"})), "a duration such as 720h or 30m", spec(&json!({"ttlAfterFinished": "720h"})))]
#[case::a_duration_without_a_unit(spec(&json!({"ttlAfterFinished": "720"})), "a duration such as 720h or 30m", spec(&json!({"ttlAfterFinished": "1h30m5s"})))]
#[case::a_negative_duration(spec(&json!({"ttlAfterFinished": "-1h"})), "a duration such as 720h or 30m", spec(&json!({"ttlAfterFinished": "0s"})))]
#[case::an_overlong_duration(spec(&json!({"ttlAfterFinished": "1h".repeat(17)})), "Too long", spec(&json!({"ttlAfterFinished": "1h".repeat(16)})))]
#[tokio::test]
async fn a_reservation_is_refused(#[case] refused: Value, #[case] words: &str, #[case] passes: Value) {
    check(&reservation(), &refused, words, &passes).await;
}

#[tokio::test]
async fn a_reservation_with_everything_passes() {
    let everything = spec(&json!({
        "units": 2,
        "guests": { "adults": 2, "children": 1 },
        "payment": { "collect": "Online", "reference": "A-1" },
        "maxTotal": { "currency": "EUR", "minorUnits": 50_000 },
        "state": "Cancelled",
        "ttlAfterFinished": "720h",
    }));
    assert_eq!(offer(&super::changed(&reservation(), &everything)).await, Ok(()));
}

/// Whatever the API server lets in must be read by the operator: what it cannot decode it cannot serve.
#[rstest]
#[case("999999h")]
#[case("1h1h1h")]
#[case("0s")]
#[case("000001m")]
fn a_duration_that_passes_is_understood(#[case] text: &str) {
    let reservation = super::changed(&reservation(), &spec(&json!({ "ttlAfterFinished": text })));
    let read: innkeeper_api::Reservation = serde_json::from_value(reservation).unwrap();
    assert!(read.spec.ttl_after_finished.is_some());
}
