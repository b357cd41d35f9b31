//! One key books once: repeated, at the same time, in two replicas, after a restart, with an answer that was lost.

use kube::api::ListParams;
use serde_json::json;

use super::front::{ACME, Front, RIVAL, config, stay};
use crate::support::hotel::Hotel;
use crate::support::valve::{Moment, Valve, Which};

async fn made(hotel: &Hotel) -> usize {
    hotel.reservations().list(&ListParams::default()).await.unwrap().items.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_reservation_however_often_it_is_sent_even_when_that_took_the_last_unit()
{
    let hotel = Hotel::open("key-again").await;
    let _operator = hotel.operator();
    hotel.room("suite", 1).await;
    let front = Front::open(&hotel).await;
    let first = front.book(ACME, "key-of-anna", &stay("suite")).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    let path = first.header("location").to_owned();
    for _ in 0..2 {
        let again = front.book(ACME, "key-of-anna", &stay("suite")).await;
        assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, "true"));
        assert_eq!((again.header("location"), &again.body["name"]), (path.as_str(), &first.body["name"]));
    }
    front.settled(&path, ACME).await;
    front.stop().await;

    // Another replica, or the same after a restart: the name is computed, and nothing is remembered.
    let front = Front::open(&hotel).await;
    let again = front.book(ACME, "key-of-anna", &stay("suite")).await;
    assert_eq!((again.status.as_u16(), again.header("location")), (200, path.as_str()));
    assert_eq!(again.body["phase"], "Confirmed", "as it is now");
    assert_eq!((made(&hotel).await, hotel.accounts().await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_sent_many_times_at_once_to_two_replicas_books_once() {
    let hotel = Hotel::open("key-at-once").await;
    hotel.room("suite", 1).await;
    let (one, two) = (Front::open(&hotel).await, Front::open(&hotel).await);
    let body = stay("suite");
    let sent = (0..16).map(|n| {
        let front = if n % 2 == 0 { &one } else { &two };
        front.book(ACME, "key-of-anna", &body)
    });
    let answers = futures::future::join_all(sent).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 201)), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    let names: std::collections::BTreeSet<&str> =
        answers.iter().map(|answer| answer.body["name"].as_str().unwrap()).collect();
    assert_eq!((names.len(), made(&hotel).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_with_another_body_is_refused_and_of_another_guest_or_partner_is_another_booking() {
    let hotel = Hotel::open("key-other").await;
    hotel.room("double", 9).await;
    let front = Front::open(&hotel).await;
    let first = front.book(ACME, "key-of-anna", &stay("double")).await;
    for (field, value) in [
        ("units", json!(2)),
        ("checkOut", json!("2030-07-04")),
        ("payment", json!({ "method": "pm_card_mastercard" })),
        ("maxTotal", json!({ "currency": "EUR", "minorUnits": 99_999 })),
    ] {
        let mut body = stay("double");
        body[field] = value;
        let refused = front.book(ACME, "key-of-anna", &body).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (422, "idempotency-key-reused"), "{field}");
    }
    assert_eq!(made(&hotel).await, 1);
    let mut of_ben = stay("double");
    of_ben["guestID"] = json!("ben");
    let ben = front.book(ACME, "key-of-anna", &of_ben).await;
    let rival = front.book(RIVAL, "key-of-anna", &stay("double")).await;
    assert_eq!((ben.status.as_u16(), rival.status.as_u16()), (201, 201));
    let names = [&first, &ben, &rival].map(|answer| answer.body["name"].as_str().unwrap());
    assert_eq!(std::collections::BTreeSet::from(names).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_whose_answer_was_lost_is_found_by_repeating_it() {
    let hotel = Hotel::open("key-lost").await;
    hotel.room("suite", 1).await;
    let valve = Valve::stopping(1, Which::WritesOf("/reservations"), Moment::After);
    let mut config = config(&hotel);
    // Only that one answer is late, and it comes never.
    config.gateway.breaker.write_timeout = std::time::Duration::from_secs(1);
    let front = Front::start(&hotel, config, valve.on(&hotel.client)).await;
    front.ready().await;
    let lost = front.book(ACME, "key-of-anna", &stay("suite")).await;
    assert_eq!((lost.status.as_u16(), lost.problem()), (503, "unavailable"));
    assert_ne!(lost.header("retry-after"), "");
    valve.reached().await;
    let again = front.book(ACME, "key-of-anna", &stay("suite")).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(made(&hotel).await, 1);
}
