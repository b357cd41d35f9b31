//! Accepted: the money is taken, then the nights, then the outcome is stored. Or it is decided against.

use innkeeper_api::{Allocation, Month, Reason};

use super::{Context, closing};
use crate::knowledge::{ChargeKnown, NightsKnown};
use crate::observed::{Effect, Plan, Wake};
use crate::provider::{Intent, IntentState, ProviderError};
use crate::status;

pub(super) fn plan(context: &Context<'_>) -> Plan {
    let missing = context.missing_finalizers();
    if !missing.is_empty() {
        return Plan::Do(Effect::AddFinalizers(missing));
    }
    if let Some(plan) = closing::asked(context) {
        return plan;
    }
    let intent = match money(context) {
        Money::Taken(intent) => Some(intent),
        Money::NotDue => None,
        Money::Next(plan) => return plan,
    };
    nights(context, intent)
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
        ChargeKnown::NotAsked | ChargeKnown::Nothing if late(context) => {
            return Money::Next(timed_out(context, None));
        }
        // Nothing can have been sent under a number that was stored a moment ago; else it is looked up first.
        ChargeKnown::NotAsked if known.attempt_is_new => {
            return Money::Next(Plan::Do(Effect::Charge(context.charge(attempt))));
        }
        ChargeKnown::NotAsked => return Money::Next(Plan::Do(Effect::Look(context.look_for(attempt)))),
        ChargeKnown::Nothing => return Money::Next(Plan::Do(Effect::Charge(context.charge(attempt)))),
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
        IntentState::Processing if late(context) => Money::Next(timed_out(context, Some(intent))),
        IntentState::Processing => {
            let processing = status::charge_processing(&context.status, intent, context.now);
            Money::Next(context.write_or(processing, Plan::Wait(Wake::Poll)))
        }
        IntentState::Declined { code, message } => {
            Money::Next(declined(context, Some(&intent.id), code, message))
        }
        IntentState::Open => Money::Next(Plan::Do(Effect::CancelIntent(intent.id.clone()))),
        // Cancelled in the dashboard, or fenced by an operator that knows more: then this write meets a conflict.
        IntentState::Cancelled => {
            let message = "The payment was cancelled at the payment provider.";
            Money::Next(declined(context, Some(&intent.id), "canceled", message))
        }
    }
}

fn nights(context: &Context<'_>, intent: Option<&Intent>) -> Plan {
    match &context.observed.known.nights {
        NightsKnown::Held { room_uid } => {
            let stay = context.stay();
            let room = &context.reservation().spec.room_name;
            let allocation = Allocation {
                room_uid: room_uid.clone(),
                units: stay.units,
                calendars: stay.months().iter().map(|m: &Month| m.calendar_name(room)).collect(),
            };
            Plan::Write(Box::new(status::confirmed(&context.status, intent, allocation, context.now)))
        }
        NightsKnown::Full { why } => give_up(context, &Reason::OutOfStock, why, intent),
        NightsKnown::NotAsked | NightsKnown::Released | NightsKnown::Busy if late(context) => {
            timed_out(context, intent)
        }
        NightsKnown::NotAsked | NightsKnown::Released => Plan::Do(Effect::Take(context.stay())),
        NightsKnown::Busy => Plan::Wait(Wake::Retry),
    }
}

fn late(context: &Context<'_>) -> bool {
    context.status.deadline.is_some_and(|deadline| context.now >= deadline)
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
    if late(context) {
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
