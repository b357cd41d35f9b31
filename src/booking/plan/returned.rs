//! Money that came back after the end: a refund that the provider had reported as arrived can fail days later. The end
//! stands, the nights are free, and the money is due again. Nothing is sent by itself: a person gives it back at the
//! provider, or allows one more attempt.

use innkeeper_api::{ConditionType, Reason};

use super::Context;
use super::closing::{Allowed, allowed, failure, refund_of};
use crate::knowledge::ChargeKnown;
use crate::observed::{Effect, Plan, Wake};
use crate::provider::{Intent, ProviderError, RefundState};
use crate::status::{self, RefundFailure, Stage, stage};

/// What to do about it; nothing where nobody has said that anything came back.
pub(super) fn plan(context: &Context<'_>) -> Option<Plan> {
    let charged = context.attempt()?;
    let payment = context.status.payment.as_ref()?;
    let stored = is_stored(context);
    let said = context.observed.known.told && payment.refunded > 0;
    if !(stored || said) {
        return None;
    }
    let intent = match &context.observed.known.charge {
        ChargeKnown::NotAsked => return Some(Plan::Do(Effect::Look(context.look_for(charged)))),
        ChargeKnown::Failed(_) => return Some(Plan::Wait(Wake::Retry)),
        // It was there when it was refunded: a lookup that does not find it says nothing.
        ChargeKnown::Nothing | ChargeKnown::Refused { .. } => {
            return stored.then_some(Plan::Wait(Wake::Poll));
        }
        ChargeKnown::Intent(intent) => intent,
    };
    let due = intent.captured - payment.kept - intent.returning();
    if due <= 0 {
        return stored.then(|| arriving(context, intent));
    }
    let attempt = payment.refund_attempt.unwrap_or(1);
    if let Some((failed, error)) = &context.observed.known.refund_failed
        && *failed == attempt
    {
        return Some(match error {
            ProviderError::Invalid { code, .. } => came_back(context, intent, attempt, code),
            _ => Plan::Wait(Wake::Retry),
        });
    }
    // An attempt that is stored and that the provider does not have yet was allowed by a person.
    if stored && !intent.refunds.iter().any(|refund| refund.attempt == Some(attempt)) {
        let Stage::Closed(end) = stage(&context.status) else { return None };
        return Some(Plan::Do(Effect::Refund(refund_of(context, intent, attempt, due, end))));
    }
    let why = intent.refunds.iter().rev().find_map(|refund| failure(&refund.state))?;
    Some(came_back(context, intent, attempt, &why))
}

/// It is on its way again, or there.
fn arriving(context: &Context<'_>, intent: &Intent) -> Plan {
    if intent.refunds.iter().any(|refund| refund.state == RefundState::Pending) {
        let returning = status::returning_again(&context.status, intent, context.now);
        return context.write_or(returning, Plan::Wait(Wake::Poll));
    }
    Plan::Write(Box::new(status::returned_again(&context.status, intent, context.now)))
}

fn came_back(context: &Context<'_>, intent: &Intent, attempt: u32, why: &str) -> Plan {
    let next = attempt + 1;
    let mistaken = match allowed(context, next) {
        Allowed::Now => {
            return Plan::Write(Box::new(status::retried_again(&context.status, next, context.now)));
        }
        Allowed::Not(mistaken) => mistaken,
    };
    let failure = RefundFailure { why, next, mistaken };
    let came_back = status::came_back(&context.status, intent, &failure, context.now);
    context.write_or(came_back, Plan::Wait(Wake::Poll))
}

/// That the money came back is stored, and not yet that it has arrived again.
fn is_stored(context: &Context<'_>) -> bool {
    let refunded = context.status.conditions.reason(&ConditionType::Refunded);
    matches!(refunded, Some(Reason::RefundFailed | Reason::Pending))
}
