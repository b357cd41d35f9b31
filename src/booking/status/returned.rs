//! Verdicts on money that came back after the end. The end itself is not touched: `Settled` stays as it is, and what it
//! was given up for is still to be read from `Ready` of a rejected one.

use std::fmt::Write as _;

use innkeeper_api::{ConditionStatus, ConditionType, FactKind, RETRY_REFUND, Reason, ReservationStatus};
use jiff::Timestamp;

use super::closing::RefundFailure;
use super::draft::Draft;
use crate::provider::Intent;

use ConditionStatus::{False, True};
use ConditionType as C;

/// A refund that had arrived came back: a person must look.
#[must_use]
pub fn came_back(
    before: &ReservationStatus,
    intent: &Intent,
    failure: &RefundFailure<'_>,
    now: Timestamp,
) -> ReservationStatus {
    let RefundFailure { why, next, mistaken } = *failure;
    let mut draft = Draft::of(before, now);
    let due = intent.captured - draft.money().kept - intent.returning();
    draft.money().refunded = intent.returned();
    let mut message = format!(
        "{} that had been given back came back ({why}). Refund payment {} in the provider's dashboard, which is noticed by itself, or annotate this Reservation with {RETRY_REFUND}={next} to have it tried once more.",
        draft.show(due),
        intent.id
    );
    if let Some(value) = mistaken {
        let value: String = value.chars().take(40).collect();
        let _ = write!(message, " {RETRY_REFUND} is {value:?}, which allows nothing.");
    }
    stuck(&mut draft, Reason::RefundFailed, &message);
    draft.fact(FactKind::RefundFailed, Some(why), Some(due)).done()
}

/// A person has allowed another attempt: its number is stored before it is sent.
#[must_use]
pub fn retried_again(before: &ReservationStatus, attempt: u32, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    draft.money().refund_attempt = Some(attempt);
    let message =
        "The money that came back is on its way again; it is tried once more, as a person has asked.";
    stuck(&mut draft, Reason::Pending, message);
    draft.done()
}

/// It is on its way again at the provider.
#[must_use]
pub fn returning_again(before: &ReservationStatus, intent: &Intent, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let message = format!("{} is on its way back at the payment provider.", draft.show(intent.returning()));
    stuck(&mut draft, Reason::Pending, &message);
    draft.done()
}

/// It has arrived: everything is as it was.
#[must_use]
pub fn returned_again(before: &ReservationStatus, intent: &Intent, now: Timestamp) -> ReservationStatus {
    let mut draft = Draft::of(before, now);
    let arrived = intent.returned() - draft.money().refunded;
    draft.money().refunded = intent.returned();
    let message = format!("{} was given back.", draft.show(intent.returned()));
    draft.set(C::Refunded, True, Reason::Refunded, &message);
    let of = |type_: &C| before.conditions.get(type_).map(|c| (c.reason.clone(), c.message.clone()));
    match (of(&C::Settled), of(&C::Ready)) {
        (Some((Reason::Cancelled, message)), _) => {
            draft.ready(Reason::Cancelled, &message);
        }
        (_, Some((reason, message))) => {
            draft.stalled(reason, &message);
        }
        _ => {}
    }
    if arrived > 0 {
        draft.fact(FactKind::Refunded, None, Some(arrived));
    }
    draft.done()
}

/// Until the guest has the money it is for a person to see to.
fn stuck(draft: &mut Draft, refunded: Reason, message: &str) {
    draft.set(C::Refunded, False, refunded, message);
    draft.set(C::Stalled, True, Reason::RefundFailed, message);
    if draft.status.conditions.get(&C::Ready).is_none_or(|ready| ready.status == True) {
        draft.set(C::Ready, False, Reason::RefundFailed, message);
    }
}
