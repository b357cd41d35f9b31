//! Lists with cursors and times, and the balance.

use serde_json::json;

use crate::desk::{Client, Desk};

async fn ids(client: &Client, path: &str) -> (Vec<String>, bool) {
    let reply = client.get(path).await.ok();
    let data = reply.body["data"].as_array().unwrap();
    let ids = data.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect();
    (ids, reply.body["has_more"].as_bool().unwrap())
}

/// Five intents a minute apart, newest first, with the time of each.
async fn five(desk: &Desk) -> Vec<(String, i64)> {
    let mut made = Vec::new();
    for n in 0..5 {
        let reply = desk.client.charge(&format!("u{n}/charge/1"), "pm_card_visa").await.ok();
        made.insert(0, (reply.id().to_owned(), reply.body["created"].as_i64().unwrap()));
        desk.client.admin("/sandbox/clock", &json!({ "advance_seconds": 60 })).await.ok();
    }
    made
}

#[tokio::test]
async fn pages_follow_each_other_newest_first_in_both_directions() {
    let desk = Desk::open().await;
    let all: Vec<String> = five(&desk).await.into_iter().map(|(id, _)| id).collect();
    let path = "/v1/payment_intents?limit=2";
    assert_eq!(ids(&desk.client, path).await, (all[..2].to_vec(), true));
    assert_eq!(
        ids(&desk.client, &format!("{path}&starting_after={}", all[1])).await,
        (all[2..4].to_vec(), true)
    );
    assert_eq!(
        ids(&desk.client, &format!("{path}&starting_after={}", all[3])).await,
        (all[4..].to_vec(), false)
    );
    assert_eq!(
        ids(&desk.client, &format!("{path}&ending_before={}", all[4])).await,
        (all[2..4].to_vec(), true)
    );
    assert_eq!(
        ids(&desk.client, &format!("{path}&ending_before={}", all[1])).await,
        (all[..1].to_vec(), false)
    );
}

#[tokio::test]
async fn a_list_can_be_cut_by_time() {
    let desk = Desk::open().await;
    let all = five(&desk).await;
    let middle = all[2].1;
    for (query, range) in [
        (format!("created[gte]={middle}"), 0..3),
        (format!("created[gt]={middle}"), 0..2),
        (format!("created[lte]={middle}"), 2..5),
        (format!("created[lt]={middle}"), 3..5),
        (format!("created={middle}"), 2..3),
        (format!("created[gt]={}&created[lt]={}", all[4].1, all[0].1), 1..4),
    ] {
        let found = ids(&desk.client, &format!("/v1/payment_intents?{query}")).await.0;
        let wanted: Vec<String> = all[range].iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(found, wanted, "{query}");
    }
}

#[tokio::test]
async fn refunds_are_listed_by_intent_or_charge() {
    let desk = Desk::open().await;
    let mut refunds = Vec::new();
    let mut intents = Vec::new();
    for n in 0..2 {
        let intent = desk.client.charge(&format!("u{n}/charge/1"), "pm_card_visa").await.ok();
        let params =
            [("payment_intent", intent.id()), ("amount", "1000"), ("reason", "requested_by_customer")];
        refunds.push(desk.client.post("/v1/refunds", "", &params).await.ok());
        intents.push(intent);
    }
    let of_first = format!("/v1/refunds?payment_intent={}", intents[0].id());
    assert_eq!(ids(&desk.client, &of_first).await.0, vec![refunds[0].id()]);
    let of_charge = format!("/v1/refunds?charge={}", refunds[1].body["charge"].as_str().unwrap());
    assert_eq!(ids(&desk.client, &of_charge).await.0, vec![refunds[1].id()]);
    assert_eq!(ids(&desk.client, "/v1/refunds").await.0, vec![refunds[1].id(), refunds[0].id()]);
}

#[tokio::test]
async fn a_list_and_a_charge_can_be_expanded() {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    desk.client.post("/v1/refunds", "", &[("payment_intent", intent.id()), ("amount", "1000")]).await.ok();
    let listed = desk.client.get("/v1/payment_intents?expand[]=data.latest_charge.refunds").await.ok();
    let charge = &listed.body["data"][0]["latest_charge"];
    assert_eq!(
        (&charge["amount_refunded"], &charge["refunds"]["data"][0]["amount"]),
        (&json!(1000), &json!(1000))
    );
    let path = format!("/v1/charges/{}?expand[]=payment_intent", charge["id"].as_str().unwrap());
    assert_eq!(desk.client.get(&path).await.ok().body["payment_intent"]["id"], intent.id());
}

#[tokio::test]
async fn the_balance_is_what_was_captured_less_what_went_back() {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    desk.client.charge("u/charge/2", "pm_card_visa_chargeDeclined").await;
    desk.client.post("/v1/refunds", "", &[("payment_intent", intent.id()), ("amount", "2000")]).await.ok();
    let balance = desk.client.get("/v1/balance").await.ok();
    assert_eq!(
        balance.body["available"],
        json!([{ "amount": 10000, "currency": "eur", "source_types": { "card": 10000 } }])
    );
}
