//! Money: every way in which an answer can be lost, late, repeated or refused, and what the guest has paid in the end.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use innkeeper_api::{Collect, ConditionStatus, ConditionType, Payment, Rate, Reason, Reservation};
use innkeeper_booking::provider::ProviderError;
use innkeeper_payments::sandbox::{IntentStatus, Outcome, RefundStatus};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::checker::Checker;
use crate::support::faults::{charges, refunds};
use crate::support::gate::{CHARGE, Gate, Nowhere, Side};
use crate::support::history::History;
use crate::support::hotel::{Hotel, Running, is, pay_with, uid};
use crate::support::{kubectl, stderr};

use ConditionStatus::{False, True};
use ConditionType as C;

/// A hotel with a double room, and an operator.
async fn open(prefix: &str) -> (Hotel, Running) {
    let hotel = Hotel::open(prefix).await;
    hotel.room("double", 1).await;
    let operator = hotel.operator();
    (hotel, operator)
}

#[rstest]
#[case::dropped_after(json!({ "kind": "drop", "when": "after" }), 1)]
#[case::dropped_before(json!({ "kind": "drop", "when": "before" }), 1)]
#[case::garbage_after(json!({ "kind": "garbage", "when": "after" }), 1)]
#[case::failed_after(json!({ "kind": "server_error", "when": "after" }), 1)]
#[case::failed_before(json!({ "kind": "server_error", "when": "before" }), 2)]
#[case::failed_after_and_stored(json!({ "kind": "server_error", "when": "after", "stored": true }), 1)]
#[case::too_many_requests(json!({ "kind": "rate_limit", "retry_after": 1 }), 3)]
#[case::key_refused_for_a_while(json!({ "kind": "unauthorized" }), 3)]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_the_answer_the_guest_is_charged_once(#[case] kind: Value, #[case] times: u32) {
    let (hotel, operator) = open("answer").await;
    let fault = hotel.faults(&charges(), &kind, Some(times));
    hotel.reserve("gus", "double").await;
    hotel.settled("gus", Reason::Confirmed).await;
    hotel.struck(fault, times).await;
    assert_eq!(hotel.money_kept().await, 24_000);
    hotel.account().await;
    operator.stop().await;
    hotel.check().await;
}

