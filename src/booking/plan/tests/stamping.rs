//! Every generation is stamped, once, and nothing is written that changes nothing.

use innkeeper_api::ConditionStatus;
use rstest::rstest;

use super::*;

fn edited(mut known: Known) -> Known {
    known.reservation.metadata.generation = Some(2);
    known.reservation.spec.ttl_after_finished = Some("720h".parse::<kube::core::Duration>().unwrap());
    known
}

fn closed() -> Known {
    let known = new().rejecting().looked(Some(refunded(24_000))).nights(NightsKnown::Released).written();
    Known { knowledge: Knowledge::default(), ..known }
}

/// Resting places: whatever is planned there is to wait.
#[rstest]
#[case::waiting_for_the_room(new().without_room().fresh().written().again())]
#[case::booked(new().confirmed())]
#[case::rejected(closed())]
#[case::rejected_and_then_cancelled(closed().cancelled())]
#[case::cancelled_before_it_was_decided(new().cancelled().written())]
#[case::refund_pending(
    new().rejecting().looked(Some(refunds(&[(24_000, RefundState::Pending, Some(1))]))).written())]
#[case::refund_failed(
    new().rejecting().looked(Some(refunds(&[(24_000, RefundState::Failed("x".into()), Some(1))]))).written())]
#[case::provider_away(new().just_accepted().learn(Answer::Charge(Err(unreachable()))).written())]
fn a_new_generation_earns_one_write(#[case] known: Known) {
    assert!(matches!(known.next(), Plan::Wait(_)), "{:?}", known.next());
    let before = known.reservation.status.clone().unwrap();
    let known = edited(known);
    let after = known.clone().written();
    assert!(matches!(after.next(), Plan::Wait(_)), "{:?}", after.next());

    let mut stamped = after.reservation.status.unwrap();
    assert_eq!(stamped.observed_generation, 2);
    assert!(stamped.conditions.0.iter().all(|c| c.observed_generation == 2));
    stamped.observed_generation = 1;
    stamped.conditions.observe(1);
    assert_eq!(stamped, before, "nothing but the stamp");
}

/// What people read follows from what decides; another version's word is left alone.
#[rstest]
#[case::booked(new().confirmed())]
#[case::rejected(closed())]
#[case::refund_pending(
    new().rejecting().looked(Some(refunds(&[(24_000, RefundState::Pending, Some(1))]))).written())]
#[case::provider_away(new().just_accepted().learn(Answer::Charge(Err(unreachable()))).written())]
fn a_phase_that_somebody_edited_is_put_right(#[case] known: Known) {
    let before = known.reservation.status.clone().unwrap();
    for phase in [None, Some(Phase::Pending)] {
        let mut edited = known.clone();
        edited.reservation.status.as_mut().unwrap().phase = phase;
        let mended = edited.written();
        assert_eq!(mended.reservation.status, Some(before.clone()));
        assert!(matches!(mended.next(), Plan::Wait(_)));
    }
    let mut foreign = known;
    foreign.reservation.status.as_mut().unwrap().phase = Some(Phase::Unknown("Expired".to_owned()));
    assert!(matches!(foreign.next(), Plan::Wait(_)));
}

#[rstest]
#[case::no_status_at_all(None)]
#[case::as_the_crd_defaults_it(Some(ReservationStatus::default()))]
fn one_that_nobody_has_looked_at_is_not_stamped_as_seen(#[case] status: Option<ReservationStatus>) {
    let mut known = new();
    known.reservation.status = status;
    assert_eq!(known.then(), "add innkeeper.dev/settle");
    assert_eq!(known.with_finalizer().written().reservation.status.unwrap().observed_generation, 1);
}

#[rstest]
#[case::as_it_is(|known: Known| known)]
#[case::edited(edited)]
#[case::cancelled(|known: Known| edited(known).cancel_recorded(DEADLINE))]
#[case::deleted(|known: Known| known.deleted(DEADLINE))]
#[case::without_its_finalizer(Known::without_finalizer)]
#[case::past_the_deadline(|known: Known| known.at(DEADLINE))]
fn what_another_version_decided_is_left_alone(#[case] change: fn(Known) -> Known) {
    let mut known = new().confirmed();
    let status = known.reservation.status.as_mut().unwrap();
    let reason = Reason::Unknown("Upgraded".to_owned());
    status.conditions.set(
        ConditionType::Settled,
        ConditionStatus::True,
        reason,
        "By a later version.",
        now(),
    );
    assert_eq!(change(known).then(), "wait");
}

#[test]
fn the_same_is_planned_for_the_same() {
    for known in [new(), new().accepted(), new().confirmed(), new().rejecting(), closed()] {
        assert_eq!(known.next(), known.next());
    }
}
