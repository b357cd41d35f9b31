//! What is known on the left, what is done next on the right: the whole business as tables, one file per stage.

mod closing;
mod opening;
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
use crate::knowledge::{Answer, Knowledge, NightsKnown};
use crate::observed::{Effect, RoomView, Settings};
use crate::provider::{Fenced, Intent, IntentState, ProviderError, RefundState, RefundView};
use crate::status;

/// The stay costs 240.00 EUR and begins on 1 December at 15:00; the deadline is at 13:00 on 22 November, in an hour.
const DEADLINE: &str = "2026-11-22T13:00:00Z";
const CHECK_IN: &str = "2026-12-01T15:00:00Z";
const FINISHED: &str = "2026-12-04T00:00:00Z";

/// Everything that is known about one Reservation.
#[derive(Clone)]
struct Known {
    reservation: Reservation,
    room: Option<Room>,
    knowledge: Knowledge,
    in_calendars: bool,
    settings: Settings,
    now: Timestamp,
}

/// One that nobody has looked at, in a hotel that has its Room.
fn new() -> Known {
    let reservation = Reservation {
        metadata: ObjectMeta {
            name: Some("one".to_owned()),
            namespace: Some("hotel".to_owned()),
            uid: Some(UID.to_owned()),
            generation: Some(1),
            ..ObjectMeta::default()
        },
        spec: stay(),
        status: Some(ReservationStatus::default()),
    };
    let settings = Settings {
        accept_within: SignedDuration::from_hours(1),
        finalizers: vec![FINALIZER.to_owned()],
        installation: "inn-1".to_owned(),
    };
    Known {
        reservation,
        room: None,
        knowledge: Knowledge::default(),
        in_calendars: false,
        settings,
        now: now(),
    }
    .with_room(room())
}

impl Known {
    fn with_room(mut self, spec: RoomSpec) -> Self {
        let metadata =
            ObjectMeta { uid: Some(ROOM_UID.to_owned()), generation: Some(3), ..ObjectMeta::default() };
        self.room = Some(Room { metadata, spec, status: None });
        self
    }

    fn without_room(mut self) -> Self {
        self.room = None;
        self
    }

    fn fresh(mut self) -> Self {
        self.knowledge.room_is_fresh = true;
        self
    }

    fn at(mut self, time: &str) -> Self {
        self.now = at(time);
        self
    }

    fn spec(mut self, change: impl FnOnce(&mut ReservationSpec)) -> Self {
        change(&mut self.reservation.spec);
        self
    }

    fn at_the_desk(self) -> Self {
        self.spec(|s| {
            s.payment.collect = Collect::AtProperty;
            s.payment.method = None;
        })
    }

    fn with_finalizer(mut self) -> Self {
        self.reservation.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        self
    }

    fn without_finalizer(mut self) -> Self {
        self.reservation.metadata.finalizers = None;
        self
    }

    fn status(mut self, change: impl FnOnce(&ReservationStatus) -> ReservationStatus) -> Self {
        let mut status = change(&self.reservation.status.unwrap_or_default());
        let generation = self.reservation.metadata.generation.unwrap();
        status.observed_generation = generation;
        status.conditions.observe(generation);
        self.reservation.status = Some(status);
        self
    }

    fn learn(mut self, answer: Answer) -> Self {
        self.knowledge.learn(answer);
        self
    }

    /// Accepted by a write of an earlier pass: whether anything was sent is not known.
    fn accepted(self) -> Self {
        let quote = self.quote();
        self.with_finalizer().status(|s| status::accepted(s, quote, at(DEADLINE), now()))
    }

    fn quote(&self) -> Quote {
        quote(&self.reservation.spec, &self.room.as_ref().unwrap().spec)
    }

    /// Accepted by a write of this pass.
    fn just_accepted(self) -> Self {
        let mut known = self.accepted();
        known.knowledge.attempt_is_new = true;
        known
    }

    fn confirmed(self) -> Self {
        let paid = (self.reservation.spec.payment.collect == Collect::Online).then(captured);
        let calendars = vec!["sea-view-2026-12".to_owned()];
        let allocation = Allocation { room_uid: ROOM_UID.to_owned(), units: 1, calendars };
        self.accepted().status(|s| status::confirmed(s, paid.as_ref(), allocation, now()))
    }

    /// Given up for want of a room, after the guest has paid.
    fn rejecting(self) -> Self {
        self.accepted().status(|s| {
            status::rejecting(s, &Reason::OutOfStock, "2026-12-01 is sold out.", Some(&captured()), now())
        })
    }

