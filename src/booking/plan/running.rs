//! Accepted: the money is taken, then the nights, then the outcome is stored. Or it is decided against.
//!
//! Where the Room says `HoldFirst`, the nights are taken first and the hold is stored, together with the number of the
//! charge: whoever finds them full was never charged. From then on the nights wait for the money, past the deadline too:
//! the hold runs out only when the provider has said that the charge can never land.

use innkeeper_api::{Flow, Reason};

use super::{Context, closing, earlier};
use crate::knowledge::{ChargeKnown, NightsKnown};
use crate::observed::{Effect, Plan, Wake};
use crate::provider::{Intent, IntentState, ProviderError};
use crate::status;

pub(super) fn plan(context: &Context<'_>) -> Plan {
    context.unless_halted(next(context), status::charge_halted)
}

fn next(context: &Context<'_>) -> Plan {
    let missing = context.missing_finalizers();
    if !missing.is_empty() {
        return Plan::Do(Effect::AddFinalizers(missing));
    }
    if let Some(plan) = closing::asked(context) {
        return plan;
    }
    if context.flow() == Flow::HoldFirst && context.amount() > 0 && context.attempt().is_none() {
        return hold(context);
    }
    let intent = match money(context) {
        Money::Taken(intent) => Some(intent),
        Money::NotDue => None,
        Money::Next(plan) => return plan,
    };
    nights(context, intent)
}

/// Nothing can have been sent yet: the nights are taken, and the hold is stored with the number of the charge.
fn hold(context: &Context<'_>) -> Plan {
    match &context.observed.known.nights {
        NightsKnown::Full { why } => give_up(context, &Reason::OutOfStock, why, None),
        _ if late(context) => timed_out(context, None),
        NightsKnown::Held { room_uid } => {
            let allocation = context.allocation(room_uid);
            Plan::Write(Box::new(status::held(&context.status, allocation, context.now)))
        }
        NightsKnown::NotAsked | NightsKnown::Released => Plan::Do(Effect::Take(context.stay())),
        NightsKnown::Busy => Plan::Wait(Wake::Retry),
    }
}

/// The nights are held and wait for the money: nothing is given up before the provider has said how it stands.
fn holds(context: &Context<'_>) -> bool {
    context.status.allocation.is_some()
}

/// The deadline has passed, and no night waits for the money: no more is tried.
fn overdue(context: &Context<'_>) -> bool {
    late(context) && !holds(context)
}

/// How the money stands.
enum Money<'a> {
    /// All of it was taken, and none of it has gone back.
    Taken(&'a Intent),
    /// Nothing is collected here.
    NotDue,
    /// Something else comes first.
    Next(Plan),
}

