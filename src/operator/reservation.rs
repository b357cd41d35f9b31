//! The Reservation controller: one pass plans, writes, performs and learns until there is nothing left to do now.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_api::{ConditionType, Reason, Reservation, ReservationStatus, Room, TRACEPARENT, TraceParent};
use innkeeper_booking::inventory::{self, NightsSeen, Stay};
use innkeeper_booking::knowledge::{Answer, Knowledge};
use innkeeper_booking::observed::{Effect, Observed, Plan, RoomView, Settings, Wake};
use innkeeper_booking::plan::plan;
use innkeeper_booking::status::{End, Stage, stage};
use innkeeper_ops::metrics::{Outcome, StatusKind, StatusWrite};
use jiff::{SignedDuration, Timestamp};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use tracing::{Instrument, Span};

use crate::cache::Key;
use crate::effects::{Done, perform};
use crate::error::{ReconcileError, WriteError};
use crate::runner::Action;
use crate::scope::Scope;
use crate::writes;

/// More steps than any way through the planner takes; reaching it is a bug, and must not spin.
const STEPS: usize = 64;

/// What was learnt in a pass is not acted on at the provider once it is this old, by the wall clock: a process that was
/// suspended between looking a charge up and sending it must look again, for the key may have expired meanwhile.
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Nobody has booked, been settled and had his status wiped within so short a time.
const NEW: SignedDuration = SignedDuration::from_mins(5);

/// After a conflict the watch is about to bring the newer version; a moment is enough.
const AFTER_CONFLICT: Duration = Duration::from_millis(100);

/// Looks at one Reservation.
pub async fn reconcile(key: Key, scope: Arc<Scope>) -> Result<Action, ReconcileError> {
    // Right after the start a calendar that is not there yet would read as a month in which nothing is sold.
    if !scope.cache.is_whole() {
        return Ok(Action::requeue(Duration::from_millis(50)));
    }
    // One that does not decode was reported by the watch; another version of the operator wrote it.
    let Some(seen) = scope.cache.reservation(&key) else { return Ok(Action::await_change()) };
    let current = scope.written.newest(&seen).unwrap_or(seen);
    let settings = scope.settings();
    let told = current.metadata.uid.as_deref().and_then(|uid| scope.told.of(uid));
    let trace = trace_of(&current);
    Pass {
        scope: &scope,
        settings,
        begun: (scope.clock)(),
        key,
        current,
        room: RoomSeen::Cached,
        known: Knowledge { told: told.is_some(), ..Knowledge::default() },
        told,
        past_is_known: false,
    }
    .run()
    .instrument(trace)
    .await
}

/// What is logged of a pass says in which trace the Reservation was booked, where that is known.
fn trace_of(reservation: &Reservation) -> Span {
    let said = reservation.annotations().get(TRACEPARENT).and_then(|text| TraceParent::parse(text));
    said.map_or_else(Span::none, |said| tracing::info_span!("reservation", trace = said.trace_id()))
}

/// Which view of the Room this pass has.
enum RoomSeen {
    /// The cache's.
    Cached,
    /// As read past the cache in this pass; `None` where there is none.
    Fresh(Option<Box<Room>>),
}

/// One pass over one Reservation.
struct Pass<'a> {
    scope: &'a Scope,
    settings: Settings,
    begun: Timestamp,
    key: Key,
    current: Arc<Reservation>,
    room: RoomSeen,
    known: Knowledge,
    /// What the provider has said by itself before this pass, by its number.
    told: Option<u64>,
    /// What was paid has been looked at since this process began to lead.
    past_is_known: bool,
}

