//! A status in the making: sets conditions, keeps the pairs that must move together, and numbers facts.

use innkeeper_api::{
    ConditionStatus, ConditionType, Fact, FactKind, PaymentStatus, Reason, ReservationStatus,
};
use jiff::Timestamp;

use crate::currency::Currency;
use crate::provider::Intent;

use ConditionStatus::{False, True, Unknown};
use ConditionType as C;

/// A status being changed.
pub(super) struct Draft {
    pub(super) status: ReservationStatus,
    pub(super) now: Timestamp,
}

impl Draft {
    pub(super) fn of(before: &ReservationStatus, now: Timestamp) -> Self {
        Self { status: before.clone(), now }
    }

    pub(super) fn set(
        &mut self,
        type_: C,
        status: ConditionStatus,
        reason: Reason,
        message: &str,
    ) -> &mut Self {
        self.status.conditions.set(type_, status, reason, message, self.now);
        self
    }

    /// Still moving: neither ready nor stalled.
    pub(super) fn moving(&mut self, reason: Reason, message: &str) -> &mut Self {
        self.status.conditions.remove(&C::Stalled);
        self.set(C::Ready, Unknown, reason.clone(), message).set(C::Reconciling, True, reason, message)
    }

    /// As declared.
    pub(super) fn ready(&mut self, reason: Reason, message: &str) -> &mut Self {
        self.status.conditions.remove(&C::Reconciling);
        self.status.conditions.remove(&C::Stalled);
        self.set(C::Ready, True, reason, message)
    }

    /// Ended without what was declared, or waiting for a person.
    pub(super) fn stalled(&mut self, reason: Reason, message: &str) -> &mut Self {
        self.status.conditions.remove(&C::Reconciling);
        self.set(C::Ready, False, reason.clone(), message).set(C::Stalled, True, reason, message)
    }

    pub(super) fn fact(
        &mut self,
        fact: FactKind,
        reason: Option<&str>,
        minor_units: Option<i64>,
    ) -> &mut Self {
        let reason = reason.map(|r| r.chars().take(128).collect::<String>());
        let repeated = self.status.history.iter().any(|f| {
            f.fact == fact && f.reason == reason && f.minor_units == minor_units && fact != FactKind::Refunded
        });
        if !repeated {
            let number = self.status.history.last().map_or(1, |f| f.number + 1);
            self.status.history.push(Fact { number, fact, time: self.now, reason, minor_units });
        }
        self
    }

    pub(super) fn money(&mut self) -> &mut PaymentStatus {
        self.status.payment.get_or_insert_with(PaymentStatus::default)
    }

    pub(super) fn show(&self, minor_units: i64) -> String {
        let currency = self.status.quote.as_ref().and_then(|q| Currency::of(&q.currency));
        currency.map_or_else(|| minor_units.to_string(), |c| c.show(minor_units))
    }

    pub(super) fn done(&mut self) -> ReservationStatus {
        std::mem::take(&mut self.status)
    }
}

/// How to book anew what was refused, at the end of the sentence that says why.
pub(super) const fn again(why: &Reason) -> &'static str {
    match why {
        Reason::Declined => {
            "To book again, delete this Reservation and create a new one with another payment.method."
        }
        _ => "To book again, delete this Reservation and create a new one.",
    }
}

/// Takes in what the provider says was taken.
pub(super) fn learn_intent(draft: &mut Draft, intent: Option<&Intent>) {
    let Some(intent) = intent else { return };
    let money = draft.money();
    money.id = Some(intent.id.clone());
    money.next_attempt = None;
    if intent.captured > 0 {
        money.captured = intent.captured;
        let message = format!("{} was taken.", draft.show(intent.captured));
        draft.set(C::Paid, True, Reason::Captured, &message);
        draft.fact(FactKind::Paid, None, Some(intent.captured));
    }
}
