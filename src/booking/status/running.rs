//! Verdicts while money and nights are being taken: how the charge stands, declined, booked.

use innkeeper_api::{Allocation, ConditionStatus, ConditionType, FactKind, Phase, Reason, ReservationStatus};
use jiff::Timestamp;

use super::closing::rejecting;
use super::draft::{Draft, again, learn_intent};
use crate::provider::{Intent, ProviderError};

use ConditionStatus::{False, True, Unknown};
use ConditionType as C;

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
        let trouble = match error {
            ProviderError::Unauthorized(_) => "The payment provider refuses the operator's key.",
            _ => "The payment provider cannot be reached.",
        };
        // What may have been sent is not given up on a guess: the hold outlasts the deadline until the provider answers.
        let until = if before.allocation.is_some() {
            "The charge is tried again until the deadline; the nights stay held until the provider has answered."
        } else {
            "The charge is tried again until the deadline."
        };
        draft.set(C::Paid, False, Reason::ProviderUnavailable, &format!("{trouble} {until}"));
    }
    draft.done()
}

/// Every night is held until the deadline; the charge has its number, stored before it is sent.
#[must_use]
pub fn held(before: &ReservationStatus, allocation: Allocation, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.status.allocation = Some(allocation);
    let money = draft.money();
    money.attempt = Some(1);
    money.attempted_at = Some(now);
    let online = draft.status.quote.as_ref().map_or(0, |q| q.collect_online);
    let message = format!("{} is being charged.", draft.show(online));
    draft
        .set(C::Paid, False, Reason::Pending, &message)
        .set(
            C::Allocated,
            True,
            Reason::Held,
            "Every night is held until the deadline, while the money is taken.",
        )
        .done()
}

/// The provider is still working on the charge.
#[must_use]
pub fn charge_processing(before: &ReservationStatus, intent: &Intent, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.money().id = Some(intent.id.clone());
    draft.set(C::Paid, False, Reason::Pending, "The payment provider is still processing the charge.").done()
}

/// The means of payment was refused. Final; nothing was taken. Where nights are held, they go back first.
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
    let cause = format!("The payment was declined ({code}): {}", sentence(message));
    if draft.status.allocation.is_some() {
        draft.set(C::Paid, False, Reason::Declined, &cause).fact(FactKind::Declined, Some(code), None);
        return rejecting(&draft.done(), &Reason::Declined, &cause, None, now);
    }
    draft.status.phase = Some(Phase::Rejected);
    let sentence = format!("{cause} {}", again(&Reason::Declined));
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

/// Booked, and nights of it are gone from the calendars and not to be had again: a person must look.
#[must_use]
pub fn nights_lost(before: &ReservationStatus, why: &str, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.status.allocation = None;
    let message = format!(
        "Nights of this booked stay were taken out of the calendar, and cannot be taken again: {why} Give the guest another Room, or free the nights: they are taken by themselves."
    );
    draft.set(C::Allocated, False, Reason::NightsLost, &message).stalled(Reason::NightsLost, &message).done()
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
