//! What the ledger holds: intents, charges and refunds, in the provider's own terms.
//!
//! No rule is here but what a status may be; amounts are in the currency's unit of the API, times in seconds since
//! 1970 by the provider's clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a payment intent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    /// No method yet, or the last one was declined.
    RequiresPaymentMethod,
    /// A method is there; nothing was charged.
    RequiresConfirmation,
    /// The guest would have to authenticate.
    RequiresAction,
    /// Sent to the issuer; the outcome comes later.
    Processing,
    /// Authorised, to be captured.
    RequiresCapture,
    /// Given up; it can never be charged.
    Canceled,
    /// Captured.
    Succeeded,
}

impl IntentStatus {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Canceled => "canceled",
            Self::Succeeded => "succeeded",
        }
    }
}

/// A payment intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// `pi_...`
    pub id: String,
    /// What is to be paid.
    pub amount: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// Where it stands.
    pub status: IntentStatus,
    /// When it was made.
    pub created: i64,
    /// Authorised and not yet captured.
    pub amount_capturable: i64,
    /// Captured.
    pub amount_received: i64,
    /// Capture at once, or when told to.
    pub capture_automatically: bool,
    /// The method it has or was charged to.
    pub payment_method: Option<String>,
    /// The last attempt.
    pub latest_charge: Option<String>,
    /// The caller's own keys.
    pub metadata: BTreeMap<String, String>,
    /// The caller's own words.
    pub description: Option<String>,
    /// The types of method it takes.
    pub payment_method_types: Vec<String>,
    /// Whether methods were left to the provider, and whether those may redirect the guest.
    pub automatic_methods: Option<Redirects>,
    /// When it was cancelled.
    pub canceled_at: Option<i64>,
    /// Why it was cancelled.
    pub cancellation_reason: Option<String>,
    /// The error of the last confirmation, if it failed.
    pub last_payment_error: Option<Value>,
    /// The secret for clients in a browser.
    pub client_secret: String,
    /// When a `processing` intent ends by itself, and whether it succeeds then.
    pub settles: Option<Settling>,
}

/// Whether methods chosen by the provider may redirect the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// They may: then a confirmation needs a `return_url`.
    Always,
    /// They may not.
    Never,
}

/// Something that ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settling {
    /// When, in seconds since 1970.
    pub at: i64,
    /// How.
    pub succeeds: bool,
}

/// How an attempt to charge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    /// Authorised or captured.
    Succeeded,
    /// Not known yet.
    Pending,
    /// Declined.
    Failed,
}

/// One attempt to charge a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// `ch_...`
    pub id: String,
    /// The intent it belongs to.
    pub payment_intent: String,
    /// What was asked for.
    pub amount: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// What was taken.
    pub captured: i64,
    /// What went back or is going back.
    pub refunded: i64,
    /// How it ended.
    pub status: ChargeStatus,
    /// An authorisation that was given up.
    pub released: bool,
    /// The test method charged.
    pub payment_method: String,
    /// When it was made.
    pub created: i64,
    /// Code, reason and message of a decline.
    pub failure: Option<ChargeFailure>,
}

/// Why a charge was declined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeFailure {
    /// The error code.
    pub code: String,
    /// The issuer's reason.
    pub decline_code: Option<String>,
    /// For a person.
    pub message: String,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// Under way.
    Pending,
    /// The money went back.
    Succeeded,
    /// The money came back to us.
    Failed,
    /// Called off.
    Canceled,
}

impl RefundStatus {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether its amount counts as refunded.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, Self::Pending | Self::Succeeded)
    }
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refund {
    /// `re_...`
    pub id: String,
    /// The intent it belongs to.
    pub payment_intent: String,
    /// The charge it gives back.
    pub charge: String,
    /// The method the money goes to.
    pub payment_method: String,
    /// How much.
    pub amount: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// The caller's reason.
    pub reason: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// The caller's own keys.
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    pub created: i64,
    /// When it changes by itself, and to what.
    pub settles: Option<Settling>,
}
