//! Accepted: the money, then the nights, then the outcome.

use rstest::rstest;

use super::*;

/// Looked up, and this came of it.
fn found(found: Intent) -> Known {
    new().accepted().looked(Some(found))
}

/// The first charge under a new attempt, and this came of it.
fn charge(answer: Result<Intent, ProviderError>) -> Known {
    new().just_accepted().learn(Answer::Charge(answer))
}

fn partly_captured() -> Intent {
    Intent { captured: 10_000, ..captured() }
}

#[rstest]
#[case::a_new_attempt_is_charged(new().just_accepted(), "charge #1 24000 EUR pm_card_visa")]
#[case::after_a_restart_it_is_looked_up_first(new().accepted(), "look for #1 by list")]
#[case::nothing_was_found_so_it_is_sent_again(new().accepted().looked(None), "charge #1 24000 EUR pm_card_visa")]
#[case::paid_so_the_nights_are_taken(charge(Ok(captured())), "take 2026-12-01..2026-12-03 x1")]
#[case::found_paid_so_the_nights_are_taken(found(captured()), "take 2026-12-01..2026-12-03 x1")]
#[case::paid_and_held_so_it_is_booked(found(captured()).held(), "write Confirmed Confirmed")]
#[case::paid_and_full_so_the_decision_is_stored(found(captured()).full(), "write Rejecting OutOfStock")]
#[case::paid_and_the_calendars_are_busy(found(captured()).nights(NightsKnown::Busy), "retry")]
#[case::paid_and_the_nights_had_been_given_up(found(captured()).nights(NightsKnown::Released),
    "take 2026-12-01..2026-12-03 x1")]
#[case::the_finalizer_was_stripped(new().accepted().without_finalizer(), "add innkeeper.dev/settle")]
#[case::where_the_desk_collects_the_nights_come_first(new().at_the_desk().accepted(), "take 2026-12-01..2026-12-03 x1")]
#[case::and_it_is_booked_without_a_charge(new().at_the_desk().accepted().held(), "write Confirmed Confirmed")]
#[case::nor_is_it_where_a_hand_wrote_that_nothing_is_due(
    new().accepted().status(|s| {
        let mut status = s.clone();
        status.quote.as_mut().unwrap().collect_online = 0;
        status
    }), "take 2026-12-01..2026-12-03 x1")]
#[case::or_full(new().at_the_desk().accepted().full(), "write Rejecting OutOfStock")]
#[case::the_card_is_refused(charge(Ok(card_declined())), "write Rejected Declined")]
#[case::and_found_refused(found(card_declined()), "write Rejected Declined")]
#[case::no_such_method(charge(Err(invalid())), "write Rejected Declined")]
#[case::cancelled_in_the_dashboard(found(intent(IntentState::Cancelled)), "write Rejected Declined")]
#[case::left_open(found(intent(IntentState::Open)), "cancel pi_1")]
#[case::open_and_not_to_be_cancelled_may_yet_capture(
    found(intent(IntentState::Open)).learn(Answer::Charge(Err(invalid()))), "write InProgress InProgress")]
#[case::refunded_in_the_dashboard(found(refunded(24_000)), "write Rejecting Refunded")]
#[case::refunded_in_part_in_the_dashboard(found(refunded(1)), "write Rejecting Refunded")]
#[case::a_refund_that_failed_is_none(
    found(refunds(&[(24_000, RefundState::Failed("x".into()), None)])), "take 2026-12-01..2026-12-03 x1")]
