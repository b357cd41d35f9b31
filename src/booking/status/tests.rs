use innkeeper_api::{Allocation, ConditionStatus, Decision, Flow, RefundDeadline};
use rstest::rstest;

use super::*;
use crate::fixtures::{ROOM_UID, assert_follows, assert_well_formed, at, now, quote, room, stay};
use crate::provider::{Intent, IntentState, ProviderError, RefundState, RefundView};
use crate::terms::Refusal;

use ConditionStatus::False;

const CLOSED: RefundFailure<'static> = RefundFailure { why: "closed", next: 2, mistaken: None };
const LATER: &str = "2026-11-22T12:30:00Z";
const DEADLINE: &str = "2026-11-22T13:00:00Z";

fn intent(state: IntentState) -> Intent {
    let captured = if state == IntentState::Captured { 24_000 } else { 0 };
    Intent {
        id: "pi_1".to_owned(),
        state,
        amount: 24_000,
        currency: "EUR".to_owned(),
        captured,
        refunds: Vec::new(),
        attempt: Some(1),
        fence: false,
        created: now(),
        settled: false,
    }
}

fn paid() -> Intent {
    intent(IntentState::Captured)
}

fn refunded(amount: i64, state: RefundState) -> Intent {
    let refund = RefundView { id: "re_1".to_owned(), amount, state, attempt: Some(1) };
    Intent { refunds: vec![refund], ..paid() }
}

fn allocation() -> Allocation {
    Allocation { room_uid: ROOM_UID.to_owned(), units: 1, calendars: vec!["sea-view-2026-12".to_owned()] }
}

fn at_work() -> ReservationStatus {
    accepted(&ReservationStatus::default(), quote(&stay(), &room()), at(DEADLINE), now())
}

fn at_work_for_the_desk() -> ReservationStatus {
    let mut quote = quote(&stay(), &room());
    quote.collect_online = 0;
    accepted(&ReservationStatus::default(), quote, at(DEADLINE), now())
}

fn booked() -> ReservationStatus {
    confirmed(&at_work(), Some(&paid()), allocation(), now())
}

fn sold_out() -> ReservationStatus {
    rejecting(&at_work(), &Reason::OutOfStock, "2026-12-01 is sold out.", Some(&paid()), now())
}

fn half_back() -> ReservationStatus {
    cancelling(&booked(), Decision { at: now(), refund_percent: 50 }, at(LATER))
}

fn no_answer() -> ProviderError {
    ProviderError::Unreachable("connection refused".to_owned())
}

fn refusal() -> Refusal {
    Refusal { reason: Reason::SaleStopped, message: "The hotel has stopped selling this Room.".to_owned() }
}

