//! Verdicts: one function for each thing that a Reservation's status can come to say.
//!
//! Every condition of a Reservation is set here and nowhere else. A verdict takes the status before and gives the one
//! after; whether it is written is the planner's business. Messages do not contain what changes from try to try, so
//! that trying again writes nothing.

use innkeeper_api::{
    Allocation, ConditionStatus, ConditionType, Decision, Fact, FactKind, PaymentStatus, Phase, Quote,
    Reason, ReservationStatus,
};
use jiff::Timestamp;

use crate::currency::Currency;
use crate::provider::{Intent, ProviderError};
use crate::terms::Refusal;

use ConditionStatus::{False, True, Unknown};
use ConditionType as C;

/// What a Reservation has come to, read from the reason of `Settled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No price yet: new, or its Room is waited for.
    Open,
    /// Accepted; money and nights are being taken.
    InProgress,
    /// Given up as decided; money and nights are on their way back.
    Closing(End),
    /// Booked.
    Confirmed,
    /// Ended.
    Closed(End),
    /// Written by another version of the operator: not ours to touch.
    Foreign,
}

/// How a Reservation ends when it does not stay booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Refused.
    Rejected,
    /// Cancelled on request.
    Cancelled,
    /// Withdrawn by deletion.
    Withdrawn,
}

impl End {
    const fn closing(self) -> (Reason, Phase) {
        match self {
            Self::Rejected => (Reason::Rejecting, Phase::Rejecting),
            Self::Cancelled => (Reason::Cancelling, Phase::Cancelling),
            Self::Withdrawn => (Reason::Withdrawing, Phase::Withdrawing),
        }
    }

    const fn closed(self) -> (Reason, Phase, FactKind) {
        match self {
            Self::Rejected => (Reason::Rejected, Phase::Rejected, FactKind::Rejected),
            Self::Cancelled => (Reason::Cancelled, Phase::Cancelled, FactKind::Cancelled),
            Self::Withdrawn => (Reason::Withdrawn, Phase::Withdrawn, FactKind::Withdrawn),
        }
    }
}

/// Reads the stage.
#[must_use]
pub fn stage(status: &ReservationStatus) -> Stage {
    match status.conditions.reason(&C::Settled) {
        None => Stage::Open,
        Some(Reason::InProgress) if status.quote.is_none() => Stage::Open,
        Some(Reason::InProgress) => Stage::InProgress,
        Some(Reason::Rejecting) => Stage::Closing(End::Rejected),
        Some(Reason::Cancelling) => Stage::Closing(End::Cancelled),
        Some(Reason::Withdrawing) => Stage::Closing(End::Withdrawn),
        Some(Reason::Confirmed) => Stage::Confirmed,
        Some(Reason::Rejected) => Stage::Closed(End::Rejected),
        Some(Reason::Cancelled) => Stage::Closed(End::Cancelled),
        Some(Reason::Withdrawn) => Stage::Closed(End::Withdrawn),
        Some(_) => Stage::Foreign,
    }
}

/// A status being changed.
struct Draft {
    status: ReservationStatus,
    now: Timestamp,
}

impl Draft {
    fn of(before: &ReservationStatus, now: Timestamp) -> Self {
        Self { status: before.clone(), now }
    }

    fn set(&mut self, type_: C, status: ConditionStatus, reason: Reason, message: &str) -> &mut Self {
        self.status.conditions.set(type_, status, reason, message, self.now);
        self
    }

    /// Still moving: neither ready nor stalled.
    fn moving(&mut self, reason: Reason, message: &str) -> &mut Self {
        self.status.conditions.remove(&C::Stalled);
        self.set(C::Ready, Unknown, reason.clone(), message).set(C::Reconciling, True, reason, message)
    }

    /// As declared.
    fn ready(&mut self, reason: Reason, message: &str) -> &mut Self {
        self.status.conditions.remove(&C::Reconciling);
        self.status.conditions.remove(&C::Stalled);
        self.set(C::Ready, True, reason, message)
    }

    /// Ended without what was declared, or waiting for a person.
    fn stalled(&mut self, reason: Reason, message: &str) -> &mut Self {
        self.status.conditions.remove(&C::Reconciling);
        self.set(C::Ready, False, reason.clone(), message).set(C::Stalled, True, reason, message)
    }

    fn fact(&mut self, fact: FactKind, reason: Option<&str>, minor_units: Option<i64>) -> &mut Self {
        let reason = reason.map(|r| r.chars().take(128).collect::<String>());
        let repeated = self.status.history.iter().any(|f| {
            f.fact == fact && f.reason == reason && f.minor_units == minor_units && fact != FactKind::Refunded
        });
        if !repeated {
            let number = self.status.history.last().map_or(1, |f| f.number + 1);
            self.status.history.push(Fact { number, fact, time: self.now, reason, minor_units });
        }
        self
    }

    fn money(&mut self) -> &mut PaymentStatus {
        self.status.payment.get_or_insert_with(PaymentStatus::default)
    }

    fn show(&self, minor_units: i64) -> String {
        let currency = self.status.quote.as_ref().and_then(|q| Currency::of(&q.currency));
        currency.map_or_else(|| minor_units.to_string(), |c| c.show(minor_units))
    }

    fn done(&mut self) -> ReservationStatus {
        std::mem::take(&mut self.status)
    }
}

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
    let message = format!("{} To book again, delete this Reservation and create a new one.", refusal.message);
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

