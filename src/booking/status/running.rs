//! Verdicts while money and nights are being taken: how the charge stands, declined, booked.

use innkeeper_api::{Allocation, ConditionStatus, ConditionType, FactKind, Phase, Reason, ReservationStatus};
use jiff::Timestamp;

use super::draft::{Draft, learn_intent};
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