/// `Type=Status/Reason` of every condition, in the order of the documentation.
fn conditions(status: &ReservationStatus) -> String {
    let order =
        [C::Accepted, C::Paid, C::Allocated, C::Refunded, C::Settled, C::Ready, C::Reconciling, C::Stalled];
    let shown = order.iter().filter_map(|kind| {
        let c = status.conditions.get(kind)?;
        Some(format!("{kind}={}/{}", c.status, c.reason))
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Every verdict, from where it can come about, with the stage it leads to and everything it says.
#[rstest]
#[case::waiting_for_the_room(
    ReservationStatus::default(),
    waiting(&ReservationStatus::default(), Reason::RoomNotFound, "There is no Room yet.", at(DEADLINE), now()),
    Stage::Open,
    "Accepted=Unknown/RoomNotFound Paid=False/NotDue Allocated=False/NotDue Settled=False/InProgress \
     Ready=Unknown/RoomNotFound Reconciling=True/RoomNotFound"
)]
#[case::refused_terms(
    ReservationStatus::default(),
    refused(&ReservationStatus::default(), &refusal(), now()),
    Stage::Closed(End::Rejected),
    "Accepted=False/SaleStopped Paid=False/NotDue Allocated=False/NotDue Refunded=True/NothingDue \
     Settled=True/Rejected Ready=False/SaleStopped Stalled=True/SaleStopped"
)]
#[case::cancelled_before_it_was_decided(
    ReservationStatus::default(),
    undecided(&ReservationStatus::default(), End::Cancelled, now(), now()),
    Stage::Closed(End::Cancelled),
    "Accepted=Unknown/NotDecided Paid=False/NotDue Allocated=False/NotDue Refunded=True/NothingDue \
     Settled=True/Cancelled Ready=True/Cancelled"
)]
#[case::deleted_before_it_was_decided(
    ReservationStatus::default(),
    undecided(&ReservationStatus::default(), End::Withdrawn, now(), now()),
    Stage::Closed(End::Withdrawn),
    "Accepted=Unknown/NotDecided Paid=False/NotDue Allocated=False/NotDue Refunded=True/NothingDue \
     Settled=True/Withdrawn Ready=False/Withdrawn Stalled=True/Withdrawn"
)]
#[case::accepted_to_be_paid(
    ReservationStatus::default(),
    at_work(),
    Stage::InProgress,
    "Accepted=True/Accepted Paid=False/Pending Allocated=False/Pending Settled=False/InProgress \
     Ready=Unknown/InProgress Reconciling=True/InProgress"
)]
#[case::accepted_to_be_paid_elsewhere(
    ReservationStatus::default(),
    at_work_for_the_desk(),
    Stage::InProgress,
    "Accepted=True/Accepted Paid=True/NotCollectedHere Allocated=False/Pending Settled=False/InProgress \
     Ready=Unknown/InProgress Reconciling=True/InProgress"
)]
#[case::provider_unreachable(
    at_work(),
    charge_unanswered(&at_work(), &no_answer(), now()),
    Stage::InProgress,
    "Accepted=True/Accepted Paid=False/ProviderUnavailable Allocated=False/Pending Settled=False/InProgress \
     Ready=Unknown/InProgress Reconciling=True/InProgress"
)]
#[case::answer_lost(
    at_work(),
    charge_unanswered(&at_work(), &ProviderError::OutcomeUnknown("timeout".into()), now()),
    Stage::InProgress,
    "Accepted=True/Accepted Paid=Unknown/OutcomeUnknown Allocated=False/Pending Settled=False/InProgress \
     Ready=Unknown/InProgress Reconciling=True/InProgress"
)]
#[case::still_processing(
    at_work(),
    charge_processing(&at_work(), &intent(IntentState::Processing), now()),
    Stage::InProgress,
    "Accepted=True/Accepted Paid=False/Pending Allocated=False/Pending Settled=False/InProgress \
     Ready=Unknown/InProgress Reconciling=True/InProgress"
)]
#[case::refused_card(
    at_work(),
    declined(&at_work(), Some("pi_1"), "insufficient_funds", "Your card has insufficient funds", now()),
    Stage::Closed(End::Rejected),
    "Accepted=True/Accepted Paid=False/Declined Allocated=False/NotDue Refunded=True/NothingDue \
     Settled=True/Rejected Ready=False/Declined Stalled=True/Declined"
)]
#[case::booked_and_paid(
    at_work(),
    booked(),
    Stage::Confirmed,
    "Accepted=True/Accepted Paid=True/Captured Allocated=True/Allocated Settled=True/Confirmed Ready=True/Confirmed"
)]
#[case::booked_and_paid_elsewhere(
    at_work_for_the_desk(),
    confirmed(&at_work_for_the_desk(), None, allocation(), now()),
    Stage::Confirmed,
    "Accepted=True/Accepted Paid=True/NotCollectedHere Allocated=True/Allocated Settled=True/Confirmed \
     Ready=True/Confirmed"
)]
#[case::out_of_stock(
    at_work(),
    sold_out(),
    Stage::Closing(End::Rejected),
    "Accepted=True/Accepted Paid=True/Captured Allocated=False/OutOfStock Refunded=False/Pending \
     Settled=False/Rejecting Ready=Unknown/OutOfStock Reconciling=True/OutOfStock"
)]
#[case::too_late(
    at_work(),
    rejecting(&at_work(), &Reason::TimedOut, "The deadline passed.", None, now()),
    Stage::Closing(End::Rejected),
    "Accepted=False/TimedOut Paid=False/Pending Allocated=False/Pending Refunded=False/Pending \
     Settled=False/Rejecting Ready=Unknown/TimedOut Reconciling=True/TimedOut"
)]
#[case::being_cancelled(
    booked(),
    half_back(),
    Stage::Closing(End::Cancelled),
    "Accepted=True/Accepted Paid=True/Captured Allocated=True/Allocated Refunded=False/Pending \
     Settled=False/Cancelling Ready=Unknown/Cancelling Reconciling=True/Cancelling"
)]
#[case::being_withdrawn(
    booked(),
    withdrawing(&booked(), at(LATER), at(LATER)),
    Stage::Closing(End::Withdrawn),
    "Accepted=True/Accepted Paid=True/Captured Allocated=True/Allocated Refunded=False/Pending \
     Settled=False/Withdrawing Ready=Unknown/Withdrawing Reconciling=True/Withdrawing"
)]
#[case::refund_unheard_of(
    sold_out(),
    refund_unanswered(&sold_out(), &no_answer(), at(LATER)),
    Stage::Closing(End::Rejected),
    "Accepted=True/Accepted Paid=True/Captured Allocated=False/OutOfStock Refunded=False/Pending \
     Settled=False/Rejecting Ready=Unknown/OutOfStock Reconciling=True/OutOfStock"
)]
#[case::refund_under_way(
    sold_out(),
    refund_pending(&sold_out(), &refunded(24_000, RefundState::Pending), at(LATER)),
    Stage::Closing(End::Rejected),
    "Accepted=True/Accepted Paid=True/Captured Allocated=False/OutOfStock Refunded=False/Pending \
     Settled=False/Rejecting Ready=Unknown/OutOfStock Reconciling=True/OutOfStock"
)]
#[case::refund_that_failed(
    sold_out(),
    refund_failed(&sold_out(), &refunded(24_000, RefundState::Failed("closed".into())), &CLOSED, at(LATER)),
    Stage::Closing(End::Rejected),
    "Accepted=True/Accepted Paid=True/Captured Allocated=False/OutOfStock Refunded=False/RefundFailed \
     Settled=False/Rejecting Ready=Unknown/OutOfStock Stalled=True/RefundFailed"
)]
#[case::rejected_and_refunded(
    sold_out(),
    closed(&sold_out(), End::Rejected, Some(&refunded(24_000, RefundState::Succeeded)), at(LATER)),
    Stage::Closed(End::Rejected),
    "Accepted=True/Accepted Paid=True/Captured Allocated=False/OutOfStock Refunded=True/Refunded \
     Settled=True/Rejected Ready=False/OutOfStock Stalled=True/OutOfStock"
)]
#[case::rejected_with_nothing_charged(
    rejecting(&at_work(), &Reason::TimedOut, "The deadline passed.", None, now()),
    closed(&rejecting(&at_work(), &Reason::TimedOut, "The deadline passed.", None, now()), End::Rejected,
        Some(&intent(IntentState::Cancelled)), at(LATER)),
    Stage::Closed(End::Rejected),
    "Accepted=False/TimedOut Paid=False/NotDue Allocated=False/Released Refunded=True/NothingDue \
     Settled=True/Rejected Ready=False/TimedOut Stalled=True/TimedOut"
)]
#[case::cancelled_with_half_of_it_back(
    half_back(),
    closed(&half_back(), End::Cancelled, Some(&refunded(12_000, RefundState::Succeeded)), at(LATER)),
    Stage::Closed(End::Cancelled),
    "Accepted=True/Accepted Paid=True/Captured Allocated=False/Released Refunded=True/Refunded \
     Settled=True/Cancelled Ready=True/Cancelled"
)]
#[case::cancelled_with_nothing_back(
    cancelling(&booked(), Decision { at: now(), refund_percent: 0 }, at(LATER)),
    closed(&cancelling(&booked(), Decision { at: now(), refund_percent: 0 }, at(LATER)), End::Cancelled,
        Some(&paid()), at(LATER)),
    Stage::Closed(End::Cancelled),
    "Accepted=True/Accepted Paid=True/Captured Allocated=False/Released Refunded=True/NothingDue \
     Settled=True/Cancelled Ready=True/Cancelled"
)]
#[case::withdrawn(
    withdrawing(&booked(), at(LATER), at(LATER)),
    closed(&withdrawing(&booked(), at(LATER), at(LATER)), End::Withdrawn,
        Some(&refunded(24_000, RefundState::Succeeded)), at(LATER)),
    Stage::Closed(End::Withdrawn),
    "Accepted=True/Accepted Paid=True/Captured Allocated=False/Released Refunded=True/Refunded \
     Settled=True/Withdrawn Ready=False/Withdrawn Stalled=True/Withdrawn"
)]
#[case::cancelled_where_the_desk_collects(
    cancelling(&at_work_for_the_desk(), Decision { at: now(), refund_percent: 100 }, at(LATER)),
    closed(&cancelling(&at_work_for_the_desk(), Decision { at: now(), refund_percent: 100 }, at(LATER)),
        End::Cancelled, None, at(LATER)),
    Stage::Closed(End::Cancelled),
    "Accepted=True/Accepted Paid=True/NotCollectedHere Allocated=False/Released Refunded=True/NothingDue \
     Settled=True/Cancelled Ready=True/Cancelled"
)]
fn a_verdict_says(
    #[case] before: ReservationStatus,
    #[case] after: ReservationStatus,
    #[case] leads_to: Stage,
    #[case] says: &str,
) {
    assert_well_formed(&after);
    assert_follows(&before, &after);
    assert_eq!(conditions(&after), says);
    assert_eq!(stage(&after), leads_to);
}

