//! The provider's books: intents and their refunds, as they are, not as anybody believes them to be.

use innkeeper_booking::provider::{Because, Intent, IntentState, RefundState, RefundView, Tags};
use jiff::Timestamp;

/// An intent, as the provider keeps it.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub id: String,
    pub tags: Tags,
    pub attempt: u32,
    pub fence: bool,
    pub amount: i64,
    pub currency: String,
    pub state: IntentState,
    pub captured: i64,
    pub refunds: Vec<Returned>,
    pub created: Timestamp,
    pub settled: Option<i64>,
    /// In which step it was captured.
    pub captured_in: usize,
}

/// A refund, as the provider keeps it.
#[derive(Debug, Clone)]
pub struct Returned {
    pub view: RefundView,
    /// Made by a person in the dashboard, in this step.
    pub by_hand: Option<usize>,
    /// Why we have made it, and when.
    pub because: Option<Because>,
    pub at: Timestamp,
}

impl Ledger {
    /// As a fresh read shows it.
    pub fn view(&self) -> Intent {
        Intent {
            id: self.id.clone(),
            state: self.state.clone(),
            amount: self.amount,
            currency: self.currency.clone(),
            captured: self.captured,
            refunds: if self.captured > 0 {
                self.refunds.iter().map(|r| r.view.clone()).collect()
            } else {
                vec![]
            },
            attempt: Some(self.attempt),
            fence: self.fence,
            created: self.created,
            settled: self.settled.is_some(),
        }
    }

    /// Refunds that have not failed.
    pub fn returning(&self) -> i64 {
        self.refunds.iter().filter(|r| r.view.counts()).map(|r| r.view.amount).sum()
    }

    /// Refunds that have arrived.
    pub fn returned(&self) -> i64 {
        self.refunds.iter().filter(|r| r.view.state == RefundState::Succeeded).map(|r| r.view.amount).sum()
    }

    /// What people gave back in the dashboard.
    pub fn by_hand(&self) -> i64 {
        self.refunds.iter().filter(|r| r.by_hand.is_some() && r.view.counts()).map(|r| r.view.amount).sum()
    }
}
