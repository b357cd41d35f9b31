//! Given up: the money, then the nights, then the end.

use rstest::rstest;

use super::*;

/// Paid, sold out, looked up, and this came of it.
fn found(found: Intent) -> Known {
    new().rejecting().looked(Some(found))
}

/// Not known to be paid, looked up, and this came of it.
fn unpaid(found: Option<Intent>) -> Known {
    new().rejecting_unpaid().looked(found)
}

fn failed(why: &str) -> RefundState {
    RefundState::Failed(why.to_owned())
}

/// The refund was sent, and this came of it.
fn refund(answer: Result<RefundView, ProviderError>) -> Known {
    found(captured()).learn(Answer::Refund { attempt: 1, result: answer })
}

fn view(state: RefundState) -> RefundView {
    RefundView { id: "re_1".to_owned(), amount: 24_000, state, attempt: Some(1) }
}

fn fence(answer: Result<Fenced, ProviderError>) -> Known {
    unpaid(None).learn(Answer::Fence(answer))
}

fn stands() -> Fenced {
    Fenced::Standing(Intent { fence: true, ..intent(IntentState::Cancelled) })
}

/// The provider does not know the payment it gave us the id of.
fn forgotten() -> Known {
    new().rejecting().learn(Answer::Look(Err(ProviderError::NotFound("pi_1".to_owned()))))
}

const RELEASE: &str = "release 2026-12-01..2026-12-03 x1";

#[rstest]
#[case::first_it_is_looked_up(new().rejecting(), "look for #1 pi_1")]
#[case::what_was_taken_goes_back(found(captured()), "refund #1 24000 of pi_1")]
#[case::then_the_nights(found(refunded(24_000)), RELEASE)]
#[case::also_when_it_was_refunded_just_now(refund(Ok(view(RefundState::Succeeded))), RELEASE)]
#[case::and_when_somebody_else_refunded_it(found(refunds(&[(24_000, RefundState::Succeeded, None)])), RELEASE)]
#[case::full_nights_too(found(refunded(24_000)).full(), RELEASE)]
#[case::held_nights_too(found(refunded(24_000)).held(), RELEASE)]
#[case::busy_calendars_are_tried_again(found(refunded(24_000)).nights(NightsKnown::Busy), "retry")]
#[case::then_the_end(found(refunded(24_000)).nights(NightsKnown::Released), "write Rejected OutOfStock")]
#[case::what_is_still_due_goes_back(found(refunds(&[(10_000, RefundState::Succeeded, None)])), "refund #1 14000 of pi_1")]
#[case::a_refund_on_its_way_is_said(refund(Ok(view(RefundState::Pending))), "write Rejecting OutOfStock")]
#[case::and_said_once(refund(Ok(view(RefundState::Pending))).written(), "poll")]
#[case::one_part_on_its_way_and_one_still_due(
    found(refunds(&[(10_000, RefundState::Pending, None)])), "refund #1 14000 of pi_1")]
#[case::a_refund_that_failed_stalls(refund(Ok(view(failed("closed")))), "write Rejecting OutOfStock")]
#[case::and_is_said_once(refund(Ok(view(failed("closed")))).written(), "poll")]
#[case::a_payment_that_the_provider_does_not_know_stalls(forgotten(), "write Rejecting OutOfStock")]
#[case::which_is_said_once(forgotten().written(), "poll")]
#[case::one_cancelled_in_the_dashboard_stalls_too(
    found(refunds(&[(24_000, RefundState::Cancelled, Some(1))])), "write Rejecting OutOfStock")]
#[case::somebody_elses_failed_refund_does_not_stop_ours(
    found(refunds(&[(24_000, failed("closed"), None)])), "refund #1 24000 of pi_1")]
fn next(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

#[rstest]
#[case::it_is_looked_up(new().rejecting_unpaid(), "look for #1 by list")]
#[case::also_when_the_attempt_is_new(
    { let mut known = new().rejecting_unpaid(); known.knowledge.attempt_is_new = true; known }, "look for #1 by list")]