#[rstest]
#[case::nobody_has_looked(None, Stage::Open)]
#[case::a_later_version(Some("Haunted"), Stage::Foreign)]
#[case::in_progress_without_a_price(Some("InProgress"), Stage::Open)]
#[case::confirmed(Some("Confirmed"), Stage::Confirmed)]
#[case::rejecting(Some("Rejecting"), Stage::Closing(End::Rejected))]
#[case::cancelling(Some("Cancelling"), Stage::Closing(End::Cancelled))]
#[case::withdrawing(Some("Withdrawing"), Stage::Closing(End::Withdrawn))]
#[case::rejected(Some("Rejected"), Stage::Closed(End::Rejected))]
#[case::cancelled(Some("Cancelled"), Stage::Closed(End::Cancelled))]
#[case::withdrawn(Some("Withdrawn"), Stage::Closed(End::Withdrawn))]
fn the_stage_is_the_reason_of_settled(#[case] reason: Option<&str>, #[case] wanted: Stage) {
    let mut status = ReservationStatus::default();
    if let Some(reason) = reason {
        status.conditions.set(C::Settled, False, Reason::from(reason.to_owned()), "said", now());
    }
    assert_eq!(stage(&status), wanted);
}

/// What a clerk reads where somebody has to do something.
#[rstest]
#[case::declined(
    declined(&at_work(), None, "expired_card", "Your card has expired.", now()), C::Ready,
    "The payment was declined (expired_card): Your card has expired. To book again, delete this Reservation and \
     create a new one with another payment.method."
)]
#[case::refused(
    refused(&ReservationStatus::default(), &refusal(), now()), C::Accepted,
    "The hotel has stopped selling this Room. To book again, delete this Reservation and create a new one."
)]
#[case::out_of_stock(
    closed(&sold_out(), End::Rejected, Some(&refunded(24_000, RefundState::Succeeded)), now()), C::Ready,
    "2026-12-01 is sold out. To book again, delete this Reservation and create a new one."
)]
#[case::refund_failed(
    refund_failed(&half_back(), &refunded(12_000, RefundState::Failed("closed".into())), &CLOSED, now()), C::Stalled,
    "The payment provider could not give 120.00 EUR back (closed). Refund payment pi_1 in the provider's dashboard, \
     which is noticed by itself, or annotate this Reservation with innkeeper.dev/retry-refund=2 to have it tried once more."
)]
#[case::refund_failed_after_the_dashboard_gave_some_back(
    refund_failed(&half_back(), &given_back_in_part(), &CLOSED, now()), C::Refunded,
    "The payment provider could not give 60.00 EUR back (closed). Refund payment pi_1 in the provider's dashboard, \
     which is noticed by itself, or annotate this Reservation with innkeeper.dev/retry-refund=2 to have it tried once more."
)]
#[case::decided(half_back(), C::Refunded, "The money due is on its way back.")]
#[case::decided_before_anything_is_known_of_the_charge(
    cancelling(&at_work(), Decision { at: now(), refund_percent: 50 }, now()), C::Refunded,
    "The payment provider is asked whether anything was charged; what is due goes back."
)]
#[case::nothing_comes_of_a_refund(
    refund_unanswered(&half_back(), &no_answer(), now()), C::Refunded,
    "The payment provider does not answer; what is due goes back once it does."
)]
#[case::our_key_is_refused_for_a_refund(
    refund_unanswered(&half_back(), &ProviderError::Unauthorized("revoked".into()), now()), C::Refunded,
    "The payment provider refuses the operator's key; what is due goes back once it answers."
)]
#[case::cancelled(
    closed(&half_back(), End::Cancelled, Some(&refunded(12_000, RefundState::Succeeded)), now()), C::Settled,
    "Cancelled; 120.00 EUR went back."
)]
#[case::cancelled_before_it_was_decided(
    undecided(&ReservationStatus::default(), End::Cancelled, now(), now()), C::Settled,
    "Cancelled before it was decided; nothing was charged."
)]
#[case::deleted_before_it_was_decided(
    undecided(&ReservationStatus::default(), End::Withdrawn, now(), now()), C::Settled,
    "Deleted before it was decided; nothing was charged."
)]
#[case::cancelled_for_nothing(
    closed(&half_back(), End::Cancelled, Some(&paid()), now()), C::Settled, "Cancelled; nothing went back."
)]
#[case::cancelled_and_nothing_due(
    closed(&half_back(), End::Cancelled, Some(&paid()), now()), C::Refunded, "Nothing was due back."
)]
#[case::cancelled_and_never_charged(
    closed(&half_back(), End::Cancelled, None, now()), C::Refunded, "Nothing was charged."
)]
#[case::our_key_is_refused(
    charge_unanswered(&at_work(), &ProviderError::Unauthorized("revoked".into()), now()), C::Paid,
    "The payment provider refuses the operator's key. The charge is tried again until the deadline."
)]
fn a_message_says_what_to_do(#[case] status: ReservationStatus, #[case] kind: C, #[case] wanted: &str) {
    assert_eq!(status.conditions.get(&kind).unwrap().message, wanted);
}

