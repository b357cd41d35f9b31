//! Booked or ended: what may still come is cancelling, deleting, and putting right what a race left behind.

use super::{Context, closing};
use crate::knowledge::NightsKnown;
use crate::observed::{Effect, Plan, Wake};

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
    closing::asked(context).unwrap_or(Plan::Wait(Wake::OnChange))
}

pub(super) fn closed(context: &Context<'_>) -> Plan {
    if context.deleted_at().is_some() {
        return file_away(context);
    }
    // A write of an operator that had been paused may land after the end: its nights are given up again.
    match (context.observed.in_calendars, &context.observed.known.nights) {
        (true, NightsKnown::NotAsked) => Plan::Do(Effect::Release(context.stay())),
        (true, NightsKnown::Busy) => Plan::Wait(Wake::Retry),
        _ => Plan::Wait(Wake::OnChange),
    }
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
    let kept = payment.captured - payment.refunded;
    if let (true, false, Some(id)) = (kept > 0, known.marked, payment.id) {
        if known.mark_failed {
            return Plan::Wait(Wake::Retry);
        }
        return Plan::Do(Effect::MarkSettled { id, kept });
    }
    Plan::Do(Effect::RemoveFinalizer(ours.clone()))
}
