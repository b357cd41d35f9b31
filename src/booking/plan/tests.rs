//! What is known on the left, what is done next on the right: the whole business as tables, one file per stage.

mod answers;
mod closing;
mod guarded;
mod holding;
mod known;
mod opening;
mod returned;
mod running;
mod settled;
mod stamping;

use innkeeper_api::{
    Allocation, Collect, ConditionType, Decision, FINALIZER, Quote, Reason, ReservationSpec, Room, RoomSpec,
};
use jiff::SignedDuration;
use kube::api::ObjectMeta;

use super::*;
use crate::fixtures::{ROOM_UID, UID, assert_follows, at, now, quote, room, stay};
use crate::inventory::NightsSeen;
use crate::knowledge::{Answer, BrakeKnown, ChargeKnown, EarlierKnown, Knowledge, NightsKnown};
use crate::observed::{Effect, RoomView, Settings};
use crate::provider::{Fenced, Intent, IntentState, ProviderError, RefundState, RefundView};
use crate::status;
use answers::*;
use known::{Known, new};

/// The stay costs 240.00 EUR and begins on 1 December at 15:00; the deadline is at 13:00 on 22 November, in an hour.
const DEADLINE: &str = "2026-11-22T13:00:00Z";
const CHECK_IN: &str = "2026-12-01T15:00:00Z";
const FINISHED: &str = "2026-12-04T00:00:00Z";

fn told(plan: &Plan) -> String {
    match plan {
        Plan::Write(status) => {
            let reason = |kind| status.conditions.reason(&kind).map_or("-", Reason::as_str);
            format!("write {} {}", reason(ConditionType::Settled), reason(ConditionType::Ready))
        }
        Plan::Wait(Wake::OnChange) => "wait".to_owned(),
        Plan::Wait(Wake::At(time)) => format!("wait until {time}"),
        Plan::Wait(Wake::Retry) => "retry".to_owned(),
        Plan::Wait(Wake::Poll) => "poll".to_owned(),
        Plan::Do(effect) => match effect {
            Effect::AddFinalizers(names) => format!("add {}", names.join(" ")),
            Effect::RemoveFinalizer(name) => format!("remove {name}"),
            Effect::ReadRoom => "read the Room".to_owned(),
            Effect::ReadCancellation => "read the cancellation".to_owned(),
            Effect::FindEarlier(tags) => format!("find earlier payments of {}", tags.name),
            Effect::Adopt(a) => format!("adopt {} of {} as #{}", a.intent, a.from, a.attempt),
            Effect::AskBrake(r) => format!("ask the brake for {} of {}", r.amount, r.intent),
            Effect::Charge(c) => format!("charge #{} {} {} {}", c.attempt, c.amount, c.currency, c.method),
            Effect::Look(l) => format!("look for #{} {}", l.attempt, l.id.as_deref().unwrap_or("by list")),
            Effect::Fence(c) => format!("fence #{} {} {}", c.attempt, c.amount, c.currency),
            Effect::CancelIntent(id) => format!("cancel {id}"),
            Effect::Refund(r) => format!("refund #{} {} of {}", r.attempt, r.amount, r.intent),
            Effect::MarkSettled { id, kept } => format!("mark {id} kept {kept}"),
            Effect::Take(stay) => format!("take {}..{} x{}", stay.from, stay.to, stay.units),
            Effect::Release(stay) => format!("release {}..{} x{}", stay.from, stay.to, stay.units),
        },
    }
}
