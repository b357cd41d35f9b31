//! An operator: caches that lag, passes over Reservations in small steps, one allocator per Room. No lease.
//!
//! Between any two steps of a pass anything may happen, a crash included: then the passes and what they learnt are
//! gone, and requests that were sent may still land.

mod cache;
mod sabotage;

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_api::{ConditionType, Reservation, ReservationStatus, Room};
use innkeeper_booking::inventory::{self, NightsSeen};
use innkeeper_booking::knowledge::{Answer, Knowledge};
use innkeeper_booking::observed::{Effect, Observed, Plan, RoomView, Wake};
use innkeeper_booking::plan::plan;
use innkeeper_booking::provider::ProviderError;
use innkeeper_booking::status::{Stage, stage};
use jiff::{SignedDuration, Timestamp};

use crate::allocator::{Allocator, Job, Work};
use crate::driver::{Call, Next};
use crate::outside::{Leg, Outside, Sent};
use crate::provider::Response;
use crate::server::{Refused, Seen};

pub use cache::Cache;
pub use sabotage::Sabotage;

/// A pass that is older sends nothing to the provider any more: a key's lifetime must never run out between looking
/// and sending.
const PASS_AGE: SignedDuration = SignedDuration::from_hours(1);

enum State {
    Plan,
    Act(Plan),
    Provider(Call, u64),
    Calendars,
}

/// One pass over one Reservation.
pub struct Pass {
    id: u64,
    object: Seen<Reservation>,
    /// The Room as it was read past the cache, where it was.
    room: Option<Seen<Room>>,
    known: Knowledge,
    state: State,
    started: Timestamp,
    asked: bool,
    /// It came to more than looking.
    busy: bool,
    money_read: usize,
    /// When the provider said what other objects of the name have paid.
    earlier_read: Option<usize>,
}

/// One operator.
pub struct Operator {
    pub who: String,
    pub cache: Cache,
    pub passes: BTreeMap<String, Pass>,
    pub allocators: BTreeMap<String, Allocator>,
    /// Which position of the history the last pass over each Reservation began with.
    looked_at: BTreeMap<String, usize>,
    /// When to look again, as the last pass over each Reservation said.
    pub wakes: BTreeMap<String, Wake>,
    /// Intents whose money this process has let past the brake.
    let_out: BTreeSet<String>,
    pub sabotage: Sabotage,
    /// Seconds that its clock is ahead.
    pub skew: i64,
}

impl Operator {
    pub fn new(number: usize, sabotage: Sabotage) -> Self {
        Self {
            who: format!("operator {number}"),
            cache: Cache::default(),
            passes: BTreeMap::new(),
            allocators: BTreeMap::new(),
            looked_at: BTreeMap::new(),
            wakes: BTreeMap::new(),
            let_out: BTreeSet::new(),
            sabotage,
            skew: 0,
        }
    }

    /// The process is gone; what its successor sees is as new as can be.
    pub fn crash(&mut self, out: &mut Outside) {
        out.say(&self.who, || "crashes and begins anew".to_owned());
        self.passes.clear();
        self.allocators.clear();
        self.wakes.clear();
        self.looked_at.clear();
        self.cache.catch_up(&out.server);
        self.cache.gone.clear();
        self.cache.listed = false;
        self.let_out.clear();
        out.brake.crashes += 1;
    }

    /// Begins a pass, unless one is under way.
    pub fn start(&mut self, name: &str, out: &mut Outside) {
        if self.passes.contains_key(name) {
            return;
        }
        let Some(object) = self.cache.reservation(&out.server, name) else { return };
        let stale = out.server.reservation(name).is_none_or(|current| current.rv != object.rv);
        if stale {
            out.saw("operator: a pass begins on an old view");
        }
        self.looked_at.insert(name.to_owned(), self.cache.reservations[name]);
        self.wakes.remove(name);
        let pass = Pass {
            id: out.id(),
            object,
            room: None,
            known: Knowledge::default(),
            state: State::Plan,
            started: out.now,
            asked: false,
            busy: false,
            money_read: out.step,
            earlier_read: None,
        };
        self.passes.insert(name.to_owned(), pass);
    }

