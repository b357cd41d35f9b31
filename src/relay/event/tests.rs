//! Events: their attributes, their ids, what is in them and what is not.

use innkeeper_api::{Collect, Guests, Payment, ReservationSpec};
use rstest::rstest;
use serde_json::json;

use super::*;

/// A Reservation with a history, as the operator would have stored it.
#[allow(clippy::needless_pass_by_value, reason = "histories are written where they are used")]
pub(crate) fn reservation(history: Value) -> Reservation {
    let spec = ReservationSpec {
        room_name: "double".to_owned(),
        check_in: "2030-07-01".parse().unwrap(),
        check_out: "2030-07-03".parse().unwrap(),
        units: 1,
        guest_id: "guest-of-ours".to_owned(),
        guests: Guests::default(),
        payment: Payment {
            collect: Collect::Online,
            method: Some("pm_card_visa".to_owned()),
            reference: Some("our-reference".to_owned()),
        },
        max_total: None,
        state: None,
        ttl_after_finished: None,
    };
    let mut reservation = Reservation::new("anna", spec);
    reservation.metadata.namespace = Some("seaside".to_owned());
    reservation.metadata.uid = Some("0b9f0d3c-6d52-4d39-a8a5-3d6e2f1f8a11".to_owned());
    let quote = json!({
        "currency": "EUR", "total": 24000, "collectOnline": 24000, "lines": [], "refundDeadlines": [],
        "checkInAt": "2030-07-01T13:00:00Z", "finishedAt": "2030-07-03T22:00:00Z",
        "roomUID": "r", "roomGeneration": 1,
    });
    let status =
        json!({ "quote": quote, "history": history, "payment": { "id": "pi_1", "captured": 24000 } });
    reservation.status = Some(serde_json::from_value(status).unwrap());
    reservation
}

fn paid() -> Value {
    json!([
        { "number": 1, "fact": "Requested", "time": "2030-06-01T10:00:00Z", "minorUnits": 24000 },
        { "number": 2, "fact": "Paid", "time": "2030-06-01T10:00:01.5Z", "minorUnits": 24000 },
    ])
}

fn event(number: usize) -> Value {
    let reservation = reservation(paid());
    let fact = reservation.status.as_ref().unwrap().history[number - 1].clone();
    serde_json::to_value(of_fact("inst", &reservation, &fact)).unwrap()
}

/// Ids and bytes are for good: consumers know what they have by them. A change here repeats everything to everybody.
#[test]
fn an_event_is_this_to_the_letter() {
    assert_eq!(
        event(2),
        json!({
            "specversion": "1.0",
            "id": "0b9f0d3c-6d52-4d39-a8a5-3d6e2f1f8a11/2/87e864081636eb4b",
            "source": "/installations/inst/namespaces/seaside",
            "type": "dev.innkeeper.reservation.paid",
            "subject": "anna",
            "time": "2030-06-01T10:00:01.5Z",
            "datacontenttype": "application/json",
            "partitionkey": "0b9f0d3c-6d52-4d39-a8a5-3d6e2f1f8a11",
            "sequence": "2",
            "data": {
                "namespace": "seaside", "name": "anna", "uid": "0b9f0d3c-6d52-4d39-a8a5-3d6e2f1f8a11",
                "number": 2, "fact": "Paid", "amount": { "currency": "EUR", "minorUnits": 24000 },
                "stay": { "room": "double", "checkIn": "2030-07-01", "checkOut": "2030-07-03", "units": 1 },
            },
        })
    );
}

#[test]
fn nothing_personal_is_in_it() {
    for number in [1, 2] {
        let text = event(number).to_string();
        for secret in ["guest-of-ours", "our-reference", "pm_card_visa", "pi_1", "adults"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}

#[rstest]
#[case::another_number("number", json!(3))]
#[case::another_fact("fact", json!("Refunded"))]
#[case::another_time("time", json!("2030-06-01T10:00:01.6Z"))]
#[case::a_reason("reason", json!("x"))]
#[case::another_amount("minorUnits", json!(1))]
fn a_fact_that_differs_has_another_hash(#[case] field: &str, #[case] value: Value) {
    let before: Fact = serde_json::from_value(paid()[1].clone()).unwrap();
    let mut after = paid()[1].clone();
    after[field] = value;
    let after: Fact = serde_json::from_value(after).unwrap();
    assert_ne!(hash(&before), hash(&after));
}

#[test]
fn every_kind_of_fact_has_a_type_and_so_has_one_that_is_not_known() {
    let types: Vec<String> = FactKind::ALL.iter().map(type_of).collect();
    assert_eq!(
        types.join(" ").replace("dev.innkeeper.reservation.", ""),
        "requested paid declined confirmed outofstock cancelrequested refunded refundfailed cancelled rejected \
         withdrawn"
    );
    assert_eq!(type_of(&FactKind::Unknown("CheckedIn".to_owned())), "dev.innkeeper.reservation.checkedin");
}

#[test]
fn a_history_that_went_back_says_from_where() {
    let now = "2030-06-02T00:00:00Z".parse().unwrap();
    let before = [[1; 8], [2; 8], [3; 8]];
    let event = of_rewinding("inst", &reservation(paid()), &before, 3, now);
    assert_eq!(event.kind, REWOUND);
    assert_eq!((event.data.from, event.data.published), (3, 3));
    let other = of_rewinding("inst", &reservation(paid()), &before[..2], 3, now);
    assert_ne!(event.id, other.id);
}
