//! `HoldFirst`: the nights under a hold with a deadline, then the charge. Nothing is ever both expired and paid.

use std::sync::atomic::Ordering;

use innkeeper_api::{Collect, ConditionStatus, ConditionType, Flow, Payment, Reason, Reservation};
use innkeeper_booking::provider::ProviderError;
use innkeeper_payments::sandbox::{IntentStatus, Outcome};
use rstest::rstest;
use serde_json::json;

use crate::support::faults::charges;
use crate::support::gate::{CHARGE, Gate, Nowhere, Side};
use crate::support::history::History;
use crate::support::hotel::{Hotel, is, pay_with, uid};

use ConditionStatus::{False, True, Unknown};
use ConditionType as C;

/// A hotel whose double room takes the nights first.
async fn open(prefix: &str, units: u32) -> Hotel {
    let hotel = Hotel::open(prefix).await;
    hotel.room_with("double", units, |r| r.flow = Flow::HoldFirst).await;
    hotel
}

#[tokio::test(flavor = "multi_thread")]
async fn nights_are_held_while_the_money_is_taken_and_then_booked() {
    let hotel = open("hold", 1).await;
    let history = History::of(&hotel).await;
    let gate = Gate::holding(hotel.provider.local_addr(), CHARGE, Side::Request, 1).await;
    let operator = hotel.operator_at(&gate.url());
    let hana = hotel.reserve("hana", "double").await;
    gate.held(1).await;
    // The charge is on its way: the nights are hers already, and say so.
    let holders = hotel.holders().await;
    assert_eq!(holders.len(), 2);
    assert!(holders.iter().all(|(_, holder)| *holder == uid(&hana)));
    let held = hotel.reservations().get("hana").await.unwrap();
    assert!(is(&held, &C::Allocated, True, &Reason::Held));
    assert!(is(&held, &C::Paid, False, &Reason::Pending));
    assert!(is(&held, &C::Ready, Unknown, &Reason::InProgress));

    // Who comes meanwhile finds them full, and is never charged.
    hotel.reserve("hugo", "double").await;
    let hugo = hotel.settled("hugo", Reason::Rejected).await;
    assert!(is(&hugo, &C::Ready, False, &Reason::OutOfStock));
    assert!(is(&hugo, &C::Refunded, True, &Reason::NothingDue));
    assert!(hugo.status.unwrap().payment.is_none());

    gate.release();
    let hana = hotel.settled("hana", Reason::Confirmed).await;
    assert!(is(&hana, &C::Allocated, True, &Reason::Allocated));
    history.caught_up().await;
    assert!(history.versions(&uid(&hana)) <= 5, "created, finalizer, intent, hold, outcome");
    let calls: Vec<_> = hotel.calls().await.into_iter().filter(|c| c.method == "POST").collect();
    assert_eq!(calls.len(), 1, "one charge for two guests: {calls:#?}");
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_gives_the_nights_to_the_next() {
    let hotel = open("hold-declined", 1).await;
    let operator = hotel.operator();
    hotel.reserve_with("ines", "double", |s| s.payment = pay_with("pm_card_chargeDeclined")).await;
    let ines = hotel.settled("ines", Reason::Rejected).await;
    assert!(is(&ines, &C::Paid, False, &Reason::Declined));
    assert!(is(&ines, &C::Allocated, False, &Reason::Released));
    assert!(is(&ines, &C::Ready, False, &Reason::Declined));
    assert_eq!(hotel.holders().await, []);
    hotel.reserve("ivan", "double").await;
    hotel.settled("ivan", Reason::Confirmed).await;
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_desk_collects_waits_for_no_money() {
    let hotel = open("hold-desk", 1).await;
    let operator = hotel.operator();
    hotel
        .reserve_with("ida", "double", |s| {
            s.payment = Payment { collect: Collect::AtProperty, method: None, reference: None };
        })
        .await;
    let ida = hotel.settled("ida", Reason::Confirmed).await;
    assert!(is(&ida, &C::Paid, True, &Reason::NotCollectedHere));
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_deadline_a_hold_stays_until_the_fence_is_answered_and_then_runs_out() {
    let mut hotel = open("hold-expired", 1).await;
    let ahead = hotel.movable_clock();
    let nowhere = Nowhere::new();
    let operator = hotel.operator_at(&nowhere.url());
    hotel.reserve("jan", "double").await;
    hotel.becomes("jan", C::Allocated, True, Reason::Held).await;
    ahead.store(2 * 3600, Ordering::SeqCst);
    operator.looks_at(&hotel, "jan").await;
    let jan = hotel.reservations().get("jan").await.unwrap();
    assert!(is(&jan, &C::Allocated, True, &Reason::Held), "not over while a charge may still land");
    assert_eq!(hotel.holders().await.len(), 2);

    let _gate = nowhere.leads_to(hotel.provider.local_addr());
    let jan = hotel.settled("jan", Reason::Rejected).await;
    assert!(is(&jan, &C::Allocated, False, &Reason::HoldExpired));
    assert!(is(&jan, &C::Ready, False, &Reason::HoldExpired));
    assert!(is(&jan, &C::Stalled, True, &Reason::HoldExpired));
    assert!(is(&jan, &C::Refunded, True, &Reason::NothingDue));
    assert_eq!(hotel.holders().await, []);
    assert_eq!(hotel.account().await.intent.status, IntentStatus::Canceled);
    let late = hotel.driver().charge(&hotel.charge_of(&jan)).await;
    assert_eq!(late.unwrap_err(), ProviderError::Mismatch, "the provider itself refuses the late charge");
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_came_before_the_fence_is_booked_however_late_it_is_found() {
    let mut hotel = open("hold-late", 1).await;
    let ahead = hotel.movable_clock();
    // It lands, its answer is lost, and for longer than the hold nobody can look it up.
    hotel.fault(&charges(), &json!({ "kind": "drop", "when": "after" }));
    let blind = hotel.blind(&json!({ "kind": "server_error", "when": "before" }));
    let operator = hotel.operator();
    hotel.reserve("kai", "double").await;
    hotel.becomes("kai", C::Paid, Unknown, Reason::OutcomeUnknown).await;
    ahead.store(2 * 3600, Ordering::SeqCst);
    operator.looks_at(&hotel, "kai").await;
    hotel.desk().remove_faults(Some(blind));
    let kai = hotel.settled("kai", Reason::Confirmed).await;
    assert!(is(&kai, &C::Allocated, True, &Reason::Allocated));
    assert_eq!(hotel.money_kept().await, 24_000);
    operator.stop().await;
    hotel.check().await;
}

/// A charge that the provider is at past the deadline is neither fenced nor given up: it decides.
#[rstest]
#[case::and_succeeds(Outcome::Succeeded, Reason::Confirmed)]
#[case::and_fails(Outcome::Failed, Reason::Rejected)]
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_is_being_processed_past_the_deadline_decides(
    #[case] outcome: Outcome,
    #[case] end: Reason,
) {
    let mut hotel = open("hold-processing", 1).await;
    let ahead = hotel.movable_clock();
    let operator = hotel.operator();
    hotel.reserve_with("lea", "double", |s| s.payment = pay_with("pm_card_asyncPending")).await;
    hotel.books_until("processing", |a| a.iter().any(|a| a.intent.status == IntentStatus::Processing)).await;
    hotel.becomes("lea", C::Allocated, True, Reason::Held).await;
    ahead.store(2 * 3600, Ordering::SeqCst);
    operator.looks_at(&hotel, "lea").await;
    assert_eq!(hotel.holders().await.len(), 2);
    hotel.desk().settle_intent(&hotel.account().await.intent.id, outcome).await.unwrap();
    hotel.settled("lea", end).await;
    operator.stop().await;
    hotel.check().await;
}

/// Given up while the charge is on its way: it is found and goes back, or is fenced, and the nights are free.
#[rstest]
#[case::cancelled(Side::Request, false)]
#[case::cancelled_and_charged(Side::Answer, false)]
#[case::deleted(Side::Request, true)]
#[case::deleted_and_charged(Side::Answer, true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_given_up_keeps_neither_nights_nor_money(#[case] side: Side, #[case] deleted: bool) {
    let hotel = open("hold-given-up", 1).await;
    let history = History::of(&hotel).await;
    let gate = Gate::holding(hotel.provider.local_addr(), CHARGE, side, 1).await;
    let operator = hotel.operator_at(&gate.url());
    hotel.reserve("mio", "double").await;
    gate.held(1).await;
    if deleted {
        hotel.delete("mio").await;
    } else {
        hotel.cancel("mio").await;
    }
    gate.release();
    if deleted {
        hotel.gone("mio").await;
    } else {
        hotel.settled("mio", Reason::Cancelled).await;
    }
    assert_eq!(hotel.holders().await, []);
    assert_eq!(hotel.money_kept().await, 0);
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_changes_its_flow_changes_it_for_later_guests_only() {
    let hotel = open("hold-changed", 1).await;
    let nowhere = Nowhere::new();
    let operator = hotel.operator_at(&nowhere.url());
    hotel.reserve("nia", "double").await;
    hotel.becomes("nia", C::Allocated, True, Reason::Held).await;
    let patch = json!({ "spec": { "flow": "PayFirst" } });
    let patch = kube::api::Patch::Merge(patch);
    hotel.rooms().patch("double", &kube::api::PatchParams::default(), &patch).await.unwrap();
    hotel.reserve("noe", "double").await;
    hotel
        .until("noe", |r: Option<&Reservation>| {
            r.and_then(|r| r.status.as_ref()?.quote.as_ref()).is_some_and(|q| q.flow == Flow::PayFirst)
        })
        .await;
    let _gate = nowhere.leads_to(hotel.provider.local_addr());
    hotel.settled("nia", Reason::Confirmed).await;
    let noe = hotel.settled("noe", Reason::Rejected).await;
    assert!(
        is(&noe, &C::Refunded, True, &Reason::Refunded),
        "who pays first has paid when it turns out full"
    );
    operator.stop().await;
    hotel.check().await;
}