/// Accepted at this price: the intent, stored before anything is sent.
#[must_use]
pub fn accepted(
    before: &ReservationStatus,
    quote: Quote,
    deadline: Timestamp,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let (total, online) = (quote.total, quote.collect_online);
    draft.status.phase = Some(Phase::InProgress);
    draft.status.deadline = Some(deadline);
    draft.status.quote = Some(quote);
    let price = draft.show(total);
    if online > 0 {
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

/// The provider gave no result for the charge. What may have been charged stays unknown until it is looked up.
#[must_use]
pub fn charge_unanswered(
    before: &ReservationStatus,
    error: &ProviderError,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let unknown = before.conditions.is(&C::Paid, Unknown, &Reason::OutcomeUnknown);
    if error.may_have_happened() || matches!(error, ProviderError::Invalid { .. }) {
        let message =
            "The payment provider's answer was lost. The charge is looked up before anything else is done.";
        draft.set(C::Paid, Unknown, Reason::OutcomeUnknown, message);
    } else if !unknown {
        let message = match error {
            ProviderError::Unauthorized(_) => {
                "The payment provider refuses the operator's key. The charge is tried again until the deadline."
            }
            _ => "The payment provider cannot be reached. The charge is tried again until the deadline.",
        };
        draft.set(C::Paid, False, Reason::ProviderUnavailable, message);
    }
    draft.done()
}

/// The provider is still working on the charge.
#[must_use]
pub fn charge_processing(before: &ReservationStatus, intent: &Intent, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.money().id = Some(intent.id.clone());
    draft.set(C::Paid, False, Reason::Pending, "The payment provider is still processing the charge.").done()
}

/// The means of payment was refused. Final; nothing was taken.
#[must_use]
pub fn declined(
    before: &ReservationStatus,
    id: Option<&str>,
    code: &str,
    message: &str,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    if let Some(id) = id {
        draft.money().id = Some(id.to_owned());
    }
    draft.status.phase = Some(Phase::Rejected);
    let sentence = format!(
        "The payment was declined ({code}): {} To book again, delete this Reservation and create a new one with another payment.method.",
        sentence(message)
    );
    draft
        .set(C::Paid, False, Reason::Declined, &sentence)
        .set(C::Allocated, False, Reason::NotDue, "No night was taken.")
        .set(C::Refunded, True, Reason::NothingDue, "Nothing was charged.")
        .set(C::Settled, True, Reason::Rejected, &sentence)
        .stalled(Reason::Declined, &sentence)
        .fact(FactKind::Declined, Some(code), None)
        .fact(FactKind::Rejected, Some(Reason::Declined.as_str()), None)
        .done()
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// Paid, and every night held: booked.
#[must_use]
pub fn confirmed(
    before: &ReservationStatus,
    intent: Option<&Intent>,
    allocation: Allocation,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    learn_intent(&mut draft, intent);
    draft.status.phase = Some(Phase::Confirmed);
    draft.status.allocation = Some(allocation);
    draft
        .set(C::Allocated, True, Reason::Allocated, "Every night is held.")
        .set(C::Settled, True, Reason::Confirmed, "Booked.")
        .ready(Reason::Confirmed, "Booked.")
        .fact(FactKind::Confirmed, None, None)
        .done()
}

/// Takes in what the provider says was taken.
fn learn_intent(draft: &mut Draft, intent: Option<&Intent>) {
    let Some(intent) = intent else { return };
    let money = draft.money();
    money.id = Some(intent.id.clone());
    money.next_attempt = None;
    if intent.captured > 0 {
        money.captured = intent.captured;
        let message = format!("{} was taken.", draft.show(intent.captured));
        draft.set(C::Paid, True, Reason::Captured, &message);
        draft.fact(FactKind::Paid, None, Some(intent.captured));
    }
}

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
            draft.fact(FactKind::OutOfStock, None, None);
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
    if draft.status.payment.is_some() {
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

/// The provider could not give the money back: a person must look.
#[must_use]
pub fn refund_failed(
    before: &ReservationStatus,
    intent: &Intent,
    why: &str,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    learn_intent(&mut draft, Some(intent));
    let due = intent.captured - draft.money().kept - intent.returning();
    let message = format!(
        "The payment provider could not give {} back ({why}). Refund payment {} in the provider's dashboard; it is noticed by itself.",
        draft.show(due),
        intent.id
    );
    // What it was given up for must outlive the stall, for the end still names it.
    draft.set(C::Refunded, False, Reason::RefundFailed, &message);
    draft.status.conditions.remove(&C::Reconciling);
    draft.set(C::Stalled, True, Reason::RefundFailed, &message);
    draft.fact(FactKind::RefundFailed, Some(why), Some(due)).done()
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
    let never_collected = before.conditions.is(&C::Paid, True, &Reason::NotCollectedHere);
    if captured == 0 && !never_collected {
        draft.set(
            C::Paid,
            False,
            Reason::NotDue,
            "Nothing was charged, and the charge can no longer be made.",
        );
    }
    if before.conditions.reason(&C::Allocated) != Some(&Reason::OutOfStock) {
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
            let message = format!("{cause} To book again, delete this Reservation and create a new one.");
            draft.set(C::Settled, True, reason, &message).stalled(why.clone(), &message);
            draft.fact(fact, Some(why.as_str()), None);
            return draft.done();
        }
    }
    draft.fact(fact, None, None).done()
}

#[cfg(test)]
mod tests;
