//! Money that came back after the end.

use innkeeper_api::{ConditionStatus, FactKind};
use rstest::rstest;

use super::*;

const LATER: &str = "2026-11-29T12:00:00Z";

/// Rejected, with everything given back, as a later pass finds it.
fn rejected() -> Known {
    let known = new().rejecting().looked(Some(refunded(24_000))).nights(NightsKnown::Released);
    known.written().again().at(LATER)
}

fn cancelled_for_half() -> Known {
    let known = new().cancelling(50).looked(Some(refunded(12_000))).nights(NightsKnown::Released);
    known.written().again().at(LATER)
}

impl Known {
    /// The provider has said by itself that something changed.
    fn rung(mut self) -> Self {
        self.knowledge.told = true;
        self
    }

    /// The second refund was sent, and failed.
    fn answered(self, error: ProviderError) -> Self {
        self.learn(Answer::Refund { attempt: 2, result: Err(error) })
    }

    fn condition(&self, type_: &ConditionType) -> (ConditionStatus, Reason) {
        let status = self.reservation.status.as_ref().unwrap();
        let found = status.conditions.get(type_).unwrap();
        (found.status, found.reason.clone())
    }

    fn facts(&self) -> Vec<(FactKind, Option<i64>)> {
        let history = &self.reservation.status.as_ref().unwrap().history;
        history.iter().map(|fact| (fact.fact.clone(), fact.minor_units)).collect()
    }
}

fn failed(amount: i64, attempts: u32) -> Intent {
    let one = |n| (amount, RefundState::Failed("closed".to_owned()), Some(n));
    refunds(&(1..=attempts).map(one).collect::<Vec<_>>())
}

/// Its refund had arrived, and came back: stored.
fn came_back() -> Known {
    rejected().rung().looked(Some(failed(24_000, 1))).written()
}

/// And a person has allowed another attempt.
fn allowed() -> Known {
    came_back().again().looked(Some(failed(24_000, 1))).retry("2").written()
}

#[rstest]
#[case::nobody_has_said_so(rejected(), "wait")]
#[case::nothing_was_ever_given_back(
    new().cancelling(0).looked(Some(captured())).nights(NightsKnown::Released).written().again().rung(), "wait")]
#[case::it_is_looked_up(rejected().rung(), "look for #1 pi_1")]
#[case::nothing_came_back(rejected().rung().looked(Some(refunded(24_000))), "wait")]
#[case::not_found_says_nothing(rejected().rung().looked(None), "wait")]
#[case::the_provider_is_away(rejected().rung().learn(Answer::Look(Err(lost()))), "retry")]
#[case::it_came_back(rejected().rung().looked(Some(failed(24_000, 1))), "write Rejected OutOfStock")]
#[case::only_what_was_due(
    cancelled_for_half().rung().looked(Some(failed(12_000, 1))), "write Cancelled RefundFailed")]
#[case::once(came_back(), "poll")]
#[case::it_is_looked_at_again(came_back().again(), "look for #1 pi_1")]
#[case::and_while_the_provider_is_away(came_back().again().learn(Answer::Look(Err(lost()))), "retry")]
#[case::a_person_allows_another(
    came_back().again().looked(Some(failed(24_000, 1))).retry("2"), "write Rejected OutOfStock")]
#[case::which_is_stored_before_it_is_sent(allowed(), "refund #2 24000 of pi_1")]
#[case::and_not_sent_while_no_money_may_move(allowed().halted(), "poll")]
#[case::whose_answer_was_lost(allowed().answered(lost()), "retry")]
#[case::whose_charge_is_looked_at_when_it_is_refused(allowed().answered(invalid()), "look for #1 pi_1")]
#[case::and_which_has_then_come_back_too(
    allowed().answered(invalid()).looked(Some(failed(24_000, 1))), "write Rejected OutOfStock")]
#[case::not_the_one_before(came_back().again().looked(Some(failed(24_000, 1))).retry("1"), "poll")]
#[case::never_twice(
    allowed().looked(Some(failed(24_000, 2))).written(), "poll")]
#[case::it_is_kept_until_the_guest_has_the_money(
    came_back().again().looked(Some(failed(24_000, 1))).deleted(LATER), "poll")]
fn what_is_done_when_it_comes_back(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

#[test]
fn the_end_stands_and_a_person_is_told() {
    for (known, end, ready) in [(came_back(), Reason::Rejected, Reason::OutOfStock), {
        let known = cancelled_for_half().rung().looked(Some(failed(12_000, 1))).written();
        (known, Reason::Cancelled, Reason::RefundFailed)
    }] {
        assert_eq!(known.condition(&ConditionType::Settled), (ConditionStatus::True, end));
        assert_eq!(known.condition(&ConditionType::Ready), (ConditionStatus::False, ready));
        assert_eq!(known.condition(&ConditionType::Refunded), (ConditionStatus::False, Reason::RefundFailed));
        assert_eq!(known.condition(&ConditionType::Stalled), (ConditionStatus::True, Reason::RefundFailed));
        assert_eq!(known.payment().refunded, 0);
    }
}

#[test]
fn once_it_has_arrived_everything_is_as_it_was() {
    let before = cancelled_for_half();
    let back = |refunds: Intent| {
        let known = cancelled_for_half().rung().looked(Some(failed(12_000, 1))).written();
        known.again().looked(Some(refunds)).written()
    };
    let by_hand = |state| {
        refunds(&[(12_000, RefundState::Failed("closed".to_owned()), Some(1)), (12_000, state, None)])
    };
    let pending = back(by_hand(RefundState::Pending));
    assert_eq!(pending.condition(&ConditionType::Refunded), (ConditionStatus::False, Reason::Pending));
    assert_eq!(pending.condition(&ConditionType::Stalled), (ConditionStatus::True, Reason::RefundFailed));
    assert_eq!(pending.then(), "poll");

    let arrived = pending.again().looked(Some(by_hand(RefundState::Succeeded))).written();
    for type_ in [ConditionType::Settled, ConditionType::Ready, ConditionType::Refunded] {
        assert_eq!(arrived.condition(&type_), before.condition(&type_));
    }
    assert_eq!(arrived.payment().refunded, 12_000);
    let (was, is) = (before.facts(), arrived.facts());
    assert_eq!(is[..was.len()], was, "nothing that happened is taken back");
    assert_eq!(is[was.len()..], [(FactKind::RefundFailed, Some(12_000)), (FactKind::Refunded, Some(12_000))]);
    assert_eq!(arrived.then(), "wait");
}

/// What is known of a charge after a look found one refund, and then the answer to a refund came.
#[rstest]
#[case::of_the_same_one("re_0", &[("re_0", true)])]
#[case::of_another("re_1", &[("re_0", false), ("re_1", true)])]
fn a_refund_is_known_once_and_as_it_was_last_heard_of(
    #[case] answered: &str,
    #[case] known: &[(&str, bool)],
) {
    let pending = refunds(&[(12_000, RefundState::Pending, Some(1))]);
    let answer =
        RefundView { id: answered.to_owned(), state: RefundState::Succeeded, ..pending.refunds[0].clone() };
    let after =
        new().cancelling(100).looked(Some(pending)).learn(Answer::Refund { attempt: 1, result: Ok(answer) });
    let ChargeKnown::Intent(intent) = after.knowledge.charge else { panic!("the charge is known") };
    let is: Vec<_> =
        intent.refunds.iter().map(|r| (r.id.as_str(), r.state == RefundState::Succeeded)).collect();
    assert_eq!(is, known);
}
