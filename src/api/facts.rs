//! The numbered facts of a Reservation's history. Each is stored in the same write as the status that it is about,
//! and is never trimmed: what is published elsewhere is read from here.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::open_enum;

open_enum! {
    /// What happened.
    FactKind, max 32 {
        /// The stay was asked for and quoted.
        Requested,
        /// The money was taken; the amount says how much.
        Paid,
        /// The means of payment was refused.
        Declined,
        /// The nights are the guest's.
        Confirmed,
        /// A night was full.
        OutOfStock,
        /// The guest or the front desk asked to cancel.
        CancelRequested,
        /// Money went back; the amount says how much.
        Refunded,
        /// Money could not be given back.
        RefundFailed,
        /// Settled as cancelled.
        Cancelled,
        /// Settled as refused.
        Rejected,
        /// Settled as withdrawn.
        Withdrawn,
    }
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fact {
    /// From 1, without gaps.
    #[schemars(range(min = 1, max = 64))]
    pub number: u32,
    /// What happened.
    pub fact: FactKind,
    /// When it was stored.
    pub time: Timestamp,
    /// The reason that went with it, where there is one (`OutOfStock`, `insufficient_funds`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub reason: Option<String>,
    /// Money that moved, in minor units of the quote's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 99_999_999))]
    pub minor_units: Option<i64>,
}
