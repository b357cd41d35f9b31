use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const ANNA: &str = "6f1c7f0e-5d3a-4f7e-9c55-0d0b7a1f2a01";
const BEN: &str = "6f1c7f0e-5d3a-4f7e-9c55-0d0b7a1f2a02";

fn key(name: &str) -> Key {
    ("seaside".to_owned(), name.to_owned())
}

/// One that has come to this.
fn object(name: &str, uid: &str, settled: &str) -> Value {
    let condition = |type_: &str, status: &str, reason: &str| {
        json!({
            "type": type_, "status": status, "reason": reason, "message": format!("{reason}, says {name}."),
            "lastTransitionTime": "2030-01-01T00:00:00Z", "observedGeneration": 1,
        })
    };
    json!({
        "apiVersion": "innkeeper.dev/v1alpha1", "kind": "Reservation",
        "metadata": {
            "name": name, "namespace": "seaside", "uid": uid, "generation": 1, "resourceVersion": "7",
            "creationTimestamp": "2030-01-01T00:00:00Z", "finalizers": ["innkeeper.dev/settle"],
            "annotations": { "note": "by the sea" },
        },
        "spec": {
            "roomName": "double", "checkIn": "2030-07-01", "checkOut": "2030-07-03", "guestID": "g-1",
            "payment": { "method": "pm_card_visa" },
        },
        "status": {
            "observedGeneration": 1, "phase": "Confirmed",
            "quote": {
                "currency": "EUR", "total": 24000, "collectOnline": 24000, "roomUID": ANNA, "roomGeneration": 1,
                "lines": [{ "kind": "Nights", "from": "2030-07-01", "nights": 2, "minorUnits": 12000 }],
                "refundDeadlines": [{ "until": "2030-07-01T14:00:00Z", "percent": 100 }],
                "checkInAt": "2030-07-01T14:00:00Z", "finishedAt": "2030-07-03T23:00:00Z",
            },
            "payment": { "id": format!("pi_{name}"), "captured": 24000, "refunded": 0, "kept": 0, "attempt": 1 },
            "history": [{ "number": 1, "time": "2030-01-01T00:00:00Z", "fact": "Requested", "minorUnits": 24000 }],
            "conditions": [condition("Settled", "True", settled), condition("Ready", "True", settled)],
        },
    })
}

fn guarded(object: Value) -> Guarded<Reservation> {
    serde_json::from_value(object).unwrap()
}

fn whole(object: Value) -> Reservation {
    serde_json::from_value(object).unwrap()
}

fn shelf() -> (Arc<Shelf>, ShelfKeeper) {
    let shelf = Arc::new(Shelf::default());
    (Arc::clone(&shelf), ShelfKeeper::of(shelf))
}

#[rstest]
#[case::moving("InProgress", Stage::InProgress, false)]
#[case::confirmed("Confirmed", Stage::Confirmed, true)]
#[case::rejected("Rejected", Stage::Closed(End::Rejected), true)]
#[case::cancelled("Cancelled", Stage::Closed(End::Cancelled), true)]
#[case::withdrawn("Withdrawn", Stage::Closed(End::Withdrawn), true)]
#[case::of_another_version("Levitating", Stage::Foreign, false)]
fn whatever_it_has_come_to_it_comes_back_as_it_was(
    #[case] settled: &str,
    #[case] stage: Stage,
    #[case] packed: bool,
) {
    let (shelf, mut keeper) = shelf();
    for (name, uid) in [("anna", ANNA), ("ben", BEN)] {
        let seen = keeper.put(guarded(object(name, uid, settled)));
        assert_eq!((seen.key, seen.uid.as_str()), (key(name), uid));
    }
    for (name, uid) in [("anna", ANNA), ("ben", BEN)] {
        assert_eq!(*shelf.get(&key(name)).unwrap(), whole(object(name, uid, settled)));
        assert_eq!(shelf.stage_of_uid(uid), Some(stage));
        assert_eq!(shelf.key_of_uid(uid), Some(key(name)));
    }
    assert_eq!(shelf.settled(0, 1).len(), if packed { 2 } else { 0 });
}

#[test]
fn one_that_is_settled_takes_a_fraction_of_its_text() {
    let (shelf, mut keeper) = shelf();
    keeper.put(guarded(object("anna", ANNA, "Confirmed")));
    keeper.put(guarded(object("ben", BEN, "Confirmed")));
    let inner = shelf.read();
    let Object::Packed(_, packed) = &inner.stays.find(&key("ben")).unwrap().object else {
        panic!("it is not packed");
    };
    let text = object("ben", BEN, "Confirmed").to_string();
    assert!(packed.len() < text.len() / 5, "{} of {}", packed.len(), text.len());
}

