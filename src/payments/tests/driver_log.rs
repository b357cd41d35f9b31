//! What the driver writes to the log. One test in a process of its own: only so is its subscriber the one that every
//! thread writes to.

use std::io;
use std::sync::{Arc, Mutex};

use innkeeper_booking::provider::{Charge, Tags};
use innkeeper_payments::driver::{ApiKey, Stripe, StripeConfig};
use innkeeper_payments::sandbox::{self, Config, Server};
use serde_json::Value;
use tracing_subscriber::fmt::format::FmtSpan;

const KEY: &str = "sk_test_4eC39HqLyjWDarjtT1zdp7dc";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::ErrorKind::Other)?.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_span_tells_of_each_call_and_no_line_has_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .init();
    let server = Server::start(Config::new(sandbox::ApiKey::parse(KEY).unwrap())).await.unwrap();
    let config = StripeConfig { api_base: server.url(), ..StripeConfig::new(ApiKey::new(KEY)) };
    let stripe = Stripe::new(&config).unwrap();
    let charge = Charge {
        tags: Tags {
            installation: "inn-1".to_owned(),
            namespace: "seaview".to_owned(),
            name: "anna".to_owned(),
            uid: "6f1c".to_owned(),
            check_in: jiff::civil::date(2026, 12, 24),
        },
        attempt: 2,
        amount: 25_900,
        currency: "EUR".to_owned(),
        method: "pm_card_visa".to_owned(),
    };
    stripe.charge(&charge).await.unwrap();
    stripe.charge(&charge).await.unwrap();
    let accounts = server.provider().ledger().accounts().await.unwrap();
    server.shutdown().await.unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for secret in [KEY, &accounts[0].intent.client_secret, "pm_card_visa"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let spans: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["fields"]["message"] == "close" && line["span"]["name"] == "provider_call")
        .map(|line| line["span"].clone())
        .collect();
    let told: Vec<_> = spans.iter().map(|span| (span["op"].as_str().unwrap(), &span["replayed"])).collect();
    let (no, yes) = (&Value::Bool(false), &Value::Bool(true));
    assert_eq!(told, [("charge", no), ("charge", yes), ("read_intent", no), ("list_refunds", no)]);
    assert_eq!((&spans[0]["attempt"], &spans[0]["status"]), (&2.into(), &200.into()));
    assert!(spans.iter().all(|span| span["request_id"].as_str().is_some_and(|id| id.starts_with("req_"))));
}
