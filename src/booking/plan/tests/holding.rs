//! `HoldFirst`: the nights under a hold with a deadline, then the money.

use innkeeper_api::Flow;
use rstest::rstest;

use super::*;

const BEFORE: &str = "2026-11-22T12:59:59Z";
const LONG_AFTER: &str = "2026-11-22T16:00:00Z";

fn wanted() -> Known {
    new().hold_first().accepted()
}

/// Held, looked up in a later pass, and this came of it.
fn found(found: Intent) -> Known {
    new().holding().looked(Some(found))
}

fn fenced() -> Intent {
    Intent { fence: true, ..intent(IntentState::Cancelled) }
}

/// Before the hold is stored nothing can have been sent, so nothing is looked up, fenced or given back.
#[rstest]
#[case::the_nights_come_first(wanted(), "take 2026-12-01..2026-12-03 x1")]
#[case::then_the_hold_is_stored(wanted().held(), "write InProgress InProgress")]
#[case::who_finds_them_full_was_never_charged(wanted().full(), "write Rejecting OutOfStock")]
#[case::the_calendars_are_busy(wanted().nights(NightsKnown::Busy), "retry")]
#[case::the_nights_had_been_given_up(wanted().nights(NightsKnown::Released), "take 2026-12-01..2026-12-03 x1")]
#[case::at_the_deadline_no_hold_is_begun(wanted().at(DEADLINE), "write Rejecting TimedOut")]
#[case::nor_stored(wanted().held().at(DEADLINE), "write Rejecting TimedOut")]
#[case::nor_waited_for(wanted().nights(NightsKnown::Busy).at(DEADLINE), "write Rejecting TimedOut")]
#[case::full_is_full(wanted().full().at(DEADLINE), "write Rejecting OutOfStock")]
#[case::cancelled_meanwhile(wanted().held().cancel_recorded(BEFORE), "write Cancelling Cancelling")]
#[case::deleted_meanwhile(wanted().held().deleted(BEFORE), "write Withdrawing Withdrawing")]
#[case::where_the_desk_collects_nothing_waits_for_money(
    new().hold_first().at_the_desk().accepted().held(), "write Confirmed Confirmed")]
fn before_the_hold_is_stored(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
    assert!(
        known.reservation.status.unwrap().payment.is_none(),
        "without a stored number nothing may be sent"
    );
}

#[rstest]
#[case::the_charge_is_sent_under_its_new_number(new().just_holding(), "charge #1 24000 EUR pm_card_visa")]
#[case::after_a_restart_it_is_looked_up_first(new().holding(), "look for #1 by list")]
#[case::nothing_was_found_so_it_is_sent_again(new().holding().looked(None), "charge #1 24000 EUR pm_card_visa")]
#[case::paid_and_held_is_booked(new().just_holding().learn(Answer::Charge(Ok(captured()))), "write Confirmed Confirmed")]
#[case::found_paid_the_nights_are_looked_at_once_more(found(captured()), "take 2026-12-01..2026-12-03 x1")]
#[case::and_booked(found(captured()).held(), "write Confirmed Confirmed")]
#[case::somebody_tore_the_nights_out(found(captured()).full(), "write Rejecting OutOfStock")]
#[case::the_card_is_refused_so_the_nights_go_back_first(found(card_declined()), "write Rejecting Declined")]
#[case::no_such_method(new().holding().learn(Answer::Charge(Err(invalid()))), "write Rejecting Declined")]
#[case::cancelled_in_the_dashboard(found(intent(IntentState::Cancelled)), "write Rejecting Declined")]
#[case::refunded_in_the_dashboard(found(refunded(24_000)), "write Rejecting Refunded")]
#[case::left_open(found(intent(IntentState::Open)), "cancel pi_1")]
#[case::processing_is_said(found(intent(IntentState::Processing)), "write InProgress InProgress")]
#[case::cancelled_by_the_guest(new().holding().cancel_recorded(BEFORE), "write Cancelling Cancelling")]
#[case::deleted(new().holding().deleted(BEFORE), "write Withdrawing Withdrawing")]
fn while_the_nights_are_held(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

/// Past the deadline nothing more is sent, and nothing is given up before the provider has said how it stands.
#[rstest]
#[case::it_is_looked_up(new().holding(), "look for #1 by list")]
#[case::even_where_the_number_is_new(new().just_holding(), "look for #1 by list")]
#[case::none_is_there_so_none_may_come(new().holding().looked(None), "fence #1 24000 EUR")]
#[case::the_fence_stands_open(found(intent(IntentState::Open)), "cancel pi_1")]
#[case::the_fence_stands(found(fenced()), "write Rejecting HoldExpired")]
#[case::the_charge_came_first(found(captured()), "take 2026-12-01..2026-12-03 x1")]
#[case::and_is_booked(found(captured()).held(), "write Confirmed Confirmed")]
#[case::while_the_calendars_are_busy(found(captured()).nights(NightsKnown::Busy), "retry")]
#[case::it_was_declined(found(card_declined()), "write Rejecting Declined")]
#[case::it_is_still_processing(found(intent(IntentState::Processing)), "write InProgress InProgress")]
#[case::and_said_once(found(intent(IntentState::Processing)).written(), "poll")]
#[case::the_provider_is_away(new().holding().learn(Answer::Look(Err(unreachable()))), "write InProgress InProgress")]
#[case::and_said_once_too(new().holding().learn(Answer::Look(Err(unreachable()))).written(), "retry")]
#[case::it_asks_to_slow_down(new().holding().learn(Answer::Fence(Err(slow_down()))), "retry")]
#[case::the_fence_lost_the_race_and_is_not_believed(
    new().holding().looked(None).learn(Answer::Fence(Ok(Fenced::ChargeCameFirst))), "write InProgress InProgress")]
