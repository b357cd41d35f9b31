//! The three stories, and what else a booking can come to, on a real API server with a real provider.

use innkeeper_api::{
    CancellationTier, ConditionStatus, ConditionType, FactKind, Reason, Reservation, WantedState,
};

use crate::support::hotel::{Hotel, is, pay_with, uid};

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
    let settled = |r: Option<&Reservation>| {
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
            s.payment = pay_with("pm_card_visa_chargeDeclinedInsufficientFunds");
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
async fn who_cancels_after_check_in_gets_nothing_back_and_the_money_is_marked_as_the_hotels() {
    let hotel = Hotel::open("late").await;
    let operator = hotel.operator();
    // Check-in was at the first minute of today, in a zone where that is always past.
    hotel
        .room_with("double", 1, |r| {
            r.time_zone = "Pacific/Kiritimati".to_owned();
            r.check_in_time = "00:00".to_owned();
        })
        .await;
    let today = jiff::Timestamp::now().in_tz("Pacific/Kiritimati").unwrap().date();
    hotel
        .reserve_with("hal", "double", |s| {
            s.check_in = today;
            s.check_out = today.tomorrow().unwrap();
        })
        .await;
    hotel.settled("hal", Reason::Confirmed).await;

    hotel.cancel("hal").await;
    let hal = hotel.settled("hal", Reason::Cancelled).await;
    assert!(is(&hal, &C::Refunded, True, &Reason::NothingDue));
    let money = hal.status.as_ref().unwrap().payment.clone().unwrap();
    assert_eq!((money.captured, money.refunded, money.kept), (12_000, 0, 12_000));
    assert_eq!(hotel.holders().await, []);

    hotel.delete("hal").await;
    hotel.gone("hal").await;
    let accounts = hotel.accounts().await;
    assert_eq!(hotel.money_kept().await, 12_000, "deleting afterwards gives nothing back");
    assert_eq!(accounts[0].intent.metadata.get("innkeeper_settled").map(String::as_str), Some("12000"));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_gives_back_its_share_and_the_hotel_keeps_the_rest() {
    let hotel = Hotel::open("tier").await;
    let operator = hotel.operator();
    hotel
        .room_with("double", 1, |r| {
            r.rate.minor_units = 3_333;
            r.cancellation = vec![
                CancellationTier { hours_before: 0, refund_percent: 50 },
                CancellationTier { hours_before: 8784, refund_percent: 50 },
            ];
        })
        .await;
    hotel.reserve("ida", "double").await;
    hotel.settled("ida", Reason::Confirmed).await;
    hotel.cancel("ida").await;
    let ida = hotel.settled("ida", Reason::Cancelled).await;
    let money = ida.status.as_ref().unwrap().payment.clone().unwrap();
    assert_eq!((money.captured, money.refunded, money.kept), (6_666, 3_333, 3_333));
    assert_eq!(hotel.money_kept().await, 3_333);
    assert_eq!(hotel.holders().await, []);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_before_it_was_seen_is_never_charged() {
    let hotel = Hotel::open("unseen").await;
    hotel.room("double", 1).await;
    hotel.reserve_with("jo", "double", |s| s.state = Some(WantedState::Cancelled)).await;
    let operator = hotel.operator();
    let jo = hotel.settled("jo", Reason::Cancelled).await;
    assert!(is(&jo, &C::Accepted, ConditionStatus::Unknown, &Reason::NotDecided));
    assert!(is(&jo, &C::Ready, True, &Reason::Cancelled));
    assert!(hotel.accounts().await.is_empty());
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_waits_for_its_room_and_is_booked_once_the_room_is_there() {
    let hotel = Hotel::open("waits").await;
    let operator = hotel.operator();
    hotel.reserve("kim", "double").await;
    let waits = |r: Option<&Reservation>| {
        r.is_some_and(|r| is(r, &C::Accepted, ConditionStatus::Unknown, &Reason::RoomNotFound))
    };
    hotel.until("kim", waits).await;
    hotel.room("double", 1).await;
    hotel.settled("kim", Reason::Confirmed).await;
    operator.stop().await;
}