    /// Given up before it is known whether the guest has paid.
    fn rejecting_unpaid(self) -> Self {
        self.accepted()
            .status(|s| status::rejecting(s, &Reason::TimedOut, "The deadline passed.", None, now()))
    }

    fn cancelling(self, percent: u32) -> Self {
        let decision = Decision { at: now(), refund_percent: percent };
        self.confirmed().cancelled().status(|s| status::cancelling(s, decision, now()))
    }

    fn withdrawing(self) -> Self {
        self.confirmed().deleted(crate::fixtures::NOW).status(|s| status::withdrawing(s, now(), now()))
    }

    /// `state: Cancelled` is in the spec, which is another generation; that generation has been seen.
    fn cancelled(mut self) -> Self {
        self.reservation.spec.state = Some(WantedState::Cancelled);
        self
    }

    fn cancel_recorded(self, time: &str) -> Self {
        self.cancelled().learn(Answer::Cancellation(at(time)))
    }

    fn deleted(mut self, time: &str) -> Self {
        let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(time));
        self.reservation.metadata.deletion_timestamp = Some(time);
        self
    }

    fn looked(self, found: Option<Intent>) -> Self {
        self.learn(Answer::Look(Ok(found)))
    }

    fn nights(self, nights: NightsKnown) -> Self {
        self.learn(Answer::Nights(nights))
    }

    fn held(self) -> Self {
        self.nights(NightsKnown::Held { room_uid: ROOM_UID.to_owned() })
    }

    fn full(self) -> Self {
        self.nights(NightsKnown::Full { why: "2026-12-01 is sold out.".to_owned() })
    }

    fn next(&self) -> Plan {
        let view = self.room.as_ref().map_or(RoomView::Absent, RoomView::There);
        let observed = Observed {
            reservation: &self.reservation,
            room: view,
            known: &self.knowledge,
            in_calendars: self.in_calendars,
            settings: &self.settings,
        };
        let plan = plan(&observed, self.now);
        if let Plan::Write(status) = &plan {
            let before = self.reservation.status.clone().unwrap_or_default();
            assert_follows(&before, status);
            assert_ne!(before, **status, "a write that changes nothing");
            let generation = self.reservation.metadata.generation.unwrap();
            assert_eq!(status.observed_generation, generation);
            assert!(status.conditions.0.iter().all(|c| c.observed_generation == generation));
        }
        plan
    }

    /// The plan in a few words.
    fn then(&self) -> String {
        told(&self.next())
    }

    /// The plan's write, as what is known next.
    fn written(mut self) -> Self {
        match self.next() {
            Plan::Write(status) => self.reservation.status = Some(*status),
            other => panic!("no write: {other:?}"),
        }
        self
    }

    fn payment(&self) -> innkeeper_api::PaymentStatus {
        self.reservation.status.clone().unwrap().payment.unwrap()
    }
}

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

fn intent(state: IntentState) -> Intent {
    let captured = if state == IntentState::Captured { 24_000 } else { 0 };
    Intent {
        id: "pi_1".to_owned(),
        state,
        amount: 24_000,
        currency: "EUR".to_owned(),
        captured,
        refunds: Vec::new(),
        attempt: Some(1),
        fence: false,
        created: now(),
        settled: false,
    }
}

fn captured() -> Intent {
    intent(IntentState::Captured)
}

fn card_declined() -> Intent {
    let (code, message) = ("card_declined".to_owned(), "Your card was declined.".to_owned());
    intent(IntentState::Declined { code, message })
}

/// Captured, with refunds of these amounts; ours unless made in the dashboard.
fn refunds(list: &[(i64, RefundState, Option<u32>)]) -> Intent {
    let refunds = list.iter().enumerate().map(|(n, (amount, state, attempt))| RefundView {
        id: format!("re_{n}"),
        amount: *amount,
        state: state.clone(),
        attempt: *attempt,
    });
    Intent { refunds: refunds.collect(), ..captured() }
}

fn refunded(amount: i64) -> Intent {
    refunds(&[(amount, RefundState::Succeeded, Some(1))])
}

fn invalid() -> ProviderError {
    ProviderError::Invalid {
        code: "resource_missing".to_owned(),
        message: "No such payment method".to_owned(),
    }
}

fn unreachable() -> ProviderError {
    ProviderError::Unreachable("connection refused".to_owned())
}

fn lost() -> ProviderError {
    ProviderError::OutcomeUnknown("timed out".to_owned())
}

fn server() -> ProviderError {
    ProviderError::Server { status: 500, message: "oops".to_owned() }
}

fn unauthorized() -> ProviderError {
    ProviderError::Unauthorized("revoked".to_owned())
}

fn slow_down() -> ProviderError {
    ProviderError::RateLimited { retry_after: Some(2) }
}