impl Pass<'_> {
    async fn run(mut self) -> Result<Action, ReconcileError> {
        // Before the Room is looked at, not after: a Room that comes in between would wake nobody.
        if self.current.status.as_ref().is_none_or(|s| stage(s) == Stage::Open) {
            self.scope.wait_for_room(self.room_key(), self.key.clone());
        }
        for _ in 0..STEPS {
            let next = self.plan();
            match next {
                Plan::Wait(wake) => return Ok(self.wait(wake)),
                Plan::Write(status) => {
                    if let Some(action) = self.write(&status).await? {
                        return Ok(action);
                    }
                }
                Plan::Do(effect) if effect.is_payment() && self.is_stale() => {
                    tracing::warn!(
                        namespace = self.key.0,
                        reservation = self.key.1,
                        "suspended for too long; looking again"
                    );
                    return Ok(Action::requeue(AFTER_CONFLICT));
                }
                // Before the first of them it must be known that this cluster is where the money was taken.
                Plan::Do(effect)
                    if !self.past_is_known
                        && (effect.is_payment() || matches!(effect, Effect::AskBrake(_))) =>
                {
                    if let Err(error) = self.scope.past.checked().await {
                        tracing::debug!(%error, "nothing is sent");
                        return Ok(self.wait(Wake::Retry));
                    }
                    self.past_is_known = true;
                }
                Plan::Do(effect) => {
                    tracing::debug!(?effect, "doing");
                    let done = perform(self.scope, &self.current, effect).await?;
                    if let Some(action) = self.learn(done).await? {
                        return Ok(action);
                    }
                }
            }
        }
        Err(ReconcileError::Restless(STEPS))
    }

    fn is_stale(&self) -> bool {
        (self.scope.clock)().duration_since(self.begun) > STALE_AFTER
    }

    fn room_key(&self) -> Key {
        (self.key.0.clone(), self.current.spec.room_name.clone())
    }

    fn plan(&self) -> Plan {
        let cached = self.scope.cache.room(&self.room_key());
        let room = match &self.room {
            RoomSeen::Fresh(read) => read.as_deref(),
            RoomSeen::Cached => cached.as_deref().and_then(|guarded| guarded.0.as_ref().ok()),
        };
        let view = room
            .filter(|r| r.metadata.deletion_timestamp.is_none())
            .map_or(RoomView::Absent, RoomView::There);
        let halted = self.scope.brake.everything();
        let observed = Observed {
            reservation: &self.current,
            room: view,
            known: &self.known,
            nights: self.nights_seen(),
            settings: &self.settings,
            halted: halted.as_deref(),
        };
        plan(&observed, (self.scope.clock)())
    }

    /// What the cache shows of its nights. Before it is settled nobody asks, but of an old one that has no status: it may
    /// have had one.
    fn nights_seen(&self) -> NightsSeen {
        let at = self.current.status.as_ref().map_or(Stage::Open, stage);
        let Some(uid) = self.current.metadata.uid.clone() else { return NightsSeen::None };
        let created = self.current.metadata.creation_timestamp.as_ref().map_or(self.begun, |t| t.0);
        let newly_open = at == Stage::Open && self.begun.duration_since(created) < NEW;
        if newly_open || matches!(at, Stage::InProgress | Stage::Foreign) {
            return NightsSeen::None;
        }
        let spec = &self.current.spec;
        let stay = Stay { uid, from: spec.check_in, to: spec.check_out, units: spec.units };
        let calendars: Vec<_> = stay
            .months()
            .iter()
            .filter_map(|m| {
                self.scope.cache.calendar(&(self.key.0.clone(), m.calendar_name(&spec.room_name)))
            })
            .collect();
        let fields: Vec<_> =
            calendars.iter().filter_map(|g| g.0.as_ref().ok().map(|calendar| &calendar.spec)).collect();
        inventory::seen(&stay, &fields)
    }

    /// Writes a status. Gives an action where the pass must end.
    async fn write(&mut self, status: &ReservationStatus) -> Result<Option<Action>, ReconcileError> {
        let api = self.scope.reservations(&self.key.0);
        let before = self.current.status.clone().unwrap_or_default();
        let written = writes::status(
            &api,
            &*self.current,
            &writes::status_value(&before),
            &writes::status_value(status),
        )
        .await;
        let result = match &written {
            Ok(_) => StatusWrite::Ok,
            Err(WriteError::Conflict | WriteError::Gone) => StatusWrite::Conflict,
            Err(_) => StatusWrite::Error,
        };
        self.scope.metrics.status_write(StatusKind::Reservation, result);
        match written {
            Ok(object) => {
                self.known.attempt_is_new |= attempt_of(&before) != attempt_of(status);
                self.accept(object);
                self.tell(&before, status).await;
                Ok(None)
            }
            Err(WriteError::Conflict) => self.refresh().await.map(Some),
            Err(WriteError::Gone) => Ok(Some(self.gone())),
            Err(error) => Err(ReconcileError::write("the status")(error)),
        }
    }

    fn accept(&mut self, mut object: Reservation) {
        object.metadata.managed_fields = None;
        let object = Arc::new(object);
        // One that goes with this write brings no later event that would have it forgotten.
        let goes = object.metadata.deletion_timestamp.is_some() && object.finalizers().is_empty();
        if !goes {
            self.scope.written.keep(Arc::clone(&object));
        }
        self.current = object;
        if let Some(uid) = &self.current.metadata.uid {
            self.scope.patience.forget(uid);
            self.scope.polling.forget(uid);
        }
    }

    async fn learn(&mut self, done: Done) -> Result<Option<Action>, ReconcileError> {
        match done {
            Done::Learnt(answer) => self.known.learn(answer),
            Done::Object(object) => self.accept(*object),
            Done::Cancellation(object, at) => {
                self.accept(*object);
                self.known.learn(Answer::Cancellation(at));
            }
            Done::Room(room) => {
                self.room = RoomSeen::Fresh(room);
                self.known.learn(Answer::RoomRead);
            }
            Done::Gone => return Ok(Some(self.gone())),
            Done::Conflict => return self.refresh().await.map(Some),
        }
        Ok(None)
    }

    /// Our version was old: read the newest and begin a new pass. Nothing learnt on the old one is kept.
    async fn refresh(&self) -> Result<Action, ReconcileError> {
        let read = self
            .scope
            .reservations(&self.key.0)
            .get_opt(&self.key.1)
            .await
            .map_err(ReconcileError::read("the Reservation"))?;
        match read {
            Some(mut object) if object.uid() == self.current.uid() => {
                object.metadata.managed_fields = None;
                self.scope.written.keep(Arc::new(object));
            }
            _ => return Ok(self.gone()),
        }
        Ok(Action::requeue(AFTER_CONFLICT))
    }

    fn gone(&self) -> Action {
        if let Some(uid) = &self.current.metadata.uid {
            self.scope.written.forget(uid);
            self.scope.patience.forget(uid);
            self.scope.polling.forget(uid);
            self.scope.told.forget(uid);
        }
        Action::await_change()
    }

    fn wait(&self, wake: Wake) -> Action {
        let uid = self.current.metadata.uid.as_deref().unwrap_or_default();
        if let (Some(told), false) = (self.told, matches!(wake, Wake::Retry)) {
            self.scope.told.heard(uid, told);
        }
        match wake {
            Wake::OnChange => {
                self.scope.patience.forget(uid);
                self.scope.polling.forget(uid);
                // Those that are settled are looked at again in turn, and nothing is kept for that of each of them. One
                // that is being deleted is not among them any more.
                let stays = self.current.metadata.deletion_timestamp.is_none();
                match self.current.status.as_ref().map(stage) {
                    Some(Stage::Confirmed | Stage::Closed(_)) if stays => Action::await_change(),
                    _ => Action::requeue(self.scope.resync()),
                }
            }
            Wake::At(at) => {
                let left = at.duration_since((self.scope.clock)());
                let left = Duration::try_from(left).unwrap_or_default();
                Action::requeue(left.clamp(Duration::from_secs(1), self.scope.resync()))
            }
            Wake::Retry => Action::requeue(self.scope.next_try(uid)),
            Wake::Poll => Action::requeue(self.scope.next_poll(uid)),
        }
    }

    /// Counts what has ended, and tells people what needs one of them.
    async fn tell(&self, before: &ReservationStatus, after: &ReservationStatus) {
        let (was, is) = (stage(before), stage(after));
        if is != Stage::Open {
            self.scope.no_longer_waits(&self.room_key(), &self.key);
        }
        if was != is {
            tracing::info!(namespace = self.key.0, reservation = self.key.1, from = ?was, to = ?is, "moved on");
            let outcome = match is {
                Stage::Confirmed => Some(Outcome::Confirmed),
                Stage::Closed(End::Rejected) => Some(Outcome::Rejected),
                Stage::Closed(End::Cancelled) => Some(Outcome::Cancelled),
                Stage::Closed(End::Withdrawn) => Some(Outcome::Withdrawn),
                _ => None,
            };
            if let Some(outcome) = outcome {
                let reason = after.conditions.reason(&ConditionType::Ready);
                self.scope.metrics.settled(outcome, known_name(reason));
            }
        }
        // What only a person can bring on.
        let asks = |s: &ReservationStatus| {
            let told = [Reason::RefundFailed, Reason::AlreadyCharged, Reason::MoneyHalted];
            s.conditions.get(&ConditionType::Stalled).filter(|c| told.contains(&c.reason)).cloned()
        };
        if let Some(now) = asks(after).filter(|now| asks(before).is_none_or(|was| was.reason != now.reason)) {
            let action = if now.reason == Reason::AlreadyCharged { "Charging" } else { "Refunding" };
            let event = Event {
                type_: EventType::Warning,
                reason: now.reason.as_str().to_owned(),
                note: Some(now.message),
                action: action.to_owned(),
                secondary: None,
            };
            // The condition says the same; an Event that could not be written loses nothing.
            if let Err(error) = self.scope.recorder.publish(&event, &self.current.object_ref(&())).await {
                tracing::warn!(%error, "an Event could not be published");
            }
        }
    }
}

fn attempt_of(status: &ReservationStatus) -> Option<(Option<u32>, Option<Timestamp>)> {
    status.payment.as_ref().map(|p| (p.attempt, p.attempted_at))
}

/// A reason as a label: only names this version knows, so that the number of series is known too.
fn known_name(reason: Option<&Reason>) -> &'static str {
    Reason::ALL.iter().find(|known| Some(*known) == reason).map_or("Unknown", |known| known.as_str())
}
