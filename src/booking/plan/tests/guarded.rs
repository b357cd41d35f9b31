//! What guards the money: payments of other objects of the same name, the brake, and a halt of everything.

use innkeeper_api::{ALREADY_CHARGED, ConditionStatus};
use jiff::ToSpan;
use rstest::rstest;

use super::*;
use crate::provider::Earlier;

const FIND: &str = "find earlier payments of one";
const CHARGE: &str = "charge #1 24000 EUR pm_card_visa";
const STANDS: &str = "write InProgress AlreadyCharged";

fn other(intent: Intent) -> Earlier {
    Earlier {
        uid: "other".to_owned(),
        check_in: stay().check_in,
        intent: Intent { id: "pi_0".to_owned(), ..intent },
    }
}

/// About to be charged, this was found of other objects of its name, and its nights are free.
fn after(found: &[Earlier]) -> Known {
    new().guarded().just_accepted().learn(Answer::Earlier(Ok(found.to_vec()))).held()
}

fn paid(known: &Known) -> (ConditionStatus, Reason) {
    let status = known.reservation.status.as_ref().unwrap();
    let paid = status.conditions.get(&ConditionType::Paid).unwrap();
    (paid.status, paid.reason.clone())
}

fn why(known: &Known) -> &str {
    let status = known.reservation.status.as_ref().unwrap();
    &status.conditions.get(&ConditionType::Paid).unwrap().message
}

#[rstest]
#[case::nobody_was_asked(new().guarded().just_accepted(), FIND)]
#[case::nor_after_a_restart(new().guarded().accepted().looked(None), FIND)]
#[case::nor_with_its_nights_held(new().guarded().just_holding(), FIND)]
#[case::nobody_else_has_paid(after(&[]), CHARGE)]
#[case::its_money_is_still_there(after(&[other(captured())]), STANDS)]
#[case::some_of_it_is(after(&[other(refunded(23_999))]), STANDS)]
#[case::it_may_still_come(after(&[other(intent(IntentState::Processing))]), STANDS)]
#[case::all_of_it_has_gone_back(after(&[other(refunded(24_000))]), CHARGE)]
#[case::it_was_refused(after(&[other(card_declined())]), CHARGE)]
#[case::it_stays_with_the_hotel_for_a_stay_that_is_over(
    after(&[other(Intent { settled: true, ..captured() })]), CHARGE)]
#[case::it_is_for_another_day(
    after(&[Earlier { check_in: stay().check_in.saturating_add(1.day()), ..other(captured()) }]), CHARGE)]
#[case::nobody_could_say(
    new().guarded().just_accepted().learn(Answer::Earlier(Err(unreachable()))), "write InProgress InProgress")]
