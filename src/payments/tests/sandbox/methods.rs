//! What each test payment method does.

use rstest::rstest;
use serde_json::json;

use crate::desk::{Desk, charge};

#[rstest]
#[case("pm_card_visa_chargeDeclined", "card_declined", "generic_decline")]
#[case("pm_card_chargeDeclined", "card_declined", "generic_decline")]
#[case("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds")]
#[case("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card")]
#[case("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card")]
#[case("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card")]
#[case("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc")]
#[case("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error")]
#[case("pm_card_authenticationRequired", "authentication_required", "authentication_required")]
#[tokio::test]
async fn a_decline_says_why_and_leaves_an_intent_that_wants_another_method(
    #[case] method: &str,
    #[case] code: &str,
    #[case] decline_code: &str,
) {
    let desk = Desk::open().await;
    let reply = desk.client.charge("u/charge/1", method).await;
    assert_eq!(reply.refusal(), (402, "card_error", code));
    assert_eq!(reply.error()["decline_code"], decline_code);
    let intent = &reply.error()["payment_intent"];
    assert_eq!(
        (&intent["status"], &intent["amount_received"]),
        (&json!("requires_payment_method"), &json!(0))
    );
    let id = intent["id"].as_str().unwrap();
    let read = desk.client.get(&format!("/v1/payment_intents/{id}?expand[]=latest_charge")).await.ok();
    assert_eq!(read.body["last_payment_error"]["decline_code"], decline_code);
    assert_eq!(read.body["latest_charge"]["status"], "failed");
    assert_eq!(read.body["latest_charge"]["id"], reply.error()["charge"]);
    let second = desk
        .client
        .post(
            &format!("/v1/payment_intents/{id}/confirm"),
            "u/charge/2",
            &[("payment_method", "pm_card_amex")],
        )
        .await
        .ok();
    assert_eq!(second.body["status"], "succeeded");
}

#[rstest]
#[case("pm_card_visa")]
#[case("pm_card_mastercard")]
#[case("pm_card_amex")]
#[case("pm_card_discover")]
#[case("pm_card_jcb")]
#[case("pm_card_diners")]
#[case("pm_card_unionpay")]
#[tokio::test]
async fn the_common_brands_can_be_charged(#[case] method: &str) {
    let desk = Desk::open().await;
    assert_eq!(desk.client.charge("", method).await.ok().body["status"], "succeeded");
}

#[rstest]
#[case("pm_card_authenticationRequired", "succeeded", "succeeded")]
#[case("pm_card_authenticationRequired", "failed", "requires_payment_method")]
#[tokio::test]
async fn authentication_is_waited_for_where_the_caller_can_wait(
    #[case] method: &str,
    #[case] outcome: &str,
    #[case] end: &str,
) {
    let desk = Desk::open().await;
    let params: Vec<_> =
        charge(method).into_iter().filter(|(name, _)| *name != "error_on_requires_action").collect();
    let made = desk.client.post("/v1/payment_intents", "u/charge/1", &params).await.ok();
    assert_eq!(made.body["status"], "requires_action");
    let path = format!("/sandbox/payment_intents/{}/settle", made.id());
    desk.client.admin(&path, &json!({ "outcome": outcome })).await.ok();
    let read = desk.client.get(&format!("/v1/payment_intents/{}", made.id())).await.ok();
    assert_eq!(read.body["status"], end);
}

#[rstest]
#[case("pm_card_asyncSuccess", "succeeded", 12000)]
#[case("pm_card_asyncFailure", "requires_payment_method", 0)]
#[case("pm_card_asyncPending", "processing", 0)]
#[tokio::test]
async fn a_processing_charge_ends_by_itself(#[case] method: &str, #[case] end: &str, #[case] received: i64) {
    let desk = Desk::open().await;
    let made = desk.client.charge("u/charge/1", method).await.ok();
    assert_eq!(made.body["status"], "processing");
    let cancel = desk.client.post(&format!("/v1/payment_intents/{}/cancel", made.id()), "", &[]).await;
    assert_eq!(cancel.status, 400);
    desk.client.admin("/sandbox/clock", &json!({ "advance_seconds": 3601 })).await.ok();
    let read = desk.client.get(&format!("/v1/payment_intents/{}", made.id())).await.ok();
    assert_eq!((&read.body["status"], &read.body["amount_received"]), (&json!(end), &json!(received)));
}

#[rstest]
#[case("succeeded", "succeeded")]
#[case("failed", "requires_payment_method")]
#[tokio::test]
async fn a_processing_charge_can_be_ended_now(#[case] outcome: &str, #[case] end: &str) {
    let desk = Desk::open().await;
    let made = desk.client.charge("u/charge/1", "pm_card_asyncPending").await.ok();
    let path = format!("/sandbox/payment_intents/{}/settle", made.id());
    desk.client.admin(&path, &json!({ "outcome": outcome })).await.ok();
    let read = desk.client.get(&format!("/v1/payment_intents/{}", made.id())).await.ok();
    assert_eq!(read.body["status"], end);
    assert_eq!(desk.client.admin(&path, &json!({ "outcome": outcome })).await.status, 400);
}

