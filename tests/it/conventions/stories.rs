//! Each story watched version by version: how many writes it takes, which phases and facts it goes through, and how
//! kstatus reads it at every step. A booking without the component that gives finalizers is four versions: created,
//! finalizer, intent, outcome.

use innkeeper_api::{Collect, ConditionStatus, ConditionType, Flow, Money, Payment, Reason};
use innkeeper_payments::sandbox::{Fault, Kind, Match, Outcome, RefundStatus, When};
use rstest::rstest;

use super::checks::condition;
use super::kstatus::Kstatus::{Current, Failed, Terminating};
use super::story::Story;
use crate::support::hotel::{Hotel, is, pay_with};

use ConditionStatus::{False, True, Unknown};
use ConditionType as C;

const BOOKED: [&str; 3] = ["Requested", "Paid", "Confirmed"];

#[tokio::test(flavor = "multi_thread")]
async fn booked() {
    let story = Story::begin("v-booked").await;
    story.hotel.room("double", 2).await;
    story.hotel.reserve("anna", "double").await;
    story.hotel.settled("anna", Reason::Confirmed).await;
    let [anna] = story.end(["anna"]).await;
    anna.went(4, &["InProgress", "Confirmed"], &BOOKED, Current);
    anna.is_as_recorded("booked");
}

/// The nights before the money: one write more, and the one who finds the Room full is never asked for any.
#[tokio::test(flavor = "multi_thread")]
async fn held_then_booked_or_full_or_declined() {
    let story = Story::begin("v-held").await;
    story.hotel.room_with("suite", 1, |r| r.flow = Flow::HoldFirst).await;
    let wrong_card = pay_with("pm_card_chargeDeclinedExpiredCard");
    story.hotel.reserve_with("erik", "suite", |s| s.payment = wrong_card).await;
    story.hotel.settled("erik", Reason::Rejected).await;
    story.hotel.reserve("hana", "suite").await;
    story.hotel.settled("hana", Reason::Confirmed).await;
    story.hotel.reserve("hugo", "suite").await;
    story.hotel.settled("hugo", Reason::Rejected).await;
    let [erik, hana, hugo] = story.end(["erik", "hana", "hugo"]).await;
    let facts = ["Requested", "Declined", "Rejected"];
    erik.went(6, &["InProgress", "Rejecting", "Rejected"], &facts, Failed);
    hana.went(5, &["InProgress", "Confirmed"], &BOOKED, Current);
    hana.is_as_recorded("held");
    let facts = ["Requested", "OutOfStock", "Rejected"];
    hugo.went(5, &["InProgress", "Rejecting", "Rejected"], &facts, Failed);
    hugo.is_as_recorded("held-full");
}

#[tokio::test(flavor = "multi_thread")]
async fn booked_by_phone() {
    let story = Story::begin("v-phone").await;
    story.hotel.room("double", 2).await;
    let at_desk =
        Payment { collect: Collect::AtProperty, method: None, reference: Some("DESK-1".to_owned()) };
    story.hotel.reserve_with("anna", "double", |s| s.payment = at_desk).await;
    story.hotel.settled("anna", Reason::Confirmed).await;
    assert_eq!(story.hotel.accounts().await.len(), 0);
    let [anna] = story.end(["anna"]).await;
    anna.went(4, &["InProgress", "Confirmed"], &["Requested", "Confirmed"], Current);
}

