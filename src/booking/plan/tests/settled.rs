//! Booked or ended.

use innkeeper_api::CancellationTier;
use rstest::rstest;

use super::*;

const AFTER: &str = "2026-12-04T08:00:00Z";

fn rejected() -> Known {
    new().rejecting().looked(Some(refunded(24_000))).nights(NightsKnown::Released).written().forget()
}

fn cancelled_for_half() -> Known {
    new().cancelling(50).looked(Some(refunded(12_000))).nights(NightsKnown::Released).written().forget()
}

fn withdrawn() -> Known {
    new().withdrawing().looked(Some(refunded(24_000))).nights(NightsKnown::Released).written().forget()
}

/// Deleted the day after check-out.
fn filed() -> Known {
    new().confirmed().at(AFTER).deleted(AFTER)
}

fn marked(answer: Result<(), ProviderError>) -> Known {
    filed().nights(NightsKnown::Released).learn(Answer::Mark(answer))
}

impl Known {
    fn forget(mut self) -> Self {
        self.knowledge = Knowledge::default();
        self
    }

    fn in_calendars(mut self) -> Self {
        self.in_calendars = true;
        self
    }
}

const RELEASE: &str = "release 2026-12-01..2026-12-03 x1";
const MARK: &str = "mark pi_1 kept 24000";
const GO: &str = "remove innkeeper.dev/settle";

#[rstest]
#[case::nothing_to_do(new().confirmed().in_calendars(), "wait")]
#[case::nothing_to_do_after_check_out(new().confirmed().at(AFTER), "wait")]
#[case::the_deadline_is_for_what_is_not_settled(new().confirmed().at(DEADLINE), "wait")]
#[case::the_room_is_gone(new().confirmed().without_room(), "wait")]
#[case::the_finalizer_was_stripped(new().confirmed().without_finalizer(), "add innkeeper.dev/settle")]
#[case::cancelled_and_not_known_since_when(new().confirmed().cancelled(), "read the cancellation")]
#[case::cancelled(new().confirmed().cancel_recorded(CHECK_IN), "write Cancelling Cancelling")]
#[case::deleted(new().confirmed().deleted(CHECK_IN), "write Withdrawing Withdrawing")]
#[case::deleted_an_instant_before_the_end(new().confirmed().deleted("2026-12-03T23:59:59Z"), "write Withdrawing Withdrawing")]
#[case::filed_away_at_the_end(new().confirmed().at(FINISHED).deleted(FINISHED), RELEASE)]
#[case::filed_away_long_after(filed(), RELEASE)]
#[case::cancelled_then_deleted(
    new().confirmed().cancel_recorded("2026-11-23T00:00:00Z").deleted("2026-11-24T00:00:00Z"), "write Cancelling Cancelling")]
#[case::deleted_then_cancelled(
    new().confirmed().cancel_recorded("2026-11-24T00:00:00Z").deleted("2026-11-23T00:00:00Z"), "write Withdrawing Withdrawing")]
#[case::cancelled_during_the_stay_and_filed_away(
    filed().cancel_recorded("2026-12-02T00:00:00Z"), "write Cancelling Cancelling")]
#[case::filed_away_and_then_cancelled(filed().cancel_recorded("2026-12-05T00:00:00Z"), RELEASE)]
#[case::filed_away_with_an_unknown_cancellation(filed().cancelled(), "read the cancellation")]
fn a_booked_one(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

#[rstest]
#[case::first_the_nights(filed(), RELEASE)]
#[case::busy_calendars_are_tried_again(filed().nights(NightsKnown::Busy), "retry")]
#[case::then_the_mark(filed().nights(NightsKnown::Released), MARK)]
#[case::the_mark_failed(marked(Err(unreachable())), "retry")]
#[case::the_provider_does_not_know_it(marked(Err(ProviderError::NotFound("pi_1".into()))), GO)]
#[case::the_finalizer_goes_last(marked(Ok(())), GO)]
#[case::nothing_to_mark_where_the_desk_collected(
    new().at_the_desk().confirmed().at(AFTER).deleted(AFTER).nights(NightsKnown::Released), GO)]