#[test]
fn where_the_nights_come_first_and_nothing_is_collected_nothing_is_to_be_charged_later() {
    let mut quote = quote(&stay(), &room());
    (quote.collect_online, quote.flow) = (0, Flow::HoldFirst);
    let status = accepted(&ReservationStatus::default(), quote, at(DEADLINE), now());
    assert_eq!(status.conditions.reason(&C::Paid), Some(&Reason::NotCollectedHere));
}

/// Refunds of a captured payment, none of whose money stays.
fn given_back(list: &[(i64, RefundState)]) -> Intent {
    let view = |(n, (amount, state)): (usize, &(i64, RefundState))| RefundView {
        id: format!("re_{n}"),
        amount: *amount,
        state: state.clone(),
        attempt: None,
    };
    Intent { refunds: list.iter().enumerate().map(view).collect(), ..paid() }
}

#[test]
fn of_two_refunds_only_the_one_that_came_back_is_told_of_and_then_everything_is_as_it_was() {
    use RefundState::{Failed, Succeeded};
    let last = |status: &ReservationStatus| {
        let fact = status.history.last().unwrap();
        (fact.fact.clone(), fact.minor_units)
    };
    let ended = closed(
        &sold_out(),
        End::Rejected,
        Some(&given_back(&[(18_000, Succeeded), (6_000, Succeeded)])),
        now(),
    );
    assert_eq!(ended.payment.as_ref().unwrap().refunded, 24_000);

    let failed = || (18_000, Failed("closed".to_owned()));
    let back = came_back(&ended, &given_back(&[failed(), (6_000, Succeeded)]), &CLOSED, at(LATER));
    let message = &back.conditions.get(&C::Refunded).unwrap().message;
    assert!(message.starts_with("180.00 EUR that had been given back came back (closed). "), "{message}");
    assert_eq!(back.payment.as_ref().unwrap().refunded, 6_000);
    assert_eq!(last(&back), (FactKind::RefundFailed, Some(18_000)));

    let all = given_back(&[failed(), (6_000, Succeeded), (18_000, Succeeded)]);
    let again = returned_again(&back, &all, at(LATER));
    assert_eq!(conditions(&again), conditions(&ended));
    assert_eq!(again.payment.as_ref().unwrap().refunded, 24_000);
    assert_eq!(last(&again), (FactKind::Refunded, Some(18_000)));
    assert_eq!(returned_again(&again, &all, at(LATER)).history, again.history, "it is not told twice");
}

