//! Each fault: what the caller sees, what is in the ledger, what a repeat gets.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::desk::{Desk, charge};

async fn charges(desk: &Desk) -> usize {
    desk.server.provider().ledger().accounts().await.unwrap().len()
}

#[rstest]
#[case::drop_before(json!({ "kind": "drop", "when": "before" }), 0, false)]
#[case::drop_after(json!({ "kind": "drop", "when": "after" }), 1, true)]
#[tokio::test]
async fn a_dropped_connection_leaves_the_caller_without_an_answer(
    #[case] fault: Value,
    #[case] made: usize,
    #[case] replayed: bool,
) {
    let desk = Desk::open().await;
    desk.client.fault(json!({ "method": "POST" }), fault).await;
    let lost = desk.client.try_post("/v1/payment_intents", "u/charge/1", &charge("pm_card_visa")).await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(charges(&desk).await, made);
    assert_eq!(desk.client.charge("u/charge/1", "pm_card_visa").await.ok().replayed(), replayed);
    assert_eq!(charges(&desk).await, 1);
}

#[rstest]
#[case::before(json!({ "kind": "server_error" }), 0, 200, false)]
#[case::before_and_stored(json!({ "kind": "server_error", "stored": true }), 0, 500, true)]
#[case::after(json!({ "kind": "server_error", "when": "after" }), 1, 200, true)]
#[case::after_and_stored(json!({ "kind": "server_error", "when": "after", "stored": true }), 1, 500, true)]
#[tokio::test]
async fn a_server_error_may_hide_an_effect_and_may_be_kept(
    #[case] fault: Value,
    #[case] made: usize,
    #[case] repeat: u16,
    #[case] replayed: bool,
) {
    let desk = Desk::open().await;
    desk.client.fault(json!({}), fault).await;
    let first = desk.client.charge("u/charge/1", "pm_card_visa").await;
    assert_eq!(first.refusal(), (500, "api_error", ""));
    assert_eq!(charges(&desk).await, made);
    let second = desk.client.charge("u/charge/1", "pm_card_visa").await;
    assert_eq!((second.status, second.replayed()), (repeat, replayed));
    if repeat == 500 {
        assert_eq!(second.header("stripe-should-retry"), Some("false"));
    }
}

#[tokio::test]
async fn a_stored_error_does_not_replace_an_answer_that_is_kept_already() {
    let desk = Desk::open().await;
    desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    desk.client.fault(json!({}), json!({ "kind": "server_error", "when": "before", "stored": true })).await;
    assert!(desk.client.charge("u/charge/1", "pm_card_visa").await.ok().replayed());
}

#[rstest]
#[case::rate_limit(json!({ "kind": "rate_limit", "retry_after": 7 }), 429, "rate_limit")]
#[case::unauthorized(json!({ "kind": "unauthorized" }), 401, "api_key_expired")]
#[tokio::test]
async fn what_is_turned_away_is_not_executed(#[case] fault: Value, #[case] status: u16, #[case] code: &str) {
    let desk = Desk::open().await;
    desk.client.fault(json!({}), fault).await;
    let reply = desk.client.charge("u/charge/1", "pm_card_visa").await;
    assert_eq!(reply.refusal(), (status, "invalid_request_error", code));
    assert_eq!(reply.header("retry-after"), (status == 429).then_some("7"));
    assert_eq!(charges(&desk).await, 0);
    assert!(!desk.client.charge("u/charge/1", "pm_card_visa").await.ok().replayed());
}

#[rstest]
#[case("before", 0)]
#[case("after", 1)]
#[tokio::test]
async fn garbage_looks_like_success_and_is_not_json(#[case] when: &str, #[case] made: usize) {
    let desk = Desk::open().await;
    desk.client.fault(json!({}), json!({ "kind": "garbage", "when": when })).await;
    let reply = desk.client.charge("u/charge/1", "pm_card_visa").await;
    assert_eq!((reply.status, &reply.body), (200, &Value::Null));
    assert_eq!(charges(&desk).await, made);
}

