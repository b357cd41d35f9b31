//! The three stories, and what else a booking can come to, on a real API server with a real provider.

use innkeeper_api::{ConditionStatus, ConditionType, FactKind, Reason};

use crate::support::hotel::{Hotel, is, pay_with, uid};
use crate::support::{kubectl, stderr};

use ConditionStatus::{False, True};
use ConditionType as C;

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_is_booked_and_the_room_shows_one_unit_fewer() {
    let hotel = Hotel::open("booked").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.fewest_free == Some(2))).await;

    hotel.reserve("anna", "double").await;
    let anna = hotel.settled("anna", Reason::Confirmed).await;

    assert!(is(&anna, &C::Paid, True, &Reason::Captured));
    assert!(is(&anna, &C::Allocated, True, &Reason::Allocated));
    assert!(is(&anna, &C::Ready, True, &Reason::Confirmed));
    let status = anna.status.clone().unwrap();
    assert_eq!(status.quote.as_ref().unwrap().total, 24_000);
    assert_eq!(status.payment.as_ref().unwrap().captured, 24_000);
    let facts: Vec<_> = status.history.iter().map(|f| f.fact.clone()).collect();
    assert_eq!(facts, [FactKind::Requested, FactKind::Paid, FactKind::Confirmed]);
    let holders = hotel.holders().await;
    assert_eq!(holders.len(), 2);
    assert!(holders.iter().all(|(_, holder)| *holder == uid(&anna)));
    assert_eq!(hotel.money_kept().await, 24_000);
    hotel
        .room_until("double", |r| {
            r.status.as_ref().is_some_and(|s| s.fewest_free == Some(1) && s.stays_ahead == 1)
        })
        .await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booked_stay_that_is_cancelled_before_check_in_is_refunded_and_its_nights_are_free() {
    let hotel = Hotel::open("cancelled").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel.reserve("ben", "double").await;
    hotel.settled("ben", Reason::Confirmed).await;

    hotel.cancel("ben").await;
    let ben = hotel.settled("ben", Reason::Cancelled).await;

    assert!(is(&ben, &C::Ready, True, &Reason::Cancelled));
    assert!(is(&ben, &C::Refunded, True, &Reason::Refunded));
    assert!(is(&ben, &C::Paid, True, &Reason::Captured));
    assert!(is(&ben, &C::Allocated, False, &Reason::Released));
    let money = ben.status.as_ref().unwrap().payment.clone().unwrap();
    assert_eq!((money.captured, money.refunded, money.kept), (24_000, 24_000, 0));
    assert_eq!(hotel.holders().await, []);
    assert_eq!(hotel.money_kept().await, 0);

    hotel.reserve("carl", "double").await;
    hotel.settled("carl", Reason::Confirmed).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_guests_who_pay_for_the_last_unit_one_has_it_and_the_other_is_refunded() {
    let hotel = Hotel::open("rolled-back").await;
    let operator = hotel.operator();
    hotel.room("suite", 1).await;

    hotel.reserve("chris", "suite").await;
    hotel.reserve("dana", "suite").await;
    let settled = |r: Option<&innkeeper_api::Reservation>| {
        r.and_then(|r| r.status.as_ref())
            .and_then(|s| s.conditions.get(&C::Settled))
            .is_some_and(|c| c.status == True)
    };
    let both = [hotel.until("chris", settled).await, hotel.until("dana", settled).await];

    let confirmed = both.iter().filter(|r| is(r, &C::Settled, True, &Reason::Confirmed)).count();
    assert_eq!(confirmed, 1);
    let loser = both.iter().find(|r| !is(r, &C::Settled, True, &Reason::Confirmed)).unwrap();
    assert!(is(loser, &C::Settled, True, &Reason::Rejected));
    assert!(is(loser, &C::Paid, True, &Reason::Captured), "the guest had paid");
    assert!(is(loser, &C::Allocated, False, &Reason::OutOfStock));
    assert!(is(loser, &C::Refunded, True, &Reason::Refunded));
    assert!(is(loser, &C::Ready, False, &Reason::OutOfStock));
    assert!(is(loser, &C::Stalled, True, &Reason::OutOfStock));
    assert_eq!(hotel.money_kept().await, 24_000);
    assert_eq!(hotel.holders().await.len(), 2);
    assert_eq!(hotel.accounts().await.len(), 2, "both were charged");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_ends_it_with_nothing_taken_and_no_night_held() {
    let hotel = Hotel::open("declined").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel
        .reserve_with("erik", "double", |s| {
            s.payment = pay_with("pm_card_visa_chargeDeclinedInsufficientFunds")
        })
        .await;
    let erik = hotel.settled("erik", Reason::Rejected).await;
    assert!(is(&erik, &C::Paid, False, &Reason::Declined));
    assert!(is(&erik, &C::Refunded, True, &Reason::NothingDue));
    assert_eq!(hotel.money_kept().await, 0);
    assert_eq!(hotel.holders().await, []);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booked_stay_that_is_deleted_is_refunded_and_released_before_the_object_goes() {
    let hotel = Hotel::open("withdrawn").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel.reserve("fay", "double").await;
    hotel.settled("fay", Reason::Confirmed).await;
    hotel.delete("fay").await;
    hotel.gone("fay").await;
    assert_eq!(hotel.money_kept().await, 0);
    assert_eq!(hotel.holders().await, []);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_over_two_months_is_held_in_both_or_in_neither() {
    let hotel = Hotel::open("two-months").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    let over = |s: &mut innkeeper_api::ReservationSpec| {
        s.check_in = jiff::civil::date(2030, 7, 30);
        s.check_out = jiff::civil::date(2030, 8, 3);
    };
    hotel
        .reserve_with("august", "double", |s| {
            s.check_in = jiff::civil::date(2030, 8, 2);
            s.check_out = jiff::civil::date(2030, 8, 4);
        })
        .await;
    hotel.settled("august", Reason::Confirmed).await;
    hotel.reserve_with("over", "double", over).await;
    let refused = hotel.settled("over", Reason::Rejected).await;
    assert!(is(&refused, &C::Allocated, False, &Reason::OutOfStock));
    assert_eq!(hotel.holders().await.len(), 2, "nothing of July is held by the one who did not get August");

    hotel.delete("august").await;
    hotel.gone("august").await;
    hotel.reserve_with("again", "double", over).await;
    let again = hotel.settled("again", Reason::Confirmed).await;
    assert_eq!(again.status.unwrap().allocation.unwrap().calendars, ["double-2030-07", "double-2030-08"]);
    assert_eq!(hotel.holders().await.len(), 4);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sets_an_expiry_is_told_that_nothing_expires_yet() {
    let hotel = Hotel::open("expiry").await;
    hotel.reserve("gus", "double").await;
    let set = ["patch", "rsv", "gus", "-n", &hotel.namespace, "--type", "merge", "-p"];
    // A policy takes a moment to come into force after it was applied.
    let mut hours = 0;
    let warned = crate::support::eventually(|| {
        hours += 1;
        let patch = format!(r#"{{"spec":{{"ttlAfterFinished":"{hours}h"}}}}"#);
        let output = kubectl(&[&set[..], &[&patch]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output).contains("has no effect in this version")
    })
    .await;
    assert!(warned);
    let again = kubectl(&["annotate", "rsv", "gus", "-n", &hotel.namespace, "desk=1"]);
    assert!(!stderr(&again).contains("Warning"), "said once, when it is set: {}", stderr(&again));
}