#[test]
fn what_is_given_up_without_terms_is_looked_for_since_it_could_have_been_charged() {
    let lost =
        given_up_without_terms(&ReservationStatus::default(), End::Cancelled, now(), Some(now()), at(LATER));
    let payment = lost.payment.unwrap();
    assert_eq!((payment.attempt, payment.attempted_at), (Some(1), Some(now())));
    let lost = given_up_without_terms(&ReservationStatus::default(), End::Withdrawn, now(), None, at(LATER));
    assert_eq!(lost.payment, None, "the desk has nothing to look for");
}

/// Half was due; half of that was given back by hand, and what was tried here failed.
fn given_back_in_part() -> Intent {
    let mut intent = refunded(12_000, RefundState::Failed("closed".into()));
    let by_hand = RefundState::Succeeded;
    intent.refunds.push(RefundView { id: "re_2".to_owned(), amount: 6_000, state: by_hand, attempt: None });
    intent
}

/// It is the refund's key, so that an attempt that was made already keeps its own.
#[rstest]
#[case::the_first(Some(1), None, Some(1))]
#[case::one_under_way(Some(1), Some(3), Some(3))]
#[case::nothing_was_ever_charged(None, None, None)]
fn a_refund_has_a_number_once_there_may_be_money_and_keeps_it(
    #[case] charge: Option<u32>,
    #[case] refund: Option<u32>,
    #[case] wanted: Option<u32>,
) {
    let mut status = booked();
    let payment = status.payment.as_mut().unwrap();
    (payment.attempt, payment.refund_attempt) = (charge, refund);
    let decided = cancelling(&status, Decision { at: now(), refund_percent: 50 }, now());
    assert_eq!(decided.payment.unwrap().refund_attempt, wanted);
}

