//! The provider at its worst: charges that land when nobody waits for them any more, answers lost for longer than keys
//! live, storms, garbage, and a door that does not open.

use std::sync::atomic::Ordering;
use std::time::Duration;

use innkeeper_api::{ConditionStatus, ConditionType, Reason};
use innkeeper_payments::sandbox::IntentStatus;
use rstest::rstest;
use serde_json::json;

use crate::support::checker::Checker;
use crate::support::faults::{charges, lookups, refunds};
use crate::support::gate::{CHARGE, Gate, Side};
use crate::support::history::History;
use crate::support::hotel::Hotel;

use ConditionStatus::{False, Unknown};
use ConditionType as C;

/// When a charge lands whose operator has stopped waiting for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lands {
    BeforeTheCancel,
    AfterTheCancel,
    AfterTheFence,
}

#[rstest]
#[case::before_the_guest_cancels(Lands::BeforeTheCancel)]
#[case::after_the_guest_has_cancelled(Lands::AfterTheCancel)]
#[case::after_the_fence(Lands::AfterTheFence)]
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_lands_after_our_time_out_is_given_back_or_refused(#[case] lands: Lands) {
    let mut hotel = Hotel::open("time-out").await;
    hotel.config.payments.request_timeout = Duration::from_secs(1);
    hotel.room("double", 1).await;
    let history = History::of(&hotel).await;
    let held = if lands == Lands::AfterTheFence { 1 } else { u32::MAX };
    let gate = Gate::holding(hotel.provider.local_addr(), CHARGE, Side::Request, held).await;
    let operator = hotel.operator_at(&gate.url());
    hotel.reserve("tim", "double").await;
    gate.held(1).await;
    let charged = "charged after all";
    match lands {
        Lands::BeforeTheCancel => {
            hotel.becomes("tim", C::Paid, Unknown, Reason::OutcomeUnknown).await;
            gate.release_one();
            hotel.books_until(charged, |a| a.iter().any(|a| a.intent.amount_received > 0)).await;
            gate.release();
            hotel.settled("tim", Reason::Confirmed).await;
            hotel.cancel("tim").await;
        }
        Lands::AfterTheCancel => {
            hotel.cancel("tim").await;
            hotel.becomes("tim", C::Settled, False, Reason::Cancelling).await;
            gate.release_one();
            hotel.books_until(charged, |a| a.iter().any(|a| a.intent.amount_received > 0)).await;
            gate.release();
        }
        Lands::AfterTheFence => {
            hotel.cancel("tim").await;
            hotel.settled("tim", Reason::Cancelled).await;
            let calls = hotel.calls().await.len();
            gate.release();
            let arrives = async {
                while hotel.calls().await.len() == calls {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(crate::support::PATIENCE, arrives).await.expect("the late charge arrives");
            assert_eq!(hotel.account().await.intent.status, IntentStatus::Canceled);
        }
    }
    hotel.settled("tim", Reason::Cancelled).await;
    let account = hotel.account().await;
    assert_eq!(account.refunds.len(), usize::from(lands != Lands::AfterTheFence));
    assert_eq!(hotel.money_kept().await, 0);
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_refund_whose_answer_was_lost_for_thirty_hours_is_found_and_not_made_again() {
    let mut hotel = Hotel::open("thirty-hours").await;
    let ahead = hotel.movable_clock();
    let half = json!([{ "hoursBefore": 0, "refundPercent": 50 }]);
    hotel.room_with("double", 1, |r| r.cancellation = serde_json::from_value(half).unwrap()).await;
    let operator = hotel.operator();
    hotel.reserve("pam", "double").await;
    hotel.settled("pam", Reason::Confirmed).await;
    let lost = hotel.fault(&refunds(), &json!({ "kind": "drop", "when": "after" }));
    let blind = hotel.faults_after(2, &lookups(), &json!({ "kind": "drop", "when": "before" }), None);
    hotel.cancel("pam").await;
    hotel.struck(lost, 1).await;
    hotel.struck(blind, 1).await;
    hotel.desk().advance_clock(30 * 3600).await.unwrap();
    ahead.store(30 * 3600, Ordering::SeqCst);
    hotel.desk().remove_faults(Some(blind));
    hotel.settled("pam", Reason::Cancelled).await;
    let refunds: Vec<_> = hotel.account().await.refunds.iter().map(|r| r.amount).collect();
    assert_eq!(refunds, [12_000]);
    let sent = hotel.calls().await.into_iter().filter(|c| c.method == "POST" && c.path == "/v1/refunds");
    assert_eq!(sent.count(), 1, "found, not repeated under a key that the provider has forgotten");
    operator.stop().await;
    Checker::of(&hotel).keeps("pam", 12_000).check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_429_delays_everybody_and_charges_nobody_twice() {
    let hotel = Hotel::open("storm").await;
    hotel.room("double", 12).await;
    let history = History::of(&hotel).await;
    let storm = hotel.faults(&json!({}), &json!({ "kind": "rate_limit", "retry_after": 1 }), Some(60));
    let operator = hotel.operator();
    let guests: Vec<String> = (0..12).map(|n| format!("guest-{n}")).collect();
    for guest in &guests {
        hotel.reserve(guest, "double").await;
    }
    hotel.struck(storm, 60).await;
    for guest in &guests {
        hotel.settled(guest, Reason::Confirmed).await;
    }
    // And of the refunds.
    let storm = hotel.faults(&json!({}), &json!({ "kind": "rate_limit", "retry_after": 1 }), Some(30));
    for guest in &guests[..6] {
        hotel.cancel(guest).await;
    }
    hotel.struck(storm, 30).await;
    for guest in &guests[..6] {
        hotel.settled(guest, Reason::Cancelled).await;
    }
    let accounts = hotel.accounts().await;
    assert_eq!(accounts.len(), 12);
    assert_eq!(accounts.iter().map(|a| a.refunds.len()).sum::<usize>(), 6);
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_instead_of_what_became_of_a_charge_is_no_answer() {
    let hotel = Hotel::open("garbage").await;
    hotel.room("double", 1).await;
    hotel.fault(&charges(), &json!({ "kind": "drop", "when": "after" }));
    let garbage = hotel.faults_after(1, &lookups(), &json!({ "kind": "garbage", "when": "after" }), Some(5));
    let operator = hotel.operator();
    hotel.reserve("gia", "double").await;
    hotel.struck(garbage, 5).await;
    hotel.settled("gia", Reason::Confirmed).await;
    hotel.account().await;
    // Nor is it one to what is left to refund.
    let garbage = hotel.faults(&lookups(), &json!({ "kind": "garbage", "when": "after" }), Some(3));
    hotel.cancel("gia").await;
    hotel.struck(garbage, 3).await;
    hotel.settled("gia", Reason::Cancelled).await;
    hotel.refund().await;
    operator.stop().await;
    hotel.check().await;
}

/// Behind the address is somebody who does not speak TLS.
#[tokio::test(flavor = "multi_thread")]
async fn where_tls_is_refused_nothing_is_sent_and_the_guest_waits() {
    let hotel = Hotel::open("tls").await;
    hotel.room("double", 1).await;
    let secure = hotel.provider.url().replace("http://", "https://");
    let operator = hotel.operator_at(&secure);
    hotel.reserve("tess", "double").await;
    hotel.becomes("tess", C::Paid, False, Reason::ProviderUnavailable).await;
    operator.looks_again(3).await;
    assert!(hotel.calls().await.is_empty(), "a key that is sent in the clear is known to everybody");
    assert!(hotel.accounts().await.is_empty());
    operator.stop().await;
    let operator = hotel.operator();
    hotel.settled("tess", Reason::Confirmed).await;
    operator.stop().await;
    hotel.check().await;
}
