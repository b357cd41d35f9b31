//! A schedule: who moves next, and what fails, all drawn from one seed.

use innkeeper_api::FINALIZER;
use innkeeper_booking::observed::Settings;
use innkeeper_booking::provider::RefundState;
use innkeeper_booking::status::{Stage, stage};
use jiff::{SignedDuration, Timestamp};

use crate::allocator::{Allocator, Job, Work};
use crate::checks::Truth;
use crate::operator::{Operator, Sabotage};
use crate::outside::{Leg, Outside};
use crate::random::Random;
use crate::users::{self, Deed, Script};

/// The relay's finalizer, where the relay runs.
pub const RELAY: &str = "innkeeper.dev/relay";

/// Everything there is.
pub struct World {
    pub out: Outside,
    pub operators: Vec<Operator>,
    pub truth: Truth,
    script: Script,
    /// How often much time passes at once, in a thousand.
    haste: usize,
    /// Whether housekeeping also drops holders whose Reservation is there and has ended; else the planner must.
    pub thorough: bool,
}

impl World {
    /// The world of a seed with the script of that seed, or a shortened one.
    pub fn new(seed: u64, script: Option<Script>, sabotage: Sabotage, trace: bool) -> Self {
        let mut rng = Random::new(seed ^ 0x5EED);
        let own = users::script(&mut rng);
        let mut finalizers = vec![FINALIZER.to_owned()];
        if rng.in_thousand(300) {
            finalizers.push(RELAY.to_owned());
        }
        // With two days a key can run out while a Reservation is still being taken.
        let accept_within = SignedDuration::from_hours(*rng.pick(&[1, 1, 1, 48]));
        let settings = Settings { accept_within, finalizers, installation: "model".to_owned() };
        let script = script.unwrap_or(own);
        // Half an hour after seven in the morning of the 28th of November 2026.
        let now = Timestamp::from_second(1_795_851_000).unwrap_or(Timestamp::UNIX_EPOCH);
        let haste = *rng.pick(&[0, 20, 20, 100]);
        let faults = *rng.pick(&[0, 60, 100, 100, 300]);
        let thorough = rng.in_thousand(500);
        let mut operators: Vec<Operator> =
            (0..script.operators).map(|n| Operator::new(n + 1, sabotage)).collect();
        for operator in &mut operators {
            // Clocks of machines differ by a little.
            operator.skew = rng.between(-60, 60);
        }
        let mut out = Outside::new(seed, now, settings, trace);
        out.fault_rate = faults;
        out.brake.most = *rng.pick(&[0, 1, 2, 100]);
        let truth = Truth::of(operators.len());
        Self { out, operators, truth, script, haste, thorough }
    }

    /// What people do in the schedule of a seed.
    pub fn script_of(seed: u64) -> Script {
        users::script(&mut Random::new(seed ^ 0x5EED))
    }

    /// Runs the schedule to its rest, or to the first invariant that does not hold.
    pub fn run(&mut self) {
        let script = std::mem::take(&mut self.script);
        let mut deeds = script.deeds.iter().peekable();
        let acts = [(0, users::STEPS), (users::STEPS, users::STEPS + users::EPILOGUE)];
        for (from, to) in acts {
            for step in from..to {
                self.begin_step(step);
                while let Some((_, deed)) = deeds.next_if(|(at, _)| *at <= step) {
                    self.deed(deed);
                    if self.check() {
                        return;
                    }
                }
                self.move_somebody();
                if self.check() {
                    return;
                }
            }
            self.rest();
            if self.out.broken.is_some() {
                return;
            }
            let week = self.out.rng.between(6, 9) * 86_400;
            self.out.pass_time(week);
            self.out.say("clock", || "a week passes".to_owned());
            self.out.faults = true;
        }
    }

    pub fn begin_step(&mut self, step: usize) {
        self.out.step = step;
        self.out.provider.step = step;
    }

    /// Checks what has changed. Says whether something is broken.
    pub fn check(&mut self) -> bool {
        self.truth.check(&mut self.out);
        self.out.broken.is_some()
    }

