//! Given up: what was taken goes back, first the money, then the nights, then the end is stored.
//!
//! Nothing here happens before the decision is stored. A charge whose outcome is unknown is looked up; where there is
//! none, it is fenced, so that it can never land after the end was written.

use innkeeper_api::{ConditionStatus, ConditionType, Decision, Reason};

use super::{Context, earlier};
use crate::inventory::NightsSeen;
use crate::knowledge::{BrakeKnown, ChargeKnown, NightsKnown};
use crate::observed::{Effect, Plan, Wake};
use crate::policy::percent_back;
use crate::provider::{Because, Intent, IntentState, ProviderError, Refund, RefundState};
use crate::status::{self, End, RefundFailure, Stage, stage};

/// As many attempts as the status has numbers for.
const ATTEMPTS_MAX: u32 = 1000;

/// The decision, where cancelling or deleting asks for one. Seen together, the earlier one counts.
pub(super) fn asked(context: &Context<'_>) -> Option<Plan> {
    let deleted = context.deleted_at();
    if !context.wants_cancel() {
        let at = deleted?;
        return Some(Plan::Write(Box::new(status::withdrawing(&context.status, at, context.now))));
    }
    let Some(cancelled) = context.observed.known.cancel_recorded else {
        return Some(Plan::Do(Effect::ReadCancellation));
    };
    if let Some(at) = deleted.filter(|at| *at < cancelled) {
        return Some(Plan::Write(Box::new(status::withdrawing(&context.status, at, context.now))));
    }
    // The policy is for what was booked; before that everything goes back.
    let booked = stage(&context.status) == Stage::Confirmed;
    let deadlines = context.status.quote.as_ref().map(|q| q.refund_deadlines.as_slice()).unwrap_or_default();
    let refund_percent = if booked { percent_back(deadlines, cancelled) } else { 100 };
    let decision = Decision { at: cancelled, refund_percent };
    Some(Plan::Write(Box::new(status::cancelling(&context.status, decision, context.now))))
}

pub(super) fn plan(context: &Context<'_>, end: End) -> Plan {
    // Somebody may have dropped it, and what is on its way back must not be forgotten.
    let missing = context.missing_finalizers();
    if !missing.is_empty() {
        return Plan::Do(Effect::AddFinalizers(missing));
    }
    let intent = match money(context, end) {
        Money::Settled(intent) => intent,
        Money::Next(plan) => {
            return meanwhile(context, context.unless_halted(plan, status::money_halted));
        }
    };
    match context.observed.known.nights {
        NightsKnown::Released => {
            Plan::Write(Box::new(status::closed(&context.status, end, intent, context.now)))
        }
        NightsKnown::Busy => Plan::Wait(Wake::Retry),
        _ => Plan::Do(Effect::Release(context.stay())),
    }
}

/// Where the money takes its time, days it may be, the nights do not wait for it: they are given up already, and somebody
/// else may have them. That they are free is said in the same write as what is said of the money.
fn meanwhile(context: &Context<'_>, next: Plan) -> Plan {
    let said = match &next {
        Plan::Do(_) => return next,
        Plan::Write(status) => status,
        Plan::Wait(_) => &context.status,
    };
    let allocated = said.conditions.get(&ConditionType::Allocated);
    let held = allocated.is_some_and(|c| c.status == ConditionStatus::True);
    match context.observed.known.nights {
        NightsKnown::Released if held => Plan::Write(Box::new(status::released(said, context.now))),
        NightsKnown::Released | NightsKnown::Busy => next,
        _ if held || context.observed.nights != NightsSeen::None => Plan::Do(Effect::Release(context.stay())),
        _ => next,
    }
}

/// How the money stands on its way back.
enum Money<'a> {
    /// Nothing more will move. The intent, where one was made.
    Settled(Option<&'a Intent>),
    /// Something else comes first.
    Next(Plan),
}

fn money<'a>(context: &Context<'a>, end: End) -> Money<'a> {
    let Some(attempt) = context.attempt() else { return Money::Settled(None) };
    let intent = match &context.observed.known.charge {
        ChargeKnown::NotAsked => return Money::Next(Plan::Do(Effect::Look(context.look_for(attempt)))),
        ChargeKnown::Nothing => {
            let fence = || Plan::Do(Effect::Fence(context.charge(attempt)));
            let adoption = earlier::under_way(context, attempt, unanswered);
            return Money::Next(adoption.unwrap_or_else(fence));
        }
        ChargeKnown::Refused { .. } => return Money::Settled(None),
        // It had given us the id itself: only a person can find out what became of the money.
        ChargeKnown::Failed(ProviderError::NotFound(_)) => {
            let unknown = status::payment_unknown(&context.status, context.now);
            return Money::Next(context.write_or(unknown, Plan::Wait(Wake::Poll)));
        }
        ChargeKnown::Failed(error) => return Money::Next(unanswered(context, error)),
        ChargeKnown::Intent(intent) => intent,
    };
    match &intent.state {
        IntentState::Captured => refund(context, intent, end),
        IntentState::Declined { .. } | IntentState::Cancelled => Money::Settled(Some(intent)),
        IntentState::Open => Money::Next(Plan::Do(Effect::CancelIntent(intent.id.clone()))),
        IntentState::Processing => Money::Next(Plan::Wait(Wake::Poll)),
    }
}

