//! Verdicts on the way back: the decision, how the refund stands, the end.

use std::fmt::Write as _;

use innkeeper_api::{
    ConditionStatus, ConditionType, Decision, FactKind, RETRY_REFUND, Reason, ReservationStatus,
};
use jiff::Timestamp;

use super::End;
use super::draft::{Draft, again, learn_intent};
use crate::currency::Currency;
use crate::provider::{Intent, ProviderError};

use ConditionStatus::{False, True};
use ConditionType as C;

/// Decided against, for a reason of our own. Stored before money or nights go back.
#[must_use]
pub fn rejecting(
    before: &ReservationStatus,
    why: &Reason,
    message: &str,
    intent: Option<&Intent>,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    learn_intent(&mut draft, intent);
    match why {
        Reason::OutOfStock => {
            draft.set(C::Allocated, False, Reason::OutOfStock, message);
            draft.status.allocation = None;
            draft.fact(FactKind::OutOfStock, None, None);
        }
        Reason::HoldExpired => {
            draft.set(C::Allocated, False, Reason::HoldExpired, message);
            draft.status.allocation = None;
        }
        Reason::TimedOut => {
            draft.set(C::Accepted, False, Reason::TimedOut, message);
        }
        _ => {}
    }
    decide(&mut draft, End::Rejected, Decision { at: now, refund_percent: 100 }, why, message)
}

/// Cancelled on request. Stored before money or nights go back.
#[must_use]
pub fn cancelling(before: &ReservationStatus, decision: Decision, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.fact(FactKind::CancelRequested, None, None);
    let message = match decision.refund_percent {
        100 => "Being cancelled; everything that was paid goes back.".to_owned(),
        0 => "Being cancelled; by the cancellation policy nothing goes back.".to_owned(),
        percent => format!("Being cancelled; by the cancellation policy {percent} % goes back."),
    };
    decide(&mut draft, End::Cancelled, decision, &Reason::Cancelling, &message)
}

/// Withdrawn by deletion. Stored before money or nights go back.
#[must_use]
pub fn withdrawing(before: &ReservationStatus, at: Timestamp, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let message = "Deleted by the hotel; everything that was paid goes back.";
    let decision = Decision { at, refund_percent: 100 };
    decide(&mut draft, End::Withdrawn, decision, &Reason::Withdrawing, message)
}

fn decide(draft: &mut Draft, end: End, decision: Decision, why: &Reason, message: &str) -> ReservationStatus {
    let (reason, phase) = end.closing();
    draft.status.phase = Some(phase);
    if let Some(money) = &mut draft.status.payment {
        let currency = draft.status.quote.as_ref().and_then(|q| Currency::of(&q.currency));
        let back = currency.map_or(money.captured, |c| c.share(money.captured, decision.refund_percent));
        money.kept = money.captured - back;
        if money.attempt.is_some() && money.refund_attempt.is_none() {
            money.refund_attempt = Some(1);
        }
        money.next_attempt = None;
    }
    draft.status.decision = Some(decision);
    let captured = draft.status.payment.as_ref().map(|money| money.captured);
    if captured == Some(0) {
        let message = "The payment provider is asked whether anything was charged; what is due goes back.";
        draft.set(C::Refunded, False, Reason::Pending, message);
    } else if captured.is_some() {
        draft.set(C::Refunded, False, Reason::Pending, "The money due is on its way back.");
    } else {
        draft.set(C::Refunded, True, Reason::NothingDue, "Nothing was charged.");
    }
    draft.set(C::Settled, False, reason, message).moving(why.clone(), message).done()
}

/// The provider gave no result while money is on its way back.
#[must_use]
pub fn refund_unanswered(
    before: &ReservationStatus,
    error: &ProviderError,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let message = match error {
        ProviderError::Unauthorized(_) => {
            "The payment provider refuses the operator's key; what is due goes back once it answers."
        }
        _ => "The payment provider does not answer; what is due goes back once it does.",
    };
    draft.set(C::Refunded, False, Reason::Pending, message);
    let why = before.conditions.reason(&C::Ready).cloned().unwrap_or(Reason::InProgress);
    draft.moving(why, message).done()
}

/// The refund was accepted and is under way at the provider.
#[must_use]
pub fn refund_pending(before: &ReservationStatus, intent: &Intent, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    learn_intent(&mut draft, Some(intent));
    let message = format!("{} is on its way back at the payment provider.", draft.show(intent.returning()));
    draft.set(C::Refunded, False, Reason::Pending, &message);
    let why = before.conditions.reason(&C::Ready).cloned().unwrap_or(Reason::InProgress);
    draft.moving(why, &message).done()
}

/// What is told of a refund that failed.
#[derive(Debug, Clone, Copy)]
pub struct RefundFailure<'a> {
    /// The provider's word for it.
    pub why: &'a str,
    /// The number that would allow another attempt.
    pub next: u32,
    /// What somebody annotated instead.
    pub mistaken: Option<&'a str>,
}

