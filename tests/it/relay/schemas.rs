//! That an event is checked at all: the same event with one thing wrong is refused, for each thing that a consumer relies
//! on. Every event that the other tests read from the file, from a receiver or from Kafka goes through this check.

use innkeeper_api::Reason;
use serde_json::{Value, json};

use super::post::{Folder, Making, hotel, told_of};
use super::receivers::Desk;
use crate::support::eventually;
use crate::support::schemas::judge;

/// The event with one field, by its JSON pointer, changed, or taken out.
fn with(event: &Value, place: &str, value: Option<Value>) -> Value {
    let mut event = event.clone();
    let (parent, field) = place.rsplit_once('/').unwrap();
    let parent = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => drop(parent.insert(field.to_owned(), value)),
        None => assert!(parent.remove(field).is_some(), "there is no {place}"),
    }
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_event_is_found_by_its_schema() {
    use innkeeper_relay::sink::file::FileSink;
    let hotel = hotel("schemas").await;
    let (folder, desk) = (Folder::new(), Desk::open(204).await);
    let making = Making::of(&hotel).only("file", &[], FileSink::new(folder.file()));
    let relay = making.only("desk", &[], desk.sink()).start(&hotel, &folder.state()).await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    // A notice of what is free is among them; as read, all of them pass.
    let free = "dev.innkeeper.room.availability";
    let events = folder
        .until("told", |events| {
            told_of(events, "anna").ends_with("confirmed") && events.iter().any(|event| event["type"] == free)
        })
        .await;
    assert!(eventually(|| told_of(&desk.got(), "anna").ends_with("confirmed")).await);
    let of = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap();
    let paid = of("dev.innkeeper.reservation.paid");
    assert_eq!(judge(paid), Ok(()));
    for (place, value, says) in [
        ("/id", None, "missing properties 'id'"),
        ("/data/amount", None, "missing properties 'amount'"),
        ("/data/amount", Some(json!(null)), "want object, but got null"),
        ("/data/amount/minorUnits", Some(json!("24000")), "want integer"),
        ("/data/number", Some(json!(1.5)), "want integer"),
        ("/data/number", Some(json!(-1)), "must be >=0"),
        ("/data/fact", Some(json!("Confirmed")), "value must be"),
        ("/data/stay/checkIn", Some(json!("1 July 2030")), "not valid date"),
        ("/data/stay", None, "missing properties 'stay'"),
        ("/time", Some(json!("yesterday")), "not valid date-time"),
        ("/specversion", Some(json!("0.3")), "value must be"),
        ("/type", Some(json!("dev.innkeeper.reservation.payed")), "there is no schema of"),
        ("/type", None, "it has no type"),
    ] {
        let wrong = judge(&with(paid, place, value)).expect_err(place);
        assert!(wrong.contains(says), "{place}: {wrong}");
    }
    // What is right of one type is not of another.
    let as_refund = with(paid, "/type", Some(json!("dev.innkeeper.reservation.refunded")));
    assert!(judge(&as_refund).is_err());
    assert!(judge(&with(of(free), "/data/stays", Some(json!(1)))).is_ok(), "what is not known is allowed");
    assert!(judge(&with(of(free), "/data/nights", Some(json!(1)))).is_err());
    relay.stop().await;
    operator.stop().await;
}
