//! What can be wrong with an operator, to show that the checks bite.

use innkeeper_api::{Reason, Reservation, ReservationStatus};
use innkeeper_booking::inventory::NightsSeen;
use innkeeper_booking::knowledge::{Answer, ChargeKnown, NightsKnown};
use innkeeper_booking::observed::{Effect, Observed, Plan, RoomView};
use innkeeper_booking::plan::plan;
use innkeeper_booking::provider::{Charge, ProviderError, Tags};
use innkeeper_booking::status::{Stage, rejecting, stage};
use kube::ResourceExt;
use std::rc::Rc;

use super::Pass;
use crate::outside::Outside;

/// What is wrong with an operator, to show that the checks bite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    None,
    /// Gives money and nights back before the decision is stored.
    DecisionNotStored,
    /// Makes a new key for every refund.
    RefundUnderAnotherKey,
    /// Writes calendars without resourceVersion.
    CalendarWithoutVersion,
    /// Charges before the intent is stored.
    ChargeBeforeIntent,
    /// Confirms without taking nights.
    NoNights,
    /// Writes a status without resourceVersion.
    StatusWithoutVersion,
    /// Ends a Reservation without fencing its charge.
    NoFence,
    /// Lets a hold run out although its charge may still land.
    HoldRunsOutUnfenced,
    /// Repeats a charge without looking for it first.
    ChargeWithoutLooking,
    /// Charges whatever the fence and the stored status say, under a new key.
    ChargeUnderAnotherKey,
    /// Says that nights are released without releasing them.
    ReleaseSkipped,
    /// Makes a missing calendar anew without those who are there.
    CalendarMadeEmpty,
    /// Takes it for a decline when the provider refuses to look something up.
    RefusedLookIsDecline,
    /// Goes on after any pause as if no time had passed.
    PausedForADay,
    /// Lets the object go before its nights are free and its money is marked.
    FinalizerDroppedEarly,
    /// Charges without asking whether the stay was paid under another UID.
    EarlierNotAsked,
    /// Lets everything past the brake.
    NoBrake,
}

impl Sabotage {
    /// What a broken operator understands.
    pub(super) fn mishear(self, answer: Answer) -> Answer {
        match answer {
            Answer::Look(Err(error)) if self == Self::RefusedLookIsDecline => Answer::Charge(Err(error)),
            answer => answer,
        }
    }

    /// What a broken operator does instead of what was planned.
    pub(super) fn spoil(self, decided: Plan, pass: &mut Pass, out: &mut Outside) -> Plan {
        let status = pass.object.value.status.clone().unwrap_or_default();
        match (self, decided) {
            (Self::DecisionNotStored, Plan::Write(decision))
                if matches!(stage(&decision), Stage::Closing(_)) =>
            {
                let mut object = Reservation::clone(&pass.object.value);
                object.status = Some(*decision);
                pass.object.value = Rc::new(object);
                again(pass, out)
            }
            (Self::RefundUnderAnotherKey, Plan::Do(Effect::Refund(mut refund))) => {
                refund.attempt += u32::try_from(out.rng.below(5)).unwrap_or(0);
                Plan::Do(Effect::Refund(refund))
            }
            (Self::ChargeBeforeIntent, Plan::Write(intent))
                if status.quote.is_none() && pass.known.charge == ChargeKnown::NotAsked =>
            {
                charge(pass, &intent, out).map_or(Plan::Write(intent), Plan::Do)
            }
            (Self::NoNights, Plan::Do(Effect::Take(_))) => {
                pass.known.learn(Answer::Nights(NightsKnown::Held { room_uid: "none".to_owned() }));
                again(pass, out)
            }
            (Self::HoldRunsOutUnfenced, Plan::Do(Effect::Fence(_)))
                if stage(&status) == Stage::InProgress =>
            {
                let why = "The nights were held until the deadline.";
                let expired = rejecting(&status, &Reason::HoldExpired, why, None, out.now);
                Plan::Write(Box::new(expired))
            }
            (Self::NoFence, Plan::Do(Effect::Fence(_))) => {
                let refused = ProviderError::Invalid { code: String::new(), message: String::new() };
                pass.known.learn(Answer::Charge(Err(refused)));
                again(pass, out)
            }
            (Self::ChargeWithoutLooking, Plan::Do(Effect::Look(what))) => {
                let charge = charge(pass, &status, out).filter(|_| stage(&status) == Stage::InProgress);
                Plan::Do(charge.unwrap_or(Effect::Look(what)))
            }
            (Self::ChargeUnderAnotherKey, Plan::Do(Effect::Charge(mut charge))) => {
                charge.attempt += u32::try_from(out.rng.below(3)).unwrap_or(0);
                Plan::Do(Effect::Charge(charge))
            }
            (Self::EarlierNotAsked, Plan::Do(Effect::FindEarlier(_))) => {
                pass.known.learn(Answer::Earlier(Ok(Vec::new())));
                again(pass, out)
            }
            (Self::ReleaseSkipped, Plan::Do(Effect::Release(_))) => {
                pass.known.learn(Answer::Nights(NightsKnown::Released));
                again(pass, out)
            }
            (Self::FinalizerDroppedEarly, Plan::Do(Effect::MarkSettled { .. } | Effect::Refund(_)))
                if pass.object.value.metadata.deletion_timestamp.is_some()
                    && pass.object.value.finalizers().contains(&out.settings.finalizers[0]) =>
            {
                Plan::Do(Effect::RemoveFinalizer(out.settings.finalizers[0].clone()))
            }
            (_, decided) => decided,
        }
    }
}

/// The plan after something was learnt that is not so.
fn again(pass: &Pass, out: &Outside) -> Plan {
    let observed = Observed {
        reservation: &pass.object.value,
        room: RoomView::Absent,
        known: &pass.known,
        nights: NightsSeen::None,
        settings: &out.settings,
        halted: None,
    };
    plan(&observed, out.now)
}

/// The charge that a status asks for, where it asks for one.
fn charge(pass: &Pass, status: &ReservationStatus, out: &Outside) -> Option<Effect> {
    let quote = status.quote.clone().filter(|quote| quote.collect_online > 0)?;
    let object = &pass.object.value;
    Some(Effect::Charge(Charge {
        tags: Tags {
            installation: out.settings.installation.clone(),
            namespace: object.metadata.namespace.clone()?,
            name: object.metadata.name.clone()?,
            uid: object.metadata.uid.clone()?,
            check_in: object.spec.check_in,
        },
        attempt: 1,
        amount: quote.collect_online,
        currency: quote.currency,
        method: object.spec.payment.method.clone()?,
    }))
}