#[case::the_finalizer_is_gone_already(filed().without_finalizer(), "wait")]
fn filing_away(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

#[rstest]
#[case::rejected(rejected(), "wait")]
#[case::cancelled(cancelled_for_half(), "wait")]
#[case::rejected_and_then_cancelled(rejected().cancelled(), "wait")]
#[case::withdrawn_is_let_go(withdrawn(), RELEASE)]
#[case::without_money_that_stays_there_is_no_mark(withdrawn().nights(NightsKnown::Released), GO)]
#[case::rejected_and_deleted(rejected().deleted(AFTER), RELEASE)]
#[case::rejected_and_deleted_and_released(rejected().deleted(AFTER).nights(NightsKnown::Released), GO)]
#[case::what_stays_of_a_cancelled_one_is_marked(
    cancelled_for_half().deleted(AFTER).nights(NightsKnown::Released), "mark pi_1 kept 12000")]
#[case::a_late_write_put_it_into_a_calendar(rejected().in_calendars(), RELEASE)]
#[case::that_calendar_is_busy(rejected().in_calendars().nights(NightsKnown::Busy), "retry")]
#[case::and_is_free_again(rejected().in_calendars().nights(NightsKnown::Released), "wait")]
#[case::the_relays_finalizer_is_not_ours_to_take(
    { let mut known = rejected().deleted(AFTER).without_finalizer();
      known.reservation.metadata.finalizers = Some(vec!["innkeeper.dev/relay".into()]); known }, "wait")]
#[case::refused_and_never_ours(
    new().cancelled().written().deleted(AFTER), "wait")]
fn an_ended_one(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

// All until a week before, half until a day before.
#[rstest]
#[case::well_before("2026-11-23T00:00:00Z", 100)]
#[case::at_the_last_instant("2026-11-24T15:00:00Z", 100)]
#[case::a_second_later("2026-11-24T15:00:01Z", 50)]
#[case::the_day_before("2026-11-30T15:00:00Z", 50)]
#[case::too_late("2026-11-30T15:00:01Z", 0)]
#[case::after_check_out("2026-12-10T00:00:00Z", 0)]
fn cancelling_follows_the_policy_as_agreed(#[case] recorded: &str, #[case] percent: u32) {
    let tiers = [(168, 100), (24, 50)]
        .map(|(hours_before, refund_percent)| CancellationTier { hours_before, refund_percent });
    let agreed = new().with_room(RoomSpec { cancellation: tiers.to_vec(), ..room() }).confirmed();
    // The Room has become stricter since, which changes nothing; and looking later than it was asked changes nothing.
    let strict = vec![CancellationTier { hours_before: 0, refund_percent: 0 }];
    let known = agreed.with_room(RoomSpec { cancellation: strict, ..room() }).at("2026-12-20T00:00:00Z");
    let known = known.cancel_recorded(recorded).written();
    let decision = known.reservation.status.as_ref().unwrap().decision.clone().unwrap();
    assert_eq!(decision, Decision { at: at(recorded), refund_percent: percent });
    assert_eq!(known.payment().kept, 24_000 / 100 * i64::from(100 - percent));
}

#[test]
fn withdrawing_keeps_nothing_whatever_the_policy_says() {
    let strict = vec![CancellationTier { hours_before: 0, refund_percent: 0 }];
    let known =
        new().with_room(RoomSpec { cancellation: strict, ..room() }).confirmed().deleted(CHECK_IN).written();
    assert_eq!(known.payment().kept, 0);
    assert_eq!(known.looked(Some(captured())).then(), "refund #1 24000 of pi_1");
}

#[test]
fn a_stay_that_is_filed_away_is_not_written_to() {
    for known in [filed(), filed().nights(NightsKnown::Released), marked(Ok(()))] {
        assert!(matches!(known.next(), Plan::Do(_)), "{:?}", known.next());
    }
}
