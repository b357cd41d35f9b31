//! The same stay under another UID: deleted by force and made anew, or restored from a backup.

use std::sync::atomic::Ordering;

use innkeeper_api::{ConditionStatus, ConditionType, FINALIZER, Reason, Reservation};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use rstest::rstest;
use serde_json::json;

use super::strip;
use crate::support::checker::Checker;
use crate::support::faults::refunds;
use crate::support::hotel::{Hotel, Running, is, uid};
use crate::support::{eventually_async, kubectl_with};

/// A hotel whose guest has paid, whose object has gone by force, and who is there again under another UID, unpaid.
async fn made_anew(prefix: &str, seen: bool) -> (Hotel, Running, Reservation) {
    let hotel = Hotel::open(prefix).await;
    hotel.room("double", 1).await;
    let operator = hotel.operator();
    hotel.reserve("anna", "double").await;
    let before = hotel.settled("anna", Reason::Confirmed).await;
    let operator = if seen {
        // The operator sees it going: deleted, with a refund that does not come through, and then by force.
        hotel.faults(&refunds(), &json!({ "kind": "server_error", "when": "before", "stored": false }), None);
        hotel.delete("anna").await;
        hotel.becomes("anna", ConditionType::Settled, ConditionStatus::False, Reason::Withdrawing).await;
        strip(&hotel, "anna").await;
        hotel.gone("anna").await;
        operator
    } else {
        // Nobody sees it: as a backup is restored, without status and with new UIDs.
        operator.stop().await;
        strip(&hotel, "anna").await;
        hotel.delete("anna").await;
        hotel.gone("anna").await;
        hotel.operator()
    };
    hotel.reserve("anna", "double").await;
    let now =
        hotel.becomes("anna", ConditionType::Paid, ConditionStatus::False, Reason::AlreadyCharged).await;
    assert_ne!(uid(&before), uid(&now));
    hotel.desk().remove_faults(None);
    (hotel, operator, now)
}

async fn say(hotel: &Hotel, word: &str) {
    let patch =
        Patch::Merge(json!({ "metadata": { "annotations": { "innkeeper.dev/already-charged": word } } }));
    hotel.reservations().patch("anna", &PatchParams::default(), &patch).await.unwrap();
}

/// Waits until the nights of the object that has gone are free, and held for the one that stands waiting.
async fn holds(hotel: &Hotel) {
    hotel.becomes("anna", ConditionType::Allocated, ConditionStatus::True, Reason::Held).await;
}

async fn captures(hotel: &Hotel) -> usize {
    hotel.accounts().await.iter().filter(|a| a.intent.amount_received > 0).count()
}