#[test]
fn what_is_known_is_what_was_seen_last() {
    let (shelf, mut keeper) = shelf();
    keeper.put(guarded(object("anna", ANNA, "InProgress")));
    keeper.put(guarded(object("anna", ANNA, "Confirmed")));
    assert_eq!(shelf.stage_of_uid(ANNA), Some(Stage::Confirmed));
    let mut cancelled = object("anna", ANNA, "Confirmed");
    cancelled["spec"]["state"] = json!("Cancelled");
    cancelled["metadata"]["generation"] = json!(2);
    keeper.put(guarded(cancelled.clone()));
    assert_eq!(*shelf.get(&key("anna")).unwrap(), whole(cancelled));
    // About to go: it moves, and is not looked at in turn any more.
    let mut deleted = object("anna", ANNA, "Confirmed");
    deleted["metadata"]["deletionTimestamp"] = json!("2030-01-02T00:00:00Z");
    keeper.put(guarded(deleted.clone()));
    assert_eq!(*shelf.get(&key("anna")).unwrap(), whole(deleted.clone()));
    assert!(shelf.settled(0, 1).is_empty());
    let seen = keeper.gone(guarded(deleted));
    assert_eq!(seen.uid, ANNA);
    assert!(shelf.get(&key("anna")).is_none() && shelf.stage_of_uid(ANNA).is_none());
}

#[test]
fn one_that_cannot_be_read_is_there_all_the_same() {
    let (shelf, mut keeper) = shelf();
    let mut strange = object("anna", ANNA, "Confirmed");
    strange["spec"]["units"] = json!("many");
    let seen = keeper.put(guarded(strange));
    assert_eq!((seen.key, seen.waits_for), (key("anna"), None));
    assert!(shelf.get(&key("anna")).is_none());
    assert_eq!(shelf.key_of_uid(ANNA), Some(key("anna")), "its nights are not nobody's");
    assert_eq!(shelf.stage_of_uid(ANNA), Some(Stage::Foreign));
    keeper.put(guarded(object("anna", ANNA, "Confirmed")));
    assert_eq!(shelf.stage_of_uid(ANNA), Some(Stage::Confirmed), "put right, it is read");
}

#[test]
fn a_list_takes_the_place_of_what_was_known_when_it_is_whole_and_tells_who_is_gone() {
    let (shelf, mut keeper) = shelf();
    keeper.put(guarded(object("anna", ANNA, "Confirmed")));
    keeper.put(guarded(object("ben", BEN, "InProgress")));
    let anew = ANNA.replace('6', "7");
    keeper.list_begins();
    keeper.listed(guarded(object("carl", "u-carl", "Rejected")));
    assert!(shelf.get(&key("anna")).is_some() && shelf.get(&key("carl")).is_none(), "not whole yet");
    // The watch fails in the middle, and the list begins anew.
    keeper.list_begins();
    keeper.listed(guarded(object("anna", &anew, "Confirmed")));
    keeper.listed(guarded(object("ben", BEN, "Confirmed")));
    let mut told: Vec<_> =
        keeper.list_ends().into_iter().map(|(seen, there)| (seen.key.1, seen.uid, there)).collect();
    told.sort();
    let one = |name: &str, uid: &str, there| (name.to_owned(), uid.to_owned(), there);
    assert_eq!(told, [one("anna", ANNA, false), one("anna", &anew, true), one("ben", BEN, true)]);
    assert!(shelf.stage_of_uid(ANNA).is_none() && shelf.get(&key("carl")).is_none());
    assert_eq!(shelf.get(&key("anna")).unwrap().uid().unwrap(), anew);
}

#[test]
fn one_made_anew_under_its_name_leaves_nothing_of_the_old_one() {
    let (shelf, mut keeper) = shelf();
    keeper.put(guarded(object("anna", ANNA, "Confirmed")));
    keeper.put(guarded(object("anna", BEN, "InProgress")));
    assert!(shelf.stage_of_uid(ANNA).is_none());
    // The end of the old one, seen late, takes nothing from the new one.
    keeper.gone(guarded(object("anna", ANNA, "Confirmed")));
    assert_eq!(shelf.get(&key("anna")).unwrap().uid().unwrap(), BEN);
}

#[test]
fn who_waits_for_a_person_is_told() {
    let (_, mut keeper) = shelf();
    let mut stalled = object("anna", ANNA, "Cancelling");
    stalled["status"]["conditions"][1] = json!({
        "type": "Stalled", "status": "True", "reason": "RefundFailed", "message": "A person must look.",
        "lastTransitionTime": "2030-01-01T00:00:00Z", "observedGeneration": 1,
    });
    assert_eq!(keeper.put(guarded(stalled)).waits_for, Some(WaitsFor::RefundFailed));
    assert_eq!(keeper.put(guarded(object("anna", ANNA, "Cancelled"))).waits_for, None);
}

#[test]
fn every_settled_one_has_its_turn_once() {
    let (shelf, mut keeper) = shelf();
    for number in 0..100 {
        let name = format!("guest-{number}");
        keeper.put(guarded(object(&name, &Uuid::new_v4().to_string(), "Confirmed")));
    }
    let mut turns: Vec<Key> = (0..7).flat_map(|part| shelf.settled(part, 7)).collect();
    turns.sort();
    let whole = turns.len();
    turns.dedup();
    assert_eq!((whole, turns.len()), (100, 100));
}