    /// Reservations that an event or a timer has woken since the last pass over them.
    pub fn woken(&self, now: Timestamp) -> Vec<String> {
        let due = |wake| match wake {
            Wake::OnChange => false,
            Wake::At(at) => at <= now,
            Wake::Retry | Wake::Poll => true,
        };
        let wakes = |name: &&String| {
            !self.passes.contains_key(*name)
                && self.looked_at.get(*name).is_none_or(|seen| seen != &self.cache.reservations[*name])
                || self.wakes.get(*name).is_some_and(|wake| due(*wake))
        };
        self.cache.reservations.keys().filter(wakes).cloned().collect()
    }

    /// Names of passes that can take a step by themselves.
    pub fn runnable(&self) -> Vec<String> {
        let can = |pass: &Pass| matches!(pass.state, State::Plan | State::Act(_));
        self.passes.iter().filter(|(_, pass)| can(pass)).map(|(name, _)| name.clone()).collect()
    }

    /// One step of a pass.
    pub fn step(&mut self, name: &str, out: &mut Outside) {
        let Some(mut pass) = self.passes.remove(name) else { return };
        let goes_on = match std::mem::replace(&mut pass.state, State::Plan) {
            State::Plan => self.think(name, &mut pass, out),
            State::Act(Plan::Write(status)) => self.write(name, &mut pass, &status, out),
            State::Act(Plan::Do(effect)) => self.perform(name, &mut pass, &effect, out),
            State::Act(Plan::Wait(_)) => false,
            waiting => {
                pass.state = waiting;
                true
            }
        };
        if goes_on {
            self.passes.insert(name.to_owned(), pass);
        } else {
            // What ended otherwise is tried again.
            self.wakes.entry(name.to_owned()).or_insert(Wake::Retry);
        }
    }

    fn think(&mut self, name: &str, pass: &mut Pass, out: &mut Outside) -> bool {
        let room_name = &pass.object.value.spec.room_name;
        let fresh = pass.known.room_is_fresh;
        let room = if fresh { pass.room.clone() } else { self.cache.room(&out.server, room_name) };
        let nights = self.nights_seen(&pass.object.value, out);
        let observed = Observed {
            reservation: &pass.object.value,
            room: room.as_ref().map_or(RoomView::Absent, |room| RoomView::There(&room.value)),
            known: &pass.known,
            nights,
            settings: &out.settings,
            halted: out.brake.everything.then_some("The cluster was put back."),
        };
        let now = out.now + SignedDuration::from_secs(self.skew);
        let decided = self.sabotage.spoil(plan(&observed, now), pass, out);
        if let Plan::Wait(wake) = decided {
            self.wakes.insert(name.to_owned(), wake);
            if pass.busy {
                out.say(&self.who, || format!("{name}: nothing more now ({wake:?})"));
            }
            return false;
        }
        pass.state = State::Act(decided);
        pass.busy = true;
        true
    }

    fn nights_seen(&self, reservation: &Reservation, out: &Outside) -> NightsSeen {
        let room = &reservation.spec.room_name;
        let stay = crate::allocator::stay_of(reservation);
        let seen: Vec<_> = stay
            .months()
            .iter()
            .filter_map(|month| {
                let name = month.calendar_name(room);
                match self.allocators.get(room) {
                    Some(allocator) => allocator.view(&self.cache, out, &name),
                    None => self.cache.calendar(&out.server, &name),
                }
            })
            .collect();
        inventory::seen(&stay, &seen.iter().map(|c| &*c.value).collect::<Vec<_>>())
    }

