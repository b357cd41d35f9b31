//! The test payment methods and what happens when one is charged or refunded.
//!
//! The names are those of Stripe's page on testing, so that the same manifest works against a Stripe test account.
//! Stripe's cards never stay `processing`, so the three `pm_card_async...` names are this provider's own.

/// What a test payment method does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// The charge succeeds, and so do refunds.
    Succeeds,
    /// The charge is declined.
    Declines(Decline),
    /// The guest would have to authenticate; what happens once they have.
    Authenticates(Option<Decline>),
    /// The intent stays `processing` and then ends like this.
    Processes(Processing),
    /// The charge succeeds; refunds are `pending` first, then `succeeded`.
    RefundsLater,
    /// The charge succeeds; refunds look `succeeded` first, then are `failed`.
    RefundsFail,
}

/// How a `processing` intent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processing {
    /// Succeeds after the time to settle.
    Succeeds,
    /// Is declined after the time to settle.
    Fails,
    /// Only when told to.
    Waits,
}

/// A refusal by the card's issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decline {
    pub(crate) code: &'static str,
    /// `decline_code` of the API.
    pub(crate) reason: Option<&'static str>,
    pub(crate) message: &'static str,
}

/// A test payment method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) id: &'static str,
    pub(crate) brand: &'static str,
    pub(crate) last4: &'static str,
    pub(crate) funding: &'static str,
    pub(crate) behaviour: Behaviour,
}

const fn decline(reason: &'static str, message: &'static str) -> Decline {
    Decline { code: "card_declined", reason: Some(reason), message }
}

const DECLINED: &str = "Your card was declined.";
/// The issuer gives no reason.
pub(crate) const GENERIC: Decline = decline("generic_decline", DECLINED);
const INSUFFICIENT_FUNDS: Decline = decline("insufficient_funds", "Your card has insufficient funds.");
const LOST: Decline = decline("lost_card", DECLINED);
const STOLEN: Decline = decline("stolen_card", DECLINED);
const FRAUDULENT: Decline = decline("fraudulent", DECLINED);
const VELOCITY: Decline = decline(
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
);
const EXPIRED: Decline =
    Decline { code: "expired_card", reason: Some("expired_card"), message: "Your card has expired." };
const INCORRECT_CVC: Decline = Decline {
    code: "incorrect_cvc",
    reason: Some("incorrect_cvc"),
    message: "Your card's security code is incorrect.",
};
const PROCESSING_ERROR: Decline = Decline {
    code: "processing_error",
    reason: Some("processing_error"),
    message: "An error occurred while processing your card. Try again in a little bit.",
};
/// The issuer wants the guest to authenticate, and nobody is there to do it.
pub(crate) const AUTHENTICATION: Decline = Decline {
    code: "authentication_required",
    reason: Some("authentication_required"),
    message: "Your card was declined. This transaction requires authentication.",
};

const fn visa(id: &'static str, last4: &'static str, behaviour: Behaviour) -> Method {
    Method { id, brand: "visa", last4, funding: "credit", behaviour }
}

const fn works(id: &'static str, brand: &'static str, last4: &'static str, funding: &'static str) -> Method {
    Method { id, brand, last4, funding, behaviour: Succeeds }
}

use Behaviour::{Authenticates, Declines, Processes, RefundsFail, RefundsLater, Succeeds};