#[rstest]
#[case("pm_card_pendingRefund", "pending", "succeeded", 12000)]
#[case("pm_card_refundFail", "succeeded", "failed", 0)]
#[tokio::test]
async fn a_refund_may_change_days_later(
    #[case] method: &str,
    #[case] first: &str,
    #[case] last: &str,
    #[case] refunded: i64,
) {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", method).await.ok();
    let refund = desk.client.post("/v1/refunds", "u/refund/1", &[("payment_intent", intent.id())]).await.ok();
    assert_eq!(refund.body["status"], first);
    desk.client.admin("/sandbox/clock", &json!({ "advance_seconds": 3601 })).await.ok();
    let read = desk.client.get(&format!("/v1/refunds/{}?expand[]=charge", refund.id())).await.ok();
    assert_eq!(
        (&read.body["status"], &read.body["charge"]["amount_refunded"]),
        (&json!(last), &json!(refunded))
    );
    assert_eq!(read.body["failure_reason"].is_string(), last == "failed");
}

#[tokio::test]
async fn a_pending_refund_can_be_called_off_and_its_money_refunded_again() {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_pendingRefund").await.ok();
    let refund = desk.client.post("/v1/refunds", "u/refund/1", &[("payment_intent", intent.id())]).await.ok();
    let path = format!("/v1/refunds/{}/cancel", refund.id());
    assert_eq!(desk.client.post(&path, "", &[]).await.ok().body["status"], "canceled");
    assert_eq!(desk.client.post(&path, "", &[]).await.status, 400);
    let again = desk.client.post("/v1/refunds", "u/refund/2", &[("payment_intent", intent.id())]).await.ok();
    assert_eq!(again.body["amount"], 12000);
}

#[tokio::test]
async fn a_refund_can_be_ended_now_or_made_by_hand() {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_pendingRefund").await.ok();
    let by_hand = json!({ "payment_intent": intent.id(), "amount": 2000 });
    let made = desk.client.admin("/sandbox/refunds", &by_hand).await.ok();
    let settle = format!("/sandbox/refunds/{}/settle", made.id());
    desk.client.admin(&settle, &json!({ "outcome": "failed" })).await.ok();
    let read = desk.client.get(&format!("/v1/refunds/{}", made.id())).await.ok();
    assert_eq!((&read.body["status"], &read.body["metadata"]), (&json!("failed"), &json!({})));
    let tag = desk.client.post(&format!("/v1/refunds/{}", made.id()), "", &[("metadata[k]", "v")]).await.ok();
    assert_eq!(tag.body["metadata"]["k"], "v");
}

#[tokio::test]
async fn a_manual_capture_may_take_less_and_releases_the_rest() {
    let desk = Desk::open().await;
    let mut params = charge("pm_card_visa").to_vec();
    params.push(("capture_method", "manual"));
    let held = desk.client.post("/v1/payment_intents", "u/charge/1", &params).await.ok();
    assert_eq!(
        (&held.body["status"], &held.body["amount_capturable"]),
        (&json!("requires_capture"), &json!(12000))
    );
    let path = format!("/v1/payment_intents/{}/capture", held.id());
    assert_eq!(desk.client.post(&path, "", &[("amount_to_capture", "12001")]).await.status, 400);
    let taken = desk.client.post(&path, "", &[("amount_to_capture", "9000")]).await.ok();
    assert_eq!((&taken.body["amount_received"], &taken.body["amount_capturable"]), (&json!(9000), &json!(0)));
    let refund = desk.client.post("/v1/refunds", "", &[("payment_intent", held.id())]).await.ok();
    assert_eq!(refund.body["amount"], 9000);
}

#[tokio::test]
async fn a_cancelled_authorisation_takes_nothing() {
    let desk = Desk::open().await;
    let mut params = charge("pm_card_visa").to_vec();
    params.push(("capture_method", "manual"));
    let held = desk.client.post("/v1/payment_intents", "u/charge/1", &params).await.ok();
    let path = format!("/v1/payment_intents/{}/cancel?expand[]=latest_charge", held.id());
    let reason = [("cancellation_reason", "requested_by_customer")];
    let done = desk.client.post(&path, "", &reason).await.ok();
    assert_eq!(
        (&done.body["status"], &done.body["cancellation_reason"], &done.body["latest_charge"]["refunded"]),
        (&json!("canceled"), &json!("requested_by_customer"), &json!(true))
    );
    assert_eq!(desk.client.get("/v1/balance").await.ok().body["available"][0]["amount"], 0);
}