fn refund<'a>(context: &Context<'a>, intent: &'a Intent, end: End) -> Money<'a> {
    let payment = context.status.payment.clone().unwrap_or_default();
    // Until this decision was stored, captured may not have been: what is kept is then nothing of it.
    let due = intent.captured - payment.kept - intent.returning();
    if due <= 0 {
        if intent.refunds.iter().any(|r| r.state == RefundState::Pending) {
            let pending = status::refund_pending(&context.status, intent, context.now);
            return Money::Next(context.write_or(pending, Plan::Wait(Wake::Poll)));
        }
        return Money::Settled(Some(intent));
    }
    let attempt = payment.refund_attempt.unwrap_or(1);
    let ours = intent.refunds.iter().rev().find(|r| r.attempt == Some(attempt));
    if let Some(why) = ours.and_then(|r| failure(&r.state)) {
        return Money::Next(refund_failed(context, intent, attempt, &why));
    }
    match &context.observed.known.refund_failed {
        Some((failed, ProviderError::Invalid { code, .. })) if *failed == attempt => {
            Money::Next(refund_failed(context, intent, attempt, code))
        }
        Some((failed, error)) if *failed == attempt => Money::Next(unanswered(context, error)),
        _ => Money::Next(give_back(context, refund_of(context, intent, attempt, due, end))),
    }
}

pub(super) fn refund_of(
    context: &Context<'_>,
    intent: &Intent,
    attempt: u32,
    amount: i64,
    end: End,
) -> Refund {
    Refund {
        installation: context.observed.settings.installation.clone(),
        uid: context.uid().to_owned(),
        attempt,
        intent: intent.id.clone(),
        amount,
        because: because(end),
    }
}

const fn because(end: End) -> Because {
    match end {
        End::Rejected => Because::Rejected,
        End::Cancelled => Because::Cancelled,
        End::Withdrawn => Because::Withdrawn,
    }
}

/// What a guest has asked for, and what the sale's own rules give back, goes at once. What nobody has asked for goes past
/// the brake: a whole season may have been deleted by mistake.
fn give_back(context: &Context<'_>, refund: Refund) -> Plan {
    if !refund.because.is_unasked() {
        return Plan::Do(Effect::Refund(refund));
    }
    match &context.observed.known.brake {
        BrakeKnown::NotAsked => Plan::Do(Effect::AskBrake(refund)),
        BrakeKnown::Free => Plan::Do(Effect::Refund(refund)),
        BrakeKnown::Halted(why) => {
            let halted = status::money_halted(&context.status, why, context.now);
            context.write_or(halted, Plan::Wait(Wake::Poll))
        }
        BrakeKnown::Failed(error) => unanswered(context, error),
    }
}

/// It waits for a person, who gives the money back in the provider's dashboard, or allows one more attempt.
fn refund_failed(context: &Context<'_>, intent: &Intent, attempt: u32, why: &str) -> Plan {
    let next = attempt + 1;
    let mistaken = match allowed(context, next) {
        Allowed::Now => {
            return Plan::Write(Box::new(status::refund_retried(&context.status, next, context.now)));
        }
        Allowed::Not(mistaken) => mistaken,
    };
    let failed =
        status::refund_failed(&context.status, intent, &RefundFailure { why, next, mistaken }, context.now);
    context.write_or(failed, Plan::Wait(Wake::Poll))
}

/// Whether a person has allowed another attempt at giving money back.
pub(super) enum Allowed<'a> {
    /// This one, now.
    Now,
    /// Not this one. What they said instead, where that is a mistake that somebody must be told of.
    Not(Option<&'a str>),
}

pub(super) fn allowed<'a>(context: &Context<'a>, next: u32) -> Allowed<'a> {
    let said = context.retry_refund();
    match said.map(str::parse::<u32>) {
        // The failure is stored first, so that no attempt is forgotten.
        Some(Ok(number)) if number == next && next <= ATTEMPTS_MAX && stalled(context) => Allowed::Now,
        // An older number is what was allowed before.
        None => Allowed::Not(None),
        Some(Ok(number)) if number <= next => Allowed::Not(None),
        Some(_) => Allowed::Not(said),
    }
}

/// That the refund failed is stored.
fn stalled(context: &Context<'_>) -> bool {
    context.status.conditions.reason(&ConditionType::Refunded) == Some(&Reason::RefundFailed)
}

pub(super) fn failure(state: &RefundState) -> Option<String> {
    match state {
        RefundState::Failed(why) => Some(why.clone()),
        RefundState::Cancelled => Some("canceled".to_owned()),
        RefundState::Pending | RefundState::Succeeded => None,
    }
}

fn unanswered(context: &Context<'_>, error: &ProviderError) -> Plan {
    let quiet = matches!(
        error,
        ProviderError::InFlight | ProviderError::RateLimited { .. } | ProviderError::Mismatch
    );
    // The decision has said already that the provider is asked; that it does not answer was said of the charge.
    let asked = context.status.payment.as_ref().is_some_and(|p| p.captured == 0)
        && matches!(error, ProviderError::Unreachable(_));
    if quiet || asked || stalled(context) {
        return Plan::Wait(Wake::Retry);
    }
    let unanswered = status::refund_unanswered(&context.status, error, context.now);
    context.write_or(unanswered, Plan::Wait(Wake::Retry))
}