#[test]
fn an_unknown_outcome_is_not_forgotten_because_the_provider_went_away() {
    let unknown = charge_unanswered(&at_work(), &ProviderError::OutcomeUnknown("timeout".into()), now());
    let later = charge_unanswered(&unknown, &no_answer(), at(LATER));
    assert_eq!(later, unknown);
}

#[rstest]
#[case(charge_unanswered(&at_work(), &no_answer(), now()),
    charge_unanswered(&charge_unanswered(&at_work(), &no_answer(), now()),
        &ProviderError::Server { status: 503, message: "other words".into() }, at(LATER)), false)]
#[case(charge_unanswered(&at_work(), &no_answer(), now()),
    charge_unanswered(&charge_unanswered(&at_work(), &no_answer(), now()),
        &ProviderError::Unreachable("other words".into()), at(LATER)), true)]
#[case(refund_unanswered(&half_back(), &no_answer(), now()),
    refund_unanswered(&refund_unanswered(&half_back(), &no_answer(), now()),
        &ProviderError::Server { status: 503, message: "other words".into() }, at(LATER)), true)]
fn what_an_outage_says_changes_only_with_what_is_known(
    #[case] before: ReservationStatus,
    #[case] after: ReservationStatus,
    #[case] same: bool,
) {
    assert_eq!(before == after, same);
}

