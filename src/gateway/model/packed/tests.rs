use innkeeper_api::Reservation;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const UID: &str = "6f1c7f0e-5d3a-4f7e-9c55-0d0b7a1f2a01";

/// One that is confirmed, with everything in it.
fn object() -> Value {
    json!({
        "apiVersion": "innkeeper.dev/v1alpha1", "kind": "Reservation",
        "metadata": {
            "name": "anna", "namespace": "seaside", "uid": UID, "generation": 1, "resourceVersion": "123456",
            "creationTimestamp": "2030-01-01T00:00:00Z",
        },
        "spec": {
            "roomName": "double", "checkIn": "2030-06-30", "checkOut": "2030-07-03", "units": 2,
            "guestID": "mYq1x2c3v4b5n6m7a8s9d0f1g2h3j4k5l6p7o8i9u0y", "guests": { "adults": 2, "children": 1 },
            "payment": { "collect": "External", "reference": "A-17" },
        },
        "status": {
            "observedGeneration": 1, "phase": "Confirmed",
            "quote": {
                "currency": "EUR", "total": 72000, "collectOnline": 0, "roomUID": UID, "roomGeneration": 3,
                "flow": "HoldFirst",
                "lines": [
                    { "kind": "Nights", "from": "2030-06-30", "nights": 1, "minorUnits": 24000 },
                    { "kind": "Levy", "from": "2030-07-01", "nights": 2, "minorUnits": 24000 },
                ],
                "refundDeadlines": [
                    { "until": "2030-06-23T14:00:00Z", "percent": 100 },
                    { "until": "2030-06-29T14:00:00.5Z", "percent": 50 },
                ],
                "checkInAt": "2030-06-30T14:00:00Z", "finishedAt": "2030-07-03T23:00:00Z",
            },
            "payment": { "id": "pi_1", "captured": 72000, "refunded": 100, "kept": 5, "attempt": 1 },
            "history": [
                { "number": 1, "time": "2030-01-01T00:00:00Z", "fact": "Requested", "minorUnits": 72000 },
                { "number": 2, "time": "2030-01-01T00:00:02Z", "fact": "Blessed", "reason": "by_the_sea" },
            ],
            "conditions": [
                { "type": "Settled", "status": "True", "reason": "Confirmed", "message": "Booked.",
                  "lastTransitionTime": "2030-01-01T00:00:00Z", "observedGeneration": 1 },
                { "type": "Ready", "status": "True", "reason": "Confirmed", "message": "Booked: \u{bc14}\u{b2e4}.",
                  "lastTransitionTime": "2030-01-01T00:00:00Z", "observedGeneration": 1 },
            ],
        },
    })
}

fn view(object: Value) -> StayView {
    let object: Reservation = serde_json::from_value(object).unwrap();
    StayView::of(object)
}

fn again(stay: &StayView) -> StayView {
    Packed::of(stay).unpack(&stay.namespace, &stay.name, &stay.guest_id).unwrap()
}

#[test]
fn it_comes_back_as_it_was() {
    let stay = view(object());
    assert_eq!(again(&stay), stay);
    let mut bare = object();
    bare.as_object_mut().unwrap().remove("status");
    bare["spec"]["payment"] = json!({ "method": "pm_card_visa" });
    let bare = view(bare);
    assert_eq!(again(&bare), bare);
}

#[rstest]
#[case::not_a_uuid("the-uid")]
#[case::in_capitals("6F1C7F0E-5D3A-4F7E-9C55-0D0B7A1F2A01")]
#[case::without_dashes("6f1c7f0e5d3a4f7e9c550d0b7a1f2a01")]
fn a_uid_of_any_form_comes_back_as_it_was(#[case] uid: &str) {
    let stay = StayView { uid: uid.to_owned(), ..view(object()) };
    assert_eq!(again(&stay), stay);
}

#[test]
fn whatever_it_has_come_to_and_whoever_gave_it_up_comes_back() {
    let ends = [End::Rejected, End::Cancelled, End::Withdrawn];
    let given_up = [None, Some(End::Cancelled), Some(End::Withdrawn)];
    let stages = [Stage::Open, Stage::InProgress, Stage::Confirmed, Stage::Foreign]
        .into_iter()
        .chain(ends.map(Stage::Closing))
        .chain(ends.map(Stage::Closed));
    for stage in stages {
        for given_up in given_up {
            let mut stay = StayView { given_up, ..view(object()) };
            stay.status.stage = stage;
            assert_eq!(again(&stay), stay);
        }
    }
}

#[test]
fn it_takes_a_few_hundred_bytes() {
    let packed = Packed::of(&view(object()));
    assert!(packed.0.len() < 400, "{}", packed.0.len());
}

#[test]
fn what_was_cut_off_is_no_reservation() {
    let stay = view(object());
    let Packed(bytes) = Packed::of(&stay);
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        let cut = Packed(bytes[..length].into());
        assert_eq!(cut.unpack("seaside", "anna", "g"), None, "{length}");
    }
}
