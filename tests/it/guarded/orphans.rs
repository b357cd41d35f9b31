//! The sweep: payments that no Reservation accounts for go back, by the rules of evidence and through the brake.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use innkeeper_api::Reason;
use innkeeper_booking::provider::{Charge, Tags};
use kube::Client;
use kube::client::Body;
use rstest::rstest;
use serde_json::json;

use super::{halted, install, strip};
use crate::support::eventually_async;
use crate::support::hotel::{Hotel, JULY, Running};

/// A hotel with two guests, one of whom vanishes while nobody looks; and its clock.
async fn orphaned(prefix: &str) -> (Hotel, Arc<AtomicI64>) {
    let mut hotel = Hotel::open(prefix).await;
    hotel.config.payments.sweep.every = Duration::from_millis(300);
    let ahead = hotel.movable_clock();
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    for name in ["vera", "wim"] {
        hotel.reserve(name, "double").await;
        hotel.settled(name, Reason::Confirmed).await;
    }
    operator.stop().await;
    strip(&hotel, "vera").await;
    hotel.delete("vera").await;
    hotel.gone("vera").await;
    (hotel, ahead)
}

fn swept(operator: &Running) -> u64 {
    let text = operator.metrics.text();
    let line = text.lines().find_map(|l| l.strip_prefix("innkeeper_sweep_last_success_timestamp_seconds "));
    line.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
}

fn says(operator: &Running, line: &str) -> bool {
    operator.metrics.text().lines().any(|l| l == line)
}

