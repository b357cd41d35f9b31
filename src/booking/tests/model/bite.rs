//! Operators that are broken on purpose: each must be caught, or the checks prove nothing.

use rstest::rstest;

use crate::operator::Sabotage;
use crate::runner::search;

/// Schedules within which a broken operator is found out.
const WITHIN: u64 = 10_000;

#[rstest]
#[case::gives_back_before_the_decision_is_stored(Sabotage::DecisionNotStored, &["I5", "I6", "I11"])]
#[case::makes_a_new_key_for_every_refund(Sabotage::RefundUnderAnotherKey, &["I4"])]
#[case::writes_calendars_without_resource_version(Sabotage::CalendarWithoutVersion, &["I2", "I5", "I6"])]
#[case::charges_before_the_intent_is_stored(Sabotage::ChargeBeforeIntent, &["I5"])]
#[case::confirms_without_nights(Sabotage::NoNights, &["I6"])]
#[case::writes_statuses_without_resource_version(Sabotage::StatusWithoutVersion, &["I5", "I6", "I7", "I11"])]
#[case::ends_without_a_fence(Sabotage::NoFence, &["I7", "I11"])]
#[case::lets_a_hold_run_out_without_a_fence(Sabotage::HoldRunsOutUnfenced, &["I11"])]
#[case::repeats_a_charge_without_looking(Sabotage::ChargeWithoutLooking, &["I3", "I4"])]
#[case::charges_under_another_key(Sabotage::ChargeUnderAnotherKey, &["I5"])]
#[case::says_released_and_releases_nothing(Sabotage::ReleaseSkipped, &["I8"])]
#[case::makes_a_lost_calendar_anew_without_its_holders(Sabotage::CalendarMadeEmpty, &["I6"])]
#[case::takes_a_refused_look_for_a_decline(Sabotage::RefusedLookIsDecline, &["I7", "I11"])]
#[case::goes_on_after_a_day_as_if_nothing_were(Sabotage::PausedForADay, &["I3", "I4", "I7", "I11"])]
#[case::charges_what_another_object_has_paid(Sabotage::EarlierNotAsked, &["I3"])]
#[case::knows_no_brake(Sabotage::NoBrake, &["brake"])]
#[case::lets_the_object_go_too_early(Sabotage::FinalizerDroppedEarly, &["I5", "I12"])]
fn a_broken_operator_is_found_out(#[case] sabotage: Sabotage, #[case] by: &[&str]) {
    let (found, _) = search(0..WITHIN, sabotage);
    let Some((seed, broken)) = found else { panic!("{sabotage:?} was not noticed in {WITHIN} schedules") };
    println!("seed {seed}: {}: {}", broken.invariant, broken.words);
    assert!(by.contains(&broken.invariant), "{sabotage:?} broke {broken:?} in seed {seed}");
}