// 240.00 EUR were taken.
#[rstest]
#[case(100, 0)]
#[case(50, 12_000)]
#[case(33, 16_080)]
#[case(0, 24_000)]
fn cancelling_keeps_the_rest(#[case] percent: u32, #[case] kept: i64) {
    let status = cancelling(&booked(), Decision { at: now(), refund_percent: percent }, at(LATER));
    let money = status.payment.unwrap();
    assert_eq!((money.captured, money.kept, money.refund_attempt), (24_000, kept, Some(1)));
    assert_eq!(status.decision, Some(Decision { at: now(), refund_percent: percent }));
}

#[test]
fn what_was_refunded_in_the_dashboard_beyond_the_policy_is_told_as_it_is() {
    let status =
        closed(&half_back(), End::Cancelled, Some(&refunded(20_000, RefundState::Succeeded)), at(LATER));
    let money = status.payment.unwrap();
    assert_eq!((money.captured, money.refunded, money.kept), (24_000, 20_000, 4_000));
}

#[test]
fn the_history_of_a_stay_tells_it_in_order_and_only_once() {
    let mut status = sold_out();
    for _ in 0..3 {
        status = refund_failed(
            &status,
            &refunded(24_000, RefundState::Failed("closed".into())),
            &CLOSED,
            at(LATER),
        );
    }
    let end = closed(&status, End::Rejected, Some(&refunded(24_000, RefundState::Succeeded)), at(LATER));
    let told: Vec<String> = end
        .history
        .iter()
        .map(|f| {
            let amount = f.minor_units.map(|m| format!(" {m}")).unwrap_or_default();
            let reason = f.reason.as_ref().map(|r| format!(" {r}")).unwrap_or_default();
            format!("{} {}{amount}{reason}", f.number, f.fact)
        })
        .collect();
    assert_eq!(
        told,
        [
            "1 Requested 24000",
            "2 Paid 24000",
            "3 OutOfStock",
            "4 RefundFailed 24000 closed",
            "5 Refunded 24000",
            "6 Rejected OutOfStock"
        ]
    );
}

#[test]
fn a_providers_endless_sentence_is_cut_to_what_can_be_stored() {
    let status = declined(&at_work(), None, &"x".repeat(500), &"y".repeat(5_000), now());
    assert!(status.conditions.0.iter().all(|c| c.message.chars().count() <= 1024));
    assert!(status.history.iter().all(|f| f.reason.as_ref().is_none_or(|r| r.chars().count() <= 128)));
}

#[test]
fn the_deadlines_of_the_quote_outlive_every_decision() {
    let status = half_back();
    let deadlines = status.quote.unwrap().refund_deadlines;
    assert_eq!(deadlines, [RefundDeadline { until: at("2026-12-01T15:00:00Z"), percent: 100 }]);
}