#[case::nothing_is_charged_for_the_desk(new().guarded().at_the_desk().accepted(), "take 2026-12-01..2026-12-03 x1")]
fn before_a_charge(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

#[rstest]
#[case::nobody_has_said(None, "poll")]
#[case::something_else(Some("yes"), STANDS)]
#[case::charge_anew(Some("charge-anew"), "write InProgress InProgress")]
#[case::adopt(Some("adopt"), "write InProgress InProgress")]
fn it_stands_until_a_person_has_said_whose_the_money_is(#[case] said: Option<&str>, #[case] then: &str) {
    let mut known = after(&[other(captured())]).written();
    assert_eq!(paid(&known), (ConditionStatus::False, Reason::AlreadyCharged));
    // However long that takes.
    known = known.at("2026-11-25T00:00:00Z").looked(None);
    if let Some(said) = said {
        known = known.annotated(ALREADY_CHARGED, said);
    }
    assert_eq!(known.then(), then);
}

#[test]
fn its_nights_are_held_meanwhile_and_nothing_is_adopted_without_them() {
    let stay = "take 2026-12-01..2026-12-03 x1";
    let found = || Answer::Earlier(Ok(vec![other(captured())]));
    let known = new().guarded().just_accepted().learn(found()).annotated(ALREADY_CHARGED, "adopt");
    assert_eq!(known.then(), stay);
    let full = known.clone().full();
    assert_eq!(full.then(), STANDS);
    let full = full.written();
    assert!(why(&full).ends_with("It is adopted as soon as its nights are free."), "{}", why(&full));
    assert!(full.reservation.status.as_ref().unwrap().allocation.is_none());
    assert_eq!(full.then(), "poll");
    assert_eq!(full.again().looked(None).learn(found()).then(), stay, "and is tried again");
    let held = known.held().written();
    assert!(!why(&held).contains("adopted as soon"), "{}", why(&held));
    let status = held.reservation.status.as_ref().unwrap();
    assert!(status.conditions.is(&ConditionType::Allocated, ConditionStatus::True, &Reason::Held));
    assert_eq!(held.then(), "write InProgress InProgress", "then it is adopted");
}

#[test]
fn what_went_back_in_the_dashboard_stands_in_nobodys_way() {
    let known = after(&[other(captured())]).written().at("2026-11-25T00:00:00Z").looked(None);
    let known = known.learn(Answer::Earlier(Ok(vec![other(refunded(24_000))]))).written();
    assert_eq!(paid(&known), (ConditionStatus::False, Reason::Pending));
    assert_eq!(known.then(), CHARGE, "with a deadline of its own again");
}

#[test]
fn an_adopted_payment_is_stored_then_told_then_looked_up_as_its_own() {
    let known = after(&[other(captured())]).written().annotated(ALREADY_CHARGED, "adopt").written();
    assert!(known.reservation.status.as_ref().unwrap().allocation.is_some(), "its nights are held");
    assert_eq!(known.payment().id.as_deref(), Some("pi_0"));
    assert_eq!(known.then(), "adopt pi_0 of other as #1");
    let lost = known.clone().learn(Answer::Adopted(Err(lost())));
    assert_eq!(lost.then(), "retry");
    assert_eq!(lost.again().then(), "look for #1 pi_0");
    let known = known.learn(Answer::Adopted(Ok(())));
    assert_eq!(known.then(), "look for #1 pi_0");
    let booked = known.clone().looked(Some(Intent { id: "pi_0".to_owned(), ..captured() })).held();
    assert_eq!(booked.then(), "write Confirmed Confirmed");
    // Not seen yet: nothing is charged meanwhile.
    assert_eq!(known.looked(None).then(), "retry");
}

/// Its nights were held before, so that nothing else is to be waited for.
#[test]
fn whose_money_is_adopted_is_stored_before_it_is_told_even_where_the_nights_came_first() {
    let known = new().guarded().just_holding().annotated(ALREADY_CHARGED, "adopt");
    let known = known.learn(Answer::Earlier(Ok(vec![other(captured())]))).written();
    assert_eq!(known.payment().id.as_deref(), Some("pi_0"));
    assert_eq!(known.then(), "adopt pi_0 of other as #1");
}

#[rstest]
#[case::another_price(vec![other(Intent { captured: 20_000, ..captured() })], "its amount")]
#[case::another_currency(vec![other(Intent { currency: "USD".to_owned(), ..captured() })], "its amount")]
#[case::some_has_gone_back(vec![other(refunded(1))], "has gone back")]
#[case::two_of_them(vec![other(captured()), Earlier { uid: "third".to_owned(), ..other(captured()) }], "several")]
fn what_does_not_fit_is_not_adopted_and_the_message_says_why(
    #[case] found: Vec<Earlier>,
    #[case] says: &str,
) {
    let known = after(&found).annotated(ALREADY_CHARGED, "adopt").written();
    assert_eq!(paid(&known), (ConditionStatus::False, Reason::AlreadyCharged));
    assert!(why(&known).contains(says), "{}", why(&known));
    assert_eq!(known.then(), "poll");
}

#[test]
fn what_was_begun_to_be_adopted_is_adopted_and_goes_back_before_anything_ends() {
    let found = || Answer::Earlier(Ok(vec![other(captured())]));
    let known = after(&[other(captured())]).written().annotated(ALREADY_CHARGED, "adopt").written();
    let known =
        known.deleted("2026-11-22T12:30:00Z").written().again().looked(None).nights(NightsKnown::Released);
    assert_eq!(known.then(), FIND);
    let known = known.learn(found());
    assert_eq!(known.then(), "adopt pi_0 of other as #1", "the request may still be on its way");
    let known = known.learn(Answer::Adopted(Ok(())));
    assert_eq!(known.then(), "look for #1 pi_0");
    let known = known.looked(Some(Intent { id: "pi_0".to_owned(), ..captured() }));
    assert_eq!(known.learn(Answer::Brake(Ok(None))).then(), "refund #1 24000 of pi_0");
}

#[test]
fn who_waits_for_a_person_can_still_be_given_up() {
    let known = after(&[other(captured())]).written().deleted("2026-11-22T12:30:00Z");
    assert_eq!(known.then(), "write Withdrawing Withdrawing");
    let known = known.written().again();
    assert_eq!(known.then(), "look for #1 by list");
    let known = known.looked(None).nights(NightsKnown::Released);
    assert_eq!(known.then(), "fence #1 24000 EUR", "and the other's money is not touched");
}

#[rstest]
#[case::a_withdrawal_asks_the_brake(new().guarded().withdrawing(), "ask the brake for 24000 of pi_1")]
#[case::it_may(new().guarded().withdrawing().learn(Answer::Brake(Ok(None))), "refund #1 24000 of pi_1")]
#[case::it_may_not(
    new().guarded().withdrawing().learn(Answer::Brake(Ok(Some("Too much.".to_owned())))), "write Withdrawing Withdrawing")]