#[rstest]
#[case("before")]
#[case("after")]
#[tokio::test]
async fn a_delay_is_waited_for(#[case] when: &str) {
    let desk = Desk::open().await;
    desk.client.fault(json!({}), json!({ "kind": "delay", "when": when, "millis": 50 })).await;
    let begun = Instant::now();
    desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_charge_lands_after_its_caller_has_given_up() {
    let desk = Desk::open().await;
    desk.client.fault(json!({}), json!({ "kind": "delay", "when": "before", "millis": 300 })).await;
    let client = desk.client.clone();
    let caller = tokio::spawn(async move { client.charge("u/charge/1", "pm_card_visa").await });
    desk.struck(1).await;
    assert_eq!(charges(&desk).await, 0);
    caller.abort();
    let deadline = Instant::now() + Duration::from_secs(30);
    let repeat = loop {
        let reply = desk.client.charge("u/charge/1", "pm_card_visa").await;
        if reply.status != 409 {
            break reply;
        }
        assert!(Instant::now() < deadline, "the charge never landed");
    };
    assert!(repeat.ok().replayed());
    assert_eq!(charges(&desk).await, 1);
}

#[rstest]
#[case("before", 0)]
#[case("after", 1)]
#[tokio::test]
async fn a_hung_request_ends_with_the_server(#[case] when: &str, #[case] made: usize) {
    let desk = Desk::open().await;
    desk.client.fault(json!({}), json!({ "kind": "hang", "when": when })).await;
    let client = desk.client.clone();
    let caller =
        tokio::spawn(
            async move { client.try_post("/v1/payment_intents", "k", &charge("pm_card_visa")).await },
        );
    let ledger = desk.server.provider().ledger().clone();
    let mut activity = desk.server.provider().activity();
    while ledger.calls(0, 10).await.unwrap().is_empty() {
        activity.changed().await.unwrap();
    }
    assert_eq!(ledger.accounts().await.unwrap().len(), made);
    desk.server.shutdown().await.unwrap();
    assert!(caller.await.unwrap().is_err());
}

#[tokio::test]
async fn a_list_that_lags_does_not_have_what_is_new() {
    let desk = Desk::open().await;
    let old = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    desk.client.admin("/sandbox/clock", &json!({ "advance_seconds": 120 })).await.ok();
    let new = desk.client.charge("u/charge/2", "pm_card_visa").await.ok();
    desk.client
        .fault(json!({ "path": "/v1/payment_intents" }), json!({ "kind": "lag", "seconds": 60 }))
        .await;
    let lagging = desk.client.get("/v1/payment_intents").await.ok();
    assert_eq!(lagging.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(lagging.body["data"][0]["id"], old.id());
    let fresh = desk.client.get("/v1/payment_intents").await.ok();
    assert_eq!(fresh.body["data"][0]["id"], new.id());
}

#[tokio::test]
async fn a_fault_finds_an_intent_by_its_metadata() {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let path = format!("/v1/payment_intents/{}", intent.id());
    let matches = json!({ "method": "GET", "metadata": { "innkeeper_name": "smith" } });
    desk.client.fault(matches, json!({ "kind": "server_error" })).await;
    assert_eq!(desk.client.get("/v1/balance").await.status, 200);
    assert_eq!(desk.client.get(&path).await.status, 500);
    assert_eq!(desk.client.get(&path).await.status, 200);
    let calls = desk.server.provider().ledger().calls(0, 10).await.unwrap();
    let faults: Vec<_> = calls.iter().filter_map(|call| call.fault.as_deref()).collect();
    assert_eq!(faults, ["server_error/before"]);
}

#[tokio::test]
async fn faults_are_listed_and_switched_off() {
    let desk = Desk::open().await;
    for _ in 0..2 {
        let always = json!({ "fault": { "kind": "unauthorized" }, "times": null });
        desk.client.admin("/sandbox/faults", &always).await.ok();
    }
    assert_eq!(desk.client.get("/v1/balance").await.status, 401);
    assert_eq!(desk.client.get("/v1/balance").await.status, 401);
    let listed = desk.client.get("/sandbox/faults").await.ok();
    assert_eq!(
        (&listed.body["faults"][0]["hits"], &listed.body["faults"][0]["times"]),
        (&json!(2), &Value::Null)
    );
    let delete = |path: &str| desk.client.request(reqwest::Method::DELETE, path).send();
    delete("/sandbox/faults/1").await.unwrap();
    assert_eq!(desk.server.provider().faults().len(), 1);
    delete("/sandbox/faults").await.unwrap();
    assert_eq!(desk.client.get("/v1/balance").await.status, 200);
}
