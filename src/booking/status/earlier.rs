//! Verdicts before a charge: another object's money stands in its way, or no money moves at all.

use std::fmt::Write as _;

use innkeeper_api::{ALREADY_CHARGED, Allocation, ConditionStatus, ConditionType, Reason, ReservationStatus};
use jiff::Timestamp;

use super::draft::Draft;
use crate::provider::Earlier;

use ConditionStatus::{False, True};
use ConditionType as C;

/// Why what a person has asked for is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// There is more than one such payment.
    Several,
    /// Its amount is another, or some of it has gone back.
    DoesNotFit,
    /// The nights are not free.
    NoNights,
    /// The annotation says something that means nothing.
    Unreadable(&'a str),
}

/// Money of another object of the same name is still with the hotel: nothing is charged until a person has said whose it
/// is, or it has gone back.
#[must_use]
pub fn already_charged(
    before: &ReservationStatus,
    held: &[&Earlier],
    why: Option<Standing<'_>>,
    allocation: Option<Allocation>,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let ids: Vec<&str> = held.iter().take(5).map(|e| e.intent.id.as_str()).collect();
    let ids = ids.join(", ");
    let mut message = format!(
        "A Reservation of this name and check-in was paid before under another UID, and that money is still there ({ids}). If it is this stay's, annotate this Reservation with {ALREADY_CHARGED}=adopt; if it is another's, with {ALREADY_CHARGED}=charge-anew; or refund it in the provider's dashboard, which is noticed by itself."
    );
    match why {
        Some(Standing::Several) => message.push_str(
            " It cannot be adopted: there are several such payments; refund those that are too many first.",
        ),
        Some(Standing::DoesNotFit) => message.push_str(
            " It cannot be adopted: it is not settled yet, or its amount is not this stay's price, or some of it has gone back.",
        ),
        Some(Standing::NoNights) if allocation.is_none() => {
            message.push_str(" It is adopted as soon as its nights are free.");
        }
        None | Some(Standing::NoNights) => {}
        Some(Standing::Unreadable(value)) => {
            let value: String = value.chars().take(40).collect();
            let _ = write!(message, " {ALREADY_CHARGED} is {value:?}, which means nothing.");
        }
    }
    if let Some(allocation) = allocation {
        draft.status.allocation = Some(allocation);
        let held = "Every night is held, while a person is waited for.";
        draft.set(C::Allocated, True, Reason::Held, held);
    }
    draft
        .set(C::Paid, False, Reason::AlreadyCharged, &message)
        .stalled(Reason::AlreadyCharged, &message)
        .done()
}

/// A person has said that the money of another object is this stay's. Stored before the provider is told.
#[must_use]
pub fn adopting(
    before: &ReservationStatus,
    id: &str,
    deadline: Timestamp,
    now: Timestamp,
) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.money().id = Some(id.to_owned());
    draft.status.deadline = Some(deadline);
    let message = format!("Payment {id} becomes this stay's, as a person has asked.");
    draft.set(C::Paid, False, Reason::Pending, &message).moving(Reason::InProgress, "Being booked.").done()
}

/// What stood in the way of the charge does so no more.
#[must_use]
pub fn charge_resumed(before: &ReservationStatus, deadline: Timestamp, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.status.deadline = Some(deadline);
    let online = draft.status.quote.as_ref().map_or(0, |q| q.collect_online);
    let message = format!("{} is being charged.", draft.show(online));
    draft.set(C::Paid, False, Reason::Pending, &message).moving(Reason::InProgress, "Being booked.").done()
}

/// No money moves at all until a person has said that it may.
#[must_use]
pub fn charge_halted(before: &ReservationStatus, why: &str, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let message = format!("Nothing is charged for now. {why}");
    draft.set(C::Paid, False, Reason::MoneyHalted, &message).stalled(Reason::MoneyHalted, &message).done()
}
