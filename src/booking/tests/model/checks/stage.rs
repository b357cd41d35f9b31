//! What a status says of how far a Reservation has come, and what a status may say and do on its way (I7).

use innkeeper_api::{ConditionStatus, ConditionType, Reason, ReservationStatus};

use super::Fact;
use crate::outside::Outside;

/// What `Settled` says, in the words of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Open,
    Taking,
    Confirmed,
    Rejecting,
    Cancelling,
    Withdrawing,
    Rejected,
    Cancelled,
    Withdrawn,
}

impl At {
    pub fn of(status: Option<&ReservationStatus>) -> Self {
        match status.and_then(|s| s.conditions.reason(&ConditionType::Settled)) {
            Some(Reason::InProgress) if status.is_some_and(|s| s.quote.is_some()) => Self::Taking,
            Some(Reason::Confirmed) => Self::Confirmed,
            Some(Reason::Rejecting) => Self::Rejecting,
            Some(Reason::Cancelling) => Self::Cancelling,
            Some(Reason::Withdrawing) => Self::Withdrawing,
            Some(Reason::Rejected) => Self::Rejected,
            Some(Reason::Cancelled) => Self::Cancelled,
            Some(Reason::Withdrawn) => Self::Withdrawn,
            _ => Self::Open,
        }
    }

    pub fn given_up(self) -> bool {
        matches!(self, Self::Rejecting | Self::Cancelling | Self::Withdrawing)
    }

    pub fn ended(self) -> bool {
        matches!(self, Self::Rejected | Self::Cancelled | Self::Withdrawn)
    }

    /// The allowed graph (I7). From `Taking` a decline alone leads straight to the end.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Open => matches!(next, Self::Taking) || next.ended(),
            Self::Taking => matches!(next, Self::Confirmed | Self::Rejected) || next.given_up(),
            Self::Confirmed => matches!(next, Self::Cancelling | Self::Withdrawing),
            Self::Rejecting => next == Self::Rejected,
            Self::Cancelling => next == Self::Cancelled,
            Self::Withdrawing => next == Self::Withdrawn,
            Self::Rejected | Self::Cancelled | Self::Withdrawn => false,
        }
    }
}

/// What may never change (I7), and the history that only grows.
pub fn unchanged(fact: &mut Fact, status: &ReservationStatus, out: &mut Outside) {
    let name = fact.name.clone();
    if fact.quote.is_some() && fact.quote != status.quote {
        out.fail("I7", format!("{name}: the quote changed"));
    }
    if fact.decision.is_some() && fact.decision != status.decision {
        out.fail("I7", format!("{name}: the decision changed"));
    }
    let numbered = status.history.iter().enumerate().all(|(i, f)| usize::try_from(f.number) == Ok(i + 1));
    if status.history.len() < fact.facts || !numbered {
        out.fail("I7", format!("{name}: the history was cut or has gaps"));
    }
    fact.quote.clone_from(&status.quote);
    fact.decision.clone_from(&status.decision);
    fact.facts = status.history.len();
}

/// What `kubectl wait` and kstatus read (rows 1 and 2 of the conventions): moving or stalled, never both; ended is
/// neither unknown nor moving.
pub fn readable(name: &str, at: At, status: &ReservationStatus, out: &mut Outside) {
    let is = |type_| status.conditions.get(&type_).map(|c| c.status);
    let (moving, stalled) = (is(ConditionType::Reconciling), is(ConditionType::Stalled));
    if moving == Some(ConditionStatus::True) && stalled == Some(ConditionStatus::True) {
        out.fail("kstatus", format!("{name} is both reconciling and stalled"));
    }
    let ended = at.ended() || at == At::Confirmed;
    if ended
        && (moving.is_some()
            || !matches!(is(ConditionType::Ready), Some(ConditionStatus::True | ConditionStatus::False)))
    {
        out.fail("kstatus", format!("{name} has come to {at:?} and reads as moving"));
    }
    if ended != (is(ConditionType::Settled) == Some(ConditionStatus::True)) {
        out.fail("kstatus", format!("{name} is {at:?} and Settled is {:?}", is(ConditionType::Settled)));
    }
}