#[case::there_is_none_so_it_is_fenced(unpaid(None), "fence #1 24000 EUR")]
#[case::the_fence_stands(fence(Ok(stands())), RELEASE)]
#[case::the_charge_came_first(fence(Ok(Fenced::ChargeCameFirst)), "retry")]
#[case::the_fence_was_not_answered(fence(Err(lost())), "write Rejecting TimedOut")]
#[case::the_charge_was_never_one_that_could_be_made(fence(Err(invalid())), RELEASE)]
#[case::it_was_declined(unpaid(Some(card_declined())), RELEASE)]
#[case::it_was_cancelled(unpaid(Some(intent(IntentState::Cancelled))), RELEASE)]
#[case::it_is_open(unpaid(Some(intent(IntentState::Open))), "cancel pi_1")]
#[case::open_and_not_to_be_cancelled_may_yet_capture(
    unpaid(Some(intent(IntentState::Open))).learn(Answer::Charge(Err(invalid()))), "write Rejecting TimedOut")]
#[case::it_is_still_processing(unpaid(Some(intent(IntentState::Processing))), "poll")]
#[case::it_landed_after_all(unpaid(Some(captured())), "refund #1 24000 of pi_1")]
#[case::the_lookup_was_refused_which_says_nothing_of_the_charge(
    new().rejecting_unpaid().learn(Answer::Look(Err(invalid()))), "write Rejecting TimedOut")]
#[case::where_the_desk_collects_only_nights_go_back(
    new().at_the_desk().accepted().status(|s| status::rejecting(s, &Reason::TimedOut, "Too late.", None, now())), RELEASE)]
