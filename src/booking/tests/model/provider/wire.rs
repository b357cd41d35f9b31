//! What goes over the wire to the provider and back.

use innkeeper_booking::provider::{
    Adoption, Charge, Earlier, Intent, ProviderError, Refund, RefundView, Step, key,
};
use jiff::Timestamp;

/// A request as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Create an intent; `confirm` charges it at once, without it it is a fence.
    Create { charge: Charge, confirm: bool },
    /// Cancel an intent.
    Cancel(String),
    /// Create a refund.
    Refund(Refund),
    /// Read an intent with its refunds.
    ReadIntent(String),
    /// Read a refund.
    ReadRefund(String),
    /// Find the intents of a UID and attempt through the list.
    List { uid: String, attempt: u32, since: Timestamp },
    /// Find every intent of this name, whatever its UID.
    ListNamed(String),
    /// Make an intent another Reservation's.
    Adopt(Adoption),
    /// Mark an intent as settled.
    Mark(String, i64),
}

impl Request {
    /// Its idempotency key.
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Create { charge, .. } => Some(key(&charge.tags.uid, Step::Charge, charge.attempt)),
            Self::Refund(refund) => Some(refund.key()),
            _ => None,
        }
    }
}

/// An answer as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    Intent { intent: Box<Intent>, replayed: bool },
    Declined { intent: Box<Intent>, replayed: bool },
    Refund { refund: RefundView, replayed: bool },
    Found(Option<String>),
    Named(Vec<Earlier>),
    Adopted,
    Marked,
    Error(ProviderError),
}
