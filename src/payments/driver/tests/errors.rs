//! Every way a call can fail, and the error it must become.

use std::time::Duration;

use innkeeper_booking::provider::ProviderError;
use rstest::rstest;
use serde_json::json;

use super::script::{KEY, Reply, Script, broken, charge, config, intent, look_for, nobody, refund, stripe};
use crate::driver::Stripe;

fn invalid(code: &str) -> ProviderError {
    ProviderError::Invalid { code: code.to_owned(), message: "No.".to_owned() }
}

fn server(status: u16, message: &str) -> ProviderError {
    ProviderError::Server { status, message: message.to_owned() }
}

const REQUEST: &str = "invalid_request_error";

#[rstest]
#[case::parameter(Reply::error(400, REQUEST, Some("amount_too_small"), "No."), invalid("amount_too_small"))]
#[case::without_code(Reply::error(400, REQUEST, None, "No."), invalid(REQUEST))]
#[case::no_such_method(
    Reply::error(400, REQUEST, Some("resource_missing"), "No."),
    invalid("resource_missing")
)]
#[case::no_such_method_404(
    Reply::error(404, REQUEST, Some("resource_missing"), "No."),
    invalid("resource_missing")
)]
#[case::mismatch(Reply::error(400, "idempotency_error", None, "No."), ProviderError::Mismatch)]
#[case::in_flight(
    Reply::error(409, "idempotency_error", Some("idempotency_key_in_use"), "No."),
    ProviderError::InFlight
)]
#[case::rate(Reply::error(429, REQUEST, Some("rate_limit"), "No.").with("retry-after", "7"), ProviderError::RateLimited { retry_after: Some(7) })]
#[case::lock(Reply::error(429, REQUEST, Some("lock_timeout"), "No."), ProviderError::RateLimited { retry_after: None })]
#[case::rate_date(Reply::error(429, REQUEST, None, "No.").with("retry-after", "Sun, 22 Nov 2026 12:00:00 GMT"), ProviderError::RateLimited { retry_after: None })]
#[case::key(Reply::error(401, REQUEST, None, "No."), ProviderError::Unauthorized("No.".to_owned()))]
#[case::permission(Reply::error(403, REQUEST, None, "No."), ProviderError::Unauthorized("No.".to_owned()))]
#[case::server(Reply::error(500, "api_error", None, "No."), server(500, "No."))]
#[case::server_without_words(Reply::text(503, "<html>"), server(503, "no reason was given"))]
#[case::dependency(Reply::error(424, "api_error", None, "No."), server(424, "No."))]
#[case::stored(Reply::error(500, "api_error", None, "No.").replayed(), server(500, "No. (an earlier answer, repeated)"))]
#[tokio::test]
async fn an_error_of_the_provider_becomes_its_kind(#[case] reply: Reply, #[case] expected: ProviderError) {
    let script = Script::new([reply.clone(), reply.clone(), reply]).await;
    assert_eq!(script.stripe.charge(&charge()).await, Err(expected.clone()));
    assert_eq!(script.stripe.refund(&refund()).await, Err(expected.clone()));
    // A mismatch is how a fence learns that it came second.
    if expected != ProviderError::Mismatch {
        assert_eq!(script.stripe.fence(&charge()).await, Err(expected));
        assert_eq!(script.seen().len(), 3, "nothing is repeated by itself");
    }
}

#[tokio::test]
async fn a_missing_intent_is_not_found_when_it_is_read_by_its_id() {
    let missing = Reply::error(404, REQUEST, Some("resource_missing"), "No such payment_intent.");
    let script = Script::new([missing.clone(), missing.clone(), missing]).await;
    let expected = ProviderError::NotFound("pi_1".to_owned());
    assert_eq!(script.stripe.look(&look_for(Some("pi_1"))).await, Err(expected.clone()));
    assert_eq!(script.stripe.cancel("pi_1").await, Err(expected.clone()));
    assert_eq!(script.stripe.mark_settled("pi_1", 1).await, Err(expected));
}

#[rstest]
#[case::not_found_page(Reply::text(404, "<html>not here</html>"))]
#[case::forbidden_page(Reply::text(403, "<html>not you</html>"))]
#[case::sign_in_page(Reply::text(302, "").with("location", "http://127.0.0.1:1/login"))]
#[case::page_with_status_200(Reply::text(200, "<html>welcome</html>"))]
#[case::empty(Reply::text(200, ""))]
#[case::half_an_object(Reply::json(&json!({ "id": "pi_1", "status": "succeeded" })))]
#[case::unknown_status(Reply::json(&intent("pi_1", "a_status_of_2031")))]
#[case::deep_nonsense(Reply::text(200, &"[".repeat(100_000)))]
#[tokio::test]
async fn an_answer_that_is_not_the_providers_leaves_the_outcome_unknown(#[case] reply: Reply) {
    let script = Script::new([reply.clone(), reply]).await;
    for got in [
        script.stripe.charge(&charge()).await.map(|_| ()),
        script.stripe.look(&look_for(Some("pi_1"))).await.map(|_| ()),
    ] {
        assert!(matches!(got, Err(ProviderError::OutcomeUnknown(_))), "{got:?}");
    }
    script.seen();
}

#[tokio::test]
async fn an_unreadable_success_names_the_providers_request() {
    let script = Script::new([Reply::text(200, "{}")]).await;
    let got = script.stripe.charge(&charge()).await.unwrap_err().to_string();
    assert!(got.contains("not in a form that can be read") && got.contains("req_1"), "{got}");
}

#[rstest]
#[case::closed_without_a_word(Some(b"".as_slice()))]
#[case::garbage(Some(b"SSH-2.0-OpenSSH_9.2\r\n".as_slice()))]
#[case::half_an_answer(Some(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"id\":".as_slice()))]
#[case::half_the_headers(Some(b"HTTP/1.1 200 OK\r\ncontent-".as_slice()))]
#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_unknown(#[case] answer: Option<&'static [u8]>) {
    let stripe = stripe(&broken(answer).await);
    let got = stripe.charge(&charge()).await;
    assert!(matches!(got, Err(ProviderError::OutcomeUnknown(_))), "{got:?}");
    let got = stripe.refund(&refund()).await;
    assert!(matches!(got, Err(ProviderError::OutcomeUnknown(_))), "{got:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown() {
    let mut config = config(&broken(None).await);
    config.request_timeout = Duration::from_millis(50);
    let got = Stripe::new(&config).unwrap().charge(&charge()).await;
    assert_eq!(got, Err(ProviderError::OutcomeUnknown("no answer came in time".to_owned())));
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_sent() {
    let got = stripe(&nobody().await).charge(&charge()).await.unwrap_err();
    assert!(matches!(got, ProviderError::Unreachable(_)), "{got:?}");
    assert!(!got.may_have_happened());
}

#[tokio::test]
async fn a_key_that_the_provider_repeats_in_its_error_is_not_passed_on() {
    let script = Script::new([Reply::error(401, REQUEST, None, &format!("Invalid API Key: {KEY}"))]).await;
    let got = script.stripe.check().await;
    assert_eq!(got, Err(ProviderError::Unauthorized("Invalid API Key: (key)".to_owned())));
}

#[tokio::test]
async fn a_failed_refund_says_why_in_the_providers_code() {
    let script = Script::new([Reply::error(400, REQUEST, Some("charge_already_refunded"), "No.")]).await;
    assert_eq!(script.stripe.refund(&refund()).await, Err(invalid("charge_already_refunded")));
}
