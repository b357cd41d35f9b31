//! Argo CD's view of recorded objects: in flight is Progressing, never Degraded; ended badly is Degraded; Suspended never.
//!
//! `recorded/` holds every version of a Reservation through each story, as the integration tests saw them on a real API
//! server; those tests fail when a record is not what is written today.

#![allow(clippy::unwrap_used, reason = "what is not as expected here is a failed test")]

use std::collections::BTreeSet;
use std::path::Path;

use innkeeper_argocd::{Health, judge, scripts};
use rstest::rstest;
use serde_json::{Value, json};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recorded");

/// What a story is said to be, version by version, repeats left out.
const STORIES: &[(&str, &[&str])] = &[
    ("booked", &["Progressing", "Healthy"]),
    ("cancelled", &["Progressing", "Healthy", "Progressing", "Healthy"]),
    ("cancelled-undecided", &["Progressing", "Healthy"]),
    ("declined", &["Progressing", "Degraded"]),
    ("edited", &["Progressing", "Healthy", "Progressing", "Healthy"]),
    ("held", &["Progressing", "Healthy"]),
    ("held-full", &["Progressing", "Degraded"]),
    ("out-of-stock", &["Progressing", "Degraded"]),
    ("outcome-unknown", &["Progressing", "Healthy"]),
    ("processing", &["Progressing", "Healthy"]),
    ("provider-away", &["Progressing", "Healthy"]),
    ("refund-failed", &["Progressing", "Healthy", "Progressing", "Degraded"]),
    ("refund-pending", &["Progressing", "Healthy", "Progressing", "Healthy"]),
    ("room-later", &["Progressing", "Healthy"]),
    ("timed-out", &["Progressing", "Degraded"]),
    ("too-dear", &["Progressing", "Degraded"]),
    ("withdrawn", &["Progressing", "Healthy", "Progressing"]),
];

fn health(kind: &str, object: &Value) -> Health {
    let scripts = scripts().unwrap();
    judge(&scripts[&format!("resource.customizations.health.innkeeper.dev_{kind}")], object).unwrap()
}

fn recorded(story: &str) -> Vec<Value> {
    let file = Path::new(RECORDED).join(story).with_extension("json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn every_record_has_its_story() {
    let files = std::fs::read_dir(RECORDED).unwrap().map(|f| f.unwrap().path());
    let files: BTreeSet<_> = files.map(|f| f.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(files, STORIES.iter().map(|(story, _)| (*story).to_owned()).collect());
}

#[test]
fn every_version_of_every_story_is_read_right() {
    for (story, expected) in STORIES {
        let mut said = Vec::new();
        for object in recorded(story) {
            let health = health("Reservation", &object);
            assert!(!health.message.is_empty(), "{story}: {object:#}");
            let settled = condition(&object, "Settled").is_some_and(|c| c["status"] == "True");
            let a_person_must_act =
                condition(&object, "Refunded").is_some_and(|c| c["reason"] == "RefundFailed");
            if health.status == "Degraded" {
                assert!(settled || a_person_must_act, "{story}: in flight and Degraded: {object:#}");
            }
            if health.status == "Healthy" {
                assert!(settled, "{story}: in flight and Healthy: {object:#}");
            }
            said.push(health.status);
        }
        said.dedup();
        assert_eq!(said, *expected, "{story}");
    }
}

#[test]
fn the_message_says_what_to_do() {
    let declined = health("Reservation", recorded("declined").last().unwrap());
    assert!(declined.message.contains("with another payment.method"), "{}", declined.message);
    let failed = health("Reservation", recorded("refund-failed").last().unwrap());
    assert!(failed.message.contains("in the provider's dashboard"), "{}", failed.message);
}

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == type_)
}

#[rstest]
#[case::without_a_status(json!({"metadata": {"generation": 1}}), "Progressing")]
#[case::that_nobody_has_seen(json!({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}), "Progressing")]
#[case::of_an_older_generation(room(1, &[ready("True")]), "Progressing")]
#[case::that_can_be_sold(room(2, &[ready("True"), available("True")]), "Healthy")]
#[case::that_is_not_being_sold(room(2, &[ready("True"), available("False")]), "Healthy")]
#[case::that_cannot_be_sold(room(2, &[ready("False"), available("False")]), "Degraded")]
#[case::that_is_being_deleted(
    json!({"metadata": {"generation": 2, "deletionTimestamp": "2030-01-01T00:00:00Z"}, "status": {"observedGeneration": 2, "conditions": [ready("False")]}}),
    "Progressing"
)]
fn a_room(#[case] object: Value, #[case] status: &str) {
    assert_eq!(health("Room", &object).status, status);
}

#[test]
fn a_room_that_is_not_being_sold_says_so() {
    let health = health("Room", &room(2, &[ready("True"), available("False")]));
    assert_eq!(health.message, "about Available");
}

#[rstest]
#[case::without_a_status(json!({"metadata": {"generation": 1}}))]
#[case::with_conditions_of_another_version(
    json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [{"type": "FromTheFuture", "status": "True"}]}})
)]
fn a_reservation_of_which_nothing_is_known_is_in_progress(#[case] object: Value) {
    assert_eq!(health("Reservation", &object).status, "Progressing");
}

#[test]
fn a_refund_that_failed_is_seen_also_while_it_is_being_deleted() {
    let mut object = recorded("refund-failed").pop().unwrap();
    object["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z".into();
    assert_eq!(health("Reservation", &object).status, "Degraded");
}

#[test]
fn nothing_is_ever_suspended() {
    assert!(scripts().unwrap().values().all(|script| !script.contains("Suspended")));
}

fn room(observed: i64, conditions: &[Value]) -> Value {
    json!({"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "conditions": conditions}})
}

fn ready(status: &str) -> Value {
    of("Ready", status)
}

fn available(status: &str) -> Value {
    of("Available", status)
}

fn of(type_: &str, status: &str) -> Value {
    json!({"type": type_, "status": status, "reason": "Because", "message": format!("about {type_}")})
}
