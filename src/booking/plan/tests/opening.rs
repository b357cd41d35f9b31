//! Before there is a price.

use innkeeper_api::{Money, Sale};
use rstest::rstest;

use super::*;

fn unsellable() -> Known {
    new().with_room(RoomSpec { time_zone: "Mars/Base".to_owned(), ..room() })
}

fn too_dear() -> Known {
    new().spec(|s| s.max_total = Some(Money { currency: "EUR".to_owned(), minor_units: 1 }))
}

fn waiting() -> Known {
    new().without_room().fresh().written().again()
}

fn waiting_to_be_sellable() -> Known {
    unsellable().fresh().written().again()
}

#[rstest]
#[case::the_finalizer_comes_before_the_intent(new(), "add innkeeper.dev/settle")]
#[case::then_the_intent_before_the_charge(new().with_finalizer(), "write InProgress InProgress")]
#[case::the_same_where_the_desk_collects(new().at_the_desk(), "add innkeeper.dev/settle")]
#[case::a_refusal_is_not_given_on_what_may_be_old(too_dear(), "read the Room")]
#[case::but_on_what_was_just_read(too_dear().fresh(), "write Rejected PriceAboveMax")]
#[case::a_refused_one_needs_no_finalizer(
    new().fresh().with_room(RoomSpec { sale: Sale::Stopped, ..room() }), "write Rejected SaleStopped")]
#[case::a_room_may_be_there_and_not_seen_yet(new().without_room(), "read the Room")]
#[case::an_unknown_room_is_waited_for(new().without_room().fresh(), "write InProgress RoomNotFound")]
#[case::and_said_once(waiting(), "wait until 2026-11-22T13:00:00Z")]
#[case::also_while_time_passes(waiting().at("2026-11-22T12:59:59Z"), "wait until 2026-11-22T13:00:00Z")]
#[case::until_the_room_comes(waiting().with_room(room()), "add innkeeper.dev/settle")]
#[case::the_end_of_waiting_is_not_judged_on_what_may_be_old(waiting().at(DEADLINE), "read the Room")]
#[case::at_the_deadline_it_ends(waiting().at(DEADLINE).fresh(), "write Rejected TimedOut")]
#[case::a_room_may_have_been_put_right(unsellable(), "read the Room")]
#[case::a_room_that_cannot_be_sold_is_waited_for(unsellable().fresh(), "write InProgress RoomNotReady")]
#[case::and_said_once_too(waiting_to_be_sellable(), "wait until 2026-11-22T13:00:00Z")]
#[case::and_not_for_ever(waiting_to_be_sellable().at(DEADLINE).fresh(), "write Rejected TimedOut")]
#[case::once_it_is_put_right_it_is_booked(waiting_to_be_sellable().with_room(room()), "add innkeeper.dev/settle")]
#[case::cancelled_before_it_was_decided(new().cancelled(), "write Cancelled Cancelled")]
#[case::cancelled_while_waiting(waiting().cancelled(), "write Cancelled Cancelled")]
#[case::deleted_before_it_was_decided(new().deleted(DEADLINE), "write Withdrawn Withdrawn")]
#[case::cancelled_and_deleted_before_it_was_decided(new().cancelled().deleted(DEADLINE), "write Cancelled Cancelled")]
fn next(#[case] known: Known, #[case] then: &str) {
    assert_eq!(known.then(), then);
}

/// Its end would be lost to whoever publishes it, were it deleted before that.
#[rstest]
#[case::refused(too_dear().fresh(), "write Rejected PriceAboveMax")]
#[case::timed_out(waiting().at(DEADLINE).fresh(), "write Rejected TimedOut")]
#[case::cancelled(new().cancelled(), "write Cancelled Cancelled")]
fn one_that_ends_early_has_the_finalizers_of_others_and_not_ours(
    #[case] mut known: Known,
    #[case] then: &str,
) {
    known.settings.finalizers.push("innkeeper.dev/relay".to_owned());
    assert_eq!(known.then(), "add innkeeper.dev/relay");
    known.reservation.metadata.finalizers = Some(vec!["innkeeper.dev/relay".to_owned()]);
    assert_eq!(known.then(), then);
}

#[test]
fn every_finalizer_is_on_before_the_intent_is_stored() {
    let mut known = new();
    known.settings.finalizers.push("innkeeper.dev/relay".to_owned());
    assert_eq!(known.then(), "add innkeeper.dev/settle innkeeper.dev/relay");
    assert_eq!(known.with_finalizer().then(), "add innkeeper.dev/relay");
}

#[test]
fn the_intent_has_the_price_the_attempt_and_the_deadline() {
    let status = new().with_finalizer().written().reservation.status.unwrap();
    let quote = status.quote.unwrap();
    assert_eq!((quote.total, quote.collect_online, quote.room_generation), (24_000, 24_000, 3));
    assert_eq!(status.deadline, Some(at(DEADLINE)));
    let payment = status.payment.unwrap();
    assert_eq!((payment.attempt, payment.attempted_at), (Some(1), Some(now())));
    assert_eq!((payment.captured, payment.id), (0, None));
}

#[test]
fn without_anything_to_collect_there_is_no_attempt() {
    let desk = new().at_the_desk().with_finalizer().written();
    assert_eq!(desk.reservation.status.unwrap().payment, None);
    let mut free = room();
    free.rate.minor_units = 0;
    let free = new().with_room(free).with_finalizer().written();
    assert_eq!(free.reservation.status.unwrap().payment, None);
}

#[test]
fn the_deadline_counts_from_the_first_status_not_from_the_rooms_coming() {
    let late = waiting().with_room(room()).with_finalizer().at("2026-11-22T12:50:00Z").written();
    assert_eq!(late.reservation.status.unwrap().deadline, Some(at(DEADLINE)));
}

#[test]
fn the_reason_for_waiting_follows_the_room() {
    let known = waiting().with_room(RoomSpec { time_zone: "Mars/Base".to_owned(), ..room() });
    let known = known.fresh();
    assert_eq!(known.then(), "write InProgress RoomNotReady");
    let message = &known.written().reservation.status.unwrap().conditions.0[0].message.clone();
    assert!(message.contains("Mars/Base") && message.contains("IANA"), "{message}");
}

#[test]
fn nothing_was_charged_for_one_that_was_never_decided() {
    let known = new().cancelled().written();
    let status = known.reservation.status.as_ref().unwrap();
    assert_eq!((&status.payment, &status.quote, &status.allocation), (&None, &None, &None));
    assert_eq!(known.then(), "wait");
}
