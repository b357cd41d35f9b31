//! Before there is a price: the Room is found, the stay accepted or refused, the intent stored.

use innkeeper_api::{Quote, Reason, ReservationStatus, Room};
use jiff::Timestamp;

use super::Context;
use crate::inventory::NightsSeen;
use crate::observed::{Effect, Plan, RoomView, Wake};
use crate::room::SellableRoom;
use crate::status::{self, End};
use crate::terms::{Refusal, RoomIdentity, accept};

pub(super) fn plan(context: &Context<'_>) -> Plan {
    if context.observed.nights != NightsSeen::None {
        return taken_up_again(context);
    }
    if let Some(end) = undecided_end(context) {
        let at = context.deleted_at().unwrap_or(context.now);
        return ended(context, status::undecided(&context.status, end, at, context.now));
    }
    // A missing answer is no refusal: GitOps applies in any order, so a Room is waited for until the deadline.
    let room = match context.observed.room {
        RoomView::Absent => {
            let name = &context.reservation().spec.room_name;
            return wait(
                context,
                Reason::RoomNotFound,
                &format!("There is no Room {name:?} in this namespace."),
            );
        }
        RoomView::There(room) => room,
    };
    match SellableRoom::check(&room.spec) {
        Err(fault) => {
            let name = &context.reservation().spec.room_name;
            let what = format!("Room {name:?} cannot be sold as it is written: {fault}.");
            wait(context, Reason::RoomNotReady, &what)
        }
        Ok(sellable) => decide(context, room, &sellable),
    }
}

/// Its nights are in the calendars: it was booked, and somebody has wiped its status. It is booked again where the Room
/// still has it so, which charges nobody twice; nothing is given up on a guess, and money is looked for before anything
/// ends.
fn taken_up_again(context: &Context<'_>) -> Plan {
    if let Some(end) = undecided_end(context) {
        let at = context.deleted_at().unwrap_or(context.now);
        let given_up =
            status::given_up_without_terms(&context.status, end, at, context.charged_here(), context.now);
        return Plan::Write(Box::new(given_up));
    }
    let RoomView::There(room) = context.observed.room else { return lost(context, "Its Room is not there.") };
    let accepted = SellableRoom::check(&room.spec)
        .map_err(|fault| format!("{fault}."))
        .and_then(|sellable| terms(context, room, &sellable).map_err(|refusal| refusal.message));
    match accepted {
        Ok(quote) => begin(context, quote),
        Err(why) => lost(context, &why),
    }
}

/// What was agreed cannot be derived again: a person must look.
fn lost(context: &Context<'_>, why: &str) -> Plan {
    if !context.observed.known.room_is_fresh {
        return Plan::Do(Effect::ReadRoom);
    }
    let lost = status::terms_lost(&context.status, why, context.now);
    context.write_or(lost, Plan::Wait(Wake::Poll))
}

/// Cancelled or deleted before anything was decided. Nothing was charged, so it does not matter which came first.
fn undecided_end(context: &Context<'_>) -> Option<End> {
    if context.wants_cancel() {
        Some(End::Cancelled)
    } else if context.deleted_at().is_some() {
        Some(End::Withdrawn)
    } else {
        None
    }
}

fn deadline(context: &Context<'_>) -> Timestamp {
    context.status.deadline.unwrap_or_else(|| {
        context.now.saturating_add(context.observed.settings.accept_within).unwrap_or(Timestamp::MAX)
    })
}

fn wait(context: &Context<'_>, reason: Reason, what: &str) -> Plan {
    let deadline = deadline(context);
    if context.now >= deadline {
        if !context.observed.known.room_is_fresh {
            return Plan::Do(Effect::ReadRoom);
        }
        let refusal = Refusal {
            reason: Reason::TimedOut,
            message: format!("{what} It was waited for until the deadline."),
        };
        return ended(context, status::refused(&context.status, &refusal, context.now));
    }
    let message = format!("{what} It is waited for until the deadline.");
    let waiting = status::waiting(&context.status, reason, &message, deadline, context.now);
    // A Room applied together with the Reservation may not have been seen yet: nothing is said of it on an old view.
    if waiting != context.status && !context.observed.known.room_is_fresh {
        return Plan::Do(Effect::ReadRoom);
    }
    context.write_or(waiting, Plan::Wait(Wake::At(deadline)))
}

/// The end, before anything was touched. Whoever has a finalizer besides the operator has it on by then.
fn ended(context: &Context<'_>, end: ReservationStatus) -> Plan {
    let missing = context.missing_finalizers_of_others();
    if missing.is_empty() { Plan::Write(Box::new(end)) } else { Plan::Do(Effect::AddFinalizers(missing)) }
}

fn decide(context: &Context<'_>, room: &Room, sellable: &SellableRoom<'_>) -> Plan {
    match terms(context, room, sellable) {
        // A refusal is final, so it is not given on a view of the Room that may be old.
        Err(_) if !context.observed.known.room_is_fresh => Plan::Do(Effect::ReadRoom),
        Err(refusal) => ended(context, status::refused(&context.status, &refusal, context.now)),
        Ok(quote) => begin(context, quote),
    }
}

fn terms(context: &Context<'_>, room: &Room, sellable: &SellableRoom<'_>) -> Result<Quote, Refusal> {
    let identity = RoomIdentity {
        uid: room.metadata.uid.as_deref().unwrap_or_default(),
        generation: room.metadata.generation.unwrap_or(0),
    };
    accept(&context.reservation().spec, sellable, identity, context.now).map_err(Refusal::from)
}

fn begin(context: &Context<'_>, quote: Quote) -> Plan {
    let missing = context.missing_finalizers();
    if !missing.is_empty() {
        return Plan::Do(Effect::AddFinalizers(missing));
    }
    let accepted = status::accepted(&context.status, quote, deadline(context), context.now);
    Plan::Write(Box::new(accepted))
}
