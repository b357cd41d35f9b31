//! Somebody is told: signed, in order, and again until it is taken.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use innkeeper_payments::sandbox::{Config, Location, Webhooks};
use innkeeper_payments::webhooks::{Secrets, Verifier};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::desk::{Desk, config};

const SECRET: &str = "whsec_of_the_test";

/// Takes webhooks, or does not, and keeps what came.
#[derive(Clone)]
struct Receiver {
    url: String,
    takes: Arc<Mutex<bool>>,
    came: watch::Sender<Vec<(String, Value)>>,
}

impl Receiver {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let this = Self { url, takes: Arc::new(Mutex::new(true)), came: watch::Sender::default() };
        let app = Router::new().route("/hook", post(take)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        this
    }

    fn config(&self) -> Config {
        Config { webhooks: Some(Webhooks::new(&self.url, SECRET)), ..config() }
    }

    /// Waits for as many as this, in all, and gives their types.
    async fn types(&self, count: usize) -> Vec<String> {
        let mut came = self.came.subscribe();
        let came = came.wait_for(|came| came.len() >= count).await.unwrap().clone();
        came.into_iter().map(|(kind, _)| kind).collect()
    }
}

async fn take(State(receiver): State<Receiver>, headers: http::HeaderMap, body: Bytes) -> http::StatusCode {
    let signature = headers.get("stripe-signature").unwrap().to_str().unwrap();
    let verifier = Verifier::new(Secrets::read(SECRET).unwrap());
    verifier.check(Some(signature), &body, Timestamp::now()).expect("it is genuine");
    let event: Value = serde_json::from_slice(&body).unwrap();
    receiver.came.send_modify(|came| came.push((event["type"].as_str().unwrap().to_owned(), event.clone())));
    if *receiver.takes.lock().unwrap() { http::StatusCode::OK } else { http::StatusCode::SERVICE_UNAVAILABLE }
}

#[tokio::test]
async fn every_change_of_a_payment_is_told_in_order_and_signed() {
    let receiver = Receiver::open().await;
    let desk = Desk::with(receiver.config()).await;
    desk.client.charge("u/charge/0", "pm_card_chargeDeclined").await;
    let intent = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let refund = desk.client.post("/v1/refunds", "u/refund/1", &[("payment_intent", intent.id())]).await.ok();
    let path = format!("/sandbox/refunds/{}/settle", refund.id());
    desk.client.admin(&path, &json!({ "outcome": "failed" })).await.ok();
    let told = receiver.types(4).await;
    let expected =
        ["payment_intent.payment_failed", "payment_intent.succeeded", "refund.created", "refund.failed"];
    assert_eq!(told, expected);
    let (_, failed) = receiver.came.borrow()[3].clone();
    assert_eq!(failed["data"]["object"]["payment_intent"], intent.id());
    assert_eq!(failed["data"]["object"]["status"], "failed");

    let listed = desk.client.get("/sandbox/events").await.ok().body;
    let newest = &listed["events"][0];
    assert_eq!((&newest["type"], &newest["id"]), (&json!("refund.failed"), &failed["id"]));
}

#[tokio::test]
async fn what_was_not_taken_is_told_again_as_the_same_event_also_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::open().await;
    *receiver.takes.lock().unwrap() = false;
    let config = || Config { ledger: Location::File(folder.path().join("ledger")), ..receiver.config() };
    let desk = Desk::with(config()).await;
    desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    receiver.types(1).await;
    desk.server.shutdown().await.unwrap();

    *receiver.takes.lock().unwrap() = true;
    let before = receiver.came.borrow().len();
    let desk = Desk::with(config()).await;
    // Two hours on by its own clock, not by ours.
    desk.server.provider().advance_clock(7200).await.unwrap();
    receiver.types(before + 1).await;
    let came = receiver.came.borrow().clone();
    assert!(came.iter().all(|(_, event)| event["id"] == came[0].1["id"]), "{came:?}");
    loop {
        let listed = desk.client.get("/sandbox/events").await.ok().body;
        if listed["events"][0]["pending_webhooks"] == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
}
