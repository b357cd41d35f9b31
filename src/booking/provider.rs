//! The vocabulary spoken with the payment provider: what is asked of it and what it answers.
//!
//! Plain values. The driver that turns them into HTTP is in `innkeeper-payments`; nothing here performs a call.
//! Every amount is in the currency's minor units (cents, won), as the provider counts them.

use jiff::Timestamp;
use jiff::civil::Date;

/// What an intent is tagged with at the provider, so that money can be found again when an answer was lost,
/// and so that several installations can share one account. Never a name or an address (I10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// The installation that made the intent: a random value kept in a `ConfigMap`.
    pub installation: String,
    /// Namespace of the Reservation.
    pub namespace: String,
    /// Name of the Reservation.
    pub name: String,
    /// UID of the Reservation.
    pub uid: String,
    /// Day of arrival.
    pub check_in: Date,
}

/// One idempotency key: `<uid>/charge/<n>` or `<uid>/refund/<n>`, stored (as `n`) before it is used; or
/// `<intent>/orphan/<n>`, where there is no object that could store anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Taking the money of the quote.
    Charge,
    /// Giving it back, whole or in part.
    Refund,
    /// Giving back what no Reservation accounts for.
    Orphan,
}

impl Step {
    /// The word used in keys and in metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Orphan => "orphan",
        }
    }
}

/// The idempotency key of a step's attempt.
#[must_use]
pub fn key(uid: &str, step: Step, attempt: u32) -> String {
    format!("{uid}/{}/{attempt}", step.as_str())
}

/// A charge: create an intent and confirm it at once. The fence is the same request with `confirm=false` and a
/// mark, under the same key, so that only one of the two can ever take effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Who it is for.
    pub tags: Tags,
    /// The attempt's number, from 1: part of the key.
    pub attempt: u32,
    /// Minor units, above zero.
    pub amount: i64,
    /// ISO 4217, upper case.
    pub currency: String,
    /// The provider's token for the guest's means of payment, never a card number.
    pub method: String,
}

/// Why money goes back. It goes out with the refund, so that the provider's list can be counted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Because {
    /// The stay was refused after it was paid.
    Rejected,
    /// It was cancelled on request.
    Cancelled,
    /// Its Reservation was deleted.
    Withdrawn,
    /// No Reservation accounts for the money.
    Orphaned,
}

impl Because {
    /// Every reason.
    pub const ALL: &[Self] = &[Self::Rejected, Self::Cancelled, Self::Withdrawn, Self::Orphaned];

    /// The word used in metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Withdrawn => "withdrawn",
            Self::Orphaned => "orphaned",
        }
    }

    /// Whether nobody has asked for it: no guest, and no rule of the sale. That is what the brake counts.
    #[must_use]
    pub const fn is_unasked(self) -> bool {
        matches!(self, Self::Withdrawn | Self::Orphaned)
    }
}

/// A refund of one intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The installation that gives it back.
    pub installation: String,
    /// UID of the Reservation, for the key.
    pub uid: String,
    /// The attempt's number, from 1: part of the key.
    pub attempt: u32,
    /// The intent that captured the money.
    pub intent: String,
    /// Minor units, above zero.
    pub amount: i64,
    /// Why.
    pub because: Because,
}

impl Refund {
    /// Its idempotency key.
    #[must_use]
    pub fn key(&self) -> String {
        match self.because {
            Because::Orphaned => key(&self.intent, Step::Orphan, self.attempt),
            _ => key(&self.uid, Step::Refund, self.attempt),
        }
    }
}

/// A payment that was made under the name of a Reservation by another object of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// UID of the other object.
    pub uid: String,
    /// Day of arrival of its stay.
    pub check_in: Date,
    /// The payment, as a fresh read showed it.
    pub intent: Intent,
}

/// Taking over a payment that was made for another object of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The intent.
    pub intent: String,
    /// UID of the object that it was made for.
    pub from: String,
    /// Whose it is from now on.
    pub tags: Tags,
    /// The attempt that it counts as.
    pub attempt: u32,
}

/// Where to look for a charge whose answer is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookFor {
    /// The intent's id at the provider, where it is stored; else it is found by listing.
    pub id: Option<String>,
    /// Tags that the intent was made with; installation and UID decide.
    pub tags: Tags,
    /// The attempt looked for.
    pub attempt: u32,
    /// When the attempt was stored: nothing of it is older (a margin for clocks is the driver's).
    pub since: Timestamp,
}

/// How far an intent has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntentState {
    /// The money is taken.
    Captured,
    /// The provider is still at it; it may yet be captured or fail.
    Processing,
    /// Refused for good: `code` is the provider's reason (`card_declined`, `authentication_required`, ...).
    Declined {
        /// The provider's code, or its decline code where there is one (`insufficient_funds`).
        code: String,
        /// A sentence for the clerk.
        message: String,
    },
    /// Made but never confirmed (a fence, before it is cancelled), or authorised and not captured.
    Open,
    /// Cancelled: it can never capture.
    Cancelled,
}

/// One intent as a fresh read showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The provider's id.
    pub id: String,
    /// How far it has come.
    pub state: IntentState,
    /// What was asked for, minor units.
    pub amount: i64,
    /// ISO 4217, upper case.
    pub currency: String,
    /// What was taken, minor units; 0 unless captured.
    pub captured: i64,
    /// Every refund of it, oldest first, the ones made in the provider's dashboard included.
    pub refunds: Vec<RefundView>,
    /// Attempt it was made for; `None` where we did not make it.
    pub attempt: Option<u32>,
    /// Whether it was made by a fence.
    pub fence: bool,
    /// When the provider made it.
    pub created: Timestamp,
    /// Whether it carries the mark that what is left of it stays with the hotel.
    pub settled: bool,
}

