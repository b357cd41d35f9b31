//! The planner: everything known in, the next thing to do out.
//!
//! One function per stage. The order within a stage is the order in which things are safe: finalizer, stored intent,
//! charge, nights, stored outcome; and on the way back stored decision, money, nights, stored end.

mod closing;
mod earlier;
mod opening;
mod returned;
mod running;
mod settled;

use innkeeper_api::{
    Allocation, Collect, ConditionType, Flow, Month, Phase, RETRY_REFUND, Reason, Reservation,
    ReservationStatus, WantedState,
};
use jiff::{SignedDuration, Timestamp};

use crate::inventory::Stay;
use crate::observed::{Observed, Plan, Wake};
use crate::provider::{Charge, LookFor, Tags};
use crate::status::{Stage, phase_of, stage};

/// Half of the time for which the provider remembers a key.
const YOUNG: SignedDuration = SignedDuration::from_hours(12);

/// Says what to do next about one Reservation.
#[must_use]
pub fn plan(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let context = Context::of(observed, now);
    let next = match stage(&context.status) {
        Stage::Open => opening::plan(&context),
        Stage::InProgress => running::plan(&context),
        Stage::Closing(end) => closing::plan(&context, end),
        Stage::Confirmed => settled::confirmed(&context),
        Stage::Closed(_) => settled::closed(&context),
        // Not even stamped: it would say that somebody has judged a generation that nobody has.
        Stage::Foreign => return Plan::Wait(Wake::OnChange),
    };
    context.finish(next)
}

/// What every stage reads.
struct Context<'a> {
    observed: &'a Observed<'a>,
    now: Timestamp,
    status: ReservationStatus,
}

impl<'a> Context<'a> {
    fn of(observed: &'a Observed<'a>, now: Timestamp) -> Self {
        let status = observed.reservation.status.clone().unwrap_or_default();
        Self { observed, now, status }
    }

