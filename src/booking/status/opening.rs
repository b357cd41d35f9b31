//! Verdicts before money and nights: waiting, refusing, accepting.

use innkeeper_api::{
    ConditionStatus, ConditionType, Decision, FactKind, Flow, PaymentStatus, Phase, Quote, Reason,
    ReservationStatus,
};
use jiff::Timestamp;

use super::End;
use super::closing::{cancelling, withdrawing};
use super::draft::{Draft, again};
use crate::terms::Refusal;

use ConditionStatus::{False, True, Unknown};
use ConditionType as C;

/// The Room is waited for, until the deadline.
#[must_use]
pub fn waiting(
    before: &ReservationStatus,
    reason: Reason,
    message: &str,
    deadline: Timestamp,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.status.phase = Some(Phase::Pending);
    draft.status.deadline = Some(deadline);
    draft
        .set(C::Accepted, Unknown, reason.clone(), message)
        .set(C::Paid, False, Reason::NotDue, "Nothing is charged before the stay is accepted.")
        .set(C::Allocated, False, Reason::NotDue, "No night is taken before the stay is accepted.")
        .set(C::Settled, False, Reason::InProgress, "Waiting to be decided.")
        .moving(reason, message)
        .done()
}

/// Refused before anything was charged or taken. Final.
#[must_use]
pub fn refused(before: &ReservationStatus, refusal: &Refusal, now: Timestamp) -> ReservationStatus {
    let message = format!("{} {}", refusal.message, again(&refusal.reason));
    let mut draft = Draft::of(before, now);
    draft.status.phase = Some(Phase::Rejected);
    draft
        .set(C::Accepted, False, refusal.reason.clone(), &message)
        .set(C::Paid, False, Reason::NotDue, "Nothing was charged.")
        .set(C::Allocated, False, Reason::NotDue, "No night was taken.")
        .set(C::Refunded, True, Reason::NothingDue, "Nothing was charged.")
        .set(C::Settled, True, Reason::Rejected, &message)
        .stalled(refusal.reason.clone(), &message)
        .fact(FactKind::Rejected, Some(refusal.reason.as_str()), None)
        .done()
}

/// Cancelled or deleted before it was decided: nothing was charged, no night taken.
#[must_use]
pub fn undecided(before: &ReservationStatus, end: End, at: Timestamp, now: Timestamp) -> ReservationStatus {
    let (reason, phase, fact) = end.closed();
    let message = match end {
        End::Cancelled => "Cancelled before it was decided; nothing was charged.",
        _ => "Deleted before it was decided; nothing was charged.",
    };
    let mut draft = Draft::of(before, now);
    draft.status.phase = Some(phase);
    draft.status.decision = Some(Decision { at, refund_percent: 100 });
    draft
        .set(C::Accepted, Unknown, Reason::NotDecided, message)
        .set(C::Paid, False, Reason::NotDue, "Nothing was charged.")
        .set(C::Allocated, False, Reason::NotDue, "No night was taken.")
        .set(C::Refunded, True, Reason::NothingDue, "Nothing was charged.")
        .set(C::Settled, True, reason.clone(), message);
    if end == End::Cancelled {
        draft.fact(FactKind::CancelRequested, None, None).ready(reason, message);
    } else {
        draft.stalled(reason, message);
    }
    draft.fact(fact, None, None).done()
}

/// Booked once, and its status was wiped by hand; what was agreed cannot be derived again. A person must look.
#[must_use]
pub fn terms_lost(before: &ReservationStatus, why: &str, now: Timestamp) -> ReservationStatus {
    let message = format!(
        "The nights of this stay are held, and its status was taken away; what was agreed cannot be found out again: {why} Let the Room take it as it did, or cancel or delete it: everything that was paid goes back."
    );
    let mut draft = Draft::of(before, now);
    draft.status.phase = Some(Phase::Pending);
    without_terms(&mut draft, &message)
        .set(C::Settled, False, Reason::InProgress, "Waiting for a person.")
        .stalled(Reason::TermsLost, &message)
        .done()
}

fn without_terms<'a>(draft: &'a mut Draft, message: &str) -> &'a mut Draft {
    draft
        .set(C::Accepted, Unknown, Reason::TermsLost, message)
        .set(C::Paid, Unknown, Reason::TermsLost, "Whether it was paid is not on record any more.")
        .set(C::Allocated, Unknown, Reason::TermsLost, "Nights are held, and are not on record any more.")
}

/// Given up when nobody knows any more what was agreed: what was charged since `charged` is looked for, and all of it goes
/// back.
#[must_use]
pub fn given_up_without_terms(
    before: &ReservationStatus,
    end: End,
    at: Timestamp,
    charged: Option<Timestamp>,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.status.payment = charged.map(|since| PaymentStatus {
        attempt: Some(1),
        attempted_at: Some(since),
        ..PaymentStatus::default()
    });
    without_terms(&mut draft, "What was agreed was lost with the status.");
    let status = draft.done();
    match end {
        End::Withdrawn => withdrawing(&status, at, now),
        _ => cancelling(&status, Decision { at, refund_percent: 100 }, now),
    }
}

/// Accepted at this price: the intent, stored before anything is sent. Where the nights come first, nothing may be sent
/// yet, and the charge has no number.
#[must_use]
pub fn accepted(
    before: &ReservationStatus,
    quote: Quote,
    deadline: Timestamp,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let (total, online, flow) = (quote.total, quote.collect_online, quote.flow);
    draft.status.phase = Some(Phase::InProgress);
    draft.status.deadline = Some(deadline);
    draft.status.quote = Some(quote);
    let price = draft.show(total);
    if online > 0 && flow == Flow::HoldFirst {
        let message = format!("{} is charged once the nights are held.", draft.show(online));
        draft.set(C::Paid, False, Reason::NotDue, &message);
    } else if online > 0 {
        draft.status.payment =
            Some(PaymentStatus { attempt: Some(1), attempted_at: Some(now), ..PaymentStatus::default() });
        let message = format!("{} is being charged.", draft.show(online));
        draft.set(C::Paid, False, Reason::Pending, &message);
    } else {
        draft.set(C::Paid, True, Reason::NotCollectedHere, "Nothing is collected here for this stay.");
    }
    draft
        .set(C::Accepted, True, Reason::Accepted, &format!("Accepted at {price}."))
        .set(C::Allocated, False, Reason::Pending, "The nights have not been taken yet.")
        .set(C::Settled, False, Reason::InProgress, "Being booked.")
        .moving(Reason::InProgress, "Being booked.")
        .fact(FactKind::Requested, None, Some(total))
        .done()
}