    fn write(&mut self, name: &str, pass: &mut Pass, status: &ReservationStatus, out: &mut Outside) -> bool {
        let uid = pass.object.value.metadata.uid.clone().unwrap_or_default();
        let rv = (self.sabotage != Sabotage::StatusWithoutVersion).then_some(pass.object.rv);
        let before = pass.object.value.status.clone().unwrap_or_default();
        let what = || format!("{name}: stores {}", changed(&before, status));
        if *status == before {
            out.fail("I14", format!("{name}: a status is written that changes nothing"));
        }
        match out.server.write_status(name, &uid, rv, status) {
            Ok(seen) => {
                if stage(status) == Stage::Confirmed && stage(&before) != Stage::Confirmed {
                    out.confirmed.push((uid, pass.money_read));
                }
                if out.fault(25) {
                    out.saw("operator: the answer to a status write is lost");
                    out.say(&self.who, || format!("{}, and the answer is lost", what()));
                    return false;
                }
                out.say(&self.who, || format!("{} (rv {})", what(), seen.rv));
                // A number that is newer than the one before: nothing can have been sent under it.
                let of = |s: &ReservationStatus| s.payment.as_ref().map(|p| (p.attempt, p.attempted_at));
                if of(status) > of(&before) {
                    pass.known.attempt_is_new = true;
                    pass.asked = true;
                }
                self.keep(name, &seen, out);
                pass.object = seen;
                true
            }
            Err(refused) => {
                out.say(&self.who, || format!("{}: {refused:?}", what()));
                let settles = stage(status) != stage(&before);
                if refused == Refused::Conflict && settles && stage(&before) == Stage::InProgress {
                    out.saw("operator: a conflict on the write of an outcome");
                }
                false
            }
        }
    }

    /// What our own write returned is kept for the passes to come, more often than not.
    fn keep(&mut self, name: &str, seen: &Seen<Reservation>, out: &mut Outside) {
        if out.rng.in_thousand(600)
            && let Some(versions) = out.server.reservations.get(name)
            && let Some(position) = versions.0.iter().rposition(|v| v.rv == seen.rv)
        {
            let at = self.cache.reservations.entry(name.to_owned()).or_default();
            *at = (*at).max(position + 1);
        }
    }

    fn perform(&mut self, name: &str, pass: &mut Pass, effect: &Effect, out: &mut Outside) -> bool {
        let uid = pass.object.value.metadata.uid.clone().unwrap_or_default();
        match effect {
            Effect::AddFinalizers(missing) => {
                let mut list = pass.object.value.metadata.finalizers.clone().unwrap_or_default();
                list.extend(missing.iter().cloned());
                self.finalizers(name, pass, &uid, &list, out)
            }
            Effect::RemoveFinalizer(ours) => {
                let mut list = pass.object.value.metadata.finalizers.clone().unwrap_or_default();
                list.retain(|f| f != ours);
                self.finalizers(name, pass, &uid, &list, out)
            }
            Effect::ReadRoom => {
                let room = out.server.room(&pass.object.value.spec.room_name);
                out.say(&self.who, || format!("{name}: reads the Room"));
                pass.room = room;
                pass.known.learn(Answer::RoomRead);
                true
            }
            Effect::ReadCancellation => {
                let current = out.server.by_uid(&uid);
                let (Some(at), Some(current)) = (out.server.state_set.get(&uid).copied(), current) else {
                    return false;
                };
                out.say(&self.who, || format!("{name}: reads when it was cancelled"));
                // What the read showed is the object from now on.
                pass.object = current;
                pass.known.learn(Answer::Cancellation(at));
                true
            }
            Effect::Take(stay) => self.ask_allocator(name, pass, Work::Take(stay.clone())),
            Effect::Release(stay) => self.ask_allocator(name, pass, Work::Release(stay.clone())),
            Effect::FindEarlier(_) if !self.may_be_in_the_way(name, &uid, out) => {
                pass.earlier_read = Some(out.step);
                pass.known.learn(Answer::Earlier(Ok(Vec::new())));
                true
            }
            Effect::AskBrake(refund) => {
                let said = self.ask_brake(&refund.intent, out);
                pass.known.learn(Answer::Brake(Ok(said)));
                true
            }
            provider => {
                let Some((call, request)) = Call::begin(provider) else { return false };
                self.send(name, pass, call, request, out)
            }
        }
    }