#[rstest]
#[case::dropped_after(json!({ "kind": "drop", "when": "after" }), 1)]
#[case::dropped_before(json!({ "kind": "drop", "when": "before" }), 1)]
#[case::garbage_after(json!({ "kind": "garbage", "when": "after" }), 1)]
#[case::garbage_before(json!({ "kind": "garbage", "when": "before" }), 2)]
#[case::failed_after_and_stored(json!({ "kind": "server_error", "when": "after", "stored": true }), 1)]
#[case::failed_before(json!({ "kind": "server_error", "when": "before" }), 2)]
#[case::too_many_requests(json!({ "kind": "rate_limit", "retry_after": 1 }), 2)]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_the_answer_the_guest_is_refunded_once(#[case] kind: Value, #[case] times: u32) {
    let (hotel, operator) = open("refund-answer").await;
    hotel.reserve("gil", "double").await;
    hotel.settled("gil", Reason::Confirmed).await;
    let fault = hotel.faults(&refunds(), &kind, Some(times));
    hotel.cancel("gil").await;
    hotel.settled("gil", Reason::Cancelled).await;
    hotel.struck(fault, times).await;
    hotel.refund().await;
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_that_lags_behind_is_no_reason_to_charge_again() {
    let (hotel, operator) = open("lag").await;
    hotel.fault(&charges(), &json!({ "kind": "drop", "when": "after" }));
    // The list that is read once before the first charge passes.
    hotel.faults_after(
        1,
        &json!({ "path": "/v1/payment_intents", "method": "GET" }),
        &json!({ "kind": "lag", "seconds": 600 }),
        Some(2),
    );
    hotel.reserve("lara", "double").await;
    hotel.settled("lara", Reason::Confirmed).await;
    hotel.account().await;
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_told_to_the_clerk_and_waited_out() {
    let (hotel, operator) = open("key").await;
    let fault = hotel.faults(&json!({}), &json!({ "kind": "unauthorized" }), None);
    hotel.reserve("kim", "double").await;
    let kim = hotel.becomes("kim", C::Paid, False, Reason::ProviderUnavailable).await;
    let message = &kim.status.as_ref().unwrap().conditions.get(&C::Paid).unwrap().message;
    assert!(message.contains("refuses the operator's key"), "{message}");
    hotel.desk().remove_faults(Some(fault));
    hotel.settled("kim", Reason::Confirmed).await;
    operator.stop().await;
    hotel.check().await;
}

/// While calls are held back, who waits says what the provider has said to who tried, and goes on saying it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_written_once_however_often_it_is_tried() {
    let mut hotel = Hotel::open("revoked").await;
    hotel.config.payments.breaker.failures = 1;
    hotel.config.payments.breaker.open_for = Duration::from_millis(200);
    hotel.room("double", 2).await;
    let refused = hotel.faults(&json!({}), &json!({ "kind": "unauthorized" }), None);
    let operator = hotel.operator();
    let history = History::of(&hotel).await;
    let mut guests = Vec::new();
    for name in ["una", "uwe"] {
        guests.push(uid(&hotel.reserve(name, "double").await));
        hotel.becomes(name, C::Paid, False, Reason::ProviderUnavailable).await;
    }
    let tried = hotel.desk().faults().iter().map(|f| f.hits).max().unwrap_or_default();
    hotel.struck(refused, tried + 3).await;
    operator.looks_again(4).await;
    history.caught_up().await;
    for guest in &guests {
        assert_eq!(history.versions(guest), 4, "created, finalizer, intent, and that the key is refused");
    }
    let una = hotel.reservations().get("una").await.unwrap().status.unwrap();
    let told = &una.conditions.get(&C::Paid).unwrap().message;
    assert!(told.starts_with("The payment provider refuses the operator's key."), "{told}");
    hotel.desk().remove_faults(None);
    for name in ["una", "uwe"] {
        hotel.settled(name, Reason::Confirmed).await;
    }
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_written_once_and_the_charge_is_made_when_it_is_back() {
    let hotel = Hotel::open("down").await;
    hotel.room("double", 1).await;
    let nowhere = Nowhere::new();
    let operator = hotel.operator_at(&nowhere.url());
    let dora = hotel.reserve("dora", "double").await;
    let history = History::of(&hotel).await;
    let seen = hotel.becomes("dora", C::Paid, False, Reason::ProviderUnavailable).await;
    operator.looks_again(4).await;
    let now = hotel.reservations().get("dora").await.unwrap();
    assert_eq!(now.resource_version(), seen.resource_version(), "trying again writes nothing");

    let _gate = nowhere.leads_to(hotel.provider.local_addr());
    hotel.settled("dora", Reason::Confirmed).await;
    history.caught_up().await;
    assert!(history.versions(&uid(&dora)) <= 4, "finalizer, intent, unavailable, outcome");
    history.check().await;
    operator.stop().await;
    hotel.check().await;
}

/// The operator's clock goes past the deadline of whoever is waiting. A short `accept_within` would do so on a busy
/// machine before the charge is sent.
fn past_the_deadline(ahead: &AtomicI64) {
    ahead.store(2 * 3600, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hours_without_the_provider_cost_one_write_each_and_one_more_at_the_deadline() {
    let mut hotel = Hotel::open("two-hours").await;
    let ahead = hotel.movable_clock();
    hotel.room("double", 3).await;
    let nowhere = Nowhere::new();
    let operator = hotel.operator_at(&nowhere.url());
    let history = History::of(&hotel).await;
    let mut guests = Vec::new();
    for name in ["tia", "tom", "tor"] {
        guests.push(uid(&hotel.reserve(name, "double").await));
        hotel.becomes(name, C::Paid, False, Reason::ProviderUnavailable).await;
    }
    for minute in [10, 30] {
        ahead.store(minute * 60, Ordering::SeqCst);
        operator.looks_at(&hotel, "tia").await;
    }
    // From here on it can be reached, and gives no answer: another outage, and nothing new.
    hotel.faults(&json!({}), &json!({ "kind": "drop" }), None);
    let _gate = nowhere.leads_to(hotel.provider.local_addr());
    ahead.store(59 * 60, Ordering::SeqCst);
    for name in ["tom", "tor"] {
        operator.looks_at(&hotel, name).await;
    }
    history.caught_up().await;
    let counted = |uid: &String| history.versions(uid);
    // Created, finalizer, intent, and that the provider is away; the rest are the wakings.
    assert_eq!(guests[1..].iter().map(counted).collect::<Vec<_>>(), [4 + 2, 4 + 2]);
    for minute in [61, 90, 120] {
        ahead.store(minute * 60, Ordering::SeqCst);
        for name in ["tom", "tor"] {
            operator.looks_at(&hotel, name).await;
        }
    }
    // The decision at the deadline; the rest are the wakings.
    let wakings = 8;
    history.caught_up().await;
    assert_eq!(guests[1..].iter().map(counted).collect::<Vec<_>>(), [5 + wakings, 5 + wakings]);
    hotel.provider.provider().remove_faults(None);
    for name in ["tia", "tom", "tor"] {
        hotel.wake(name).await;
        hotel.settled(name, Reason::Rejected).await;
    }
    assert_eq!(hotel.money_kept().await, 0);
    operator.stop().await;
    history.check().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_deadline_nothing_ends_before_the_fence_is_answered_and_then_no_charge_can_land() {
    let mut hotel = Hotel::open("fence").await;
    hotel.config.operator.accept_within = Duration::from_secs(1);
    hotel.room("double", 1).await;
    let nowhere = Nowhere::new();
    let operator = hotel.operator_at(&nowhere.url());
    hotel.reserve("fred", "double").await;
    hotel.becomes("fred", C::Settled, False, Reason::Rejecting).await;
    operator.looks_again(3).await;
    let fred = hotel.reservations().get("fred").await.unwrap();
    assert!(is(&fred, &C::Settled, False, &Reason::Rejecting), "not over while a charge may still land");

    let _gate = nowhere.leads_to(hotel.provider.local_addr());
    let fred = hotel.settled("fred", Reason::Rejected).await;
    assert!(is(&fred, &C::Accepted, False, &Reason::TimedOut));
    assert!(is(&fred, &C::Ready, False, &Reason::TimedOut));
    assert!(is(&fred, &C::Paid, False, &Reason::NotDue));
    assert!(is(&fred, &C::Refunded, True, &Reason::NothingDue));
    assert_eq!(hotel.account().await.intent.status, IntentStatus::Canceled);

    let late = hotel.driver().charge(&hotel.charge_of(&fred)).await;
    assert_eq!(late.unwrap_err(), ProviderError::Mismatch, "the provider itself refuses the late charge");
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_is_still_under_way_when_the_fence_is_put_up_is_refused() {
    let mut hotel = Hotel::open("late").await;
    let ahead = hotel.movable_clock();
    hotel.config.payments.request_timeout = Duration::from_secs(2);
    hotel.room("double", 1).await;
    let gate = Gate::holding(hotel.provider.local_addr(), CHARGE, Side::Request, 1).await;
    let operator = hotel.operator_at(&gate.url());
    hotel.reserve("lena", "double").await;
    gate.held(1).await;
    past_the_deadline(&ahead);
    // The charge is lost to the operator: it comes back only after the deadline, sees that nothing was made, and fences.
    hotel.settled("lena", Reason::Rejected).await;
    let before = hotel.calls().await.len();
    gate.release();
    let calls = async {
        while hotel.calls().await.len() == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, calls).await.expect("the late charge arrives");
    assert_eq!(hotel.account().await.intent.status, IntentStatus::Canceled);
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_came_before_the_fence_is_found_and_refunded() {
    let mut hotel = Hotel::open("first").await;
    let ahead = hotel.movable_clock();
    hotel.config.payments.request_timeout = Duration::from_secs(1);
    hotel.room("double", 1).await;
    let gate = Gate::holding(hotel.provider.local_addr(), CHARGE, Side::Request, u32::MAX).await;
    let operator = hotel.operator_at(&gate.url());
    hotel.reserve("fay", "double").await;
    gate.held(1).await;
    past_the_deadline(&ahead);
    hotel.becomes("fay", C::Settled, False, Reason::Rejecting).await;
    gate.release_one();
    hotel.books_until("charged", |a| a.iter().any(|a| a.intent.amount_received > 0)).await;
    gate.release();
    let fay = hotel.settled("fay", Reason::Rejected).await;
    assert!(is(&fay, &C::Accepted, False, &Reason::TimedOut));
    assert!(is(&fay, &C::Refunded, True, &Reason::Refunded));
    hotel.refund().await;
    operator.stop().await;
    hotel.check().await;
}

#[rstest]
#[case::of_its_own_accord("pm_card_asyncSuccess", None, Reason::Confirmed)]
#[case::when_told("pm_card_asyncPending", Some(Outcome::Succeeded), Reason::Confirmed)]
#[case::and_fails("pm_card_asyncPending", Some(Outcome::Failed), Reason::Rejected)]
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_is_being_processed_is_waited_for(
    #[case] method: &str,
    #[case] told: Option<Outcome>,
    #[case] end: Reason,
) {
    let (hotel, operator) = open("processing").await;
    hotel.reserve_with("pia", "double", |s| s.payment = pay_with(method)).await;
    let processing = |r: Option<&Reservation>| {
        r.is_some_and(|r| r.status.as_ref().and_then(|s| s.payment.as_ref()).is_some_and(|p| p.id.is_some()))
    };
    let pia = hotel.until("pia", processing).await;
    if let Some(outcome) = told {
        assert!(is(&pia, &C::Paid, False, &Reason::Pending));
        assert_eq!(hotel.holders().await, [], "no night before the money");
        hotel.desk().settle_intent(&hotel.account().await.intent.id, outcome).await.unwrap();
    }
    let rejected = end == Reason::Rejected;
    let pia = hotel.settled("pia", end).await;
    assert_eq!(is(&pia, &C::Paid, False, &Reason::Declined), rejected);
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_is_being_processed_when_the_guest_cancels_goes_back_once_it_is_through() {
    let (hotel, operator) = open("processed").await;
    hotel.reserve_with("petra", "double", |s| s.payment = pay_with("pm_card_asyncPending")).await;
    hotel.books_until("processing", |a| a.iter().any(|a| a.intent.status == IntentStatus::Processing)).await;
    hotel.cancel("petra").await;
    hotel.becomes("petra", C::Settled, False, Reason::Cancelling).await;
    hotel.desk().settle_intent(&hotel.account().await.intent.id, Outcome::Succeeded).await.unwrap();
    hotel.settled("petra", Reason::Cancelled).await;
    hotel.refund().await;
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_pending_keeps_the_reservation_open_until_it_has_arrived() {
    let (hotel, operator) = open("pending").await;
    hotel.reserve_with("paul", "double", |s| s.payment = pay_with("pm_card_pendingRefund")).await;
    hotel.settled("paul", Reason::Confirmed).await;
    hotel.cancel("paul").await;
    let pending = |r: Option<&Reservation>| {
        r.and_then(|r| r.status.as_ref()?.conditions.get(&C::Refunded))
            .is_some_and(|c| c.reason == Reason::Pending && c.message.contains("at the payment provider"))
    };
    let paul = hotel.until("paul", pending).await;
    assert!(is(&paul, &C::Settled, False, &Reason::Cancelling));
    let refund = hotel.refund().await;
    // It settles by itself after a while; whichever is first, this or the test's word, it arrives once.
    let _ = hotel.desk().settle_refund(&refund.id, Outcome::Succeeded).await;
    hotel.settled("paul", Reason::Cancelled).await;
    hotel.refund().await;
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_is_for_a_person_and_one_made_in_the_dashboard_settles_it() {
    let (hotel, operator) = open("failed").await;
    hotel.reserve_with("rosa", "double", |s| s.payment = pay_with("pm_card_pendingRefund")).await;
    hotel.settled("rosa", Reason::Confirmed).await;
    hotel.cancel("rosa").await;
    let refund = hotel.refund().await;
    hotel.desk().settle_refund(&refund.id, Outcome::Failed).await.unwrap();
    let rosa = hotel.becomes("rosa", C::Refunded, False, Reason::RefundFailed).await;
    assert!(is(&rosa, &C::Stalled, True, &Reason::RefundFailed));
    assert!(is(&rosa, &C::Settled, False, &Reason::Cancelling));
    assert!(rosa.status.as_ref().unwrap().conditions.get(&C::Reconciling).is_none());
    event(&hotel, "RefundFailed").await;

    hotel.delete("rosa").await;
    operator.looks_again(2).await;
    let rosa = hotel.reservations().get("rosa").await.unwrap();
    assert!(!rosa.finalizers().is_empty(), "it stays until the guest has the money");

    let intent = &hotel.account().await.intent.id;
    hotel.desk().refund_by_hand(intent, None).await.unwrap();
    hotel.gone("rosa").await;
    let refunds = hotel.account().await.refunds;
    let statuses: Vec<_> = refunds.iter().map(|r| r.status).collect();
    let by_hand = refunds.last().unwrap().status;
    assert_eq!(statuses.len(), 2, "never refunded again: {statuses:?}");
    assert!(matches!(by_hand, RefundStatus::Succeeded | RefundStatus::Pending));
    operator.stop().await;
    if by_hand == RefundStatus::Pending {
        hotel.desk().settle_refund(&refunds.last().unwrap().id, Outcome::Succeeded).await.unwrap();
    }
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_failed_is_tried_once_more_for_each_number_that_a_person_allows() {
    let (hotel, operator) = open("retried").await;
    hotel.reserve_with("rita", "double", |s| s.payment = pay_with("pm_card_pendingRefund")).await;
    hotel.settled("rita", Reason::Confirmed).await;
    hotel.cancel("rita").await;
    let first = hotel.refund().await;
    hotel.desk().settle_refund(&first.id, Outcome::Failed).await.unwrap();
    let rita = hotel.becomes("rita", C::Refunded, False, Reason::RefundFailed).await;
    let told = rita.status.as_ref().unwrap().conditions.get(&C::Refunded).unwrap().message.clone();
    assert!(told.contains("innkeeper.dev/retry-refund=2 "), "{told}");

    // As the message says; a mistake is told, and nothing is sent for it.
    let annotate = |value: &str| {
        let set = format!("innkeeper.dev/retry-refund={value}");
        let told = kubectl(&["annotate", "--overwrite", "rsv", "rita", "-n", &hotel.namespace, &set]);
        assert!(told.status.success(), "{}", stderr(&told));
    };
    annotate("now");
    hotel
        .until("rita", |r: Option<&Reservation>| {
            r.and_then(|r| r.status.as_ref()?.conditions.get(&C::Refunded))
                .is_some_and(|c| c.message.contains("is \"now\", which allows nothing"))
        })
        .await;
    assert_eq!(hotel.account().await.refunds.len(), 1);
    annotate("2");
    let books = hotel.books_until("two refunds", |a| a.iter().any(|a| a.refunds.len() == 2)).await;
    let second = books[0].refunds[1].clone();
    hotel.desk().settle_refund(&second.id, Outcome::Failed).await.unwrap();
    operator.looks_at(&hotel, "rita").await;
    hotel
        .until("rita", |r: Option<&Reservation>| {
            r.and_then(|r| r.status.as_ref()?.conditions.get(&C::Refunded))
                .is_some_and(|c| c.message.contains("innkeeper.dev/retry-refund=3 "))
        })
        .await;
    operator.looks_at(&hotel, "rita").await;
    assert_eq!(hotel.account().await.refunds.len(), 2, "the number that was allowed allows no third");

    annotate("3");
    let books = hotel.books_until("three refunds", |a| a.iter().any(|a| a.refunds.len() == 3)).await;
    hotel.desk().settle_refund(&books[0].refunds[2].id, Outcome::Succeeded).await.unwrap();
    let rita = hotel.settled("rita", Reason::Cancelled).await;
    let money = rita.status.unwrap().payment.unwrap();
    assert_eq!((money.captured, money.refunded, money.refund_attempt), (24_000, 24_000, Some(3)));
    let keys: Vec<_> =
        hotel.calls().await.into_iter().filter(|c| c.path == "/v1/refunds").filter_map(|c| c.key).collect();
    let uid = uid(&hotel.reservations().get("rita").await.unwrap());
    assert_eq!(keys, [1, 2, 3].map(|n| format!("{uid}/refund/{n}")));
    operator.stop().await;
    hotel.check().await;
}

/// Waits for a Kubernetes Event about a Reservation.
async fn event(hotel: &Hotel, reason: &str) {
    let api: Api<Event> = Api::namespaced(hotel.client.clone(), &hotel.namespace);
    let found = async {
        loop {
            let events = api.list(&ListParams::default()).await.unwrap();
            if events.iter().any(|e| e.reason.as_deref() == Some(reason)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, found).await.expect("an Event");
}

#[rstest]
#[case::all_of_it(None)]
#[case::a_part_of_it(Some(10_000))]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refunded_in_the_dashboard_is_never_refunded_again(#[case] by_hand: Option<i64>) {
    let (hotel, operator) = open("dashboard").await;
    hotel.reserve("dan", "double").await;
    hotel.settled("dan", Reason::Confirmed).await;
    operator.stop().await;
    hotel.cancel("dan").await;
    hotel.desk().refund_by_hand(&hotel.account().await.intent.id, by_hand).await.unwrap();
    let operator = hotel.operator();
    let dan = hotel.settled("dan", Reason::Cancelled).await;
    assert!(is(&dan, &C::Refunded, True, &Reason::Refunded));
    let refunds: Vec<_> = hotel.account().await.refunds.iter().map(|r| r.amount).collect();
    let expected = by_hand.map_or(vec![24_000], |part| vec![part, 24_000 - part]);
    assert_eq!(refunds, expected);
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refunded_in_the_dashboard_before_it_was_booked_is_not_booked() {
    let (hotel, operator) = open("before").await;
    hotel.fault(&charges(), &json!({ "kind": "drop", "when": "after" }));
    let blind = hotel.blind(&json!({ "kind": "drop", "when": "before" }));
    hotel.reserve("bea", "double").await;
    hotel.struck(blind, 1).await;
    hotel.desk().refund_by_hand(&hotel.account().await.intent.id, Some(5_000)).await.unwrap();
    hotel.desk().remove_faults(Some(blind));
    let bea = hotel.settled("bea", Reason::Rejected).await;
    assert!(is(&bea, &C::Ready, False, &Reason::Refunded));
    assert_eq!(hotel.account().await.refunds.len(), 2);
    operator.stop().await;
    hotel.check().await;
}

#[rstest]
#[case::and_the_charge_was_made(json!({ "kind": "drop", "when": "after" }))]
#[case::and_the_charge_was_not_made(json!({ "kind": "server_error", "when": "before", "stored": true }))]
#[tokio::test(flavor = "multi_thread")]
async fn past_the_keys_lifetime_the_provider_is_asked_before_the_key_is_used_again(#[case] kind: Value) {
    let (hotel, operator) = open("expired").await;
    hotel.fault(&charges(), &kind);
    let blind = hotel.blind(&json!({ "kind": "drop", "when": "before" }));
    hotel.reserve("eva", "double").await;
    hotel.struck(blind, 1).await;
    hotel.desk().advance_clock(25 * 3600).await.unwrap();
    hotel.desk().remove_faults(Some(blind));
    hotel.settled("eva", Reason::Confirmed).await;
    let captured: Vec<_> = hotel.accounts().await.iter().map(|a| a.intent.amount_received).collect();
    assert_eq!(captured, [24_000]);
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_failure_of_a_charge_that_was_never_made_ends_when_the_provider_has_forgotten_it() {
    let mut hotel = Hotel::open("stored").await;
    let ahead = hotel.movable_clock();
    hotel.room("double", 1).await;
    let operator = hotel.operator();
    let fault = hotel.fault(&charges(), &json!({ "kind": "server_error", "when": "before", "stored": true }));
    hotel.reserve("sven", "double").await;
    hotel.struck(fault, 1).await;
    past_the_deadline(&ahead);
    hotel.becomes("sven", C::Settled, False, Reason::Rejecting).await;
    operator.looks_again(2).await;
    hotel.desk().advance_clock(25 * 3600).await.unwrap();
    let sven = hotel.settled("sven", Reason::Rejected).await;
    assert!(is(&sven, &C::Ready, False, &Reason::TimedOut));
    operator.stop().await;
    hotel.check().await;
}

#[rstest]
#[case::won("KRW", 150_000, 300_000, "300000 KRW")]
#[case::dinar("KWD", 12_345, 24_690, "24.690 KWD")]
#[case::krona("ISK", 1_234_050, 2_468_100, "24681.00 ISK")]
#[case::ariary("MGA", 77_777, 155_554, "155554 MGA")]
#[tokio::test(flavor = "multi_thread")]
async fn every_currency_is_charged_and_refunded_by_the_providers_own_rules(
    #[case] currency: &str,
    #[case] nightly: i64,
    #[case] total: i64,
    #[case] shown: &str,
) {
    let hotel = Hotel::open("currency").await;
    let rate = Rate { currency: currency.to_owned(), minor_units: nightly };
    hotel.room_with("double", 1, |r| r.rate = rate).await;
    let operator = hotel.operator();
    hotel.reserve("carl", "double").await;
    hotel.reserve("cleo", "double").await;
    let confirmed = |r: Option<&Reservation>| {
        r.and_then(|r| r.status.as_ref()?.conditions.get(&C::Settled)).is_some_and(|c| c.status == True)
    };
    let both = [hotel.until("carl", confirmed).await, hotel.until("cleo", confirmed).await];
    let booked = both.iter().find(|r| is(r, &C::Settled, True, &Reason::Confirmed)).unwrap();
    let message = &booked.status.as_ref().unwrap().conditions.get(&C::Paid).unwrap().message;
    assert!(message.starts_with(shown), "{message}");
    for account in hotel.accounts().await {
        assert_eq!(account.intent.amount_received, total);
        assert_eq!(account.intent.currency, currency.to_lowercase());
    }
    operator.stop().await;
    Checker::of(&hotel).price("carl", total).price("cleo", total).check().await;
}

#[rstest]
#[case::free_of_charge(Collect::Online, 0)]
#[case::at_the_desk(Collect::AtProperty, 12_000)]
#[case::by_an_agency(Collect::External, 12_000)]
#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_collected_here_the_provider_is_never_asked(
    #[case] collect: Collect,
    #[case] nightly: i64,
) {
    let hotel = Hotel::open("nothing").await;
    hotel.room_with("double", 1, |r| r.rate.minor_units = nightly).await;
    let operator = hotel.operator();
    let method = (collect == Collect::Online).then(|| "pm_card_visa".to_owned());
    let payment = || Payment { collect, method: method.clone(), reference: None };
    hotel.reserve_with("nora", "double", |s| s.payment = payment()).await;
    let nora = hotel.settled("nora", Reason::Confirmed).await;
    assert!(is(&nora, &C::Paid, True, &Reason::NotCollectedHere));
    hotel.reserve_with("nils", "double", |s| s.payment = payment()).await;
    let nils = hotel.settled("nils", Reason::Rejected).await;
    assert!(is(&nils, &C::Ready, False, &Reason::OutOfStock));
    hotel.cancel("nora").await;
    let nora = hotel.settled("nora", Reason::Cancelled).await;
    assert!(is(&nora, &C::Refunded, True, &Reason::NothingDue));
    hotel.delete("nora").await;
    hotel.gone("nora").await;
    assert_eq!(hotel.calls().await, []);
    operator.stop().await;
    Checker::of(&hotel).nightly(nightly).check().await;
}