    fn reservation(&self) -> &'a Reservation {
        self.observed.reservation
    }

    fn generation(&self) -> i64 {
        self.reservation().metadata.generation.unwrap_or(0)
    }

    fn uid(&self) -> &'a str {
        self.reservation().metadata.uid.as_deref().unwrap_or_default()
    }

    /// When the API server recorded the creation.
    fn created_at(&self) -> Timestamp {
        self.reservation().metadata.creation_timestamp.as_ref().map_or(self.now, |t| t.0)
    }

    /// Whether any key of its is younger than the provider's memory of keys, by far.
    fn is_young(&self) -> bool {
        self.now.duration_since(self.created_at()) < YOUNG
    }

    /// When the API server recorded the deletion.
    fn deleted_at(&self) -> Option<Timestamp> {
        self.reservation().metadata.deletion_timestamp.as_ref().map(|t| t.0)
    }

    fn wants_cancel(&self) -> bool {
        self.reservation().spec.state == Some(WantedState::Cancelled)
    }

    /// Which attempt at a refund a person has allowed.
    fn retry_refund(&self) -> Option<&'a str> {
        self.annotation(RETRY_REFUND)
    }

    /// What a person has annotated.
    fn annotation(&self, key: &str) -> Option<&'a str> {
        self.reservation().metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// What the status says of the money that is to be taken.
    fn paid(&self) -> Option<&Reason> {
        self.status.conditions.reason(&ConditionType::Paid)
    }

    /// A new deadline, for what a person has set going again.
    fn new_deadline(&self) -> Timestamp {
        self.now.saturating_add(self.observed.settings.accept_within).unwrap_or(Timestamp::MAX)
    }

    /// The plan, where money may move; else what the status says of that.
    fn unless_halted(
        &self,
        next: Plan,
        halted: fn(&ReservationStatus, &str, Timestamp) -> ReservationStatus,
    ) -> Plan {
        match (next, self.observed.halted) {
            (Plan::Do(effect), Some(why)) if effect.is_payment() => {
                self.write_or(halted(&self.status, why, self.now), Plan::Wait(Wake::Poll))
            }
            (next, _) => next,
        }
    }

    fn has_finalizer(&self, name: &str) -> bool {
        self.reservation().metadata.finalizers.iter().flatten().any(|f| f == name)
    }

    /// Finalizers that must still be put on before anything is touched; none on an object being deleted, which takes
    /// no new ones.
    fn missing_finalizers(&self) -> Vec<String> {
        if self.deleted_at().is_some() {
            return Vec::new();
        }
        self.observed.settings.finalizers.iter().filter(|f| !self.has_finalizer(f)).cloned().collect()
    }

    /// The same without the operator's own: what ends before anything was touched needs none of it, but whoever else has
    /// one must learn of the end before the object can go.
    fn missing_finalizers_of_others(&self) -> Vec<String> {
        let ours = self.observed.settings.finalizers.first();
        self.missing_finalizers().into_iter().filter(|finalizer| Some(finalizer) != ours).collect()
    }

    /// What was agreed to be collected here, in minor units.
    fn amount(&self) -> i64 {
        self.status.quote.as_ref().map_or(0, |q| q.collect_online)
    }

    /// Since when a charge may have been made here, where one may have been.
    fn charged_here(&self) -> Option<Timestamp> {
        (self.reservation().spec.payment.collect == Collect::Online).then(|| self.created_at())
    }

    /// Whether the money or the nights come first, as agreed.
    fn flow(&self) -> Flow {
        self.status.quote.as_ref().map_or(Flow::PayFirst, |q| q.flow)
    }

    /// The attempt that may have been sent, where there is one.
    fn attempt(&self) -> Option<u32> {
        self.status.payment.as_ref().and_then(|p| p.attempt)
    }

    fn stay(&self) -> Stay {
        let spec = &self.reservation().spec;
        Stay { uid: self.uid().to_owned(), from: spec.check_in, to: spec.check_out, units: spec.units }
    }

    /// Where its nights are held.
    fn allocation(&self, room_uid: &str) -> Allocation {
        let stay = self.stay();
        let room = &self.reservation().spec.room_name;
        Allocation {
            room_uid: room_uid.to_owned(),
            units: stay.units,
            calendars: stay.months().iter().map(|m: &Month| m.calendar_name(room)).collect(),
        }
    }

    fn tags(&self) -> Tags {
        let meta = &self.reservation().metadata;
        Tags {
            installation: self.observed.settings.installation.clone(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: self.uid().to_owned(),
            check_in: self.reservation().spec.check_in,
        }
    }

    fn charge(&self, attempt: u32) -> Charge {
        let spec = &self.reservation().spec;
        Charge {
            tags: self.tags(),
            attempt,
            amount: self.amount(),
            currency: self.status.quote.as_ref().map(|q| q.currency.clone()).unwrap_or_default(),
            method: spec.payment.method.clone().unwrap_or_default(),
        }
    }

    fn look_for(&self, attempt: u32) -> LookFor {
        let payment = self.status.payment.clone().unwrap_or_default();
        LookFor {
            id: payment.id,
            tags: self.tags(),
            attempt,
            // A status that somebody wiped by hand knows no older attempt; the object is older than any of them.
            since: self.created_at().min(payment.attempted_at.unwrap_or(self.now)),
        }
    }

    /// A write if the status would change in anything but its stamps; else what comes after it.
    fn write_or(&self, status: ReservationStatus, otherwise: Plan) -> Plan {
        if status == self.status { otherwise } else { Plan::Write(Box::new(status)) }
    }

    /// Stamps what is written with the generation it was judged on, and writes the stamp alone where a new generation
    /// changed nothing else: `kubectl wait` and kstatus hang without it. A phase that somebody edited is put right.
    fn finish(&self, next: Plan) -> Plan {
        let generation = self.generation();
        let mut status = match next {
            Plan::Write(status) => status,
            Plan::Wait(_) if self.is_old(generation) || self.phase_is_wrong() => {
                Box::new(self.status.clone())
            }
            other => return other,
        };
        if self.phase_is_wrong() && stage(&status) == stage(&self.status) {
            status.phase = phase_of(stage(&status));
        }
        status.observed_generation = generation;
        status.conditions.observe(generation);
        Plan::Write(status)
    }

    /// Somebody has looked, and at an older generation.
    fn is_old(&self, generation: i64) -> bool {
        !self.status.conditions.0.is_empty() && self.status.observed_generation < generation
    }

    /// A word that this version does not know is another version's.
    fn phase_is_wrong(&self) -> bool {
        let is = phase_of(stage(&self.status));
        is.is_some() && is != self.status.phase && !matches!(self.status.phase, Some(Phase::Unknown(_)))
    }
}

#[cfg(test)]
mod tests;