/// Waits for so many more rounds, each at another second of the clock.
async fn rounds(operator: &Running, ahead: &AtomicI64, count: u32) {
    for _ in 0..count {
        let before = swept(operator);
        ahead.fetch_add(10, Ordering::SeqCst);
        assert!(eventually_async(async || swept(operator) > before).await, "no sweep");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_whose_reservation_vanished_goes_back_after_an_hour_and_two_rounds() {
    let (hotel, ahead) = orphaned("orphan").await;
    let operator = hotel.operator();
    rounds(&operator, &ahead, 2).await;
    assert_eq!(hotel.money_kept().await, 48_000, "too young: it may be on its way into a status");
    ahead.store(2 * 3600, Ordering::SeqCst);
    assert!(eventually_async(async || hotel.money_kept().await == 24_000).await, "it never goes back");
    assert!(eventually_async(async || says(&operator, "innkeeper_orphaned_payments_returned_total 1")).await);
    rounds(&operator, &ahead, 3).await;
    let posts: Vec<_> =
        hotel.calls().await.into_iter().filter(|c| c.path == "/v1/refunds" && c.method == "POST").collect();
    let vera =
        hotel.accounts().await.into_iter().find(|a| a.intent.metadata["innkeeper_name"] == "vera").unwrap();
    assert_eq!(posts.len(), 1, "once");
    assert_eq!(posts[0].key.as_deref(), Some(format!("{}/orphan/1", vera.intent.id).as_str()));
    assert_eq!(vera.refunds[0].metadata["innkeeper_because"], "orphaned");
    assert!(says(&operator, "innkeeper_orphaned_payments 0"));
    // Her nights are let go a little after her.
    hotel.check().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_object_of_that_name_is_there_nothing_goes_back() {
    let (hotel, ahead) = orphaned("namesake").await;
    hotel.reserve("vera", "double").await;
    ahead.store(2 * 3600, Ordering::SeqCst);
    let operator = hotel.operator();
    assert!(
        eventually_async(async || says(&operator, "innkeeper_orphaned_payments 1")).await,
        "nobody is told"
    );
    rounds(&operator, &ahead, 3).await;
    assert_eq!(hotel.money_kept().await, 48_000);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_marked_as_settled_is_the_hotels() {
    let (hotel, ahead) = orphaned("marked").await;
    let vera =
        hotel.accounts().await.into_iter().find(|a| a.intent.metadata["innkeeper_name"] == "vera").unwrap();
    hotel.driver().mark_settled(&vera.intent.id, 24_000).await.unwrap();
    ahead.store(2 * 3600, Ordering::SeqCst);
    let operator = hotel.operator();
    rounds(&operator, &ahead, 4).await;
    assert_eq!(hotel.money_kept().await, 48_000);
    assert!(says(&operator, "innkeeper_orphaned_payments 0"));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_may_say_whether_it_is_there_nothing_goes_back() {
    let (hotel, ahead) = orphaned("unsaid").await;
    ahead.store(2 * 3600, Ordering::SeqCst);
    // An operator that is told to look elsewhere has no view of this hotel, and its money is none of its business.
    let mut elsewhere = hotel.config.clone();
    elsewhere.operator.watch_namespaces = vec!["default".to_owned()];
    let operator = hotel.operator_of(elsewhere);
    rounds(&operator, &ahead, 3).await;
    assert_eq!(hotel.money_kept().await, 48_000);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_wait_at_the_brake_like_everything_that_nobody_has_asked_back() {
    let (mut hotel, ahead) = orphaned("braked").await;
    hotel.config.payments.brake.unasked_per_day = 0;
    install(&hotel).await;
    ahead.store(2 * 3600, Ordering::SeqCst);
    let operator = hotel.operator();
    let id = halted(&hotel).await;
    rounds(&operator, &ahead, 2).await;
    assert_eq!(hotel.money_kept().await, 48_000);
    super::acknowledge(&hotel, &id).await;
    assert!(eventually_async(async || hotel.money_kept().await == 24_000).await, "it never goes back");
    // Her nights are let go a little after her.
    hotel.check().await;
    operator.stop().await;
}

/// The sweep reads a thousand payments at a time, newest first. The one that is nobody's is older than more than those.
#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_goes_through_more_than_one_stretch_of_payments() {
    let (hotel, ahead) = orphaned("stretches").await;
    let driver = hotel.driver();
    let declined = (0..1_050).map(|n| {
        let tags = Tags {
            installation: "test".to_owned(),
            namespace: hotel.namespace.clone(),
            name: format!("declined-{n}"),
            uid: format!("declined-{n}"),
            check_in: JULY,
        };
        let (attempt, amount) = (1, 24_000);
        let (currency, method) = ("EUR".to_owned(), "pm_card_chargeDeclined".to_owned());
        let driver = &driver;
        async move {
            driver.charge(&Charge { tags, attempt, amount, currency, method }).await.unwrap();
        }
    });
    stream::iter(declined).buffer_unordered(16).collect::<Vec<()>>().await;
    assert!(hotel.accounts().await.len() > 1_050);
    ahead.store(2 * 3600, Ordering::SeqCst);
    let before = hotel.calls().await.len();
    let operator = hotel.operator();
    assert!(eventually_async(async || hotel.money_kept().await == 24_000).await, "it never goes back");
    let further = |c: &&innkeeper_payments::sandbox::Call| {
        c.path == "/v1/payment_intents" && c.parameters.contains_key("starting_after")
    };
    let pages = hotel.calls().await.iter().skip(before).filter(further).count();
    assert!(pages >= 20, "two rounds of eleven pages, not {pages} further ones");
    rounds(&operator, &ahead, 1).await;
    let refunds = hotel.accounts().await.iter().map(|a| a.refunds.len()).sum::<usize>();
    assert_eq!(refunds, 1, "once");
    hotel.check().await;
    operator.stop().await;
}

/// A client to which the API server does not say whether one Reservation is there.
fn unsaid(client: &Client, name: &'static str, status: StatusCode) -> Client {
    let client = client.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move {
            if !request.uri().path().ends_with(&format!("/reservations/{name}")) {
                return client.send(request).await;
            }
            let message = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": status.as_u16(),
                "reason": "Unsaid", "message": "nobody may say",
            });
            let body = Body::from(message.to_string().into_bytes());
            Ok(Response::builder().status(status).body(body).unwrap())
        }
    });
    Client::new(service, "default")
}

#[rstest]
#[case::forbidden(StatusCode::FORBIDDEN)]
#[case::timed_out(StatusCode::GATEWAY_TIMEOUT)]
#[case::broken(StatusCode::INTERNAL_SERVER_ERROR)]
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_does_not_say_404_makes_no_orphan(#[case] status: StatusCode) {
    let (hotel, ahead) = orphaned("no-404").await;
    ahead.store(2 * 3600, Ordering::SeqCst);
    let operator = hotel.operator_with(unsaid(&hotel.client, "vera", status), &hotel.provider.url());
    rounds(&operator, &ahead, 4).await;
    assert_eq!(hotel.money_kept().await, 48_000);
    operator.stop().await;
    let operator = hotel.operator();
    assert!(eventually_async(async || hotel.money_kept().await == 24_000).await, "it never goes back");
    operator.stop().await;
}
