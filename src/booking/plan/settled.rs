//! Booked or ended: what may still come is cancelling, deleting, and putting right what a race left behind.

use innkeeper_api::ConditionType;
use jiff::SignedDuration;

use super::{Context, closing, returned};
use crate::inventory::NightsSeen;
use crate::knowledge::NightsKnown;
use crate::observed::{Effect, Plan, Wake};
use crate::status;

/// How far the watches of two kinds may be apart.
const WATCHES_APART: SignedDuration = SignedDuration::from_secs(10);

pub(super) fn confirmed(context: &Context<'_>) -> Plan {
    let missing = context.missing_finalizers();
    if !missing.is_empty() {
        return Plan::Do(Effect::AddFinalizers(missing));
    }
    let finished_at = context.status.quote.as_ref().map(|q| q.finished_at);
    let filed = context.deleted_at().filter(|at| finished_at.is_some_and(|end| *at >= end));
    // Deleted after check-out it is filed away, unless somebody cancelled before that: then the policy still speaks.
    if let Some(deleted) = filed {
        match context.observed.known.cancel_recorded {
            _ if !context.wants_cancel() => return file_away(context),
            None => return Plan::Do(Effect::ReadCancellation),
            Some(cancelled) if deleted < cancelled => return file_away(context),
            Some(_) => {}
        }
    }
    closing::asked(context).unwrap_or_else(|| kept(context))
}

/// Until the stay is over its nights are in the calendars. What was torn out of them by hand, or lost with a calendar, is
/// taken again; where that cannot be, a person is told.
fn kept(context: &Context<'_>) -> Plan {
    let over = context.status.quote.as_ref().is_none_or(|q| context.now >= q.finished_at);
    if over {
        return Plan::Wait(Wake::OnChange);
    }
    let booked = |room_uid: &str| {
        let allocation = context.allocation(room_uid);
        let booked = status::confirmed(&context.status, None, allocation, context.now);
        context.write_or(booked, Plan::Wait(Wake::OnChange))
    };
    if context.observed.nights == NightsSeen::All {
        let held_in = context.status.allocation.as_ref().map(|a| a.room_uid.as_str());
        let quoted = context.status.quote.as_ref().map(|q| q.room_uid.as_str());
        return booked(held_in.or(quoted).unwrap_or_default());
    }
    if let NightsKnown::Held { room_uid } = &context.observed.known.nights {
        return booked(room_uid);
    }
    // The watch of the calendars may be a little behind the write that has just said so.
    let since = context.status.conditions.get(&ConditionType::Settled).map(|c| c.last_transition_time);
    let settling = since.and_then(|at| at.checked_add(WATCHES_APART).ok()).filter(|at| *at > context.now);
    if let Some(at) = settling {
        return Plan::Wait(Wake::At(at));
    }
    match &context.observed.known.nights {
        NightsKnown::Full { why } => {
            let lost = status::nights_lost(&context.status, why, context.now);
            context.write_or(lost, Plan::Wait(Wake::Poll))
        }
        NightsKnown::Busy => Plan::Wait(Wake::Retry),
        _ => Plan::Do(Effect::Take(context.stay())),
    }
}

pub(super) fn closed(context: &Context<'_>) -> Plan {
    // Without it the object could go, and with it all that says whose the money is that stays with the hotel.
    let missing = context.missing_finalizers();
    if kept_money(context) > 0 && !missing.is_empty() {
        return Plan::Do(Effect::AddFinalizers(missing));
    }
    if let Some(plan) = returned::plan(context) {
        return match plan {
            Plan::Do(effect) if effect.is_payment() && context.observed.halted.is_some() => {
                Plan::Wait(Wake::Poll)
            }
            plan => plan,
        };
    }
    if context.deleted_at().is_some() {
        return file_away(context);
    }
    // A write of an operator that had been paused may land after the end: its nights are given up again.
    match (context.observed.nights != NightsSeen::None, &context.observed.known.nights) {
        (true, NightsKnown::NotAsked) => Plan::Do(Effect::Release(context.stay())),
        (true, NightsKnown::Busy) => Plan::Wait(Wake::Retry),
        _ => Plan::Wait(Wake::OnChange),
    }
}

/// What was taken and has not gone back, minor units.
fn kept_money(context: &Context<'_>) -> i64 {
    context.status.payment.as_ref().map_or(0, |p| p.captured - p.refunded)
}

/// Lets the object go: no calendar holds it any more, and money that stays with the hotel is marked as settled.
fn file_away(context: &Context<'_>) -> Plan {
    let Some(ours) = context.observed.settings.finalizers.first() else { return Plan::Wait(Wake::OnChange) };
    if !context.has_finalizer(ours) {
        return Plan::Wait(Wake::OnChange);
    }
    let known = context.observed.known;
    match known.nights {
        NightsKnown::Released => {}
        NightsKnown::Busy => return Plan::Wait(Wake::Retry),
        _ => return Plan::Do(Effect::Release(context.stay())),
    }
    let payment = context.status.payment.clone().unwrap_or_default();
    let kept = kept_money(context);
    if let (true, false, Some(id)) = (kept > 0, known.marked, payment.id) {
        if known.mark_failed {
            return Plan::Wait(Wake::Retry);
        }
        if context.observed.halted.is_some() {
            return Plan::Wait(Wake::Poll);
        }
        return Plan::Do(Effect::MarkSettled { id, kept });
    }
    Plan::Do(Effect::RemoveFinalizer(ours.clone()))
}