#[tokio::test(flavor = "multi_thread")]
async fn declined() {
    let story = Story::begin("v-declined").await;
    story.hotel.room("double", 1).await;
    story
        .hotel
        .reserve_with("erik", "double", |s| s.payment = pay_with("pm_card_chargeDeclinedExpiredCard"))
        .await;
    story.hotel.settled("erik", Reason::Rejected).await;
    let [erik] = story.end(["erik"]).await;
    erik.went(4, &["InProgress", "Rejected"], &["Requested", "Declined", "Rejected"], Failed);
    erik.is_as_recorded("declined");
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_stock() {
    let story = Story::begin("v-out-of-stock").await;
    story.hotel.room("suite", 1).await;
    story.hotel.reserve("chris", "suite").await;
    story.hotel.settled("chris", Reason::Confirmed).await;
    story.hotel.reserve("dana", "suite").await;
    story.hotel.settled("dana", Reason::Rejected).await;
    let [chris, dana] = story.end(["chris", "dana"]).await;
    chris.went(4, &["InProgress", "Confirmed"], &BOOKED, Current);
    let facts = ["Requested", "Paid", "OutOfStock", "Refunded", "Rejected"];
    dana.went(5, &["InProgress", "Rejecting", "Rejected"], &facts, Failed);
    dana.is_as_recorded("out-of-stock");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled() {
    let story = Story::begin("v-cancelled").await;
    story.hotel.room("double", 1).await;
    story.hotel.reserve("ben", "double").await;
    story.hotel.settled("ben", Reason::Confirmed).await;
    story.hotel.cancel("ben").await;
    story.hotel.settled("ben", Reason::Cancelled).await;
    let [ben] = story.end(["ben"]).await;
    let facts = [&BOOKED[..], &["CancelRequested", "Refunded", "Cancelled"]].concat();
    ben.went(7, &["InProgress", "Confirmed", "Cancelling", "Cancelled"], &facts, Current);
    ben.is_as_recorded("cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn() {
    let story = Story::begin("v-withdrawn").await;
    story.hotel.room("double", 1).await;
    story.hotel.reserve("fay", "double").await;
    story.hotel.settled("fay", Reason::Confirmed).await;
    story.hotel.delete("fay").await;
    story.hotel.gone("fay").await;
    let [fay] = story.end(["fay"]).await;
    let facts = [&BOOKED[..], &["Refunded", "Withdrawn"]].concat();
    fay.went(8, &["InProgress", "Confirmed", "Withdrawing", "Withdrawn"], &facts, Terminating);
    fay.is_as_recorded("withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_not_there_yet_is_waited_for() {
    let story = Story::begin("v-room-later").await;
    story.hotel.reserve("early", "double").await;
    story
        .hotel
        .until("early", |r: Option<&_>| {
            r.is_some_and(|r| is(r, &C::Accepted, Unknown, &Reason::RoomNotFound))
        })
        .await;
    story.hotel.room("double", 1).await;
    story.hotel.settled("early", Reason::Confirmed).await;
    let [early] = story.end(["early"]).await;
    early.went(5, &["Pending", "InProgress", "Confirmed"], &BOOKED, Current);
    early.is_as_recorded("room-later");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_or_deleted_while_the_room_is_waited_for() {
    let story = Story::begin("v-undecided").await;
    for name in ["calls-off", "goes"] {
        story.hotel.reserve(name, "nowhere").await;
        story
            .hotel
            .until(name, |r: Option<&_>| {
                r.is_some_and(|r| is(r, &C::Accepted, Unknown, &Reason::RoomNotFound))
            })
            .await;
    }
    story.hotel.cancel("calls-off").await;
    story.hotel.settled("calls-off", Reason::Cancelled).await;
    story.hotel.delete("goes").await;
    story.hotel.gone("goes").await;
    let [calls_off, goes] = story.end(["calls-off", "goes"]).await;
    calls_off.went(4, &["Pending", "Cancelled"], &["CancelRequested", "Cancelled"], Current);
    calls_off.is_as_recorded("cancelled-undecided");
    assert_eq!(goes.phases(), ["Pending"], "there was nothing to settle, and nothing that held it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_never_comes_is_waited_for_until_the_deadline() {
    let mut hotel = Hotel::open("v-timed-out").await;
    hotel.config.operator.accept_within = std::time::Duration::from_secs(5);
    let mut story = Story::without_an_operator(hotel).await;
    story.start();
    story.hotel.reserve("late", "nowhere").await;
    let late = story.hotel.settled("late", Reason::Rejected).await;
    assert!(is(&late, &C::Accepted, False, &Reason::TimedOut));
    let message = &late.status.as_ref().unwrap().conditions.get(&C::Ready).unwrap().message;
    assert!(message.contains("There is no Room \"nowhere\""), "{message}");
    // Too late: what is refused stays refused, so that nobody is charged for what they no longer expect.
    story.hotel.config.operator.accept_within = std::time::Duration::from_secs(3600);
    story.hotel.room("nowhere", 1).await;
    let [late] = story.end(["late"]).await;
    late.went(3, &["Pending", "Rejected"], &["Rejected"], Failed);
    late.is_as_recorded("timed-out");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_dear() {
    let story = Story::begin("v-too-dear").await;
    story.hotel.room("double", 1).await;
    let most = Money { currency: "EUR".to_owned(), minor_units: 23_999 };
    story.hotel.reserve_with("gus", "double", |s| s.max_total = Some(most)).await;
    story.hotel.settled("gus", Reason::Rejected).await;
    let [gus] = story.end(["gus"]).await;
    gus.went(2, &["Rejected"], &["Rejected"], Failed);
    gus.is_as_recorded("too-dear");
}

#[rstest]
#[case::the_key_is_refused(Kind::Unauthorized, Paid { status: "False", reason: "ProviderUnavailable" })]
#[case::the_answer_is_lost(Kind::Drop { when: When::After }, Paid { status: "Unknown", reason: "OutcomeUnknown" })]
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_for_a_while_is_told_once(#[case] kind: Kind, #[case] paid: Paid) {
    let story = Story::begin("v-provider").await;
    story.hotel.room("double", 1).await;
    // The driver's own repeats fail as well, and so do the first looks afterwards: only one write tells of all that.
    let fault = Fault { matches: Match::default(), fault: kind, skip: 0, times: None };
    story.hotel.provider.provider().add_fault(fault);
    story.hotel.reserve("hal", "double").await;
    story
        .hotel
        .until("hal", |r: Option<&innkeeper_api::Reservation>| {
            let paid = r.and_then(|r| r.status.as_ref()).and_then(|s| s.conditions.get(&C::Paid));
            paid.is_some_and(|p| matches!(p.reason, Reason::ProviderUnavailable | Reason::OutcomeUnknown))
        })
        .await;
    story.hotel.provider.provider().remove_faults(None);
    story.hotel.settled("hal", Reason::Confirmed).await;
    assert_eq!(story.hotel.accounts().await.len(), 1);
    let [hal] = story.end(["hal"]).await;
    hal.went(5, &["InProgress", "Confirmed"], &BOOKED, Current);
    let told = condition(&hal.versions[3].object, "Paid").unwrap();
    assert_eq!((&told["status"], &told["reason"]), (&paid.status.into(), &paid.reason.into()));
    hal.is_as_recorded(if paid.status == "False" { "provider-away" } else { "outcome-unknown" });
}

struct Paid {
    status: &'static str,
    reason: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_takes_its_time() {
    let story = Story::begin("v-processing").await;
    story.hotel.room("double", 1).await;
    story.hotel.reserve_with("ida", "double", |s| s.payment = pay_with("pm_card_asyncPending")).await;
    let ida = story.hotel.until("ida", has_payment_id).await;
    let id = ida.status.unwrap().payment.unwrap().id.unwrap();
    story.hotel.provider.provider().settle_intent(&id, Outcome::Succeeded).await.unwrap();
    story.hotel.settled("ida", Reason::Confirmed).await;
    let [ida] = story.end(["ida"]).await;
    ida.went(5, &["InProgress", "Confirmed"], &BOOKED, Current);
    ida.is_as_recorded("processing");
}

fn has_payment_id(reservation: Option<&innkeeper_api::Reservation>) -> bool {
    let payment = reservation.and_then(|r| r.status.as_ref()).and_then(|s| s.payment.as_ref());
    payment.is_some_and(|p| p.id.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_takes_its_time() {
    let story = Story::begin("v-refund-pending").await;
    cancel_with_a_pending_refund(&story).await;
    settle_refund(&story, Outcome::Succeeded).await;
    story.hotel.settled("kim", Reason::Cancelled).await;
    let [kim] = story.end(["kim"]).await;
    let facts = [&BOOKED[..], &["CancelRequested", "Refunded", "Cancelled"]].concat();
    kim.went(8, &["InProgress", "Confirmed", "Cancelling", "Cancelled"], &facts, Current);
    kim.is_as_recorded("refund-pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_waits_for_a_person_and_then_ends() {
    let story = Story::begin("v-refund-failed").await;
    cancel_with_a_pending_refund(&story).await;
    settle_refund(&story, Outcome::Failed).await;
    let failed = |r: Option<&_>| r.is_some_and(|r| is(r, &C::Stalled, True, &Reason::RefundFailed));
    let kim = story.hotel.until("kim", failed).await;
    assert!(is(&kim, &C::Refunded, False, &Reason::RefundFailed));
    let id = kim.status.unwrap().payment.unwrap().id.unwrap();
    story.hotel.provider.provider().refund_by_hand(&id, None).await.unwrap();
    settle_refund(&story, Outcome::Succeeded).await;
    story.hotel.settled("kim", Reason::Cancelled).await;
    let [kim] = story.end(["kim"]).await;
    assert_eq!(kim.phases(), ["InProgress", "Confirmed", "Cancelling", "Cancelled"]);
    assert_eq!(
        kim.facts(),
        [&BOOKED[..], &["CancelRequested", "RefundFailed", "Refunded", "Cancelled"]].concat()
    );
    let failed = kim.versions.iter().position(|v| condition(&v.object, "Stalled").is_some());
    let failed = failed.expect("a version that waits for a person");
    kim.up_to(failed).is_as_recorded("refund-failed");
}

async fn cancel_with_a_pending_refund(story: &Story) {
    story.hotel.room("double", 1).await;
    story.hotel.reserve_with("kim", "double", |s| s.payment = pay_with("pm_card_pendingRefund")).await;
    story.hotel.settled("kim", Reason::Confirmed).await;
    story.hotel.cancel("kim").await;
    let pending = |r: Option<&innkeeper_api::Reservation>| {
        let refunded = r.and_then(|r| r.status.as_ref()).and_then(|s| s.conditions.get(&C::Refunded));
        refunded.is_some_and(|c| c.message.contains("at the payment provider"))
    };
    story.hotel.until("kim", pending).await;
}

async fn settle_refund(story: &Story, outcome: Outcome) {
    let accounts = story.hotel.accounts().await;
    let pending =
        accounts[0].refunds.iter().find(|r| r.status == RefundStatus::Pending).expect("a pending refund");
    story.hotel.provider.provider().settle_refund(&pending.id, outcome).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_what_may_be_edited_is_stamped_once_and_changes_nothing_else() {
    let story = Story::begin("v-edited").await;
    story.hotel.room("double", 1).await;
    story.hotel.reserve("lea", "double").await;
    story.hotel.settled("lea", Reason::Confirmed).await;
    let patch = kube::api::Patch::Merge(serde_json::json!({ "spec": { "ttlAfterFinished": "720h" } }));
    story.hotel.reservations().patch("lea", &kube::api::PatchParams::default(), &patch).await.unwrap();
    let stamped = |r: Option<&innkeeper_api::Reservation>| {
        r.and_then(|r| r.status.as_ref()).is_some_and(|s| s.observed_generation == 2)
    };
    story.hotel.until("lea", stamped).await;
    let [lea] = story.end(["lea"]).await;
    lea.went(6, &["InProgress", "Confirmed"], &BOOKED, Current);
    let without_stamps = |index: usize| {
        let text = lea.versions[index].object["status"].to_string();
        text.replace("\"observedGeneration\":2", "\"observedGeneration\":1")
    };
    assert_eq!(without_stamps(3), without_stamps(5));
    lea.is_as_recorded("edited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_wakes_those_who_wait_for_it_whenever_it_comes() {
    let hotel = Hotel::open("v-room-races").await;
    let operator = hotel.operator();
    // Each Room comes within the moment in which its Reservation is looked at for the first time.
    let at_desk = || Payment { collect: Collect::AtProperty, method: None, reference: None };
    futures::future::join_all((0..40).map(|n| {
        let (hotel, name) = (&hotel, format!("race-{n}"));
        async move {
            hotel.reserve_with(&name, &name, |s| s.payment = at_desk()).await;
            tokio::time::sleep(std::time::Duration::from_millis(n % 10)).await;
            hotel.room(&name, 1).await;
            hotel.settled(&name, Reason::Confirmed).await;
        }
    }))
    .await;
    operator.stop().await;
}
