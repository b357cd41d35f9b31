//! What the driver tells about itself, what it must never tell, and which configurations it refuses. Its log is read
//! in a test of its own, `tests/driver_log.rs`, because a subscriber belongs to a whole process.

use std::sync::{Arc, Mutex};

use rstest::rstest;

use super::script::{KEY, Reply, Script, charge, config, decline, declined, intent, nobody, page};
use crate::driver::{ApiKey, CallReport, ConfigError, Op, Outcome, Stripe, StripeConfig};

#[test]
fn debug_never_shows_the_key() {
    let mut config = config("http://127.0.0.1:1");
    config.root_ca = None;
    let stripe = Stripe::new(&config).unwrap();
    for shown in [format!("{config:?}"), format!("{stripe:?}"), format!("{:?}", ApiKey::new(KEY))] {
        assert!(!shown.contains("sk_test"), "{shown}");
        assert!(!shown.contains(&KEY[8..]), "{shown}");
    }
}

#[tokio::test]
async fn the_observer_hears_of_every_call_and_how_it_ended() {
    let script = Script::new([
        Reply::json(&intent("pi_1", "succeeded")),
        decline(&declined("pi_2")),
        Reply::error(400, "invalid_request_error", None, "No."),
        Reply::error(400, "idempotency_error", None, "No."),
        Reply::error(409, "idempotency_error", None, "No."),
        Reply::error(429, "invalid_request_error", None, "No."),
        Reply::error(401, "invalid_request_error", None, "No."),
        Reply::error(500, "api_error", None, "No.").replayed(),
        Reply::text(200, "<html>"),
        page(&[], false),
    ])
    .await;
    let heard: Arc<Mutex<Vec<CallReport>>> = Arc::default();
    let ear = heard.clone();
    let stripe =
        script.stripe.clone().with_observer(Arc::new(move |report| ear.lock().unwrap().push(*report)));
    for _ in 0..9 {
        let _ = stripe.charge(&charge()).await;
    }
    stripe.check().await.unwrap();
    script.seen();

    let heard = heard.lock().unwrap();
    let outcomes: Vec<_> = heard.iter().map(|report| report.outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Ok,
            Outcome::Declined,
            Outcome::Refused,
            Outcome::Conflict,
            Outcome::Conflict,
            Outcome::RateLimited,
            Outcome::Unauthorized,
            Outcome::Server,
            Outcome::Unknown,
            Outcome::Ok,
        ]
    );
    assert_eq!((heard[0].op, heard[0].status, heard[0].replayed), (Op::Charge, Some(200), false));
    assert!(heard[7].replayed);
    assert_eq!(heard[9].op, Op::Check);
    assert!(heard.iter().all(|report| report.seconds > 0.0));
}

#[tokio::test]
async fn an_unreachable_provider_is_heard_of_too() {
    let heard: Arc<Mutex<Vec<CallReport>>> = Arc::default();
    let ear = heard.clone();
    let stripe = Stripe::new(&config(&nobody().await)).unwrap();
    let stripe = stripe.with_observer(Arc::new(move |report| ear.lock().unwrap().push(*report)));
    stripe.check().await.unwrap_err();
    let heard = heard.lock().unwrap();
    assert_eq!((heard[0].outcome, heard[0].status), (Outcome::Unreachable, None));
}

fn with(base: &str, key: &str) -> StripeConfig {
    StripeConfig { api_base: base.to_owned(), ..StripeConfig::new(ApiKey::new(key)) }
}

#[rstest]
#[case::no_address(with("api.stripe.com", KEY), "relative URL without a base")]
#[case::other_scheme(with("ftp://api.stripe.com", KEY), "http:// or https://")]
#[case::path(with("https://api.stripe.com/v1", KEY), "without a path")]
#[case::user(with("https://sk_test_x@api.stripe.com", KEY), "configured apart")]
#[case::empty_key(with("https://api.stripe.com", " \n"), "it is empty")]
#[case::broken_key(with("https://api.stripe.com", "sk_test_\u{7}1"), "characters that no key has")]
#[case::live_key_in_the_clear(with("http://payments", "sk_live_123"), "never sent over plain http")]
#[case::live_restricted_key_in_the_clear(
    with("http://payments", "rk_live_123"),
    "never sent over plain http"
)]
#[case::no_certificates(StripeConfig { root_ca: Some(b"nothing".to_vec()), ..with("https://x", KEY) }, "no certificate in them")]
fn a_configuration_that_cannot_work_is_refused_with_the_reason(
    #[case] config: StripeConfig,
    #[case] reason: &str,
) {
    let error = Stripe::new(&config).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains(reason), "{error}");
    assert!(!error.to_string().contains("sk_"), "{error}");
    let _: ConfigError = error;
}

#[test]
fn a_keys_newline_is_dropped() {
    assert_eq!(ApiKey::new("sk_test_1\n"), ApiKey::new("sk_test_1"));
}