fn a_charge_that_is_not_known_can_never_land_afterwards(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

#[test]
fn one_that_could_not_be_charged_ends_with_nothing_taken() {
    let known = fence(Ok(stands())).nights(NightsKnown::Released);
    assert_eq!(known.then(), "write Rejected TimedOut");
    let payment = known.written().payment();
    assert_eq!((payment.captured, payment.refunded, payment.kept), (0, 0, 0));
}

#[test]
fn a_charge_that_landed_after_the_deadline_is_in_the_end_that_is_written() {
    let known = unpaid(Some(refunded(24_000))).nights(NightsKnown::Released).written();
    let payment = known.payment();
    assert_eq!((payment.captured, payment.refunded, payment.kept), (24_000, 24_000, 0));
    let status = known.reservation.status.unwrap();
    assert!(status.history.iter().any(|f| f.fact == innkeeper_api::FactKind::Paid));
}

// 240.00 EUR were taken.
#[rstest]
#[case(100, "refund #1 24000 of pi_1")]
#[case(50, "refund #1 12000 of pi_1")]
#[case(33, "refund #1 7920 of pi_1")]
#[case::nothing_is_called_for_nothing(0, RELEASE)]
fn cancelling_gives_back_the_share(#[case] percent: u32, #[case] then: &str) {
    assert_eq!(new().cancelling(percent).looked(Some(captured())).then(), then);
}

#[rstest]
#[case::half(50, refunded(12_000), 12_000, 12_000)]
#[case::nothing(0, captured(), 0, 24_000)]
#[case::all(100, refunded(24_000), 24_000, 0)]
#[case::more_by_the_dashboard(50, refunds(&[(24_000, RefundState::Succeeded, None)]), 24_000, 0)]
fn a_cancelled_one_ends_with_what_the_policy_keeps(
    #[case] percent: u32,
    #[case] intent: Intent,
    #[case] back: i64,
    #[case] kept: i64,
) {
    let known = new().cancelling(percent).looked(Some(intent)).nights(NightsKnown::Released);
    assert_eq!(known.then(), "write Cancelled Cancelled");
    let payment = known.written().payment();
    assert_eq!((payment.captured, payment.refunded, payment.kept), (24_000, back, kept));
}

#[test]
fn a_withdrawn_one_gives_everything_back() {
    let known = new().withdrawing();
    assert_eq!(known.clone().looked(Some(captured())).then(), "refund #1 24000 of pi_1");
    let known = known.looked(Some(refunded(24_000)));
    assert_eq!(known.then(), RELEASE);
    assert_eq!(known.nights(NightsKnown::Released).then(), "write Withdrawn Withdrawn");
}

#[rstest]
#[case::looking(Answer::Look(Err(unreachable())))]
#[case::our_key(Answer::Look(Err(unauthorized())))]
#[case::answer_lost(Answer::Look(Err(lost())))]
fn an_outage_is_written_once(#[case] answer: Answer) {
    let known = new().rejecting().learn(answer);
    assert_eq!(known.then(), "write Rejecting OutOfStock");
    assert_eq!(known.written().then(), "retry");
}

/// Where it is not known that anything was taken, the decision has said already that the provider is asked.
#[rstest]
#[case::out_of_reach(unreachable())]
#[case::answer_lost(lost())]
#[case::failing(server())]
fn an_outage_when_nothing_is_known_to_be_taken_is_not_written_again(#[case] error: ProviderError) {
    let known = new().rejecting_unpaid().learn(Answer::Look(Err(error)));
    assert_eq!(known.then(), "retry");
}

#[rstest]
#[case::still_running_elsewhere(new().rejecting().learn(Answer::Look(Err(ProviderError::InFlight))))]
#[case::asked_to_slow_down(refund(Err(slow_down())))]
#[case::the_key_was_used_for_another_amount(refund(Err(ProviderError::Mismatch)))]
fn what_passes_by_itself_is_not_written_at_all(#[case] known: Known) {
    assert_eq!(known.then(), "retry");
}

#[test]
fn a_refund_whose_answer_was_lost_is_looked_up_in_the_next_pass() {
    let known = refund(Err(lost()));
    assert_eq!(known.then(), "write Rejecting OutOfStock");
    let known = known.written();
    assert_eq!(known.then(), "retry");
    let known = Known { knowledge: Knowledge::default(), ..known };
    assert_eq!(known.then(), "look for #1 pi_1");
}

#[test]
fn a_refund_called_invalid_is_looked_at_again_before_it_is_called_failed() {
    let known = refund(Err(invalid()));
    assert_eq!(known.then(), "look for #1 pi_1", "somebody may have refunded it in the dashboard");
    assert_eq!(
        known.clone().looked(Some(refunds(&[(24_000, RefundState::Succeeded, None)]))).then(),
        RELEASE
    );

    let known = known.looked(Some(captured()));
    assert_eq!(known.then(), "write Rejecting OutOfStock");
    let known = known.written();
    let conditions = &known.reservation.status.as_ref().unwrap().conditions;
    assert_eq!(conditions.reason(&ConditionType::Stalled), Some(&Reason::RefundFailed));
    assert_eq!(known.then(), "poll");
}

#[test]
fn a_failed_refund_waits_for_a_person_and_goes_on_by_itself() {
    let known = refund(Ok(view(failed("closed")))).written();
    let conditions = &known.reservation.status.as_ref().unwrap().conditions;
    assert_eq!(conditions.reason(&ConditionType::Stalled), Some(&Reason::RefundFailed));
    assert_eq!(
        conditions.reason(&ConditionType::Ready),
        Some(&Reason::OutOfStock),
        "what it was given up for"
    );

    // The provider is down for a while: the stall is not taken back.
    let down =
        Known { knowledge: Knowledge::default(), ..known.clone() }.learn(Answer::Look(Err(unreachable())));
    assert_eq!(down.then(), "retry");

    let mended = refunds(&[(24_000, failed("closed"), Some(1)), (24_000, RefundState::Pending, None)]);
    let known = Known { knowledge: Knowledge::default(), ..known }.looked(Some(mended));
    assert_eq!(known.then(), "write Rejecting OutOfStock");
    let known = known.written();
    assert_eq!(known.then(), "poll");

    let mended = refunds(&[(24_000, failed("closed"), Some(1)), (24_000, RefundState::Succeeded, None)]);
    let known = Known { knowledge: Knowledge::default(), ..known }.looked(Some(mended));
    assert_eq!(known.then(), RELEASE);
    let known = known.nights(NightsKnown::Released).written();
    assert_eq!(known.payment().refunded, 24_000);
    assert_eq!(told(&known.next()), "wait");
}

/// A refund that failed for good, as it is stored.
fn stalled() -> Known {
    refund(Ok(view(failed("closed")))).written().again().looked(Some(not_given_back(1)))
}

/// As many attempts as this at giving it back have failed.
fn not_given_back(attempts: u32) -> Intent {
    let one = |n| (24_000, failed("closed"), Some(n));
    refunds(&(1..=attempts).map(one).collect::<Vec<_>>())
}

#[rstest]
#[case::the_next_one(stalled().retry("2"), "write Rejecting OutOfStock")]
#[case::not_the_one_that_failed(stalled().retry("1"), "poll")]
#[case::nor_none(stalled().retry("0"), "poll")]
#[case::one_too_many_is_told(stalled().retry("3"), "write Rejecting OutOfStock")]
#[case::once(stalled().retry("3").written(), "poll")]
#[case::no_number_is_told(stalled().retry("yes"), "write Rejecting OutOfStock")]
#[case::nothing_of_the_kind(stalled().retry(""), "write Rejecting OutOfStock")]
#[case::not_before_it_failed(found(captured()).retry("2"), "refund #1 24000 of pi_1")]
#[case::allowed_beforehand_the_failure_is_stored_all_the_same(
    found(not_given_back(1)).retry("2"), "write Rejecting OutOfStock")]
