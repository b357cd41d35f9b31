//! What should not happen, and does: a backup is restored, somebody writes a status by hand.

use innkeeper_api::Reason;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::post::{Folder, Making, hotel, told_of};
use crate::support::hotel::Hotel;

/// Writes a history, as a restored backup or somebody with too many rights would.
async fn write_history(hotel: &Hotel, name: &str, history: Value) {
    let patch = Patch::Merge(json!({ "status": { "history": history } }));
    hotel.reservations().patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restored_backup_it_says_so_and_goes_on_from_the_fork() {
    let hotel = hotel("rewound").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    let folder = Folder::new();
    let relay = Making::of(&hotel).file(&folder.file()).start(&hotel, &folder.state()).await;
    hotel.reserve("anna", "double").await;
    let anna = hotel.settled("anna", Reason::Confirmed).await;
    folder.until("told", |events| events.len() == 3).await;
    operator.stop().await;
    relay.stop().await;

    // While nobody looked: the second fact is another, the third is not there.
    let mut history = serde_json::to_value(anna.status.unwrap().history).unwrap();
    history.as_array_mut().unwrap().truncate(2);
    history[1]["minorUnits"] = json!(7);
    write_history(&hotel, "anna", history).await;
    let relay = Making::of(&hotel).file(&folder.file()).start(&hotel, &folder.state()).await;
    let events = folder.until("told again", |events| events.len() >= 5).await;
    assert_eq!(told_of(&events, "anna"), "requested paid confirmed historyrewound paid");
    assert_eq!(events[3]["data"]["from"], 2);
    assert_ne!(events[1]["id"], events[4]["id"]);
    relay.counts("innkeeper_relay_rewound_total", &[], 1.0).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_facts_cannot_be_read_is_told_of_when_they_can_and_holds_up_no_other() {
    let hotel = hotel("poisoned").await;
    let operator = hotel.operator();
    hotel.room("double", 3).await;
    hotel.reserve("anna", "double").await;
    let anna = hotel.settled("anna", Reason::Confirmed).await;
    let right = serde_json::to_value(anna.status.unwrap().history).unwrap();
    let mut wrong = right.clone();
    wrong[1]["number"] = json!(5);
    operator.stop().await;
    write_history(&hotel, "anna", wrong).await;

    let folder = Folder::new();
    let relay = Making::of(&hotel).file(&folder.file()).start(&hotel, &folder.state()).await;
    relay.counts("innkeeper_relay_unreadable", &[], 1.0).await;
    let operator = hotel.operator();
    hotel.reserve("ben", "double").await;
    let events = folder.until("told of ben", |events| told_of(events, "ben").ends_with("confirmed")).await;
    assert_eq!(told_of(&events, "anna"), "");
    operator.stop().await;
    write_history(&hotel, "anna", right).await;
    folder.until("told of anna", |events| told_of(events, "anna") == "requested paid confirmed").await;
    relay.counts("innkeeper_relay_unreadable", &[], 0.0).await;
    relay.stop().await;
}
