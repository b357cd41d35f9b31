//! Charges, fences and cancellations: what is sent, and what is made of the answers.

use std::collections::BTreeMap;

use innkeeper_booking::provider::{Fenced, IntentState, ProviderError, RefundState};
use rstest::rstest;
use serde_json::json;

use super::script::{Reply, Script, charge, decline, declined, fence, intent, marked, page, refund_of};

fn insufficient() -> IntentState {
    IntentState::Declined {
        code: "insufficient_funds".to_owned(),
        message: "Your card has insufficient funds.".to_owned(),
    }
}

#[tokio::test]
async fn a_charge_is_one_request_with_our_key_and_our_marks() {
    let script = Script::new([Reply::json(&intent("pi_1", "succeeded"))]).await;
    let got = script.stripe.charge(&charge()).await.unwrap();
    assert_eq!((got.id.as_str(), &got.state, got.captured), ("pi_1", &IntentState::Captured, 25_900));
    assert_eq!((got.currency.as_str(), got.attempt, got.fence), ("EUR", Some(2), false));
    assert_eq!((got.refunds.len(), got.settled), (0, false));

    let seen = script.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].line, "POST /v1/payment_intents");
    assert_eq!(seen[0].header("idempotency-key"), Some("6f1c/charge/2"));
    assert_eq!(seen[0].header("authorization"), Some("Bearer sk_test_4eC39HqLyjWDarjtT1zdp7dc"));
    assert_eq!(seen[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen[0].header("stripe-version"), Some("2026-09-30.endive"));
    let expected = [
        ("allowed_payment_method_types[0]", "card"),
        ("amount", "25900"),
        ("capture_method", "automatic"),
        ("confirm", "true"),
        ("currency", "eur"),
        ("error_on_requires_action", "true"),
        ("metadata[innkeeper_attempt]", "2"),
        ("metadata[innkeeper_check_in]", "2026-12-24"),
        ("metadata[innkeeper_installation]", "inn-1"),
        ("metadata[innkeeper_name]", "anna"),
        ("metadata[innkeeper_namespace]", "seaview"),
        ("metadata[innkeeper_step]", "charge"),
        ("metadata[innkeeper_uid]", "6f1c"),
        ("payment_method", "pm_card_visa"),
    ];
    assert_eq!(seen[0].form, expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
}

#[tokio::test]
async fn a_fence_differs_from_its_charge_in_confirmation_method_and_mark_alone() {
    let script = Script::new([
        Reply::json(&intent("pi_1", "succeeded")),
        Reply::json(&fence("pi_2", "requires_payment_method")),
        Reply::json(&fence("pi_2", "canceled")),
    ])
    .await;
    script.stripe.charge(&charge()).await.unwrap();
    let Fenced::Standing(got) = script.stripe.fence(&charge()).await.unwrap() else {
        panic!("the fence should stand");
    };
    assert_eq!((got.state, got.fence, got.captured), (IntentState::Cancelled, true, 0));

    let seen = script.seen();
    assert_eq!(seen[1].header("idempotency-key"), seen[0].header("idempotency-key"));
    let only = |left: &BTreeMap<String, String>, right: &BTreeMap<String, String>| {
        let mut rest = left.clone();
        rest.retain(|name, value| right.get(name) != Some(value));
        rest.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(
        only(&seen[0].form, &seen[1].form),
        ["confirm=true", "error_on_requires_action=true", "payment_method=pm_card_visa"]
    );
    assert_eq!(only(&seen[1].form, &seen[0].form), ["confirm=false", "metadata[innkeeper_fence]=true"]);
    assert_eq!(seen[2].line, "POST /v1/payment_intents/pi_2/cancel");
    assert_eq!(seen[2].header("idempotency-key"), None);
}

#[tokio::test]
async fn a_currency_that_the_types_do_not_know_is_sent_and_read_as_it_is() {
    let mut answer = intent("pi_1", "succeeded");
    answer["currency"] = json!("kwd");
    let script = Script::new([Reply::json(&answer)]).await;
    let mut charge = charge();
    charge.currency = "KWD".to_owned();
    assert_eq!(script.stripe.charge(&charge).await.unwrap().currency, "KWD");
    assert_eq!(script.seen()[0].form["currency"], "kwd");
}

#[tokio::test]
async fn a_decline_is_a_result_with_the_issuers_reason() {
    let script = Script::new([decline(&declined("pi_1"))]).await;
    let got = script.stripe.charge(&charge()).await.unwrap();
    assert_eq!((got.id.as_str(), got.state, got.captured), ("pi_1", insufficient(), 0));
    assert_eq!((got.amount, got.currency.as_str(), got.attempt), (25_900, "EUR", Some(2)));
    assert_eq!(script.lines(), ["POST /v1/payment_intents"]);
}

#[rstest]
#[case::no_decline_code(json!({ "code": "authentication_required", "decline_code": null }), "authentication_required")]
#[case::no_code_at_all(json!({ "code": null, "decline_code": null }), "card_error")]
#[tokio::test]
async fn a_decline_without_the_issuers_reason_gives_the_next_best(
    #[case] changed: serde_json::Value,
    #[case] code: &str,
) {
    let mut error = json!({ "type": "card_error", "message": "No.", "payment_intent": declined("pi_1") });
    error.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    let script = Script::new([Reply::text(402, &json!({ "error": error }).to_string())]).await;
    let got = script.stripe.charge(&charge()).await.unwrap();
    assert_eq!(got.state, IntentState::Declined { code: code.to_owned(), message: "No.".to_owned() });
}

#[tokio::test]
async fn a_decline_that_left_no_intent_is_a_refusal() {
    let script = Script::new([Reply::error(402, "card_error", Some("incorrect_number"), "No.")]).await;
    let got = script.stripe.charge(&charge()).await;
    assert_eq!(
        got,
        Err(ProviderError::Invalid { code: "incorrect_number".to_owned(), message: "No.".to_owned() })
    );
}

#[rstest]
#[case::incomplete(json!({ "id": "pi_1" }))]
#[case::not_declined(intent("pi_1", "processing"))]
#[case::a_fence(fence("pi_1", "requires_payment_method"))]
#[tokio::test]
async fn a_decline_whose_intent_does_not_fit_it_is_read_again(#[case] inside: serde_json::Value) {
    let script = Script::new([decline(&inside), Reply::json(&declined("pi_1"))]).await;
    assert_eq!(script.stripe.charge(&charge()).await.unwrap().state, insufficient());
    assert_eq!(script.lines(), ["POST /v1/payment_intents", "GET /v1/payment_intents/pi_1"]);
}

#[tokio::test]
async fn a_repeated_success_is_believed_only_as_a_fresh_read_shows_it() {
    let script = Script::new([
        Reply::json(&intent("pi_1", "succeeded")).replayed(),
        Reply::json(&intent("pi_1", "succeeded")),
        page(&[refund_of("re_1", 25_900, "succeeded", 1_790_000_100)], false),
    ])
    .await;
    let got = script.stripe.charge(&charge()).await.unwrap();
    assert_eq!((got.captured, got.returned()), (25_900, 25_900));
    assert_eq!(
        script.lines(),
        ["POST /v1/payment_intents", "GET /v1/payment_intents/pi_1", "GET /v1/refunds"]
    );
}

#[tokio::test]
async fn a_repeated_decline_is_believed_only_as_a_fresh_read_shows_it() {
    let script =
        Script::new([decline(&declined("pi_1")).replayed(), Reply::json(&intent("pi_1", "canceled"))]).await;
    assert_eq!(script.stripe.charge(&charge()).await.unwrap().state, IntentState::Cancelled);
}

#[rstest]
#[case::refused(Reply::error(401, "invalid_request_error", None, "No."))]
#[case::busy(Reply::error(429, "invalid_request_error", Some("rate_limit"), "No."))]
#[case::gone(Reply::error(404, "invalid_request_error", Some("resource_missing"), "No."))]
#[tokio::test]
async fn a_repeated_success_that_cannot_be_read_again_never_reads_as_nothing_happened(#[case] reply: Reply) {
    let script = Script::new([Reply::json(&intent("pi_1", "succeeded")).replayed(), reply]).await;
    let got = script.stripe.charge(&charge()).await.unwrap_err();
    assert!(got.may_have_happened(), "{got}");
}

#[tokio::test]
async fn a_charge_that_meets_its_fence_is_a_mismatch_even_if_the_provider_compares_nothing() {
    let script = Script::new([Reply::json(&fence("pi_1", "canceled")).replayed()]).await;
    assert_eq!(script.stripe.charge(&charge()).await, Err(ProviderError::Mismatch));
}

#[rstest]
#[case::by_the_provider(Reply::error(400, "idempotency_error", None, "Other parameters."))]
#[case::by_the_missing_mark(Reply::json(&intent("pi_1", "succeeded")).replayed())]
#[case::by_a_decline(decline(&declined("pi_1")).replayed())]
#[tokio::test]
async fn a_fence_that_comes_second_says_that_the_charge_came_first(#[case] reply: Reply) {
    let script = Script::new([reply]).await;
    assert_eq!(script.stripe.fence(&charge()).await, Ok(Fenced::ChargeCameFirst));
    assert_eq!(script.lines(), ["POST /v1/payment_intents"]);
}

#[tokio::test]
async fn a_repeated_fence_that_is_cancelled_already_stands() {
    let script = Script::new([
        Reply::json(&fence("pi_1", "requires_payment_method")).replayed(),
        Reply::json(&fence("pi_1", "canceled")),
    ])
    .await;
    assert!(matches!(script.stripe.fence(&charge()).await, Ok(Fenced::Standing(_))));
    assert_eq!(script.lines(), ["POST /v1/payment_intents", "GET /v1/payment_intents/pi_1"]);
}

#[tokio::test]
async fn a_repeated_fence_that_is_still_open_is_cancelled_now() {
    let script = Script::new([
        Reply::json(&fence("pi_1", "requires_payment_method")).replayed(),
        Reply::json(&fence("pi_1", "requires_payment_method")),
        Reply::json(&fence("pi_1", "canceled")),
    ])
    .await;
    assert!(matches!(script.stripe.fence(&charge()).await, Ok(Fenced::Standing(_))));
}

#[tokio::test]
async fn a_fence_whose_cancellation_failed_does_not_stand() {
    let script = Script::new([
        Reply::json(&fence("pi_1", "requires_payment_method")),
        Reply::error(429, "invalid_request_error", None, "Slow down."),
    ])
    .await;
    assert!(script.stripe.fence(&charge()).await.unwrap_err().may_have_happened());
}

#[tokio::test]
async fn a_fence_that_somebody_captured_is_no_fence() {
    let script = Script::new([
        Reply::json(&fence("pi_1", "requires_payment_method")),
        Reply::error(400, "invalid_request_error", Some("payment_intent_unexpected_state"), "No."),
        Reply::json(&fence("pi_1", "succeeded")),
        page(&[], false),
    ])
    .await;
    assert_eq!(script.stripe.fence(&charge()).await, Ok(Fenced::ChargeCameFirst));
}

#[rstest]
#[case::cancelled("canceled", IntentState::Cancelled)]
#[case::captured("succeeded", IntentState::Captured)]
#[case::processing("processing", IntentState::Processing)]
#[tokio::test]
async fn cancelling_what_cannot_be_cancelled_any_more_shows_what_became_of_it(
    #[case] status: &str,
    #[case] state: IntentState,
) {
    let mut replies = vec![
        Reply::error(400, "invalid_request_error", Some("payment_intent_unexpected_state"), "No."),
        Reply::json(&intent("pi_1", status)),
    ];
    if status == "succeeded" {
        replies.push(page(&[refund_of("re_1", 900, "pending", 1)], false));
    }
    let script = Script::new(replies).await;
    let got = script.stripe.cancel("pi_1").await.unwrap();
    if status == "succeeded" {
        assert_eq!((got.captured, got.refunds[0].state.clone()), (25_900, RefundState::Pending));
    }
    assert_eq!(got.state, state);
    script.seen();
}

#[tokio::test]
async fn cancelling_what_is_open_and_refused_is_an_error() {
    let script = Script::new([
        Reply::error(400, "invalid_request_error", Some("some_reason"), "No."),
        Reply::json(&intent("pi_1", "requires_capture")),
    ])
    .await;
    let expected = ProviderError::Invalid { code: "some_reason".to_owned(), message: "No.".to_owned() };
    assert_eq!(script.stripe.cancel("pi_1").await, Err(expected));
}

#[tokio::test]
async fn an_intent_says_whether_it_is_settled() {
    let script =
        Script::new([Reply::json(&marked(intent("pi_1", "canceled"), "innkeeper_settled", "900"))]).await;
    assert!(script.stripe.cancel("pi_1").await.unwrap().settled);
}

#[rstest]
#[case("pi_1/../pi_2")]
#[case("pi_1?expand=x")]
#[case("")]
#[tokio::test]
async fn what_is_no_id_never_becomes_part_of_an_address(#[case] id: &str) {
    let script = Script::new([]).await;
    assert!(matches!(script.stripe.cancel(id).await, Err(ProviderError::NotFound(_))));
    assert!(script.seen().is_empty());
}
