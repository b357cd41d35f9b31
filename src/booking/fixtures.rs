//! What the tests of this crate start from, and what must be true of every status that any of them sees.
//!
//! The hotel of the tests: the Room `sea-view` with two units at 120.00 EUR in Lisbon, and a stay of two nights in it.

use innkeeper_api::{
    Collect, ConditionStatus, ConditionType, Flow, Guests, Payment, Phase, Quote, Rate, Reason,
    ReservationSpec, ReservationStatus, RoomSpec, Sale,
};
use jiff::Timestamp;
use jiff::civil::{Date, date};

use crate::room::SellableRoom;
use crate::terms::{RoomIdentity, accept};

pub(crate) const UID: &str = "0a2f9f6e-3f5b-4d7e-9c3e-5b8d6a1f0c11";
pub(crate) const ROOM_UID: &str = "5d1c7a52-8a53-4a3c-b6a8-3c1f2e9d7b60";
pub(crate) const NOW: &str = "2026-11-22T12:00:00Z";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    at(NOW)
}

pub(crate) fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub(crate) fn room() -> RoomSpec {
    RoomSpec {
        units: 2,
        rate: Rate { currency: "EUR".to_owned(), minor_units: 12_000 },
        rates: Vec::new(),
        overbooking: 0,
        out_of_order: Vec::new(),
        sale: Sale::Open,
        restrictions: None,
        flow: Flow::PayFirst,
        cancellation: Vec::new(),
        time_zone: "Europe/Lisbon".to_owned(),
        check_in_time: "15:00".to_owned(),
        display: Vec::new(),
        max_guests: None,
    }
}

pub(crate) fn stay() -> ReservationSpec {
    ReservationSpec {
        room_name: "sea-view".to_owned(),
        check_in: date(2026, 12, 1),
        check_out: date(2026, 12, 3),
        units: 1,
        guest_id: "guest-1".to_owned(),
        guests: Guests::default(),
        payment: Payment {
            collect: Collect::Online,
            method: Some("pm_card_visa".to_owned()),
            reference: None,
        },
        max_total: None,
        state: None,
        ttl_after_finished: None,
    }
}

/// The price and terms of a stay in a Room, which must be acceptable.
pub(crate) fn quote(stay: &ReservationSpec, room: &RoomSpec) -> Quote {
    let identity = RoomIdentity { uid: ROOM_UID, generation: 3 };
    accept(stay, &SellableRoom::check(room).unwrap(), identity, now()).unwrap()
}

/// What kstatus, the API conventions and the business ask of every status with conditions, whatever led to it.
#[track_caller]
pub(crate) fn assert_well_formed(status: &ReservationStatus) {
    use ConditionStatus::{False, True, Unknown};
    let is = |type_: &ConditionType, wanted| status.conditions.get(type_).is_some_and(|c| c.status == wanted);
    let (ready, reconciling, stalled) =
        (ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled);

    for (n, condition) in status.conditions.0.iter().enumerate() {
        assert!(!condition.reason.as_str().is_empty(), "{condition:?}");
        assert!(condition.message.len() > 5, "no sentence: {condition:?}");
        assert!(!condition.message.contains(".."), "two full stops: {condition:?}");
        assert!(Reason::ALL.contains(&condition.reason), "{condition:?}");
        assert!(
            status.conditions.0.iter().skip(n + 1).all(|c| c.type_ != condition.type_),
            "{condition:?} twice"
        );
    }
    for kind in
        [ConditionType::Accepted, ConditionType::Paid, ConditionType::Allocated, ConditionType::Settled]
    {
        assert!(status.conditions.get(&kind).is_some(), "{kind} is missing: {status:#?}");
    }

    // Present only while true, never both, and one of them unless it is as declared.
    for kind in [&reconciling, &stalled] {
        assert!(status.conditions.get(kind).is_none_or(|c| c.status == True), "{kind} is there and not true");
    }
    let (moving, stuck) = (is(&reconciling, True), is(&stalled, True));
    assert!(!(moving && stuck), "Reconciling and Stalled: {status:#?}");
    assert_eq!(is(&ready, True), !moving && !stuck, "{status:#?}");
    assert!(!is(&ready, False) || stuck, "Ready=False without Stalled: {status:#?}");
    // Two stalls have not ended yet: a person must see to the refund, and what it was given up for is still to be told.
    let refund_waits = [Reason::RefundFailed, Reason::MoneyHalted]
        .iter()
        .any(|reason| status.conditions.is(&ConditionType::Refunded, False, reason));
    assert!(!stuck || is(&ready, False) || (refund_waits && is(&ready, Unknown)), "{status:#?}");

    // What is settled is settled: it does not move, and says how the money stands where it was given up.
    let settled = is(&ConditionType::Settled, True);
    assert!(!settled || !moving, "{status:#?}");
    assert!(settled || !is(&ready, True), "{status:#?}");
    let booked = status.phase == Some(Phase::Confirmed);
    // Unless money came back after that: a person must see to it.
    let refunded = status.conditions.reason(&ConditionType::Refunded);
    let waits = matches!(refunded, Some(Reason::RefundFailed | Reason::Pending));
    let came_back =
        waits && status.conditions.is(&ConditionType::Stalled, True, &Reason::RefundFailed) && settled;
    assert!(!settled || booked || came_back || is(&ConditionType::Refunded, True), "{status:#?}");
    assert_eq!(status.allocation.is_some(), is(&ConditionType::Allocated, True), "{status:#?}");

    let said = status.conditions.reason(&ConditionType::Settled).unwrap().as_str();
    let phase = status.phase.as_ref().unwrap();
    assert!(
        said == phase.as_str() || (*phase == Phase::Pending && said == "InProgress"),
        "{phase} but {said}"
    );

    for (fact, number) in status.history.iter().zip(1..) {
        assert_eq!(fact.number, number, "facts are numbered without gaps: {:#?}", status.history);
    }
    if let Some(money) = &status.payment {
        assert!(money.captured >= 0 && money.kept >= 0 && money.refunded >= 0, "{money:?}");
        assert!(money.captured >= money.refunded, "{money:?}");
        assert!(
            !settled || booked || came_back || money.captured == money.refunded + money.kept,
            "{money:?}"
        );
    }
}

/// What must be true of a status that follows another.
#[track_caller]
pub(crate) fn assert_follows(before: &ReservationStatus, after: &ReservationStatus) {
    assert_well_formed(after);
    assert!(before.quote.is_none() || before.quote == after.quote, "the quote changed");
    assert_eq!(before.history, after.history[..before.history.len()], "a fact was changed");
    for old in &before.conditions.0 {
        let Some(new) = after.conditions.get(&old.type_) else { continue };
        if new.status == old.status {
            assert_eq!(old.last_transition_time, new.last_transition_time, "{} moved", old.type_);
        }
    }
}