#[case::nobody_can_count(
    new().guarded().withdrawing().learn(Answer::Brake(Err(unreachable()))), "write Withdrawing Withdrawing")]
#[case::a_guests_own_cancelling_does_not(new().guarded().cancelling(100), "refund #1 24000 of pi_1")]
#[case::nor_what_was_sold_out(new().guarded().rejecting(), "refund #1 24000 of pi_1")]
fn before_money_goes_out(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.looked(Some(captured())).nights(NightsKnown::Released).then(), then);
}

#[test]
fn what_waits_at_the_brake_says_so_once_and_goes_on_when_it_is_let_go() {
    let halted = || Answer::Brake(Ok(Some("Too much.".to_owned())));
    let known = new().guarded().withdrawing().looked(Some(captured())).nights(NightsKnown::Released);
    let known = known.learn(halted()).written();
    let status = known.reservation.status.as_ref().unwrap();
    assert_eq!(status.conditions.reason(&ConditionType::Refunded), Some(&Reason::MoneyHalted));
    assert_eq!(status.conditions.reason(&ConditionType::Stalled), Some(&Reason::MoneyHalted));
    assert_eq!(known.then(), "poll");
    let known = known.again().looked(Some(captured())).nights(NightsKnown::Released);
    assert_eq!(known.clone().learn(halted()).then(), "poll", "and it is not said again");
    let known = known.learn(Answer::Brake(Ok(None)));
    assert_eq!(known.then(), "refund #1 24000 of pi_1");
    let known = known.looked(Some(refunded(24_000)));
    assert_eq!(known.then(), "write Withdrawn Withdrawn");
}

#[rstest]
#[case::a_charge(new().just_accepted(), "write InProgress MoneyHalted")]
#[case::a_look_is_no_harm(new().accepted(), "look for #1 by list")]
#[case::a_fence(new().rejecting_unpaid().looked(None), "write Rejecting TimedOut")]
#[case::a_guests_own_cancelling(
    new().cancelling(100).looked(Some(captured())).nights(NightsKnown::Released), "write Cancelling Cancelling")]
#[case::an_open_intent(new().accepted().looked(Some(intent(IntentState::Open))), "write InProgress MoneyHalted")]
#[case::nights_are_no_money(new().accepted().looked(Some(captured())), "take 2026-12-01..2026-12-03 x1")]
fn while_everything_is_halted_nothing_moves(#[case] known: Known, #[case] then: &str) {
    let known = known.halted();
    assert_eq!(known.then(), then);
    if then.starts_with("write") {
        let known = known.written();
        let stalled = known.reservation.status.as_ref().unwrap().conditions.reason(&ConditionType::Stalled);
        assert_eq!(stalled, Some(&Reason::MoneyHalted));
        assert_eq!(known.then(), "poll", "and it is said once");
    }
}

#[test]
fn a_halted_charge_is_made_once_money_moves_again_and_ends_at_its_deadline() {
    let known = new().just_accepted().halted().written();
    assert_eq!(known.clone().at(DEADLINE).then(), "write Rejecting TimedOut");
    let known = Known { halted: None, ..known.again().looked(None) };
    assert_eq!(known.then(), "write InProgress InProgress");
    assert_eq!(known.written().then(), CHARGE);
}

#[rstest]
#[case::on_its_way_back(new().rejecting().without_finalizer())]
#[case::ended_with_money_that_stays(
    new().cancelling(50).looked(Some(refunds(&[(12_000, RefundState::Succeeded, Some(1))])))
        .nights(NightsKnown::Released).written().without_finalizer())]
fn a_finalizer_that_somebody_dropped_is_put_back(#[case] known: Known) {
    assert_eq!(known.then(), "add innkeeper.dev/settle");
}