#[case::captured_in_part_only(found(partly_captured()), "write Rejecting Refunded")]
#[case::processing_is_said(found(intent(IntentState::Processing)), "write InProgress InProgress")]
#[case::and_said_once(found(intent(IntentState::Processing)).written(), "poll")]
fn next(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

/// What a charge that gave no result makes of `Paid`, and what follows. In the next pass it is looked up.
#[rstest]
#[case::nothing_was_sent(charge(Err(unreachable())), "False ProviderUnavailable")]
#[case::our_key_is_refused(charge(Err(unauthorized())), "False ProviderUnavailable")]
#[case::the_answer_was_lost(charge(Err(lost())), "Unknown OutcomeUnknown")]
#[case::the_provider_failed(charge(Err(server())), "Unknown OutcomeUnknown")]
#[case::the_key_was_used_otherwise(charge(Err(ProviderError::Mismatch)), "Unknown OutcomeUnknown")]
#[case::the_lookup_failed(new().accepted().learn(Answer::Look(Err(unreachable()))), "False ProviderUnavailable")]
#[case::the_lookup_was_refused_which_says_nothing_of_the_charge(
    new().accepted().learn(Answer::Look(Err(invalid()))), "Unknown OutcomeUnknown")]
fn no_result_is_written_once(#[case] known: Known, #[case] paid: &str) {
    assert_eq!(known.then(), "write InProgress InProgress");
    let mut known = known.written();
    let condition = known.reservation.status.as_ref().unwrap().conditions.get(&ConditionType::Paid).unwrap();
    assert_eq!(format!("{} {}", condition.status, condition.reason), paid);
    assert_eq!(known.then(), "retry", "planning again with the same error writes nothing");

    let error = known.knowledge.charge.clone();
    known.knowledge = Knowledge::default();
    assert_eq!(known.then(), "look for #1 by list", "another pass asks before it sends");
    known.knowledge.charge = error;
    assert_eq!(
        known.at("2026-11-22T12:59:59Z").then(),
        "retry",
        "nor does another pass with the same answer"
    );
}

/// Nothing happens through a lookup, so that its answer was lost is nothing new, however the provider is down.
#[rstest]
#[case::after_it_could_not_be_reached(charge(Err(unreachable())))]
#[case::after_the_answer_was_lost(charge(Err(lost())))]
fn an_outage_that_changes_its_kind_is_not_written_again(#[case] told: Known) {
    let told = told.written().again();
    for error in [unreachable(), lost(), server()] {
        let known = told.clone().learn(Answer::Look(Err(error.clone())));
        assert_eq!(known.then(), "retry", "{error}");
    }
}

#[rstest]
#[case::still_running_elsewhere(charge(Err(ProviderError::InFlight)))]
#[case::asked_to_slow_down(charge(Err(slow_down())))]
#[case::while_looking(new().accepted().learn(Answer::Look(Err(slow_down()))))]
fn what_passes_by_itself_is_not_written_at_all(#[case] known: Known) {
    assert_eq!(known.then(), "retry");
}

#[rstest]
#[case::nothing_known(new().accepted(), "write Rejecting TimedOut")]
#[case::even_a_new_attempt_is_not_sent(new().just_accepted(), "write Rejecting TimedOut")]
#[case::nothing_found(new().accepted().looked(None), "write Rejecting TimedOut")]
#[case::provider_away(charge(Err(unreachable())), "write Rejecting TimedOut")]
#[case::answer_lost(charge(Err(lost())), "write Rejecting TimedOut")]
#[case::asked_to_slow_down(charge(Err(slow_down())), "write Rejecting TimedOut")]
#[case::still_processing(found(intent(IntentState::Processing)), "write Rejecting TimedOut")]
#[case::paid_but_no_nights_yet(found(captured()), "write Rejecting TimedOut")]
#[case::paid_but_calendars_busy(found(captured()).nights(NightsKnown::Busy), "write Rejecting TimedOut")]
#[case::no_nights_for_the_desk(new().at_the_desk().accepted(), "write Rejecting TimedOut")]
#[case::paid_and_held_is_booked_all_the_same(found(captured()).held(), "write Confirmed Confirmed")]
#[case::full_is_full(found(captured()).full(), "write Rejecting OutOfStock")]
#[case::declined_is_declined(found(card_declined()), "write Rejected Declined")]
fn next_at_the_deadline(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.at(DEADLINE).then(), then);
}