#[rstest]
#[case::seen_by_the_watch(true)]
#[case::seen_by_nobody(false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stay_made_anew_is_not_charged_again_and_adopts_what_was_paid(#[case] seen: bool) {
    let (hotel, operator, stands) = made_anew("adopt", seen).await;
    assert!(is(&stands, &ConditionType::Stalled, ConditionStatus::True, &Reason::AlreadyCharged));
    assert_eq!(captures(&hotel).await, 1);
    holds(&hotel).await;
    let waits = "innkeeper_reservations_waiting_for_a_person{reason=\"AlreadyCharged\"} 1";
    assert!(eventually_async(async || operator.metrics.text().contains(waits)).await, "nobody is alerted");

    say(&hotel, "adopt").await;
    let anna = hotel.settled("anna", Reason::Confirmed).await;
    let account = hotel.account().await;
    assert_eq!(account.intent.metadata["innkeeper_uid"], uid(&anna));
    assert_eq!(anna.status.unwrap().payment.unwrap().id, Some(account.intent.id));
    hotel.check().await;
    // It is this stay's money in every way: cancelling gives it back.
    hotel.cancel("anna").await;
    hotel.settled("anna", Reason::Cancelled).await;
    assert_eq!(hotel.money_kept().await, 0);
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_can_say_that_the_money_is_anothers_and_then_it_is_charged_anew() {
    let (hotel, operator, _) = made_anew("charge-anew", false).await;
    holds(&hotel).await;
    say(&hotel, "charge-anew").await;
    hotel.settled("anna", Reason::Confirmed).await;
    assert_eq!((captures(&hotel).await, hotel.money_kept().await), (2, 48_000));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_charges_it_again_unasked_is_found_out() {
    let (hotel, operator, stands) = made_anew("again", false).await;
    operator.stop().await;
    assert_eq!(Checker::of(&hotel).never_to_be().await, [""; 0]);
    // As an operator would that does not look under other UIDs.
    hotel.driver().charge(&hotel.charge_of(&stands)).await.unwrap();
    let broken = Checker::of(&hotel).never_to_be().await;
    assert!(broken.len() == 1 && broken[0].starts_with("I3: anna paid for 2030-07-01 under"), "{broken:#?}");
    say(&hotel, "charge-anew").await;
    assert_eq!(Checker::of(&hotel).never_to_be().await, [""; 0], "it is another's");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_went_back_in_the_dashboard_is_in_nobodys_way() {
    let (hotel, operator, _) = made_anew("dashboard", false).await;
    holds(&hotel).await;
    hotel.desk().refund_by_hand(&hotel.account().await.intent.id, None).await.unwrap();
    hotel.settled("anna", Reason::Confirmed).await;
    assert_eq!((captures(&hotel).await, hotel.money_kept().await), (2, 24_000));
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_waiting_can_be_given_up_and_the_earlier_money_is_not_touched() {
    let (hotel, operator, _) = made_anew("given-up", false).await;
    hotel.cancel("anna").await;
    hotel.settled("anna", Reason::Cancelled).await;
    assert_eq!((captures(&hotel).await, hotel.money_kept().await), (1, 24_000));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_by_force_with_its_finalizer_it_is_refunded_and_then_charged_anew() {
    let hotel = Hotel::open("replace").await;
    hotel.room("double", 1).await;
    let operator = hotel.operator();
    let made = hotel.reserve_born("anna", "double", true).await;
    hotel.settled("anna", Reason::Confirmed).await;
    let mut manifest = Reservation::new("anna", made.spec.clone());
    manifest.metadata.namespace = Some(hotel.namespace.clone());
    manifest.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    let text = serde_json::to_string(&manifest).unwrap();
    let output = tokio::task::spawn_blocking(move || kubectl_with(&["replace", "--force", "-f", "-"], &text));
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let anna = hotel.settled("anna", Reason::Confirmed).await;
    assert_ne!(anna.uid(), made.uid());
    assert_eq!((captures(&hotel).await, hotel.money_kept().await), (2, 24_000));
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_bookings_cost_no_call_more_and_one_list_after_a_start() {
    let hotel = Hotel::open("calls").await;
    hotel.room("double", 8).await;
    let operator = hotel.operator();
    for n in 0..4 {
        hotel.reserve(&format!("guest-{n}"), "double").await;
        hotel.settled(&format!("guest-{n}"), Reason::Confirmed).await;
    }
    // Refused, deleted and made anew as its message says: nothing of it is with the provider.
    hotel
        .reserve_with("erik", "double", |s| {
            s.payment = crate::support::hotel::pay_with("pm_card_chargeDeclined");
        })
        .await;
    hotel.settled("erik", Reason::Rejected).await;
    hotel.delete("erik").await;
    hotel.gone("erik").await;
    hotel.reserve("erik", "double").await;
    hotel.settled("erik", Reason::Confirmed).await;
    let calls: Vec<String> = hotel.calls().await.iter().map(|c| format!("{} {}", c.method, c.path)).collect();
    let posts = calls.iter().filter(|c| *c == "POST /v1/payment_intents").count();
    assert_eq!((posts, calls.len()), (6, 7), "{calls:#?}");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_that_somebody_dropped_is_put_back_at_the_next_event() {
    let hotel = Hotel::open("dropped").await;
    hotel.room("double", 3).await;
    let operator = hotel.operator();
    let fault = json!({ "kind": "server_error", "when": "before", "stored": false });
    for name in ["booked", "closing"] {
        hotel.reserve(name, "double").await;
        hotel.settled(name, Reason::Confirmed).await;
    }
    hotel.faults(&refunds(), &fault, None);
    hotel.cancel("closing").await;
    hotel.becomes("closing", ConditionType::Settled, ConditionStatus::False, Reason::Cancelling).await;
    for name in ["booked", "closing"] {
        strip(&hotel, name).await;
        let has = |r: Option<&Reservation>| r.is_some_and(|r| r.finalizers().iter().any(|f| f == FINALIZER));
        hotel.until(name, has).await;
    }
    hotel.desk().remove_faults(None);
    hotel.settled("closing", Reason::Cancelled).await;
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hotel_restored_with_new_uids_and_no_status_charges_nobody_and_keeps_everybodys_nights() {
    let mut hotel = Hotel::open("restored").await;
    let ahead = hotel.movable_clock();
    hotel.room("double", 2).await;
    let operator = hotel.operator();
    let names = ["ada", "bob"];
    let mut specs = Vec::new();
    for name in names {
        specs.push(hotel.reserve(name, "double").await.spec);
        hotel.settled(name, Reason::Confirmed).await;
    }
    operator.stop().await;
    for name in names {
        strip(&hotel, name).await;
        hotel.delete(name).await;
        hotel.gone(name).await;
    }
    for (name, spec) in names.iter().zip(specs) {
        hotel.reservations().create(&PostParams::default(), &Reservation::new(name, spec)).await.unwrap();
    }
    let operator = hotel.operator();
    for name in names {
        hotel.becomes(name, ConditionType::Paid, ConditionStatus::False, Reason::AlreadyCharged).await;
    }
    // Past the deadline they still wait, with their nights, which nobody else gets.
    ahead.store(3 * 3600, Ordering::SeqCst);
    for name in names {
        operator.looks_at(&hotel, name).await;
        hotel.becomes(name, ConditionType::Allocated, ConditionStatus::True, Reason::Held).await;
    }
    hotel.reserve("cat", "double").await;
    hotel.settled("cat", Reason::Rejected).await;
    for name in names {
        let patch = Patch::Merge(
            json!({ "metadata": { "annotations": { "innkeeper.dev/already-charged": "adopt" } } }),
        );
        hotel.reservations().patch(name, &PatchParams::default(), &patch).await.unwrap();
        hotel.settled(name, Reason::Confirmed).await;
    }
    assert_eq!((captures(&hotel).await, hotel.money_kept().await), (3, 48_000), "Cat's has gone back");
    operator.stop().await;
    Checker::of(&hotel).check().await;
}
