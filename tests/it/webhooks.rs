//! The provider's webhooks, from the provider to the Reservation: what nobody would look at is looked at.

use std::sync::Arc;

use innkeeper_api::{ConditionStatus, ConditionType as C, Reason, Reservation};
use innkeeper_ops::config::Config;
use innkeeper_payments::sandbox::{ApiKey, Config as Provider, Outcome, Server, Webhooks};
use innkeeper_payments::webhooks::{Secrets, Verifier, router};
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::gateway::front::{Front, config};
use crate::support::hotel::{Hotel, KEY, Running, is};

const SECRET: &str = "whsec_of_the_test";

/// Where an operator will take webhooks; who comes before it does waits.
struct Door {
    listener: TcpListener,
    url: String,
}

impl Door {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// From now on this operator takes them.
    fn open(self, operator: &Running) {
        let verifier = Verifier::new(Secrets::read(SECRET).unwrap());
        let app = router(verifier, Arc::new(operator.doorbell.clone()), Arc::new(Timestamp::now));
        tokio::spawn(async move { axum::serve(self.listener, app).await.unwrap() });
    }

    /// A gateway that passes webhooks on to it.
    async fn entrance(&self, hotel: &Hotel) -> Front {
        let mut config: Config = config(hotel);
        config.gateway.webhooks_to = Some(self.url.clone());
        Front::start(hotel, config, hotel.client.clone()).await
    }
}

async fn provider(webhooks: Webhooks) -> Server {
    let config = Provider::new(ApiKey::parse(KEY).unwrap());
    Server::start(Provider { webhooks: Some(webhooks), ..config }).await.unwrap()
}

fn came_back(r: Option<&Reservation>) -> bool {
    r.is_some_and(|r| is(r, &C::Refunded, ConditionStatus::False, &Reason::RefundFailed))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_comes_back_after_the_end_is_noticed_when_the_provider_says_so() {
    let mut hotel = Hotel::open("webhook").await;
    let door = Door::new().await;
    let front = door.entrance(&hotel).await;
    hotel.provider = provider(Webhooks::new(&format!("{}/webhooks/payments", front.url), SECRET)).await;
    let operator = hotel.operator();
    door.open(&operator);
    hotel.room("double", 1).await;
    hotel.reserve("rosa", "double").await;
    hotel.settled("rosa", Reason::Confirmed).await;
    hotel.cancel("rosa").await;
    let before = hotel.settled("rosa", Reason::Cancelled).await;

    // Nobody looks at it by himself for ten minutes, which is longer than any test waits.
    let refund = hotel.accounts().await[0].refunds[0].clone();
    hotel.provider.provider().settle_refund(&refund.id, Outcome::Failed).await.unwrap();
    let rosa = hotel.until("rosa", came_back).await;
    assert!(is(&rosa, &C::Settled, ConditionStatus::True, &Reason::Cancelled), "the end stands");
    assert!(is(&rosa, &C::Stalled, ConditionStatus::True, &Reason::RefundFailed));
    assert_eq!(hotel.money_kept().await, 24_000, "nothing is sent by itself");

    // A person allows one more attempt.
    let allow = serde_json::json!({ "metadata": { "annotations": { "innkeeper.dev/retry-refund": "2" } } });
    let params = kube::api::PatchParams::default();
    hotel.reservations().patch("rosa", &params, &kube::api::Patch::Merge(allow)).await.unwrap();
    let back = hotel
        .until("rosa", |r: Option<&Reservation>| {
            r.is_some_and(|r| is(r, &C::Refunded, ConditionStatus::True, &Reason::Refunded))
        })
        .await;
    assert!(is(&back, &C::Ready, ConditionStatus::True, &Reason::Cancelled));
    assert_eq!(hotel.money_kept().await, 0);
    let facts = |r: &Reservation| r.status.as_ref().unwrap().history.clone();
    assert_eq!(facts(&back)[..facts(&before).len()], facts(&before));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_providers_wakes_nobody_and_a_standby_takes_nothing() {
    let hotel = Hotel::open("webhook-wrong").await;
    let operator = hotel.operator();
    let door = Door::new().await;
    let front = door.entrance(&hotel).await;
    door.open(&operator);
    let send = |signature: &str, body: &str| {
        let request = front.request(reqwest::Method::POST, "/webhooks/payments", "");
        let request = request.header("stripe-signature", signature).body(body.to_owned());
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(send("t=1,v1=00", "{}").await, 400);
    let old = format!("t=1614265330,v1={}", "0".repeat(64));
    assert_eq!(send(&old, "{}").await, 400);
    operator.stop().await;
    // Nobody leads any more: it may come again.
    let body =
        r#"{"id":"evt_1","type":"refund.failed","data":{"object":{"metadata":{"innkeeper_uid":"uid-1"}}}}"#;
    let signed = sign(body);
    assert_eq!(send(&signed, body).await, 503);
    let again = hotel.operator();
    let door = Door::new().await;
    let front = door.entrance(&hotel).await;
    door.open(&again);
    let answered = || async {
        let request = front.request(reqwest::Method::POST, "/webhooks/payments", "");
        let request = request.header("stripe-signature", signed.clone()).body(body);
        request.send().await.unwrap().status().as_u16()
    };
    // Once it leads, which takes its caches; and then not a second time.
    while answered().await == 503 {
        tokio::task::yield_now().await;
    }
    assert_eq!(answered().await, 409, "this delivery was here before");
}

fn sign(body: &str) -> String {
    use std::fmt::Write as _;
    let time = Timestamp::now().as_second();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, format!("{time}.{body}").as_bytes());
    signature.as_ref().iter().fold(format!("t={time},v1="), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
