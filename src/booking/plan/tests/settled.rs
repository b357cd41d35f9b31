//! Booked or ended.

use innkeeper_api::{CancellationTier, ReservationStatus};
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
        self.seen = NightsSeen::All;
        self
    }

    fn in_some_calendars(mut self) -> Self {
        self.seen = NightsSeen::Some;
        self
    }

    /// What somebody has made of its status by hand.
    fn edited(mut self, edit: impl FnOnce(&mut ReservationStatus)) -> Self {
        edit(self.reservation.status.as_mut().unwrap());
        self
    }
}

const RELEASE: &str = "release 2026-12-01..2026-12-03 x1";
const MARK: &str = "mark pi_1 kept 24000";
const GO: &str = "remove innkeeper.dev/settle";

#[rstest]
#[case::nothing_to_do(new().confirmed().in_calendars(), "wait")]
#[case::nothing_to_do_after_check_out(new().confirmed().at(AFTER), "wait")]
#[case::the_deadline_is_for_what_is_not_settled(new().confirmed().in_calendars().at(DEADLINE), "wait")]
#[case::the_room_is_gone(new().confirmed().in_calendars().without_room(), "wait")]
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
#[case::cancelled_at_the_instant_of_filing_away(
    new().confirmed().at(AFTER).deleted(AFTER).cancel_recorded(AFTER), "write Cancelling Cancelling")]
#[case::cancelled_during_the_stay_and_filed_away(
    filed().cancel_recorded("2026-12-02T00:00:00Z"), "write Cancelling Cancelling")]
#[case::filed_away_and_then_cancelled(filed().cancel_recorded("2026-12-05T00:00:00Z"), RELEASE)]
#[case::filed_away_with_an_unknown_cancellation(filed().cancelled(), "read the cancellation")]
fn a_booked_one(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

const LATER: &str = "2026-11-22T12:01:00Z";
const TAKE: &str = "take 2026-12-01..2026-12-03 x1";

/// Nights that a hand or a lost calendar took away from a booked stay.
#[rstest]
#[case::the_watches_may_be_apart(new().confirmed(), "wait until 2026-11-22T12:00:10Z")]
#[case::in_the_pass_that_took_them_they_are_known(new().confirmed().held(), "wait")]
#[case::gone_they_are_taken_again(new().confirmed().at(LATER), TAKE)]
#[case::nor_may_they_be_apart_any_longer_than_that(new().confirmed().at("2026-11-22T12:00:10Z"), TAKE)]
#[case::some_are_gone(new().confirmed().in_some_calendars().at(LATER), TAKE)]
#[case::and_are_there_again(new().confirmed().at(LATER).held(), "wait")]
#[case::the_calendars_are_busy(new().confirmed().at(LATER).nights(NightsKnown::Busy), "retry")]
#[case::others_have_them(new().confirmed().at(LATER).full(), "write Confirmed NightsLost")]
#[case::which_is_said_once(lost(), "poll")]
#[case::and_looked_at_again(lost().again(), TAKE)]
#[case::until_they_can_be_had(lost().again().held(), "write Confirmed Confirmed")]
#[case::or_somebody_puts_them_back(lost().again().in_calendars(), "write Confirmed Confirmed")]
#[case::or_the_guest_cancels(lost().again().cancel_recorded(CHECK_IN), "write Cancelling Cancelling")]
#[case::or_the_stay_is_over(lost().again().at(AFTER), "wait")]
fn nights_of_a_booked_stay_that_are_gone(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

fn lost() -> Known {
    new().confirmed().at(LATER).full().written()
}

#[test]
fn a_stay_that_lost_its_nights_says_what_to_do_and_has_none() {
    let status = lost().reservation.status.unwrap();
    assert!(status.allocation.is_none());
    let message = &status.conditions.get(&ConditionType::Stalled).unwrap().message;
    assert!(message.contains("2026-12-01 is sold out. Give the guest another Room"), "{message}");
    let back = lost().again().held().written().reservation.status.unwrap();
    assert_eq!(back.allocation.unwrap().room_uid, ROOM_UID);
    assert_eq!(back.history, new().confirmed().reservation.status.unwrap().history, "no fact is told twice");
}

/// A booked stay's status that somebody edited is as it was again, where it can be derived.
#[rstest]
#[case::its_phase(|s: &mut ReservationStatus| s.phase = None)]
#[case::a_condition(|s: &mut ReservationStatus| { s.conditions.remove(&ConditionType::Ready); })]
#[case::its_allocation(|s: &mut ReservationStatus| s.allocation = None)]
fn a_hand_in_the_status_of_a_booked_stay_is_mended(#[case] edit: fn(&mut ReservationStatus)) {
    let known = new().confirmed().in_calendars().edited(edit);
    assert_eq!(known.then(), "write Confirmed Confirmed");
    let mended = known.written();
    assert_eq!(mended.then(), "wait");
    let (is, was) = (mended.reservation.status.unwrap(), new().confirmed().reservation.status.unwrap());
    assert_eq!((is.phase, is.allocation, is.history), (was.phase, was.allocation, was.history));
}

/// Nobody is refused, and nothing given up, on a status that somebody has wiped.
#[rstest]
#[case::what_can_still_be_had_is_taken_up_again(new().in_calendars().with_finalizer(), "write InProgress InProgress")]
#[case::what_may_be_refused_on_an_old_view_of_the_room_is_not(too_late(), "read the Room")]
#[case::what_cannot_be_had_any_more_waits_for_a_person(too_late().fresh(), "write InProgress TermsLost")]
#[case::which_is_said_once(too_late().fresh().written(), "poll")]
#[case::and_ends_no_sooner_where_its_room_is_gone(too_late().without_room().fresh(), "write InProgress TermsLost")]
#[case::nor_where_that_cannot_be_sold(
    too_late().with_room(RoomSpec { time_zone: "Mars/Base".to_owned(), ..room() }).fresh(), "write InProgress TermsLost")]
#[case::until_it_can_be_had(
    too_late().fresh().written().at(crate::fixtures::NOW), "write InProgress InProgress")]
#[case::cancelled_its_money_is_looked_for(too_late().cancelled(), "write Cancelling Cancelling")]
#[case::deleted_too(too_late().deleted(LATER), "write Withdrawing Withdrawing")]
#[case::by_what_was_charged_since_it_was_made(too_late().cancelled().written(), "look for #1 by list")]
#[case::which_goes_back(too_late().cancelled().written().looked(Some(captured())), "refund #1 24000 of pi_1")]
#[case::the_desk_has_nothing_to_give_back(too_late().at_the_desk().cancelled().written(), RELEASE)]
#[case::an_old_one_is_looked_up_before_it_is_charged(
    made("2026-11-22T00:00:00Z").accepted_now(), "look for #1 by list")]
#[case::a_younger_one_is_charged(
    made("2026-11-22T00:00:01Z").accepted_now(), "charge #1 24000 EUR pm_card_visa")]
fn a_status_that_was_wiped(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

/// Booked, its status wiped, and its day of arrival is over.
fn too_late() -> Known {
    new().in_calendars().with_finalizer().at("2026-12-02T12:00:00Z")
}

fn made(time: &str) -> Known {
    let mut known = new();
    let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(time));
    known.reservation.metadata.creation_timestamp = Some(time);
    known
}

impl Known {
    fn accepted_now(self) -> Self {
        let mut known = self.with_finalizer().fresh().written();
        known.knowledge.attempt_is_new = true;
        known
    }
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
