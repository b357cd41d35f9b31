//! What every call to the provider tells about itself, for metrics. Spans tell the same to the log.

use std::sync::Arc;

/// Which call it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Create and confirm an intent.
    Charge,
    /// Create an intent that blocks a charge's key.
    Fence,
    /// Cancel an intent.
    Cancel,
    /// Create a refund.
    Refund,
    /// Mark an intent as settled.
    MarkSettled,
    /// Make an intent another Reservation's.
    Adopt,
    /// Read one intent.
    ReadIntent,
    /// Read one refund.
    ReadRefund,
    /// Read a page of intents.
    ListIntents,
    /// Read a page of refunds.
    ListRefunds,
    /// See whether address and key work.
    Check,
}

impl Op {
    /// The word for logs and for a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Fence => "fence",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::MarkSettled => "mark_settled",
            Self::Adopt => "adopt",
            Self::ReadIntent => "read_intent",
            Self::ReadRefund => "read_refund",
            Self::ListIntents => "list_intents",
            Self::ListRefunds => "list_refunds",
            Self::Check => "check",
        }
    }
}

/// How a call ended, coarse enough for a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Answered as asked.
    Ok,
    /// The card was declined.
    Declined,
    /// Refused for a reason in the request.
    Refused,
    /// Refused because of the idempotency key: used otherwise before, or in use now.
    Conflict,
    /// Asked to send fewer requests.
    RateLimited,
    /// Our key was refused.
    Unauthorized,
    /// The provider failed.
    Server,
    /// No connection.
    Unreachable,
    /// No readable answer.
    Unknown,
}

impl Outcome {
    /// The word for a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Declined => "declined",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::Unauthorized => "unauthorized",
            Self::Server => "server",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

/// One call to the provider, finished.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallReport {
    /// Which call.
    pub op: Op,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, seconds.
    pub seconds: f64,
    /// HTTP status, where there was one.
    pub status: Option<u16>,
    /// Whether the provider repeated an earlier answer.
    pub replayed: bool,
}

/// Who is told of every call. It runs on the caller's task, so it must be quick and must not block.
pub type Observer = Arc<dyn Fn(&CallReport) + Send + Sync>;
