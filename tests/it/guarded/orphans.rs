//! The sweep: payments that no Reservation accounts for go back, by the rules of evidence and through the brake.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use innkeeper_api::Reason;

use super::{halted, install, strip};
use crate::support::eventually_async;
use crate::support::hotel::{Hotel, Running};

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
