//! The provider's objects in booking's words. Conversions only; what cannot be converted is said, never guessed.

use innkeeper_booking::provider::{Intent, IntentState, RefundState, RefundView, Step};
use jiff::Timestamp;
use stripe_shared::{ApiErrors, PaymentIntent, PaymentIntentStatus};

use super::metadata;

/// An object of the provider that means nothing to us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider's {what} cannot be understood")]
pub(super) struct NotUnderstood {
    what: &'static str,
}

/// An intent with the refunds that were read with it. Refunds come in any order and leave oldest first.
pub(super) fn intent(
    intent: &PaymentIntent,
    refunds: &[stripe_shared::Refund],
) -> Result<Intent, NotUnderstood> {
    let state = state(intent)?;
    let captured = if state == IntentState::Captured { intent.amount_received } else { 0 };
    Ok(Intent {
        id: intent.id.as_str().to_owned(),
        captured,
        amount: intent.amount,
        currency: intent.currency.to_string().to_ascii_uppercase(),
        // Where nothing was taken, what the provider calls a refund only released an authorisation.
        refunds: if captured > 0 { oldest_first(refunds)? } else { Vec::new() },
        attempt: metadata::attempt(&intent.metadata, Step::Charge),
        fence: metadata::is_fence(&intent.metadata),
        created: Timestamp::from_second(intent.created).map_err(|_| NotUnderstood { what: "time" })?,
        settled: metadata::is_settled(&intent.metadata),
        state,
    })
}

fn state(intent: &PaymentIntent) -> Result<IntentState, NotUnderstood> {
    Ok(match &intent.status {
        PaymentIntentStatus::Succeeded => IntentState::Captured,
        PaymentIntentStatus::Processing => IntentState::Processing,
        PaymentIntentStatus::Canceled => IntentState::Cancelled,
        PaymentIntentStatus::RequiresPaymentMethod => {
            intent.last_payment_error.as_deref().map_or(IntentState::Open, declined)
        }
        PaymentIntentStatus::RequiresAction
        | PaymentIntentStatus::RequiresCapture
        | PaymentIntentStatus::RequiresConfirmation => IntentState::Open,
        // A state made after this was written: to guess could mean to charge twice.
        _ => return Err(NotUnderstood { what: "intent status" }),
    })
}

fn declined(error: &ApiErrors) -> IntentState {
    let code = error
        .decline_code
        .clone()
        .or_else(|| error.code.as_ref().map(ToString::to_string))
        .unwrap_or_else(|| error.type_.to_string());
    IntentState::Declined { code, message: error.message.clone().unwrap_or_default() }
}

fn oldest_first(refunds: &[stripe_shared::Refund]) -> Result<Vec<RefundView>, NotUnderstood> {
    // The provider lists the newest first; within one second its own order is all there is to go by.
    let mut ordered: Vec<_> = refunds.iter().rev().collect();
    ordered.sort_by_key(|refund| refund.created);
    ordered.into_iter().map(refund).collect()
}

/// One refund.
pub(super) fn refund(refund: &stripe_shared::Refund) -> Result<RefundView, NotUnderstood> {
    let state = match refund.status.as_deref() {
        Some("succeeded") => RefundState::Succeeded,
        Some("pending" | "requires_action") => RefundState::Pending,
        Some("canceled") => RefundState::Cancelled,
        Some("failed") => {
            RefundState::Failed(refund.failure_reason.clone().unwrap_or_else(|| "unknown".to_owned()))
        }
        _ => return Err(NotUnderstood { what: "refund status" }),
    };
    Ok(RefundView {
        id: refund.id.as_str().to_owned(),
        amount: refund.amount,
        state,
        attempt: refund.metadata.as_ref().and_then(|found| metadata::attempt(found, Step::Refund)),
    })
}
