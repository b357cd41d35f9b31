//! The three stories, by HTTP.

use kube::ResourceExt;
use serde_json::json;

use super::front::{ACME, Front, stay};
use crate::support::hotel::Hotel;

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_found_booked_and_its_units_are_one_fewer() {
    let hotel = Hotel::open("door-booked").await;
    let _operator = hotel.operator();
    hotel.room("double", 2).await;
    let front = Front::open(&hotel).await;

    let offer = front.offer("double").await;
    assert_eq!((&offer["offered"], &offer["free"]), (&json!(true), &json!(2)));
    assert_eq!(
        offer["price"]["total"],
        json!({ "currency": "EUR", "minorUnits": 24_000, "text": "240.00 EUR" })
    );
    assert_eq!(offer["price"]["nights"][1]["date"], "2030-07-02");
    assert_eq!(offer["price"]["nights"][1]["price"]["minorUnits"], 12_000);
    let policy = &offer["cancellation"]["text"][0];
    assert_eq!(policy, "Cancelled by 2030-07-01 15:00 (Europe/Lisbon), everything comes back.");

    let booked = front.book(ACME, "key-of-anna", &stay("double")).await;
    assert_eq!(booked.status, 201, "{booked:?}");
    let path = booked.header("location").to_owned();
    let done = front.settled(&path, ACME).await;
    assert_eq!((&done["phase"], &done["reason"]), (&json!("Confirmed"), &json!("Confirmed")), "{done}");
    assert_eq!((&done["guestID"], &done["money"]["paid"]["minorUnits"]), (&json!("anna"), &json!(24_000)));
    let facts: Vec<&str> =
        done["history"].as_array().unwrap().iter().map(|f| f["fact"].as_str().unwrap()).collect();
    assert_eq!(facts, ["Requested", "Paid", "Confirmed"]);
    assert_eq!(front.offer("double").await["free"], 1);
    assert_eq!(hotel.money_kept().await, 24_000);

    front.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_shown_before_cancelling_and_comes_back_after_it() {
    let hotel = Hotel::open("door-cancelled").await;
    let _operator = hotel.operator();
    hotel
        .room_with("double", 1, |room| {
            room.cancellation = serde_json::from_value(json!([
                { "hoursBefore": 0, "refundPercent": 30 },
            ]))
            .unwrap();
        })
        .await;
    let front = Front::open(&hotel).await;
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    front.settled(&path, ACME).await;
    let cancellation = format!("{path}/cancellation");

    let preview = front.get(&cancellation, ACME).await.body;
    assert_eq!((&preview["cancellable"], &preview["percent"]), (&json!(true), &json!(30)));
    assert_eq!(preview["refund"]["minorUnits"], 7_200);
    assert_eq!(preview["kept"]["minorUnits"], 16_800);
    assert_eq!(preview["until"], "2030-07-01T14:00:00Z");

    let cancelled = front.post(&cancellation, ACME, &json!({})).await;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    let done = front.settled(&path, ACME).await;
    assert_eq!(done["phase"], "Cancelled", "{done}");
    assert_eq!(done["money"]["refunded"]["minorUnits"], 7_200);
    assert_eq!(hotel.money_kept().await, 16_800);
    assert_eq!(front.until(&path, ACME, |a| a.body["cancellable"] == false).await.status, 200);
    assert_eq!(front.offer("double").await["free"], 1);

    // Asked again it says what is, and does nothing more.
    let again = front.post(&cancellation, ACME, &json!({})).await;
    assert_eq!((again.status.as_u16(), &again.body["phase"]), (200, &json!("Cancelled")));
    assert_eq!(front.get(&cancellation, ACME).await.body["cancellable"], false);
    assert_eq!(hotel.money_kept().await, 16_800);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sold_out_is_not_offered_and_whoever_asks_is_neither_booked_nor_charged() {
    let hotel = Hotel::open("door-full").await;
    let _operator = hotel.operator();
    hotel.room("suite", 1).await;
    let front = Front::open(&hotel).await;
    let path = front.book(ACME, "key-of-anna", &stay("suite")).await.header("location").to_owned();
    front.settled(&path, ACME).await;
    let calls = hotel.calls().await.len();

    let offer = front.offer("suite").await;
    assert_eq!((&offer["offered"], &offer["free"]), (&json!(false), &json!(0)));
    assert_eq!(offer["notOffered"]["reason"], "SoldOut");
    let refused = front.book(ACME, "key-of-ben-", &stay("suite")).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (409, "sold-out"));
    assert!(refused.body["detail"].as_str().unwrap().contains("2030-07-01, 2030-07-02"), "{refused:?}");

    let all = hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 1, "nothing was made");
    assert_eq!(hotel.calls().await.len(), calls, "nobody was charged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_under_way_counts_as_taken_before_its_nights_are() {
    let hotel = Hotel::open("door-claim").await;
    hotel.room("suite", 1).await;
    // No operator yet: the first booking stays under way.
    let front = Front::open(&hotel).await;
    let first = front.book(ACME, "key-of-anna", &stay("suite")).await;
    assert_eq!((first.status.as_u16(), &first.body["phase"]), (201, &json!("Pending")));
    // Born as the operator wants it: it has no finalizer to add, which would be one write more.
    let object = hotel.reservations().get(first.body["name"].as_str().unwrap()).await.unwrap();
    assert_eq!(object.metadata.finalizers, Some(vec![innkeeper_api::FINALIZER.to_owned()]));
    assert_eq!(object.spec.guest_id, "acme:anna");
    assert_eq!(front.offer("suite").await["notOffered"]["reason"], "SoldOut");
    let second = front.book(ACME, "key-of-ben-", &stay("suite")).await;
    assert_eq!((second.status.as_u16(), second.problem()), (409, "sold-out"));

    // Its guest gives it up: it is not taken any more.
    let path = first.header("location").to_owned();
    assert_eq!(front.post(&format!("{path}/cancellation"), ACME, &json!({})).await.status, 202);
    assert_eq!(front.offer("suite").await["free"], 1);
    let _operator = hotel.operator();
    assert_eq!(front.settled(&path, ACME).await["phase"], "Cancelled");
    assert_eq!(hotel.money_kept().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_born_with_every_finalizer_that_the_configuration_names() {
    let hotel = Hotel::open("door-born").await;
    hotel.room("suite", 1).await;
    let mut config = super::front::config(&hotel);
    config.operator.extra_finalizers = vec![innkeeper_api::RELAY_FINALIZER.to_owned()];
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    let booked = front.book(ACME, "key-of-anna", &stay("suite")).await;
    assert_eq!(booked.status, 201, "{booked:?}");
    let object = hotel.reservations().get(booked.body["name"].as_str().unwrap()).await.unwrap();
    assert_eq!(object.finalizers(), [innkeeper_api::FINALIZER, innkeeper_api::RELAY_FINALIZER]);
}