fn money<'a>(context: &Context<'a>) -> Money<'a> {
    let Some(attempt) = context.attempt().filter(|_| context.amount() > 0) else { return Money::NotDue };
    let known = context.observed.known;
    let intent = match &known.charge {
        ChargeKnown::Intent(intent) => intent,
        ChargeKnown::Refused { code, message } => {
            return Money::Next(declined(context, None, code, message));
        }
        ChargeKnown::Failed(error) => return Money::Next(unanswered(context, error)),
        ChargeKnown::NotAsked | ChargeKnown::Nothing if overdue(context) => {
            return Money::Next(timed_out(context, None));
        }
        // Nothing can have been sent under a number that was stored a moment ago; else it is looked up first. An old object
        // may have had that number before somebody wiped its status, and its key may have run out.
        ChargeKnown::NotAsked if known.attempt_is_new && context.is_young() && !late(context) => {
            return Money::Next(charge(context, attempt));
        }
        ChargeKnown::NotAsked => return Money::Next(Plan::Do(Effect::Look(context.look_for(attempt)))),
        // The hold has run out, and the charge may still be on its way: the provider itself must refuse it first.
        ChargeKnown::Nothing if late(context) => {
            let fence = || Plan::Do(Effect::Fence(context.charge(attempt)));
            let adoption = earlier::under_way(context, attempt, unanswered);
            return Money::Next(adoption.unwrap_or_else(fence));
        }
        ChargeKnown::Nothing => return Money::Next(charge(context, attempt)),
    };
    match &intent.state {
        IntentState::Captured if intent.captured == context.amount() && intent.returning() == 0 => {
            Money::Taken(intent)
        }
        IntentState::Captured => {
            let message =
                "The payment was changed or refunded at the payment provider before the stay was booked.";
            Money::Next(give_up(context, &Reason::Refunded, message, Some(intent)))
        }
        IntentState::Processing if overdue(context) => Money::Next(timed_out(context, Some(intent))),
        IntentState::Processing => {
            let processing = status::charge_processing(&context.status, intent, context.now);
            Money::Next(context.write_or(processing, Plan::Wait(Wake::Poll)))
        }
        IntentState::Declined { code, message } => {
            Money::Next(declined(context, Some(&intent.id), code, message))
        }
        IntentState::Open => Money::Next(Plan::Do(Effect::CancelIntent(intent.id.clone()))),
        IntentState::Cancelled if late(context) && holds(context) => {
            let message = "The nights were held until the deadline, and the payment was not made by then.";
            Money::Next(give_up(context, &Reason::HoldExpired, message, Some(intent)))
        }
        // Cancelled in the dashboard, or fenced by an operator that knows more: then this write meets a conflict.
        IntentState::Cancelled => {
            let message = "The payment was cancelled at the payment provider.";
            Money::Next(declined(context, Some(&intent.id), "canceled", message))
        }
    }
}

/// The charge, or what must come before it.
fn charge(context: &Context<'_>, attempt: u32) -> Plan {
    earlier::comes_first(context, attempt, unanswered)
        .unwrap_or_else(|| Plan::Do(Effect::Charge(context.charge(attempt))))
}

fn nights(context: &Context<'_>, intent: Option<&Intent>) -> Plan {
    match &context.observed.known.nights {
        NightsKnown::Held { room_uid } => {
            let allocation = context.allocation(room_uid);
            Plan::Write(Box::new(status::confirmed(&context.status, intent, allocation, context.now)))
        }
        NightsKnown::Full { why } => give_up(context, &Reason::OutOfStock, why, intent),
        NightsKnown::NotAsked | NightsKnown::Released | NightsKnown::Busy if overdue(context) => {
            timed_out(context, intent)
        }
        NightsKnown::NotAsked | NightsKnown::Released => Plan::Do(Effect::Take(context.stay())),
        NightsKnown::Busy => Plan::Wait(Wake::Retry),
    }
}

/// Where a person is waited for, no deadline passes.
fn late(context: &Context<'_>) -> bool {
    context.paid() != Some(&Reason::AlreadyCharged)
        && context.status.deadline.is_some_and(|deadline| context.now >= deadline)
}

fn timed_out(context: &Context<'_>, intent: Option<&Intent>) -> Plan {
    let message = "The deadline passed before the stay was booked.";
    give_up(context, &Reason::TimedOut, message, intent)
}

fn give_up(context: &Context<'_>, why: &Reason, message: &str, intent: Option<&Intent>) -> Plan {
    Plan::Write(Box::new(status::rejecting(&context.status, why, message, intent, context.now)))
}

fn declined(context: &Context<'_>, id: Option<&str>, code: &str, message: &str) -> Plan {
    Plan::Write(Box::new(status::declined(&context.status, id, code, message, context.now)))
}

fn unanswered(context: &Context<'_>, error: &ProviderError) -> Plan {
    // A payment that the provider gave us the id of and does not know any more will not come: a person must look.
    let lost = late(context) && matches!(error, ProviderError::NotFound(_));
    if overdue(context) || lost {
        return timed_out(context, None);
    }
    // Another request of ours is still running, or somebody's fence has the key: look again before judging.
    let quiet = matches!(error, ProviderError::InFlight | ProviderError::RateLimited { .. });
    if quiet {
        return Plan::Wait(Wake::Retry);
    }
    let unanswered = status::charge_unanswered(&context.status, error, context.now);
    context.write_or(unanswered, Plan::Wait(Wake::Retry))
}