    /// Whether another object of the name may have money at the provider. After the beginning its list says so, then
    /// what the watch shows going.
    fn may_be_in_the_way(&mut self, name: &str, uid: &str, out: &Outside) -> bool {
        if !std::mem::replace(&mut self.cache.listed, true) {
            for ledger in out.provider.intents.iter().filter(|i| i.settled.is_none()) {
                self.cache.gone.entry(ledger.tags.name.clone()).or_default().insert(ledger.tags.uid.clone());
            }
        }
        self.cache.gone.get(name).is_some_and(|others| others.iter().any(|other| other != uid))
    }

    fn ask_brake(&mut self, intent: &str, out: &mut Outside) -> Option<String> {
        let why = || Some("Too much goes out.".to_owned());
        if out.brake.halted {
            out.brake.waiting.insert(intent.to_owned());
            return why();
        }
        let (since, most) = out.brake.allows(out.now);
        let mut going: BTreeSet<&str> = out.provider.unasked(since).map(|i| i.id.as_str()).collect();
        going.extend(self.let_out.iter().map(String::as_str));
        if going.contains(intent) || going.len() < most || self.sabotage == Sabotage::NoBrake {
            self.let_out.insert(intent.to_owned());
            return None;
        }
        out.saw("money: the brake halts what nobody has asked back");
        out.brake.halted = true;
        out.brake.waiting.insert(intent.to_owned());
        why()
    }

    /// A person has acknowledged the halt; what waited begins to be counted anew.
    pub fn let_go(&mut self) {
        self.let_out.clear();
    }

    fn ask_allocator(&mut self, name: &str, pass: &mut Pass, work: Work) -> bool {
        let room = pass.object.value.spec.room_name.clone();
        let allocator = self.allocators.entry(room.clone()).or_insert_with(|| Allocator::new(&room));
        allocator.queue.push_back(Job { pass: Some((name.to_owned(), pass.id)), work });
        pass.state = State::Calendars;
        true
    }

    fn finalizers(
        &mut self,
        name: &str,
        pass: &mut Pass,
        uid: &str,
        list: &[String],
        out: &mut Outside,
    ) -> bool {
        let result = out.server.set_finalizers(name, uid, Some(pass.object.rv), list);
        out.say(&self.who, || {
            let how = match &result {
                Ok(Some(seen)) => format!("rv {}", seen.rv),
                Ok(None) => "the object is gone".to_owned(),
                Err(refused) => format!("{refused:?}"),
            };
            format!("{name}: finalizers {list:?} ({how})")
        });
        match result {
            Ok(Some(seen)) => {
                self.keep(name, &seen, out);
                pass.object = seen;
                true
            }
            _ => false,
        }
    }

    fn send(
        &mut self,
        name: &str,
        pass: &mut Pass,
        call: Call,
        request: crate::provider::Request,
        out: &mut Outside,
    ) -> bool {
        if out.now.duration_since(pass.started) > PASS_AGE && self.sabotage != Sabotage::PausedForADay {
            out.saw("operator: a pass is too old to send anything");
            out.say(&self.who, || format!("{name}: the pass is too old to send anything"));
            return false;
        }
        let (asked_first, earlier_read) = (pass.asked, pass.earlier_read);
        if let Some(id) = out.send(&self.who, Sent { request, asked_first, earlier_read }) {
            pass.state = State::Provider(call, id);
        } else {
            let error = ProviderError::Unreachable("no connection".to_owned());
            return self.answer(name, pass, call, Response::Error(error), out);
        }
        true
    }