/// The provider could not give the money back: a person must look.
#[must_use]
pub fn refund_failed(
    before: &ReservationStatus,
    intent: &Intent,
    failure: &RefundFailure<'_>,
    now: Timestamp,
) -> ReservationStatus {
    let RefundFailure { why, next, mistaken } = *failure;
    let mut draft = Draft::of(before, now);
    learn_intent(&mut draft, Some(intent));
    let due = intent.captured - draft.money().kept - intent.returning();
    let mut message = format!(
        "The payment provider could not give {} back ({why}). Refund payment {} in the provider's dashboard, which is noticed by itself, or annotate this Reservation with {RETRY_REFUND}={next} to have it tried once more.",
        draft.show(due),
        intent.id
    );
    if let Some(value) = mistaken {
        let value: String = value.chars().take(40).collect();
        let _ = write!(message, " {RETRY_REFUND} is {value:?}, which allows nothing.");
    }
    // What it was given up for must outlive the stall, for the end still names it.
    draft.set(C::Refunded, False, Reason::RefundFailed, &message);
    draft.status.conditions.remove(&C::Reconciling);
    draft.set(C::Stalled, True, Reason::RefundFailed, &message);
    draft.fact(FactKind::RefundFailed, Some(why), Some(due)).done()
}

/// The brake is on: a person must say that the money may go out.
#[must_use]
pub fn money_halted(before: &ReservationStatus, why: &str, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let message = format!("What is due back waits. {why}");
    draft.set(C::Refunded, False, Reason::MoneyHalted, &message);
    draft.status.conditions.remove(&C::Reconciling);
    draft.set(C::Stalled, True, Reason::MoneyHalted, &message);
    draft.done()
}

/// A person has allowed another attempt: its number is stored before it is sent.
#[must_use]
pub fn refund_retried(before: &ReservationStatus, attempt: u32, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.money().refund_attempt = Some(attempt);
    let message = "The money due is on its way back; it is tried once more, as a person has asked.";
    draft.set(C::Refunded, False, Reason::Pending, message);
    let why = before.conditions.reason(&C::Ready).cloned().unwrap_or(Reason::InProgress);
    draft.moving(why, message).done()
}

/// The nights are free again while the money is still on its way.
#[must_use]
pub fn released(before: &ReservationStatus, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.status.allocation = None;
    draft.set(C::Allocated, False, Reason::Released, "No night is held.").done()
}

/// The provider does not know the payment that it gave us the id of: a person must look.
#[must_use]
pub fn payment_unknown(before: &ReservationStatus, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let id = draft.money().id.clone().unwrap_or_default();
    let message = format!(
        "The payment provider does not know payment {id}. Was its key or its account changed, or its data lost? Nothing more is done with the money until it does."
    );
    draft.set(C::Refunded, False, Reason::RefundFailed, &message);
    draft.status.conditions.remove(&C::Reconciling);
    draft.set(C::Stalled, True, Reason::RefundFailed, &message);
    draft.done()
}

/// Money and nights are where they belong: ended.
#[must_use]
pub fn closed(
    before: &ReservationStatus,
    end: End,
    intent: Option<&Intent>,
    now: Timestamp,
) -> ReservationStatus {
    let (reason, phase, fact) = end.closed();
    let mut draft = Draft::of(before, now);
    learn_intent(&mut draft, intent);
    draft.status.phase = Some(phase);
    let (captured, refunded) = intent.map_or((0, 0), |i| (i.captured, i.returned()));
    if let Some(money) = &mut draft.status.payment {
        money.refunded = refunded;
        money.kept = captured - refunded;
        money.next_attempt = None;
    }
    if refunded > 0 {
        let message = format!("{} was given back.", draft.show(refunded));
        draft.set(C::Refunded, True, Reason::Refunded, &message);
        draft.fact(FactKind::Refunded, None, Some(refunded));
    } else {
        let message = if captured > 0 { "Nothing was due back." } else { "Nothing was charged." };
        draft.set(C::Refunded, True, Reason::NothingDue, message);
    }
    let said = before.conditions.reason(&C::Paid);
    if captured == 0 && !matches!(said, Some(Reason::NotCollectedHere | Reason::Declined)) {
        draft.set(
            C::Paid,
            False,
            Reason::NotDue,
            "Nothing was charged, and the charge can no longer be made.",
        );
    }
    let said = before.conditions.reason(&C::Allocated);
    if !matches!(said, Some(Reason::OutOfStock | Reason::HoldExpired)) {
        draft.set(C::Allocated, False, Reason::Released, "No night is held.");
    }
    draft.status.allocation = None;
    match end {
        End::Cancelled => {
            let message = if refunded > 0 {
                format!("Cancelled; {} went back.", draft.show(refunded))
            } else {
                "Cancelled; nothing went back.".to_owned()
            };
            draft.set(C::Settled, True, reason.clone(), &message).ready(reason, &message);
        }
        End::Withdrawn => {
            let message = "Withdrawn by the hotel; everything that was paid went back.";
            draft.set(C::Settled, True, reason.clone(), message).stalled(reason, message);
        }
        End::Rejected => {
            let why = before.conditions.reason(&C::Ready).cloned().unwrap_or(Reason::Rejected);
            let cause = before.conditions.get(&C::Settled).map(|c| c.message.clone()).unwrap_or_default();
            let message = format!("{cause} {}", again(&why));
            draft.set(C::Settled, True, reason, &message).stalled(why.clone(), &message);
            draft.fact(fact, Some(why.as_str()), None);
            return draft.done();
        }
    }
    draft.fact(fact, None, None).done()
}