#[case::and_then_the_next_attempt(found(not_given_back(1)).retry("2").written().written(), "refund #2 24000 of pi_1")]
#[case::nor_while_it_is_on_its_way(refund(Ok(view(RefundState::Pending))).retry("2").written(), "poll")]
fn a_person_allows_one_attempt_by_its_number(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

#[test]
fn what_allows_nothing_is_told_and_what_allowed_an_earlier_attempt_is_not() {
    let message = |known: &Known| {
        let status = known.reservation.status.clone().unwrap();
        assert_eq!(status.conditions.reason(&ConditionType::Stalled), Some(&Reason::RefundFailed));
        status.conditions.get(&ConditionType::Refunded).unwrap().message.clone()
    };
    assert!(message(&stalled()).ends_with("innkeeper.dev/retry-refund=2 to have it tried once more."));
    let mistaken = message(&stalled().retry("two").written());
    assert!(
        mistaken.ends_with("once more. innkeeper.dev/retry-refund is \"two\", which allows nothing."),
        "{mistaken}"
    );
    let again = stalled().retry("2").written().again().looked(Some(not_given_back(2))).written();
    assert!(message(&again).ends_with("innkeeper.dev/retry-refund=3 to have it tried once more."));
    assert_eq!(again.then(), "poll", "the same annotation allows no third");
}

#[test]
fn an_attempt_that_was_allowed_is_stored_then_sent_under_its_own_number() {
    let known = stalled().retry("2").written();
    let status = known.reservation.status.clone().unwrap();
    assert_eq!(known.payment().refund_attempt, Some(2));
    assert_eq!(status.conditions.reason(&ConditionType::Refunded), Some(&Reason::Pending));
    assert!(status.conditions.get(&ConditionType::Stalled).is_none());
    assert_eq!(status.conditions.reason(&ConditionType::Ready), Some(&Reason::OutOfStock));
    assert_eq!(known.then(), "refund #2 24000 of pi_1");
    let second = RefundView { id: "re_2".to_owned(), attempt: Some(2), ..view(RefundState::Succeeded) };
    assert_eq!(known.learn(Answer::Refund { attempt: 2, result: Ok(second) }).then(), RELEASE);
}

#[test]
fn one_that_was_refused_outright_can_be_allowed_too() {
    let refused = refund(Err(invalid())).looked(Some(captured())).written().retry("2");
    assert_eq!(refused.then(), "write Rejecting OutOfStock");
    let known = refused.written();
    assert_eq!(
        known.then(),
        "refund #2 24000 of pi_1",
        "what was learnt of the first says nothing of the second"
    );
}

#[test]
fn once_decided_it_is_not_decided_again() {
    let known = new().rejecting().cancelled().looked(Some(captured()));
    assert_eq!(known.then(), "refund #1 24000 of pi_1", "cancelling a rejected one changes nothing");
    let known = new().cancelling(0).deleted(DEADLINE).looked(Some(captured()));
    assert_eq!(known.then(), RELEASE, "deleting a cancelled one gives no more back");
    let known = new().withdrawing().cancelled().looked(Some(captured()));
    assert_eq!(known.then(), "refund #1 24000 of pi_1");
}

/// Cancelled with its refund on its way for days.
fn on_its_way() -> Known {
    new().cancelling(100).looked(Some(refunds(&[(24_000, RefundState::Pending, Some(1))])))
}

#[rstest]
#[case::are_released_at_once(on_its_way(), RELEASE)]
#[case::which_is_said_with_the_money(on_its_way().nights(NightsKnown::Released), "write Cancelling Cancelling")]
#[case::once(on_its_way().nights(NightsKnown::Released).written(), "poll")]
#[case::and_not_asked_again(on_its_way().nights(NightsKnown::Released).written().nights(NightsKnown::NotAsked), "poll")]
#[case::also_while_the_provider_is_away(new().cancelling(100).learn(Answer::Look(Err(lost()))), RELEASE)]
#[case::or_later_where_the_calendars_are_busy(on_its_way().nights(NightsKnown::Busy).written(), "poll")]
fn nights_do_not_wait_for_money_that_takes_its_time(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}
