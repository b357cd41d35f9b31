//! Receivers over HTTP: how the hotel is told, also after it did not listen for a while.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use innkeeper_relay::sink::http::{HttpConfig, HttpSink, Mode};
use innkeeper_relay::sink::signature::Secret;
use serde_json::Value;

use super::post::{
    Folder, Making, hotel, nothing_is_lost_and_nothing_out_of_order, once, reserve_at_the_desk, told,
};
use crate::support::eventually;
use crate::support::schemas::checked;
use innkeeper_api::Reason;

/// A receiver that takes what it gets, or answers with a status.
#[derive(Clone)]
pub struct Desk {
    /// Its address.
    pub url: String,
    got: Arc<Mutex<Vec<Value>>>,
    answers: Arc<AtomicU16>,
}

impl Desk {
    /// Opens one that answers with this status.
    pub async fn open(status: u16) -> Self {
        async fn take(State(desk): State<Desk>, body: String) -> StatusCode {
            let status = StatusCode::from_u16(desk.answers.load(Ordering::SeqCst)).unwrap();
            if status.is_success() {
                desk.got.lock().unwrap().push(serde_json::from_str(&body).unwrap());
            }
            status
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let desk = Self { url, got: Arc::default(), answers: Arc::new(AtomicU16::new(status)) };
        let routes = Router::new().fallback(take).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        desk
    }

    /// From now on it answers with this status.
    pub fn answer(&self, status: u16) {
        self.answers.store(status, Ordering::SeqCst);
    }

    /// What it has taken: each event as its schema says.
    pub fn got(&self) -> Vec<Value> {
        self.got.lock().unwrap().clone().into_iter().map(checked).collect()
    }

    /// A sink that leads there.
    pub fn sink(&self) -> HttpSink {
        HttpSink::new(HttpConfig {
            url: self.url.clone(),
            mode: Mode::Structured,
            secret: Some(Secret::new("whsec_test")),
            timeout: Duration::from_secs(10),
            roots: None,
        })
        .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_holds_up_no_other_and_misses_nothing() {
    let hotel = hotel("deaf").await;
    let operator = hotel.operator();
    hotel.room("double", 20).await;
    let (folder, deaf, awake) = (Folder::new(), Desk::open(503).await, Desk::open(204).await);
    let making = Making::of(&hotel)
        .file(&folder.file())
        .only("deaf", &["dev.innkeeper.reservation.*"], deaf.sink())
        .only("awake", &["dev.innkeeper.reservation.confirmed"], awake.sink());
    let relay = making.start(&hotel, &folder.state()).await;
    for number in 0..10 {
        reserve_at_the_desk(&hotel, &format!("guest-{number}"), "double").await;
    }
    folder.until("told", |events| events.len() == 20).await;
    assert!(eventually(|| awake.got().len() == 10).await, "{:?}", told(&awake.got()));
    assert!(awake.got().iter().all(|e| e["type"] == "dev.innkeeper.reservation.confirmed"));
    relay.counts("innkeeper_relay_pending", &[("sink", "deaf")], 20.0).await;
    relay.counts("innkeeper_relay_sink_up", &[("sink", "deaf")], 0.0).await;
    relay.counts("innkeeper_relay_pending", &[("sink", "file")], 0.0).await;
    assert_eq!(deaf.got(), [] as [Value; 0]);
    // One that is deleted now stays until the deaf one has heard of it.
    hotel.delete("guest-0").await;
    folder.until("told", |events| events.len() == 21).await;
    assert!(hotel.reservations().get_opt("guest-0").await.unwrap().is_some());

    deaf.answer(200);
    hotel.gone("guest-0").await;
    assert!(eventually(|| deaf.got().len() == 21).await, "{:?}", told(&deaf.got()));
    nothing_is_lost_and_nothing_out_of_order(&hotel, &deaf.got()).await;
    relay.counts("innkeeper_relay_sink_up", &[("sink", "deaf")], 1.0).await;
    relay.counts("innkeeper_relay_published_total", &[("sink", "deaf")], 21.0).await;
    relay.counts("innkeeper_relay_lag_seconds", &[("sink", "deaf")], 0.0).await;
    relay.stop().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_by_mistake_repeat_and_disorder_nothing() {
    let hotel = hotel("twice").await;
    let operator = hotel.operator();
    hotel.room("double", 20).await;
    let (one, other, desk) = (Folder::new(), Folder::new(), Desk::open(204).await);
    let only = &["dev.innkeeper.reservation.*"];
    let first = Making::of(&hotel).only("desk", only, desk.sink()).start(&hotel, &one.state()).await;
    let second = Making::of(&hotel).only("desk", only, desk.sink()).start(&hotel, &other.state()).await;
    for number in 0..10 {
        hotel.reserve(&format!("guest-{number}"), "double").await;
    }
    for number in 0..10 {
        hotel.settled(&format!("guest-{number}"), Reason::Confirmed).await;
    }
    assert!(eventually(|| desk.got().len() == 60).await, "{:?}", told(&desk.got()));
    assert_eq!(once(&desk.got()).len(), 30);
    nothing_is_lost_and_nothing_out_of_order(&hotel, &desk.got()).await;
    first.stop().await;
    second.stop().await;
    operator.stop().await;
}
