//! What is put right by itself: holders that nobody stands for, a process that slept between looking and acting, nights
//! whose refund is stuck.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use innkeeper_api::{ConditionStatus, ConditionType, Reason, Reservation};
use innkeeper_payments::sandbox::{Fault, Kind, Match, When};
use jiff::Timestamp;
use kube::api::PostParams;

use crate::support::eventually_async;
use crate::support::hotel::{Hotel, is};

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_whose_reservation_is_gone_is_swept_out_and_the_others_stay() {
    let hotel = Hotel::open("sweep").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    hotel.reserve("lea", "double").await;
    hotel.settled("lea", Reason::Confirmed).await;
    let before = hotel.holders().await;

    // As a write of an operator would leave it that was paused while its Reservation was refused and deleted.
    let stranger = "00000000-0000-4000-8000-000000000000";
    let mut calendar = hotel.calendars().get("double-2030-07").await.unwrap();
    for night in &mut calendar.spec.nights[..2] {
        night.holders.insert(0, stranger.to_owned());
    }
    calendar.metadata.managed_fields = None;
    hotel.calendars().replace("double-2030-07", &PostParams::default(), &calendar).await.unwrap();
    assert_ne!(hotel.holders().await, before);

    assert!(eventually_async(async || hotel.holders().await == before).await, "the stranger is still there");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_slept_after_looking_looks_again_before_it_charges() {
    let mut hotel = Hotel::open("slept").await;
    hotel.config.operator.accept_within = Duration::from_secs(100 * 3600);
    let asleep = Arc::new(AtomicI64::new(0));
    let slept = Arc::clone(&asleep);
    hotel.clock = Arc::new(move || {
        Timestamp::from_second(Timestamp::now().as_second() + slept.load(Ordering::SeqCst)).unwrap()
    });
    hotel.room("double", 1).await;
    let provider = hotel.provider.provider();
    // The first charge is lost on its way, so that it has to be looked up.
    let charges = Match {
        method: Some("POST".to_owned()),
        path: Some("/v1/payment_intents".to_owned()),
        ..Match::default()
    };
    provider.add_fault(Fault {
        matches: charges,
        fault: Kind::Drop { when: When::Before },
        skip: 0,
        times: Some(1),
    });
    // While it is looked up, the process sleeps for two hours.
    let looks = Match {
        method: Some("GET".to_owned()),
        path: Some("/v1/payment_intents".to_owned()),
        ..Match::default()
    };
    let look = provider.add_fault(Fault {
        matches: looks,
        fault: Kind::Delay { when: When::After, millis: 4_000 },
        skip: 0,
        times: None,
    });
    let operator = hotel.operator();
    hotel.reserve("mia", "double").await;
    assert!(eventually_async(async || provider.faults().iter().any(|f| f.id == look.id && f.hits > 0)).await);
    asleep.store(2 * 3600, Ordering::SeqCst);

    hotel.settled("mia", Reason::Confirmed).await;
    let calls = provider.ledger().calls(0, 100).await.unwrap();
    let order: Vec<&str> =
        calls.iter().filter(|c| c.path == "/v1/payment_intents").map(|c| c.method.as_str()).collect();
    assert_eq!(order, ["POST", "GET", "GET", "POST"], "looked again after it slept");
    assert_eq!(hotel.money_kept().await, 24_000);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nights_of_a_cancelled_stay_are_sold_again_while_its_refund_is_stuck() {
    let hotel = Hotel::open("stuck").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel.reserve("nora", "double").await;
    hotel.settled("nora", Reason::Confirmed).await;
    let provider = hotel.provider.provider();
    let refunds =
        Match { method: Some("POST".to_owned()), path: Some("/v1/refunds".to_owned()), ..Match::default() };
    let fault = Kind::ServerError { when: When::Before, stored: false };
    provider.add_fault(Fault { matches: refunds, fault, skip: 0, times: None });
    hotel.cancel("nora").await;
    let free = |r: Option<&Reservation>| {
        r.is_some_and(|r| is(r, &ConditionType::Allocated, ConditionStatus::False, &Reason::Released))
    };
    hotel.until("nora", free).await;

    hotel.reserve("otto", "double").await;
    hotel.settled("otto", Reason::Confirmed).await;
    let nora = hotel.reservations().get("nora").await.unwrap();
    assert!(is(&nora, &ConditionType::Settled, ConditionStatus::False, &Reason::Cancelling));
    assert!(is(&nora, &ConditionType::Refunded, ConditionStatus::False, &Reason::Pending));

    provider.remove_faults(None);
    hotel.settled("nora", Reason::Cancelled).await;
    assert_eq!(hotel.money_kept().await, 24_000, "Nora's money went back, Otto's is there");
    operator.stop().await;
}