#[case::it_has_lost_the_payment_that_it_named(
    new().holding().learn(Answer::Look(Err(ProviderError::NotFound("pi_1".into())))), "write Rejecting TimedOut")]
fn past_the_deadline(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.clone().at(DEADLINE).then(), then);
    assert_eq!(known.at(LONG_AFTER).then(), then);
}

#[test]
fn the_hold_is_stored_with_the_number_of_the_charge_and_where_it_is() {
    let known = wanted().held().written();
    let status = known.reservation.status.as_ref().unwrap();
    assert!(status.conditions.is(
        &ConditionType::Allocated,
        innkeeper_api::ConditionStatus::True,
        &Reason::Held
    ));
    assert_eq!(status.allocation.as_ref().unwrap().calendars, ["sea-view-2026-12"]);
    assert_eq!(known.payment().attempt, Some(1));
}

#[test]
fn an_expired_hold_releases_its_nights_and_says_how_to_book_anew() {
    let known = found(fenced()).at(DEADLINE).written();
    assert_eq!(known.then(), "release 2026-12-01..2026-12-03 x1");
    let ended = known.nights(NightsKnown::Released).written();
    assert_eq!(ended.then(), "wait");
    let status = ended.reservation.status.unwrap();
    let reason = |kind| status.conditions.reason(&kind).unwrap().as_str().to_owned();
    assert_eq!(reason(ConditionType::Allocated), "HoldExpired");
    assert_eq!(reason(ConditionType::Paid), "NotDue");
    assert_eq!(reason(ConditionType::Stalled), "HoldExpired");
    let message = &status.conditions.get(&ConditionType::Settled).unwrap().message;
    assert!(message.starts_with("The nights were held until the deadline"), "{message}");
    assert!(message.ends_with("create a new one."), "{message}");
}

#[test]
fn a_refused_card_releases_its_nights_and_stays_the_reason() {
    let known = found(card_declined()).written();
    assert_eq!(known.then(), "release 2026-12-01..2026-12-03 x1");
    let ended = known.nights(NightsKnown::Released).written();
    let status = ended.reservation.status.unwrap();
    assert_eq!(status.conditions.reason(&ConditionType::Paid), Some(&Reason::Declined));
    assert_eq!(status.conditions.reason(&ConditionType::Ready), Some(&Reason::Declined));
    let message = &status.conditions.get(&ConditionType::Settled).unwrap().message;
    assert!(message.ends_with("with another payment.method."), "{message}");
}

#[test]
fn the_flow_agreed_stays_whatever_the_room_says_since() {
    let known = wanted().with_room(room());
    assert_eq!(known.reservation.status.as_ref().unwrap().quote.as_ref().unwrap().flow, Flow::HoldFirst);
    assert_eq!(known.then(), "take 2026-12-01..2026-12-03 x1");
    let known = new().just_accepted().hold_first();
    assert_eq!(known.then(), "charge #1 24000 EUR pm_card_visa");
}