    fn deed(&mut self, deed: &Deed) {
        if let Deed::Acknowledge = deed {
            return self.acknowledge();
        }
        users::act(deed, &mut self.out);
        if let Deed::LoseCalendar(..) = deed {
            // Calendars are lost when a cluster is restored, with no operator running: one that has just taken
            // nights and is about to confirm them could not know.
            for operator in &mut self.operators {
                operator.crash(&mut self.out);
            }
        }
    }

    fn move_somebody(&mut self) {
        let who = self.out.rng.below(self.operators.len());
        match self.out.rng.weighted(&[420, 130, 230, 260, 200, 60, 3, 20, 40, 12, 12]) {
            0 => self.step_pass(who),
            1 => self.start_pass(who),
            2 => self.step_allocator(who),
            3 => self.network(who),
            4 => self.operators[who].cache.deliver(&mut self.out),
            5 => self.clock(),
            6 => {
                self.out.saw("operator: a crash");
                self.operators[who].crash(&mut self.out);
            }
            7 => {
                // An outage seldom lasts longer than a deadline does.
                if self.out.provider.outage || self.out.rng.in_thousand(250) {
                    self.out.provider.outage ^= true;
                    let outage = self.out.provider.outage;
                    self.out.say("provider", || if outage { "is down" } else { "is up again" }.to_owned());
                }
            }
            8 => self.provider_works(),
            9 => self.relay(),
            _ => self.housekeeping(who),
        }
    }

    fn step_pass(&mut self, who: usize) {
        let runnable = self.operators[who].runnable();
        if runnable.is_empty() {
            return self.start_pass(who);
        }
        let name = self.out.rng.pick(&runnable).clone();
        self.operators[who].step(&name, &mut self.out);
    }

    fn start_pass(&mut self, who: usize) {
        // Mostly those whom an event or a timer wakes; now and then somebody for no reason.
        let mut names = self.operators[who].woken(self.out.now);
        if names.is_empty() || self.out.rng.in_thousand(60) {
            names = self.operators[who].cache.reservations.keys().cloned().collect();
        }
        if !names.is_empty() {
            let name = self.out.rng.pick(&names).clone();
            self.operators[who].start(&name, &mut self.out);
        }
    }

    fn step_allocator(&mut self, who: usize) {
        let busy = |(room, allocator): (&String, &Allocator)| (!allocator.is_idle()).then(|| room.clone());
        let rooms: Vec<String> = self.operators[who].allocators.iter().filter_map(busy).collect();
        if rooms.is_empty() {
            return self.step_pass(who);
        }
        let room = self.out.rng.pick(&rooms).clone();
        self.operators[who].allocate(&room, &mut self.out);
    }

    /// A request lands, an answer arrives, somebody stops waiting.
    fn network(&mut self, who: usize) {
        let under_way: Vec<usize> =
            (0..self.out.wire.len()).filter(|i| !matches!(self.out.wire[*i].at, Leg::Answered(_))).collect();
        let waiting = self.operators[who].waiting();
        match self.out.rng.weighted(&[45, 50, 5]) {
            0 if !under_way.is_empty() => {
                let index = *self.out.rng.pick(&under_way);
                self.out.advance(index);
            }
            2 if !waiting.is_empty() => {
                let (name, _) = self.out.rng.pick(&waiting).clone();
                self.operators[who].deliver(&name, true, &mut self.out);
            }
            _ => {
                let wire = &self.out.wire;
                let answered = |id: u64| wire.iter().any(|f| f.id == id && matches!(f.at, Leg::Answered(_)));
                let ready: Vec<String> =
                    waiting.into_iter().filter(|(_, id)| answered(*id)).map(|(name, _)| name).collect();
                if ready.is_empty() {
                    return self.step_pass(who);
                }
                let name = self.out.rng.pick(&ready).clone();
                self.operators[who].deliver(&name, false, &mut self.out);
            }
        }
    }