#[rstest]
#[case::cancelled_and_not_known_since_when(new().accepted().cancelled(), "read the cancellation")]
#[case::cancelled(new().accepted().cancel_recorded("2026-11-22T11:59:00Z"), "write Cancelling Cancelling")]
#[case::deleted(new().accepted().deleted("2026-11-22T11:59:00Z"), "write Withdrawing Withdrawing")]
#[case::deleted_without_the_finalizer(new().accepted().without_finalizer().deleted(DEADLINE), "write Withdrawing Withdrawing")]
#[case::cancelled_then_deleted(
    new().accepted().cancel_recorded("2026-11-22T11:58:00Z").deleted("2026-11-22T11:59:00Z"), "write Cancelling Cancelling")]
#[case::deleted_then_cancelled(
    new().accepted().cancel_recorded("2026-11-22T11:59:00Z").deleted("2026-11-22T11:58:00Z"), "write Withdrawing Withdrawing")]
#[case::both_in_the_same_second(
    new().accepted().cancel_recorded("2026-11-22T11:59:00Z").deleted("2026-11-22T11:59:00Z"), "write Cancelling Cancelling")]
fn giving_up_before_it_was_booked(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
    // Whatever was already taken or held is given back by the stored decision, not by forgetting it.
    assert_eq!(known.looked(Some(captured())).held().then(), then);
}

#[test]
fn before_it_was_booked_everything_goes_back_whatever_the_policy_says() {
    let mut strict = room();
    strict.cancellation = vec![innkeeper_api::CancellationTier { hours_before: 8_000, refund_percent: 10 }];
    let known = new().with_room(strict).accepted().cancel_recorded("2026-11-22T11:59:00Z").written();
    let status = known.reservation.status.unwrap();
    assert_eq!(status.decision, Some(Decision { at: at("2026-11-22T11:59:00Z"), refund_percent: 100 }));
    assert_eq!(status.payment.unwrap().kept, 0);
}

#[test]
fn what_was_found_is_in_the_outcome() {
    let known = found(captured()).held().written();
    let payment = known.payment();
    assert_eq!((payment.id.as_deref(), payment.captured, payment.refunded), (Some("pi_1"), 24_000, 0));
    let allocation = known.reservation.status.unwrap().allocation.unwrap();
    assert_eq!((allocation.room_uid.as_str(), allocation.units), (ROOM_UID, 1));
    assert_eq!(allocation.calendars, ["sea-view-2026-12"]);
}

#[test]
fn a_stay_over_two_months_names_both_calendars() {
    let known = new().spec(|s| {
        s.check_in = "2026-12-30".parse().unwrap();
        s.check_out = "2027-01-02".parse().unwrap();
    });
    let allocation = known.accepted().looked(Some(Intent { captured: 36_000, ..captured() })).held();
    let allocation = allocation.written().reservation.status.unwrap().allocation.unwrap();
    assert_eq!(allocation.calendars, ["sea-view-2026-12", "sea-view-2027-01"]);
}

#[test]
fn the_price_agreed_is_charged_whatever_the_room_says_since() {
    let mut dearer = room();
    dearer.rate.minor_units = 99_000;
    assert_eq!(new().just_accepted().with_room(dearer).then(), "charge #1 24000 EUR pm_card_visa");
    assert_eq!(new().just_accepted().without_room().then(), "charge #1 24000 EUR pm_card_visa");
}

#[test]
fn the_charge_is_tagged_so_that_it_can_be_found_again() {
    let Plan::Do(Effect::Charge(charge)) = new().just_accepted().next() else { panic!("no charge") };
    let tags = charge.tags;
    assert_eq!(
        (tags.installation.as_str(), tags.namespace.as_str(), tags.name.as_str()),
        ("inn-1", "hotel", "one")
    );
    assert_eq!((tags.uid.as_str(), tags.check_in.to_string().as_str()), (UID, "2026-12-01"));

    let Plan::Do(Effect::Look(look)) = new().accepted().next() else { panic!("no look") };
    assert_eq!((look.tags.uid.as_str(), look.since), (UID, now()), "since the attempt was stored");
    let known = found(intent(IntentState::Processing)).written();
    let again = Known { knowledge: Knowledge::default(), ..known };
    assert_eq!(again.then(), "look for #1 pi_1", "by its id once that is stored");
}