impl Intent {
    /// What has been or is being given back: refunds that have not failed, minor units.
    #[must_use]
    pub fn returning(&self) -> i64 {
        self.refunds.iter().filter(|r| r.counts()).map(|r| r.amount).sum()
    }

    /// What has arrived back for certain, minor units.
    #[must_use]
    pub fn returned(&self) -> i64 {
        self.refunds.iter().filter(|r| r.state == RefundState::Succeeded).map(|r| r.amount).sum()
    }
}

/// How far a refund has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundState {
    /// Under way; may take days and may yet fail.
    Pending,
    /// Given back.
    Succeeded,
    /// Failed, with the provider's reason: the money is with us again.
    Failed(String),
    /// Cancelled in the dashboard: the money is with us again.
    Cancelled,
}

/// One refund as a fresh read showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundView {
    /// The provider's id.
    pub id: String,
    /// Minor units.
    pub amount: i64,
    /// How far it has come.
    pub state: RefundState,
    /// Attempt it was made for; `None` where we did not make it.
    pub attempt: Option<u32>,
}

impl RefundView {
    /// Whether it lowers what is still due: it has not failed and was not cancelled.
    #[must_use]
    pub fn counts(&self) -> bool {
        matches!(self.state, RefundState::Pending | RefundState::Succeeded)
    }
}

/// What a fence met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fenced {
    /// The fence stands and is cancelled: a charge under this key can never land any more.
    Standing(Intent),
    /// The key is taken by the charge itself: it came first, and must be looked up.
    ChargeCameFirst,
}

/// Why the provider gave no result. Told apart because each asks for something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The request itself is wrong (no such payment method, an amount it cannot charge): final.
    #[error("the payment provider refused the request ({code}): {message}")]
    Invalid {
        /// The provider's code, or its error type.
        code: String,
        /// Its sentence.
        message: String,
    },
    /// The key was used before with other parameters. Says nothing of what the first call did.
    #[error("the idempotency key was used before with other parameters")]
    Mismatch,
    /// Another request with this key is still running.
    #[error("another request with this idempotency key is still running")]
    InFlight,
    /// No such object at the provider.
    #[error("the payment provider knows no {0}")]
    NotFound(String),
    /// The provider wants fewer requests.
    #[error("the payment provider asks for fewer requests")]
    RateLimited {
        /// Seconds it asked to wait, where it said so.
        retry_after: Option<u64>,
    },
    /// Our key is refused (401, 403). A person must look; nothing was charged.
    #[error("the payment provider refuses our key: {0}")]
    Unauthorized(String),
    /// The provider answered that it failed (5xx): what the request did is unknown.
    #[error("the payment provider failed with status {status}: {message}")]
    Server {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// Nothing was sent: no connection could be made.
    #[error("the payment provider cannot be reached: {0}")]
    Unreachable(String),
    /// The request may have been sent, and no readable answer came (time-out, broken connection, garbage).
    #[error("the payment provider's answer was lost: {0}")]
    OutcomeUnknown(String),
}

impl ProviderError {
    /// Whether the request may have taken effect.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(self, Self::Server { .. } | Self::OutcomeUnknown(_) | Self::InFlight | Self::Mismatch)
    }

    /// Whether the provider as a whole is in trouble (or our key is), rather than this one request.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Server { .. }
                | Self::OutcomeUnknown(_)
                | Self::Unreachable(_)
                | Self::Unauthorized(_)
                | Self::RateLimited { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_that_of_its_step_and_attempt_whenever_it_is_asked_for_and_of_no_other() {
        assert_eq!(key("uid", Step::Charge, 2), "uid/charge/2");
        let refund = |because| Refund {
            installation: "inst".to_owned(),
            uid: "uid".to_owned(),
            intent: "pi".to_owned(),
            attempt: 1,
            amount: 100,
            because,
        };
        let all = [
            key("uid", Step::Charge, 1),
            key("uid", Step::Charge, 2),
            key("other", Step::Charge, 1),
            refund(Because::Cancelled).key(),
            refund(Because::Orphaned).key(),
        ];
        assert_eq!(all, ["uid/charge/1", "uid/charge/2", "other/charge/1", "uid/refund/1", "pi/orphan/1"]);
    }

    #[test]
    fn the_words_that_a_refund_goes_out_with_do_not_change() {
        let words: Vec<_> = Because::ALL.iter().map(|because| because.as_str()).collect();
        assert_eq!(words, ["rejected", "cancelled", "withdrawn", "orphaned"]);
    }

    #[test]
    fn what_this_request_is_refused_for_is_no_outage_and_what_any_would_be_is() {
        let of_all = [
            ProviderError::Server { status: 500, message: String::new() },
            ProviderError::OutcomeUnknown(String::new()),
            ProviderError::Unreachable(String::new()),
            ProviderError::Unauthorized(String::new()),
            ProviderError::RateLimited { retry_after: None },
        ];
        let of_one = [
            ProviderError::Invalid { code: String::new(), message: String::new() },
            ProviderError::NotFound(String::new()),
            ProviderError::Mismatch,
            ProviderError::InFlight,
        ];
        assert!(of_all.iter().all(ProviderError::is_outage));
        assert!(!of_one.iter().any(ProviderError::is_outage));
    }
}
