//! Answers of the payment provider.

use super::*;

pub(super) fn intent(state: IntentState) -> Intent {
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

pub(super) fn captured() -> Intent {
    intent(IntentState::Captured)
}

pub(super) fn card_declined() -> Intent {
    let (code, message) = ("card_declined".to_owned(), "Your card was declined.".to_owned());
    intent(IntentState::Declined { code, message })
}

/// Captured, with refunds of these amounts; ours unless made in the dashboard.
pub(super) fn refunds(list: &[(i64, RefundState, Option<u32>)]) -> Intent {
    let refunds = list.iter().enumerate().map(|(n, (amount, state, attempt))| RefundView {
        id: format!("re_{n}"),
        amount: *amount,
        state: state.clone(),
        attempt: *attempt,
    });
    Intent { refunds: refunds.collect(), ..captured() }
}

pub(super) fn refunded(amount: i64) -> Intent {
    refunds(&[(amount, RefundState::Succeeded, Some(1))])
}

pub(super) fn invalid() -> ProviderError {
    ProviderError::Invalid {
        code: "resource_missing".to_owned(),
        message: "No such payment method".to_owned(),
    }
}

pub(super) fn unreachable() -> ProviderError {
    ProviderError::Unreachable("connection refused".to_owned())
}

pub(super) fn lost() -> ProviderError {
    ProviderError::OutcomeUnknown("timed out".to_owned())
}

pub(super) fn server() -> ProviderError {
    ProviderError::Server { status: 500, message: "oops".to_owned() }
}

pub(super) fn unauthorized() -> ProviderError {
    ProviderError::Unauthorized("revoked".to_owned())
}

pub(super) fn slow_down() -> ProviderError {
    ProviderError::RateLimited { retry_after: Some(2) }
}