const METHODS: &[Method] = &[
    works("pm_card_visa", "visa", "4242", "credit"),
    works("pm_card_visa_debit", "visa", "5556", "debit"),
    works("pm_card_mastercard", "mastercard", "4444", "credit"),
    works("pm_card_mastercard_debit", "mastercard", "8210", "debit"),
    works("pm_card_mastercard_prepaid", "mastercard", "5100", "prepaid"),
    works("pm_card_amex", "amex", "8431", "credit"),
    works("pm_card_discover", "discover", "9424", "credit"),
    works("pm_card_diners", "diners", "0004", "credit"),
    works("pm_card_jcb", "jcb", "0505", "credit"),
    works("pm_card_unionpay", "unionpay", "0005", "credit"),
    works("pm_card_us", "visa", "4242", "credit"),
    visa("pm_card_bypassPending", "0077", Succeeds),
    visa("pm_card_riskLevelElevated", "9235", Succeeds),
    visa("pm_card_chargeDeclined", "0002", Declines(GENERIC)),
    visa("pm_card_chargeDeclinedInsufficientFunds", "9995", Declines(INSUFFICIENT_FUNDS)),
    visa("pm_card_chargeDeclinedLostCard", "9987", Declines(LOST)),
    visa("pm_card_chargeDeclinedStolenCard", "9979", Declines(STOLEN)),
    visa("pm_card_chargeDeclinedFraudulent", "0019", Declines(FRAUDULENT)),
    visa("pm_card_chargeDeclinedExpiredCard", "0069", Declines(EXPIRED)),
    visa("pm_card_chargeDeclinedIncorrectCvc", "0127", Declines(INCORRECT_CVC)),
    visa("pm_card_chargeDeclinedProcessingError", "0119", Declines(PROCESSING_ERROR)),
    visa("pm_card_chargeDeclinedVelocityLimitExceeded", "6975", Declines(VELOCITY)),
    visa("pm_card_chargeCustomerFail", "0341", Declines(GENERIC)),
    visa("pm_card_radarBlock", "0019", Declines(FRAUDULENT)),
    visa("pm_card_riskLevelHighest", "4954", Declines(FRAUDULENT)),
    visa("pm_card_authenticationRequired", "3184", Authenticates(None)),
    visa("pm_card_authenticationRequiredOnSetup", "3155", Authenticates(None)),
    visa("pm_card_threeDSecureRequired", "3063", Authenticates(None)),
    visa("pm_card_threeDSecure2Required", "3220", Authenticates(None)),
    visa("pm_card_authenticationRequiredChargeDeclined", "1629", Authenticates(Some(GENERIC))),
    visa("pm_card_threeDSecureRequiredChargeDeclined", "1629", Authenticates(Some(GENERIC))),
    visa(
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "3178",
        Authenticates(Some(INSUFFICIENT_FUNDS)),
    ),
    visa("pm_card_pendingRefund", "7726", RefundsLater),
    visa("pm_card_asyncRefund", "7726", RefundsLater),
    visa("pm_card_refundFail", "5126", RefundsFail),
    visa("pm_card_asyncSuccess", "4242", Processes(Processing::Succeeds)),
    visa("pm_card_asyncFailure", "0002", Processes(Processing::Fails)),
    visa("pm_card_asyncPending", "4242", Processes(Processing::Waits)),
];

/// Finds a test payment method; the declines have a second spelling with `visa_` in it.
pub(crate) fn find(id: &str) -> Option<&'static Method> {
    let plain =
        id.strip_prefix("pm_card_visa_chargeDeclined").map(|rest| format!("pm_card_chargeDeclined{rest}"));
    let id = plain.as_deref().unwrap_or(id);
    METHODS.iter().find(|method| method.id == id)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("pm_card_visa", Some(Succeeds))]
    #[case("pm_card_visa_chargeDeclined", Some(Declines(GENERIC)))]
    #[case("pm_card_chargeDeclined", Some(Declines(GENERIC)))]
    #[case("pm_card_visa_chargeDeclinedStolenCard", Some(Declines(STOLEN)))]
    #[case("pm_card_chargeDeclinedExpiredCard", Some(Declines(EXPIRED)))]
    #[case("pm_card_nonsense", None)]
    #[case("pm_card_visa_", None)]
    fn methods_are_known_by_stripes_names(#[case] id: &str, #[case] behaviour: Option<Behaviour>) {
        assert_eq!(find(id).map(|method| method.behaviour), behaviour);
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut names: Vec<_> = METHODS.iter().map(|method| method.id).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
