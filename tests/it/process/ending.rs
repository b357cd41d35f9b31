//! How an operator ends: asked to, asked twice, and killed.

use innkeeper_api::{Reason, Reservation};
use innkeeper_payments::sandbox::{Fault, Kind, Match, When};

use crate::support::PATIENCE;
use crate::support::hotel::Hotel;
use crate::support::process::{Files, Process};

/// Long enough for a signal to arrive in the middle.
const SLOW: u64 = 3_000;

/// Books a stay and returns while its charge is under way.
async fn book_slowly(hotel: &Hotel, when: When) {
    hotel.room("double", 1).await;
    let matches = Match {
        method: Some("POST".to_owned()),
        path: Some("/v1/payment_intents".to_owned()),
        ..Match::default()
    };
    let provider = hotel.provider.provider();
    let mut activity = provider.activity();
    let fault = Kind::Delay { when, millis: SLOW };
    let slow = provider.add_fault(Fault { matches, fault, skip: 0, times: Some(1) }).id;
    hotel.reserve("anna", "double").await;
    let met = activity.wait_for(|_| provider.faults().iter().any(|f| f.id == slow && f.hits == 1));
    tokio::time::timeout(PATIENCE, met).await.expect("the charge is sent").unwrap();
}

fn is_settled(reservation: &Reservation) -> bool {
    let settled = innkeeper_api::ConditionType::Settled;
    reservation.status.as_ref().is_some_and(|s| s.conditions.reason(&settled) == Some(&Reason::Confirmed))
}

async fn leading(hotel: &Hotel) -> Process {
    let operator = Files::of(hotel).operator();
    operator.leads().await;
    operator
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_it_is_not_ready_any_more_and_finishes_the_booking_under_way() {
    let hotel = Hotel::open("drain").await;
    let files = Files::of(&hotel);
    let mut operator = files.operator();
    operator.leads().await;
    book_slowly(&hotel, When::Before).await;
    operator.signal("TERM");
    let why = operator.answers("/readyz", |status, _| status == 503).await;
    assert!(why.contains("shutting down"), "{why}");
    let anna = hotel.reservations().get("anna").await.unwrap();
    assert!(!is_settled(&anna), "not ready first, then drained");
    assert_eq!(
        operator.ask("/livez").await.map(|(status, _)| status),
        Some(200),
        "draining is no reason to be killed"
    );

    // What comes now is for another.
    hotel.reserve("ben", "double").await;
    assert_eq!(operator.exit().await, Some(0));
    let anna = hotel.reservations().get("anna").await.unwrap();
    assert!(is_settled(&anna), "{anna:#?}");
    assert!(hotel.reservations().get("ben").await.unwrap().status.is_none_or(|s| s.conditions.0.is_empty()));
    assert_eq!(hotel.accounts().await.len(), 1);

    let mut next = files.operator();
    hotel.settled("ben", Reason::Rejected).await;
    assert_eq!(hotel.money_kept().await, 24_000);
    assert_eq!(next.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_twice_it_ends_at_once_and_the_next_one_finishes_the_booking() {
    let hotel = Hotel::open("twice").await;
    let mut operator = leading(&hotel).await;
    book_slowly(&hotel, When::After).await;
    operator.signal("TERM");
    operator.says("draining").await;
    operator.signal("TERM");
    assert_eq!(operator.exit().await, Some(143));
    assert!(!is_settled(&hotel.reservations().get("anna").await.unwrap()));

    let _next = leading(&hotel).await;
    hotel.settled("anna", Reason::Confirmed).await;
    assert_eq!(hotel.accounts().await.len(), 1, "charged once");
    assert_eq!(hotel.money_kept().await, 24_000);
}

#[rstest::rstest]
#[case::before_the_charge_took_effect(When::Before)]
#[case::after_the_charge_took_effect(When::After)]
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_charge_the_next_one_settles_it_and_charges_once(#[case] when: When) {
    let hotel = Hotel::open("killed").await;
    let mut operator = leading(&hotel).await;
    book_slowly(&hotel, when).await;
    operator.signal("KILL");
    assert_eq!(operator.exit().await, None);
    assert!(!is_settled(&hotel.reservations().get("anna").await.unwrap()));

    let _next = leading(&hotel).await;
    hotel.settled("anna", Reason::Confirmed).await;
    assert_eq!(hotel.accounts().await.len(), 1, "charged once");
    assert_eq!(hotel.money_kept().await, 24_000);
    assert_eq!(hotel.holders().await.len(), 2);
}