    fn clock(&mut self) {
        let rng = &mut self.out.rng;
        let haste = self.haste;
        let seconds = match rng.weighted(&[800, 200, haste, haste / 2, haste / 2]) {
            0 => rng.between(1, 5),
            1 => rng.between(30, 600),
            2 => rng.between(1_800, 4_000),
            3 => rng.between(20_000, 40_000),
            _ => 90_000,
        };
        self.out.pass_time(seconds);
        if seconds > 600 {
            self.out.say("clock", || format!("{seconds} seconds pass"));
        }
    }

    /// The provider comes to an end with what it was processing.
    pub fn provider_works(&mut self) {
        let out = &mut self.out;
        let (processing, pending) = (out.provider.processing(), out.provider.pending());
        if !processing.is_empty() && out.rng.in_thousand(600) {
            let index = *out.rng.pick(&processing);
            let captured = out.rng.in_thousand(700);
            out.saw(if captured { "money: processed and captured" } else { "money: processed and declined" });
            out.provider.process(index, captured);
            let id = out.provider.intents[index].id.clone();
            out.say("provider", || format!("has processed {id}: captured {captured}"));
        } else if !pending.is_empty() {
            let (index, number) = *out.rng.pick(&pending);
            let state = match out.rng.weighted(&[70, 20, 10]) {
                0 => RefundState::Succeeded,
                1 => RefundState::Failed("declined".to_owned()),
                _ => RefundState::Cancelled,
            };
            out.saw(match state {
                RefundState::Succeeded => "money: a refund was pending and then succeeded",
                _ => "money: a refund was pending and then failed",
            });
            let id = out.provider.intents[index].id.clone();
            out.say("provider", || format!("refund {} of {id}: {state:?}", number + 1));
            out.provider.decide_refund(index, number, state);
        }
    }

    /// The relay has published the last facts of what was let go, and takes its finalizer off.
    pub fn relay(&mut self) {
        let let_go: Vec<_> = self
            .out
            .server
            .list()
            .filter(|seen| {
                let meta = &seen.value.metadata;
                let has = |name: &str| meta.finalizers.iter().flatten().any(|f| f == name);
                let ended = matches!(stage(&seen.value.status.clone().unwrap_or_default()), Stage::Closed(_));
                meta.deletion_timestamp.is_some() && has(RELAY) && (ended || !has(FINALIZER))
            })
            .collect();
        if let_go.is_empty() {
            return;
        }
        let seen = self.out.rng.pick(&let_go).clone();
        let meta = &seen.value.metadata;
        let (name, uid) = (meta.name.clone().unwrap_or_default(), meta.uid.clone().unwrap_or_default());
        let mut list = meta.finalizers.clone().unwrap_or_default();
        list.retain(|f| f != RELAY);
        self.out.say("relay", || format!("lets {name} go"));
        let _ = self.out.server.set_finalizers(&name, &uid, Some(seen.rv), &list);
    }

    /// Capacities are brought up to date, and holders nobody stands for are looked for.
    fn housekeeping(&mut self, who: usize) {
        let calendars: Vec<_> = self.out.server.calendars.keys().cloned().collect();
        if calendars.is_empty() {
            return;
        }
        let name = self.out.rng.pick(&calendars).clone();
        let sweep = self.out.rng.in_thousand(400);
        self.order(who, &name, sweep);
    }

    /// Queues housekeeping of one calendar.
    pub fn order(&mut self, who: usize, calendar: &str, sweep: bool) {
        let Some(seen) = self.out.server.calendar(calendar) else { return };
        let Some(month) = innkeeper_api::Month::parse(&seen.value.month) else { return };
        let room = seen.value.room_name.clone();
        let work = if sweep { Work::Sweep(month, self.thorough) } else { Work::Sync(month) };
        let allocators = &mut self.operators[who].allocators;
        let allocator = allocators.entry(room.clone()).or_insert_with(|| Allocator::new(&room));
        allocator.queue.push_back(Job { pass: None, work });
    }
}
