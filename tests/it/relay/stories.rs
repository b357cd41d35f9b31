//! The three stories of the seed, told as events.

use innkeeper_api::Reason;
use serde_json::Value;

use super::post::{Folder, Making, hotel, nothing_is_lost_and_nothing_out_of_order, once, told_of};
use crate::support::PROJECT;

/// What the seed calls its events in each story, in order.
const BOOKED: &str = "ReserveRequested PaymentCompleted ReserveCompleted";
const CANCELLED: &str =
    "ReserveRequested PaymentCompleted ReserveCompleted CancelRequested RefundCompleted CancelCompleted";
const ROLLED_BACK: &str = "ReserveRequested PaymentCompleted OutOfStock RefundCompleted";

/// What `docs/events.md` says that an event of the seed is here.
fn ours(seeds: &str) -> String {
    let page = std::fs::read_to_string(format!("{PROJECT}/docs/events.md")).unwrap();
    let row = page.lines().find(|line| line.starts_with(&format!("| `{seeds}` |")));
    let row = row.unwrap_or_else(|| panic!("docs/events.md has no row for {seeds}"));
    let kind = row.split('`').nth(3).unwrap();
    kind.rsplit('.').next().unwrap().to_owned()
}

fn in_our_words(seeds: &str) -> String {
    seeds.split(' ').map(ours).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_story_is_told_as_the_seed_tells_it() {
    let hotel = hotel("told").await;
    let folder = Folder::new();
    let relay = Making::of(&hotel).file(&folder.file()).start(&hotel, &folder.state()).await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    hotel.room("suite", 1).await;

    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.reserve("ben", "double").await;
    hotel.settled("ben", Reason::Confirmed).await;
    hotel.cancel("ben").await;
    hotel.settled("ben", Reason::Cancelled).await;
    hotel.reserve("chris", "suite").await;
    hotel.settled("chris", Reason::Confirmed).await;
    hotel.reserve("dana", "suite").await;
    hotel.settled("dana", Reason::Rejected).await;

    let events = folder
        .until("told to the end", |events| {
            told_of(events, "anna").ends_with("confirmed")
                && told_of(events, "ben").ends_with(" cancelled")
                && told_of(events, "dana").ends_with("rejected")
                && told_of(events, "chris").ends_with("confirmed")
        })
        .await;
    assert_eq!(told_of(&events, "anna"), in_our_words(BOOKED));
    assert_eq!(told_of(&events, "ben"), in_our_words(CANCELLED));
    // The seed ends with the refund; here the end itself is told too.
    assert_eq!(told_of(&events, "dana"), format!("{} rejected", in_our_words(ROLLED_BACK)));
    nothing_is_lost_and_nothing_out_of_order(&hotel, &events).await;
    assert_eq!(events.len(), once(&events).len(), "nothing was repeated");

    let paid = events.iter().find(|e| e["type"] == "dev.innkeeper.reservation.paid").unwrap();
    assert_eq!(paid["source"], format!("/installations/test/namespaces/{}", hotel.namespace));
    assert_eq!(paid["data"]["amount"], serde_json::json!({ "currency": "EUR", "minorUnits": 24000 }));
    let all = Value::from(events).to_string();
    let anna = hotel.reservations().get("anna").await.unwrap();
    for secret in [anna.spec.guest_id.as_str(), anna.spec.payment.method.as_deref().unwrap()] {
        assert!(!all.contains(secret), "{secret} was told");
    }
    relay.stop().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_free_of_a_room_is_told_as_it_is_in_the_end() {
    use innkeeper_relay::sink::file::FileSink;
    let hotel = hotel("told-free").await;
    let folder = Folder::new();
    let sink = FileSink::new(folder.file());
    let making = Making::of(&hotel).only("file", &["dev.innkeeper.room.availability"], sink);
    let relay = making.start(&hotel, &folder.state()).await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    let events = folder
        .until("told that one is free", |events| {
            events.last().is_some_and(|event| event["data"]["fewestFree"] == 1)
        })
        .await;
    assert!(events.iter().all(|event| event["type"] == "dev.innkeeper.room.availability"));
    assert_eq!(events.last().unwrap()["data"]["nights"][0]["free"], 1);
    relay.stop().await;
    operator.stop().await;
}
