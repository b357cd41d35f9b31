//! What is put right by itself: holders that nobody stands for, a process that slept between looking and acting, nights
//! whose refund is stuck.

use std::sync::atomic::Ordering;
use std::time::Duration;

use innkeeper_api::{ConditionStatus, ConditionType, Phase, Reason, Reservation, WantedState};
use innkeeper_payments::sandbox::{Fault, Kind, Match, When};
use jiff::civil::date;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::eventually_async;
use crate::support::hotel::{Hotel, is, uid};

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
    let stored =
        hotel.calendars().replace("double-2030-07", &PostParams::default(), &calendar).await.unwrap();
    assert_eq!(stored.spec.nights[0].holders[0], stranger);

    assert!(eventually_async(async || hotel.holders().await == before).await, "the stranger is still there");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_slept_after_looking_looks_again_before_it_charges() {
    let mut hotel = Hotel::open("slept").await;
    hotel.config.operator.accept_within = Duration::from_secs(100 * 3600);
    let asleep = hotel.movable_clock();
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
        // The list that is read once before the first charge.
        skip: 1,
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
    assert_eq!(order, ["GET", "POST", "GET", "GET", "POST"], "looked again after it slept");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_was_torn_out_is_made_anew_at_once_with_its_guests() {
    let hotel = Hotel::open("torn").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel.reserve("pia", "double").await;
    hotel.settled("pia", Reason::Confirmed).await;
    let (before, made) =
        (hotel.holders().await, hotel.calendars().get("double-2030-07").await.unwrap().uid());
    // A calendar with guests cannot be deleted: its guests are torn out first, then it goes.
    hotel.empty("double-2030-07").await;
    // It may be whole again already, and then it may not be deleted.
    let _ = hotel.calendars().delete("double-2030-07", &DeleteParams::default()).await;
    hotel.wake("pia").await;
    assert!(eventually_async(async || hotel.holders().await == before).await, "Pia's nights are not back");

    // And with no operator to see it, which a start makes good.
    operator.stop().await;
    hotel.empty("double-2030-07").await;
    hotel.calendars().delete("double-2030-07", &DeleteParams::default()).await.unwrap();
    let operator = hotel.operator();
    assert!(eventually_async(async || hotel.holders().await == before).await, "Pia's nights are not back");
    assert_ne!(hotel.calendars().get("double-2030-07").await.unwrap().uid(), made);
    assert_eq!(hotel.reservations().get("pia").await.unwrap().status.unwrap().history.len(), 3);
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booked_guest_whose_nights_somebody_else_has_is_told_and_has_them_when_they_are_free() {
    let hotel = Hotel::open("robbed").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel.reserve("quin", "double").await;
    hotel.settled("quin", Reason::Confirmed).await;
    let quins = hotel.holders().await;
    // By hand, in one write: no night has more holders than units at any time.
    let stranger = hotel.reserve_with("rolf", "double", |s| s.state = Some(WantedState::Cancelled)).await;
    hotel.settled("rolf", Reason::Cancelled).await;
    operator.stop().await;
    let mut calendar = hotel.calendars().get("double-2030-07").await.unwrap();
    for night in &mut calendar.spec.nights[..2] {
        night.holders.clear();
    }
    calendar.metadata.managed_fields = None;
    let mut calendar =
        hotel.calendars().replace("double-2030-07", &PostParams::default(), &calendar).await.unwrap();
    let other = "11111111-1111-4111-8111-111111111111";
    for night in &mut calendar.spec.nights[..2] {
        night.holders = vec![other.to_owned()];
    }
    calendar.metadata.managed_fields = None;
    let mut hotel = hotel;
    let ahead = hotel.movable_clock();
    ahead.store(60, Ordering::SeqCst);
    hotel.calendars().replace("double-2030-07", &PostParams::default(), &calendar).await.unwrap();
    drop(stranger);

    let operator = hotel.operator();
    let quin =
        hotel.becomes("quin", ConditionType::Allocated, ConditionStatus::False, Reason::NightsLost).await;
    assert!(is(&quin, &ConditionType::Stalled, ConditionStatus::True, &Reason::NightsLost));
    assert!(is(&quin, &ConditionType::Settled, ConditionStatus::True, &Reason::Confirmed));
    let counted = "innkeeper_reservations_waiting_for_a_person{reason=\"NightsLost\"} 1";
    assert!(eventually_async(async || operator.metrics.text().contains(counted)).await, "nobody is alerted");
    // Nobody stands for the stranger, so the sweep lets the nights go, and Quin has them again.
    assert!(eventually_async(async || !hotel.holders().await.iter().any(|(_, h)| h == other)).await);
    hotel.wake("quin").await;
    let quin =
        hotel.becomes("quin", ConditionType::Allocated, ConditionStatus::True, Reason::Allocated).await;
    assert!(is(&quin, &ConditionType::Ready, ConditionStatus::True, &Reason::Confirmed));
    assert_eq!(hotel.holders().await, quins);
    assert!(eventually_async(async || !operator.metrics.text().contains(counted)).await);
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_was_edited_or_wiped_by_hand_is_mended_and_nobody_is_charged_again() {
    let hotel = Hotel::open("edited").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel.reserve("sara", "double").await;
    let sara = hotel.settled("sara", Reason::Confirmed).await;
    for edit in [
        json!({ "status": { "phase": "Rejected", "conditions": sara.status.as_ref().unwrap().conditions } }),
        json!({ "status": { "allocation": null } }),
        json!({ "status": null }),
    ] {
        let patch = Patch::Merge(&edit);
        hotel.reservations().patch_status("sara", &PatchParams::default(), &patch).await.unwrap();
        let mended = |r: Option<&Reservation>| {
            r.and_then(|r| r.status.as_ref()).is_some_and(|s| {
                s.phase == Some(Phase::Confirmed)
                    && s.allocation.is_some()
                    && s.conditions.is(&ConditionType::Ready, ConditionStatus::True, &Reason::Confirmed)
            })
        };
        hotel.until("sara", mended).await;
    }
    hotel.account().await;
    assert_eq!(hotel.money_kept().await, 24_000);
    operator.stop().await;
    hotel.check().await;
}

/// What was agreed cannot be found out again, for the Room would not take the stay today: nothing is given up on that.
#[tokio::test(flavor = "multi_thread")]
async fn a_booked_stay_whose_terms_were_wiped_waits_for_a_person_and_gives_everything_back_if_cancelled() {
    let mut hotel = Hotel::open("wiped").await;
    let ahead = hotel.movable_clock();
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel.reserve("xena", "double").await;
    hotel.settled("xena", Reason::Confirmed).await;
    operator.stop().await;
    let held = hotel.holders().await;
    let stop = Patch::Merge(json!({ "spec": { "sale": "Stopped" } }));
    hotel.rooms().patch("double", &PatchParams::default(), &stop).await.unwrap();
    let wipe = Patch::Merge(json!({ "status": null }));
    hotel.reservations().patch_status("xena", &PatchParams::default(), &wipe).await.unwrap();
    ahead.store(2 * 3600, Ordering::SeqCst);

    let operator = hotel.operator();
    let xena =
        hotel.becomes("xena", ConditionType::Accepted, ConditionStatus::Unknown, Reason::TermsLost).await;
    assert!(is(&xena, &ConditionType::Stalled, ConditionStatus::True, &Reason::TermsLost));
    let counted = "innkeeper_reservations_waiting_for_a_person{reason=\"TermsLost\"} 1";
    assert!(eventually_async(async || operator.metrics.text().contains(counted)).await, "nobody is alerted");
    assert_eq!((hotel.holders().await, hotel.money_kept().await), (held, 24_000));
    hotel.cancel("xena").await;
    hotel.settled("xena", Reason::Cancelled).await;
    assert_eq!((hotel.holders().await, hotel.money_kept().await), (vec![], 0));
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capacity_written_by_hand_is_put_right_and_oversells_nobody() {
    let hotel = Hotel::open("hand").await;
    let operator = hotel.operator();
    hotel.room("double", 1).await;
    hotel.reserve("yves", "double").await;
    hotel.settled("yves", Reason::Confirmed).await;
    let mut calendar = hotel.calendars().get("double-2030-07").await.unwrap();
    for night in &mut calendar.spec.nights {
        (night.capacity, night.room_generation) = (9, 40);
    }
    calendar.metadata.managed_fields = None;
    hotel.calendars().replace("double-2030-07", &PostParams::default(), &calendar).await.unwrap();
    hotel.reserve("zita", "double").await;
    let zita = hotel.settled("zita", Reason::Rejected).await;
    assert!(is(&zita, &ConditionType::Allocated, ConditionStatus::False, &Reason::OutOfStock));
    let capacities = async || {
        let nights = hotel.calendars().get("double-2030-07").await.unwrap().spec.nights;
        nights.iter().map(|n| n.capacity).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(eventually_async(async || capacities().await == [1].into()).await, "not put right");
    // The Room is followed from then on as before.
    let more = Patch::Merge(json!({ "spec": { "units": 3 } }));
    hotel.rooms().patch("double", &PatchParams::default(), &more).await.unwrap();
    assert!(eventually_async(async || capacities().await == [3].into()).await, "the Room is not followed");
    operator.stop().await;
    hotel.check().await;
}

/// A calendar made by hand, at the Room's own generation: what is stored counts, and the Room says so until somebody
/// touches it.
#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_says_otherwise_than_its_room_is_told_until_the_room_is_touched() {
    let hotel = Hotel::open("otherwise").await;
    let room = hotel.room("double", 1).await;
    let nights: Vec<_> = (1..=31)
        .map(|day| json!({ "date": format!("2030-07-{day:02}"), "capacity": 2, "roomGeneration": 1 }))
        .collect();
    let calendar = json!({ "apiVersion": "innkeeper.dev/v1alpha1", "kind": "RoomCalendar",
        "metadata": { "name": "double-2030-07" }, "roomName": "double", "roomUID": room.uid().unwrap(),
        "month": "2030-07", "nights": nights });
    let calendar = serde_json::from_value(calendar).unwrap();
    hotel.calendars().create(&PostParams::default(), &calendar).await.unwrap();
    let operator = hotel.operator();
    let says = |reason| {
        move |r: &innkeeper_api::Room| {
            let conditions = r.status.as_ref().map(|s| &s.conditions);
            conditions.is_some_and(|c| c.is(&ConditionType::Available, ConditionStatus::True, &reason))
        }
    };
    let told = hotel.room_until("double", says(Reason::CalendarOutOfDate)).await;
    let message = told.status.unwrap().conditions.get(&ConditionType::Available).unwrap().message.clone();
    assert!(message.contains("on 31 nights: 2030-07-01 (2 instead of 1)"), "{message}");
    let touch = Patch::Merge(json!({ "spec": { "display": [{ "language": "en", "title": "Double" }] } }));
    hotel.rooms().patch("double", &PatchParams::default(), &touch).await.unwrap();
    hotel.room_until("double", says(Reason::Open)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_past_is_emptied_and_goes_and_its_guests_stay_as_they_are() {
    let mut hotel = Hotel::open("past").await;
    hotel.config.operator.resync = Duration::from_millis(200);
    let ahead = hotel.movable_clock();
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    hotel.reserve("tom", "double").await;
    hotel
        .reserve_with("uma", "double", |s| {
            s.check_in = date(2030, 7, 30);
            s.check_out = date(2030, 8, 25);
        })
        .await;
    hotel.settled("tom", Reason::Confirmed).await;
    hotel.settled("uma", Reason::Confirmed).await;
    let go_to = |day: jiff::civil::Date| {
        let at = day.in_tz("UTC").unwrap().timestamp();
        ahead.store(at.as_second() - jiff::Timestamp::now().as_second(), Ordering::SeqCst);
    };
    // Tom has left; Uma is still there, and July holds her first nights.
    go_to(date(2030, 8, 10));
    let toms = uid(&hotel.reservations().get("tom").await.unwrap());
    let gone = async || !hotel.holders().await.iter().any(|(_, holder)| *holder == toms);
    assert!(eventually_async(gone).await, "Tom is still in July");
    let july: Vec<_> = hotel.holders().await.into_iter().filter(|(night, _)| night.month() == 7).collect();
    assert_eq!(july.len(), 2, "the nights of 30 and 31 July are Uma's");
    // Then both months are past.
    go_to(date(2030, 9, 10));
    let empty = async || hotel.calendars().list(&ListParams::default()).await.unwrap().items.is_empty();
    assert!(eventually_async(empty).await, "past months are still there");
    for name in ["tom", "uma"] {
        let guest = hotel.reservations().get(name).await.unwrap();
        assert!(is(&guest, &ConditionType::Ready, ConditionStatus::True, &Reason::Confirmed));
        hotel.wake(name).await;
    }
    operator.looks_again(2).await;
    assert!(empty().await, "nobody takes a night that is past");
    assert_eq!(hotel.money_kept().await, 24_000 + 26 * 12_000);
    operator.stop().await;
}