    fn answer(
        &mut self,
        name: &str,
        pass: &mut Pass,
        mut call: Call,
        response: Response,
        out: &mut Outside,
    ) -> bool {
        match call.answer(response) {
            Next::Send(request) => self.send(name, pass, call, request, out),
            Next::Done(answer) => {
                if let Answer::Earlier(Ok(found)) = &answer {
                    pass.earlier_read = Some(pass.money_read);
                    if !found.is_empty() {
                        out.saw("money: another object of the name has paid");
                    }
                }
                if matches!(answer, Answer::Adopted(Ok(()))) {
                    out.saw("money: a payment is adopted");
                }
                if matches!(answer, Answer::Look(Ok(_))) {
                    pass.asked = true;
                }
                if matches!(answer, Answer::Fence(Ok(innkeeper_booking::provider::Fenced::Standing(_)))) {
                    out.saw("money: a fence stands");
                }
                if matches!(answer, Answer::Fence(Ok(innkeeper_booking::provider::Fenced::ChargeCameFirst))) {
                    out.saw("money: a fence finds that the charge came first");
                }
                pass.known.learn(self.sabotage.mishear(answer));
                pass.state = State::Plan;
                true
            }
        }
    }

    /// Flights whose answers passes of this operator wait for.
    pub fn waiting(&self) -> Vec<(String, u64)> {
        let of = |(name, pass): (&String, &Pass)| match &pass.state {
            State::Provider(_, id) => Some((name.clone(), *id)),
            _ => None,
        };
        self.passes.iter().filter_map(of).collect()
    }

    /// The answer to a pass's request arrives, is lost, or is no longer waited for (`give_up`).
    pub fn deliver(&mut self, name: &str, give_up: bool, out: &mut Outside) {
        let Some(mut pass) = self.passes.remove(name) else { return };
        let State::Provider(call, id) = std::mem::replace(&mut pass.state, State::Plan) else { return };
        let lost = || Response::Error(ProviderError::OutcomeUnknown("no answer came".to_owned()));
        let response = if give_up {
            out.saw("operator: an answer is no longer waited for");
            out.say(&self.who, || format!("{name}: waits no longer for the provider"));
            lost()
        } else {
            let flight = out.take_flight(id);
            pass.money_read = flight.as_ref().map_or(out.step, |flight| flight.answered);
            match flight.map(|flight| flight.at) {
                Some(Leg::Answered(_)) if out.fault(50) => {
                    out.saw("operator: the provider's answer is lost");
                    out.say(&self.who, || format!("{name}: the provider's answer is lost"));
                    lost()
                }
                Some(Leg::Answered(response)) => response,
                _ => lost(),
            }
        };
        if self.answer(name, &mut pass, call, response, out) {
            self.passes.insert(name.to_owned(), pass);
        } else {
            self.wakes.entry(name.to_owned()).or_insert(Wake::Retry);
        }
    }

    /// One step of a Room's allocator.
    pub fn allocate(&mut self, room: &str, out: &mut Outside) {
        let Some(allocator) = self.allocators.get_mut(room) else { return };
        for (name, id, nights) in allocator.step(&self.who, &self.cache, self.sabotage, out) {
            if let Some(pass) = self.passes.get_mut(&name).filter(|pass| pass.id == id) {
                out.say(&self.who, || format!("{name}: {nights:?}"));
                pass.known.learn(Answer::Nights(nights));
                pass.state = State::Plan;
            }
        }
    }
}

/// What is new in a status, in words.
fn changed(before: &ReservationStatus, after: &ReservationStatus) -> String {
    let told = after
        .conditions
        .0
        .iter()
        .filter(|c| !matches!(c.type_, ConditionType::Ready | ConditionType::Reconciling));
    let conditions = told.filter(|c| {
        let old = before.conditions.get(&c.type_);
        old.is_none_or(|old| (old.status, &old.reason, &old.message) != (c.status, &c.reason, &c.message))
    });
    let words: Vec<String> = conditions.map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect();
    if words.is_empty() { "its stamps".to_owned() } else { words.join(" ") }
}
