//! Before anything is charged: money of another object of the same name.
//!
//! An object that was deleted by force and made anew, or restored from a backup, has a new UID and so a new key: by that
//! alone it would be charged again. What the provider holds for its name and its day of arrival comes first. A person
//! says whether that money is this stay's, or another's.

use innkeeper_api::{ALREADY_CHARGED, Reason};

use super::Context;
use crate::knowledge::{EarlierKnown, NightsKnown};
use crate::observed::{Effect, Plan, Wake};
use crate::provider::{Adoption, Earlier, IntentState, ProviderError};
use crate::status::{self, Standing};

/// What comes before this charge, where anything does.
pub(super) fn comes_first(
    context: &Context<'_>,
    attempt: u32,
    unanswered: fn(&Context<'_>, &ProviderError) -> Plan,
) -> Option<Plan> {
    let found = match &context.observed.known.earlier {
        EarlierKnown::NotAsked => return Some(Plan::Do(Effect::FindEarlier(context.tags()))),
        EarlierKnown::Failed(error) => return Some(unanswered(context, error)),
        EarlierKnown::Found(found) => found,
    };
    let check_in = context.reservation().spec.check_in;
    let held: Vec<&Earlier> = found.iter().filter(|e| e.check_in == check_in && is_held(e)).collect();
    if held.is_empty() {
        return resumed(context);
    }
    match context.annotation(ALREADY_CHARGED) {
        Some("charge-anew") => resumed(context),
        Some("adopt") => Some(adopt(context, &held, attempt)),
        other => Some(stand(context, &held, other.map(Standing::Unreadable))),
    }
}

/// Taken and not given back, or on its way; what is marked as settled stays with the hotel, whatever comes after it.
fn is_held(earlier: &Earlier) -> bool {
    let intent = &earlier.intent;
    !intent.settled && (intent.captured > intent.returning() || intent.state == IntentState::Processing)
}

/// Nothing stands in the way (any more). Where it did, that is said before anything is sent.
fn resumed(context: &Context<'_>) -> Option<Plan> {
    let stood = match context.paid() {
        Some(Reason::AlreadyCharged) => true,
        Some(Reason::MoneyHalted) => context.observed.halted.is_none(),
        _ => false,
    };
    stood.then(|| {
        let resumed = status::charge_resumed(&context.status, context.new_deadline(), context.now);
        Plan::Write(Box::new(resumed))
    })
}

/// A person is waited for, for days it may be. Whoever is waited for has most likely paid: the nights are taken as soon as
/// they are free, and held meanwhile, so that nobody else gets them.
fn stand(context: &Context<'_>, held: &[&Earlier], why: Option<Standing<'_>>) -> Plan {
    let allocation = match (&context.status.allocation, &context.observed.known.nights) {
        (Some(allocation), _) => Some(allocation.clone()),
        (None, NightsKnown::Held { room_uid }) => Some(context.allocation(room_uid)),
        (None, NightsKnown::NotAsked | NightsKnown::Released) => {
            return Plan::Do(Effect::Take(context.stay()));
        }
        (None, NightsKnown::Full { .. } | NightsKnown::Busy) => None,
    };
    let stands = status::already_charged(&context.status, held, why, allocation, context.now);
    context.write_or(stands, Plan::Wait(Wake::Poll))
}

/// The payment becomes this Reservation's: its id is stored first, then the provider is told, then it is looked up like
/// any charge of its own.
fn adopt(context: &Context<'_>, held: &[&Earlier], attempt: u32) -> Plan {
    let [one] = held else { return stand(context, held, Some(Standing::Several)) };
    let intent = &one.intent;
    let currency = context.status.quote.as_ref().map(|q| q.currency.as_str()).unwrap_or_default();
    let fits = intent.state == IntentState::Captured
        && intent.captured == context.amount()
        && intent.currency == currency
        && intent.returning() == 0;
    if !fits {
        return stand(context, held, Some(Standing::DoesNotFit));
    }
    // Else it might be adopted only to be given back, for want of a room.
    if context.status.allocation.is_none() {
        return stand(context, held, Some(Standing::NoNights));
    }
    let stored = context.status.payment.as_ref().and_then(|p| p.id.as_ref()) == Some(&intent.id);
    if !stored || context.paid() == Some(&Reason::AlreadyCharged) {
        let deadline = context.new_deadline();
        return Plan::Write(Box::new(status::adopting(&context.status, &intent.id, deadline, context.now)));
    }
    take_over(context, one, attempt)
}

fn take_over(context: &Context<'_>, one: &Earlier, attempt: u32) -> Plan {
    match &context.observed.known.adopted {
        None => Plan::Do(Effect::Adopt(Adoption {
            intent: one.intent.id.clone(),
            from: one.uid.clone(),
            tags: context.tags(),
            attempt,
        })),
        // Told, and not to be seen yet; or not told: both are tried again.
        Some(_) => Plan::Wait(Wake::Retry),
    }
}

/// That another's payment becomes this Reservation's is stored, and it is not so yet: the request may still be on its way.
/// Before anything ends without that money it is carried out, so that nothing can land afterwards.
pub(super) fn under_way(
    context: &Context<'_>,
    attempt: u32,
    unanswered: fn(&Context<'_>, &ProviderError) -> Plan,
) -> Option<Plan> {
    let id = context.status.payment.as_ref()?.id.as_ref()?;
    let found = match &context.observed.known.earlier {
        EarlierKnown::NotAsked => return Some(Plan::Do(Effect::FindEarlier(context.tags()))),
        EarlierKnown::Failed(error) => return Some(unanswered(context, error)),
        EarlierKnown::Found(found) => found,
    };
    let one = found.iter().find(|earlier| earlier.intent.id == *id)?;
    Some(take_over(context, one, attempt))
}
