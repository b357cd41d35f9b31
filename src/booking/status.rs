//! Verdicts: one function for each thing that a Reservation's status can come to say.
//!
//! Every condition of a Reservation is set here and nowhere else. A verdict takes the status before and gives the one
//! after; whether it is written is the planner's business. Messages do not contain what changes from try to try, so
//! that trying again writes nothing.

mod closing;
mod draft;
mod earlier;
mod opening;
mod returned;
mod running;

use innkeeper_api::{ConditionType, FactKind, Phase, Reason, ReservationStatus};

pub use closing::{
    RefundFailure, cancelling, closed, money_halted, payment_unknown, refund_failed, refund_pending,
    refund_retried, refund_unanswered, rejecting, released, withdrawing,
};
pub use earlier::{Standing, adopting, already_charged, charge_halted, charge_resumed};
pub use opening::{accepted, given_up_without_terms, refused, terms_lost, undecided, waiting};
pub use returned::{came_back, retried_again, returned_again, returning_again};
pub use running::{charge_processing, charge_unanswered, confirmed, declined, held, nights_lost};

use ConditionType as C;

/// What a Reservation has come to, read from the reason of `Settled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No price yet: new, or its Room is waited for.
    Open,
    /// Accepted; money and nights are being taken.
    InProgress,
    /// Given up as decided; money and nights are on their way back.
    Closing(End),
    /// Booked.
    Confirmed,
    /// Ended.
    Closed(End),
    /// Written by another version of the operator: not ours to touch.
    Foreign,
}

/// How a Reservation ends when it does not stay booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Refused.
    Rejected,
    /// Cancelled on request.
    Cancelled,
    /// Withdrawn by deletion.
    Withdrawn,
}

impl End {
    const fn closing(self) -> (Reason, Phase) {
        match self {
            Self::Rejected => (Reason::Rejecting, Phase::Rejecting),
            Self::Cancelled => (Reason::Cancelling, Phase::Cancelling),
            Self::Withdrawn => (Reason::Withdrawing, Phase::Withdrawing),
        }
    }

    const fn closed(self) -> (Reason, Phase, FactKind) {
        match self {
            Self::Rejected => (Reason::Rejected, Phase::Rejected, FactKind::Rejected),
            Self::Cancelled => (Reason::Cancelled, Phase::Cancelled, FactKind::Cancelled),
            Self::Withdrawn => (Reason::Withdrawn, Phase::Withdrawn, FactKind::Withdrawn),
        }
    }
}

/// Reads the stage.
#[must_use]
pub fn stage(status: &ReservationStatus) -> Stage {
    match status.conditions.reason(&C::Settled) {
        None => Stage::Open,
        Some(Reason::InProgress) if status.quote.is_none() => Stage::Open,
        Some(Reason::InProgress) => Stage::InProgress,
        Some(Reason::Rejecting) => Stage::Closing(End::Rejected),
        Some(Reason::Cancelling) => Stage::Closing(End::Cancelled),
        Some(Reason::Withdrawing) => Stage::Closing(End::Withdrawn),
        Some(Reason::Confirmed) => Stage::Confirmed,
        Some(Reason::Rejected) => Stage::Closed(End::Rejected),
        Some(Reason::Cancelled) => Stage::Closed(End::Cancelled),
        Some(Reason::Withdrawn) => Stage::Closed(End::Withdrawn),
        Some(_) => Stage::Foreign,
    }
}

/// The phase that a status has at its stage. `None` where that is not this version's to say.
#[must_use]
pub fn phase_of(stage: Stage) -> Option<Phase> {
    match stage {
        Stage::InProgress => Some(Phase::InProgress),
        Stage::Closing(end) => Some(end.closing().1),
        Stage::Confirmed => Some(Phase::Confirmed),
        Stage::Closed(end) => Some(end.closed().1),
        Stage::Open | Stage::Foreign => None,
    }
}

#[cfg(test)]
mod tests;
