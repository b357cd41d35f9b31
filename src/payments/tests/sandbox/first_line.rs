//! The way of a booking: charged, looked up, refunded, or given up.

use crate::desk::{Desk, charge};

#[tokio::test]
async fn a_charge_is_captured_and_can_be_read_with_its_charge() {
    let desk = Desk::open().await;
    let made = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    assert_eq!((&made.body["status"], &made.body["amount_received"]), (&"succeeded".into(), &12000.into()));
    let path = format!("/v1/payment_intents/{}?expand[]=latest_charge", made.id());
    let read = desk.client.get(&path).await.ok();
    assert_eq!(read.body["latest_charge"]["amount_captured"], 12000);
    assert_eq!(read.body["metadata"]["innkeeper_name"], "smith");
}

#[tokio::test]
async fn a_refund_gives_back_what_is_left() {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let part = [("payment_intent", intent.id()), ("amount", "5000")];
    desk.client.post("/v1/refunds", "u/refund/1", &part).await.ok();
    let rest = desk.client.post("/v1/refunds", "u/refund/2", &[("payment_intent", intent.id())]).await.ok();
    assert_eq!(rest.body["amount"], 7000);
    let again = desk.client.post("/v1/refunds", "u/refund/3", &[("payment_intent", intent.id())]).await;
    assert_eq!(again.refusal(), (400, "invalid_request_error", "charge_already_refunded"));
}

#[tokio::test]
async fn a_fence_under_the_key_of_a_charge_keeps_the_charge_from_landing() {
    let desk = Desk::open().await;
    let fence = [
        ("amount", "12000"),
        ("currency", "eur"),
        ("confirm", "false"),
        ("payment_method_types[0]", "card"),
        ("metadata[innkeeper_fence]", "true"),
    ];
    let fenced = desk.client.post("/v1/payment_intents", "u/charge/1", &fence).await.ok();
    let path = format!("/v1/payment_intents/{}/cancel", fenced.id());
    let given_up = desk.client.post(&path, "", &[("cancellation_reason", "abandoned")]).await.ok();
    assert_eq!(given_up.body["status"], "canceled");
    let late = desk.client.post("/v1/payment_intents", "u/charge/1", &charge("pm_card_visa")).await;
    assert_eq!(late.refusal(), (400, "idempotency_error", ""));
    let accounts = desk.server.provider().ledger().accounts().await.unwrap();
    assert_eq!(accounts.iter().map(|account| account.intent.amount_received).sum::<i64>(), 0);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_again() {
    let desk = Desk::open().await;
    let first = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let second = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    assert_eq!((first.replayed(), second.replayed()), (false, true));
    assert_eq!(first.text, second.text);
    assert_eq!(second.header("original-request"), first.header("request-id"));
    assert_eq!(desk.client.get("/v1/payment_intents").await.body["data"].as_array().unwrap().len(), 1);
}
