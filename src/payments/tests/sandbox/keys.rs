//! Idempotency keys: one key, one effect, one answer.

use innkeeper_payments::sandbox::KEY_LIFETIME;
use serde_json::json;

use crate::desk::{Desk, charge};

async fn captured(desk: &Desk) -> i64 {
    let accounts = desk.server.provider().ledger().accounts().await.unwrap();
    accounts.iter().map(|account| account.intent.amount_received).sum()
}

#[tokio::test]
async fn a_repeat_with_other_parameters_is_refused() {
    let desk = Desk::open().await;
    desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let other = desk.client.charge("u/charge/1", "pm_card_mastercard").await;
    assert_eq!(other.refusal(), (400, "idempotency_error", ""));
    let elsewhere = desk.client.post("/v1/refunds", "u/charge/1", &charge("pm_card_visa")).await;
    assert_eq!(elsewhere.refusal(), (400, "idempotency_error", ""));
    assert_eq!(captured(&desk).await, 12000);
}

#[tokio::test]
async fn the_order_of_parameters_does_not_make_another_request() {
    let desk = Desk::open().await;
    desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let mut turned = charge("pm_card_visa");
    turned.reverse();
    assert!(desk.client.post("/v1/payment_intents", "u/charge/1", &turned).await.ok().replayed());
}

#[tokio::test]
async fn a_decline_is_kept_under_its_key() {
    let desk = Desk::open().await;
    let first = desk.client.charge("u/charge/1", "pm_card_visa_chargeDeclined").await;
    let second = desk.client.charge("u/charge/1", "pm_card_visa_chargeDeclined").await;
    assert_eq!((first.status, second.status, second.replayed()), (402, 402, true));
    assert_eq!(first.text, second.text);
    assert_eq!(second.header("stripe-should-retry"), Some("false"));
}

#[tokio::test]
async fn what_was_refused_before_it_began_leaves_the_key_unused() {
    let desk = Desk::open().await;
    let bad = [("amount", "1"), ("currency", "eur")];
    assert_eq!(desk.client.post("/v1/payment_intents", "u/charge/1", &bad).await.status, 400);
    let good = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    assert!(!good.replayed());
}

#[tokio::test]
async fn a_key_is_kept_for_a_day_of_the_providers_clock() {
    let desk = Desk::open().await;
    let second_last = u32::try_from(KEY_LIFETIME).unwrap() - 60;
    let first = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    desk.client.admin("/sandbox/clock", &json!({ "advance_seconds": second_last })).await.ok();
    assert!(desk.client.charge("u/charge/1", "pm_card_visa").await.ok().replayed());
    desk.client.admin("/sandbox/clock", &json!({ "advance_seconds": 60 })).await.ok();
    let anew = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    assert!(!anew.replayed() && anew.id() != first.id());
    assert_eq!(captured(&desk).await, 24000);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_one_key_make_one_charge() {
    let desk = Desk::open().await;
    let sent: Vec<_> = (0..40)
        .map(|_| {
            let client = desk.client.clone();
            tokio::spawn(async move { client.charge("u/charge/1", "pm_card_visa").await })
        })
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    let mut executed = 0;
    for reply in sent {
        let reply = reply.await.unwrap();
        match reply.status {
            200 => {
                executed += u32::from(!reply.replayed());
                ids.insert(reply.id().to_owned());
            }
            _ => assert_eq!(reply.refusal(), (409, "idempotency_error", "idempotency_key_in_use")),
        }
    }
    assert_eq!((ids.len(), executed, captured(&desk).await), (1, 1, 12000));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_their_own_keys_are_all_charged() {
    let desk = Desk::open().await;
    let sent: Vec<_> = (0..40)
        .map(|n| {
            let client = desk.client.clone();
            tokio::spawn(async move { client.charge(&format!("u{n}/charge/1"), "pm_card_visa").await.ok() })
        })
        .collect();
    for reply in sent {
        reply.await.unwrap();
    }
    assert_eq!(captured(&desk).await, 40 * 12000);
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_racing_for_the_same_money_give_it_back_once() {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_visa").await.ok().id().to_owned();
    let sent: Vec<_> = (0..10)
        .map(|n| {
            let (client, intent) = (desk.client.clone(), intent.clone());
            tokio::spawn(async move {
                let key = format!("u/refund/{n}");
                client
                    .post("/v1/refunds", &key, &[("payment_intent", &intent), ("amount", "9000")])
                    .await
                    .status
            })
        })
        .collect();
    let mut given = 0;
    for status in sent {
        given += u32::from(status.await.unwrap() == 200);
    }
    assert_eq!(given, 1);
}

#[tokio::test]
async fn a_key_in_use_is_a_conflict_worth_a_retry() {
    let desk = Desk::open().await;
    desk.client.fault(json!({}), json!({ "kind": "delay", "millis": 600_000 })).await;
    let client = desk.client.clone();
    let waiting = tokio::spawn(async move { client.charge("u/charge/1", "pm_card_visa").await });
    desk.struck(1).await;
    let reply = desk.client.charge("u/charge/1", "pm_card_visa").await;
    assert_eq!(reply.refusal(), (409, "idempotency_error", "idempotency_key_in_use"));
    assert_eq!(reply.header("stripe-should-retry"), Some("true"));
    desk.client.charge("u/charge/2", "pm_card_visa").await.ok();
    waiting.abort();
    desk.server.abort().await;
}
