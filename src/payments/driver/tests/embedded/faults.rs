//! Answers that are lost, late, repeated or refusals of us.

use std::time::Duration;

use innkeeper_booking::provider::{Fenced, ProviderError};
use rstest::rstest;
use serde_json::{Value, json};

use super::super::script::{charge, config};
use super::{House, refund};
use crate::driver::{ApiKey, Stripe, StripeConfig};

#[rstest]
#[case::answer_dropped(json!({ "kind": "drop", "when": "after" }))]
#[case::answer_garbled(json!({ "kind": "garbage", "when": "after" }))]
#[case::failed_after_the_effect(json!({ "kind": "server_error", "when": "after" }))]
#[tokio::test]
async fn a_charge_whose_answer_was_lost_is_found_and_a_repeat_is_the_same(#[case] fault: Value) {
    let house = House::open().await;
    house.fault(&json!({ "key_prefix": "6f1c/charge/" }), &fault);
    let error = house.stripe.charge(&charge()).await.unwrap_err();
    assert!(error.may_have_happened(), "{error:?}");
    let found = house.found().await.unwrap();
    assert_eq!(found.captured, 25_900);
    assert_eq!(house.stripe.charge(&charge()).await.unwrap(), found);
    assert_eq!(house.books().await, (1, 25_900, 0));
}

#[tokio::test]
async fn a_charge_that_was_dropped_before_its_effect_is_not_found_and_a_repeat_makes_it() {
    let house = House::open().await;
    house.fault(&json!({}), &json!({ "kind": "drop", "when": "before" }));
    assert!(house.stripe.charge(&charge()).await.unwrap_err().may_have_happened());
    assert_eq!(house.found().await, None);
    assert_eq!(house.stripe.charge(&charge()).await.unwrap().captured, 25_900);
}

#[tokio::test]
async fn a_stored_failure_is_repeated_by_the_provider_and_the_charge_behind_it_is_found() {
    let house = House::open().await;
    house.fault(&json!({}), &json!({ "kind": "server_error", "when": "after", "stored": true }));
    for replayed in [false, true] {
        match house.stripe.charge(&charge()).await {
            Err(ProviderError::Server { status: 500, message }) => {
                assert_eq!(message.contains("an earlier answer"), replayed, "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(house.stripe.fence(&charge()).await, Ok(Fenced::ChargeCameFirst));
    assert_eq!(house.found().await.unwrap().captured, 25_900);
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_is_the_same_when_repeated() {
    let house = House::open().await;
    let paid = house.stripe.charge(&charge()).await.unwrap();
    house.fault(&json!({ "path": "/v1/refunds" }), &json!({ "kind": "drop", "when": "after" }));
    assert!(house.stripe.refund(&refund(&paid, 1, 900)).await.unwrap_err().may_have_happened());
    let again = house.stripe.refund(&refund(&paid, 1, 900)).await.unwrap();
    assert_eq!(house.found().await.unwrap().refunds, [again]);
    assert_eq!(house.stripe.refund(&refund(&paid, 1, 901)).await, Err(ProviderError::Mismatch));
    assert_eq!(house.books().await, (1, 25_900, 900));
}

#[rstest]
#[case::making_it("/v1/payment_intents")]
#[case::cancelling_it("/v1/payment_intents/*/cancel")]
#[tokio::test]
async fn a_fence_whose_answer_was_lost_stands_when_repeated(#[case] path: &str) {
    let house = House::open().await;
    house.fault(&json!({ "method": "POST", "path": path }), &json!({ "kind": "drop", "when": "after" }));
    assert!(house.stripe.fence(&charge()).await.unwrap_err().may_have_happened());
    assert!(matches!(house.stripe.fence(&charge()).await, Ok(Fenced::Standing(_))));
    assert_eq!(house.stripe.charge(&charge()).await, Err(ProviderError::Mismatch));
    assert_eq!(house.books().await, (1, 0, 0));
}

#[tokio::test]
async fn a_provider_that_hangs_is_given_up_on_and_what_it_did_is_found() {
    let mut house = House::open().await;
    let patient = house.stripe.clone();
    house.stripe = Stripe::new(&StripeConfig {
        request_timeout: Duration::from_millis(200),
        ..config(&house.server.url())
    })
    .unwrap();
    house.fault(&json!({ "method": "POST" }), &json!({ "kind": "hang", "when": "after" }));
    let got = house.stripe.charge(&charge()).await;
    assert!(matches!(got, Err(ProviderError::OutcomeUnknown(_))), "{got:?}");
    house.stripe = patient;
    // The provider may still be at it: it was given up on, not stopped.
    let found = loop {
        if let Some(found) = house.found().await {
            break found;
        }
    };
    assert_eq!(found.captured, 25_900);
}

#[tokio::test]
async fn a_provider_that_limits_or_refuses_us_has_done_nothing() {
    let house = House::open().await;
    house.fault(&json!({}), &json!({ "kind": "rate_limit", "retry_after": 9 }));
    house.fault(&json!({}), &json!({ "kind": "unauthorized" }));
    assert_eq!(
        house.stripe.charge(&charge()).await,
        Err(ProviderError::RateLimited { retry_after: Some(9) })
    );
    let got = house.stripe.charge(&charge()).await;
    assert!(matches!(got, Err(ProviderError::Unauthorized(_))), "{got:?}");
    assert_eq!(house.books().await, (0, 0, 0));
}

#[tokio::test]
async fn a_wrong_key_is_told_and_not_shown() {
    let house = House::open().await;
    let wrong = "sk_test_notTheKeyThatWasConfigured";
    let stripe =
        Stripe::new(&StripeConfig { key: ApiKey::new(wrong), ..config(&house.server.url()) }).unwrap();
    let error = stripe.check().await.unwrap_err();
    assert!(matches!(error, ProviderError::Unauthorized(_)), "{error:?}");
    assert!(!error.to_string().contains(wrong), "{error}");
}
