//! All that is outside of the operators: the server, the provider, the wire between, the time, and chance.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_booking::observed::Settings;
use innkeeper_booking::provider::{ProviderError, RefundState};
use jiff::{SignedDuration, Timestamp};

use crate::provider::{Begun, Fault, Provider, Request, Response};
use crate::random::Random;
use crate::server::Server;

/// A request may be this long on its way; after that it has arrived or never will.
const FLIGHT: SignedDuration = SignedDuration::from_mins(30);

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which, as `INVARIANTS` names it.
    pub invariant: &'static str,
    pub words: String,
}

/// One line per step, where somebody wants to read it.
pub struct Trace {
    pub on: bool,
    pub lines: Vec<String>,
}

/// Which interesting situations came up, and how often.
pub type Coverage = BTreeMap<&'static str, u64>;

/// A request on its way, or its answer.
#[derive(Debug, Clone)]
pub struct Flight {
    pub id: u64,
    pub request: Request,
    pub sent_at: Timestamp,
    pub at: Leg,
    /// The step in which the provider answered.
    pub answered: usize,
}

/// How far it has come.
#[derive(Debug, Clone)]
pub enum Leg {
    Sent,
    Running(Fault),
    Answered(Response),
}

/// A request that left an operator, with what it was decided on; for the checks.
#[derive(Debug, Clone)]
pub struct Sent {
    pub request: Request,
    /// The pass had asked the provider before, or has stored the attempt itself.
    pub asked_first: bool,
    /// In which step the provider said what other objects of the name have paid; `None` where nobody asked.
    pub earlier_read: Option<usize>,
}

/// What is stored of the brake.
#[derive(Debug, Clone, Default)]
pub struct Brake {
    /// How many payments may go back in a day that nobody has asked back.
    pub most: usize,
    pub halted: bool,
    /// Intents that wait.
    pub waiting: BTreeSet<String>,
    /// When a person last let go, and how many waited then.
    pub released: Option<(Timestamp, usize)>,
    /// No money moves at all.
    pub everything: bool,
    /// How often an operator has begun anew, forgetting what it had let out and what has not arrived yet.
    pub crashes: usize,
}

impl Brake {
    /// From when on it is counted, and how many may go.
    pub fn allows(&self, now: Timestamp) -> (Timestamp, usize) {
        let day = now - SignedDuration::from_hours(24);
        match self.released {
            Some((at, waited)) if at >= day => (at, self.most + waited),
            _ => (day, self.most),
        }
    }
}

/// Everything but the operators.
pub struct Outside {
    pub now: Timestamp,
    pub started: Timestamp,
    pub step: usize,
    pub rng: Random,
    pub server: Server,
    pub provider: Provider,
    pub wire: Vec<Flight>,
    ids: u64,
    pub settings: Settings,
    pub trace: Trace,
    pub seen: Coverage,
    pub broken: Option<Broken>,
    /// Chance makes things fail; off when coming to rest.
    pub faults: bool,
    /// How often things fail, in percent of the usual.
    pub fault_rate: usize,
    /// Requests sent and not yet checked.
    pub sent: Vec<Sent>,
    /// UIDs whose finalizer was dropped by hand.
    pub stripped: BTreeSet<String>,
    /// Requests ever sent.
    pub requests: u64,
    /// The brake, as far as it is stored: the one in force, and what it lets out.
    pub brake: Brake,
    /// Confirmations stored and not yet checked: the UID, and the step at which the money was last read.
    pub confirmed: Vec<(String, usize)>,
}

impl Outside {
    pub fn new(seed: u64, now: Timestamp, settings: Settings, trace: bool) -> Self {
        Self {
            now,
            started: now,
            step: 0,
            rng: Random::new(seed),
            server: Server::default(),
            provider: Provider::default(),
            wire: Vec::new(),
            ids: 0,
            settings,
            trace: Trace { on: trace, lines: Vec::new() },
            seen: Coverage::new(),
            broken: None,
            faults: true,
            fault_rate: 100,
            sent: Vec::new(),
            stripped: BTreeSet::new(),
            requests: 0,
            brake: Brake::default(),
            confirmed: Vec::new(),
        }
    }

    /// A number nobody else has.
    pub fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Writes a line of the trace: when, who, what.
    pub fn say(&mut self, who: &str, what: impl FnOnce() -> String) {
        if self.trace.on {
            let seconds = (self.now - self.started).get_seconds();
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let line = format!(
                "{:4}  +{hours:02}:{minutes:02}:{:02}  {who:<12} {}",
                self.step,
                seconds % 60,
                what()
            );
            self.trace.lines.push(line);
        }
    }

    /// Counts a situation.
    pub fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Records the first invariant that does not hold.
    pub fn fail(&mut self, invariant: &'static str, words: String) {
        self.broken.get_or_insert(Broken { invariant, words });
    }

    /// True so many times in a thousand, while faults are on.
    pub fn fault(&mut self, in_thousand: usize) -> bool {
        self.faults && self.rng.in_thousand(in_thousand * self.fault_rate / 100)
    }

    /// Sends a request. Gives the number under which its answer comes; `None` where no connection came about.
    pub fn send(&mut self, who: &str, sent: Sent) -> Option<u64> {
        let request = sent.request.clone();
        if self.provider.outage || self.fault(15) {
            self.say(who, || format!("cannot reach the provider for {}", show(&request)));
            return None;
        }
        self.say(who, || format!("sends {}", show(&request)));
        self.requests += 1;
        self.sent.push(sent);
        let id = self.id();
        self.wire.push(Flight { id, request, sent_at: self.now, at: Leg::Sent, answered: 0 });
        Some(id)
    }

    /// Moves one request on at the provider: it lands, or what it began is finished.
    pub fn advance(&mut self, index: usize) {
        let (request, leg) = (self.wire[index].request.clone(), self.wire[index].at.clone());
        let refund = match self.rng.weighted(&[80, 14, 6]) {
            _ if !self.faults => RefundState::Succeeded,
            0 => RefundState::Succeeded,
            1 => RefundState::Pending,
            _ => RefundState::Failed("expired_or_canceled_card".to_owned()),
        };
        let leg = match leg {
            Leg::Sent => {
                let fault = self.draw_fault(&request);
                if fault != Fault::None {
                    self.say("provider", || format!("{fault:?} for {}", show(&request)));
                }
                let begun = match self.provider.begin(&request, fault, &refund, self.now) {
                    Begun::Answer(response) => Leg::Answered(response),
                    Begun::Running => Leg::Running(fault),
                };
                if let (
                    Request::Create { confirm: true, .. },
                    Leg::Answered(Response::Error(ProviderError::Mismatch)),
                ) = (&request, &begun)
                {
                    self.saw("money: a late charge is refused because of the fence");
                }
                begun
            }
            Leg::Running(fault) => Leg::Answered(self.provider.finish(&request, fault, &refund, self.now)),
            // It answered before; what is on its way is no newer for being looked at again.
            Leg::Answered(_) => return,
        };
        if let Leg::Answered(response) = &leg {
            self.say("provider", || format!("{} -> {}", show(&request), show_response(response)));
        }
        self.wire[index].at = leg;
        self.wire[index].answered = self.step;
    }

    fn draw_fault(&mut self, request: &Request) -> Fault {
        if !self.fault(60) {
            return Fault::None;
        }
        let keyed = request.key().is_some();
        let fault = match self.rng.below(24) {
            0..=5 => Fault::Failed,
            6..=9 if keyed => Fault::FailedKept { done: false },
            10..=13 if keyed => Fault::FailedKept { done: true },
            14..=17 => Fault::Limited,
            18..=23
                if matches!(
                    request,
                    Request::List { .. } | Request::ListNamed(_) | Request::ReadIntent(_)
                ) =>
            {
                Fault::Nonsense
            }
            _ => Fault::None,
        };
        if fault != Fault::None {
            self.saw(match fault {
                Fault::FailedKept { done: true } => "provider: a stored 500 hides an effect",
                Fault::FailedKept { done: false } => "provider: a stored 500 without an effect",
                _ => "provider: refused for now",
            });
        }
        fault
    }

    /// Takes an answer off the wire.
    pub fn take_flight(&mut self, id: u64) -> Option<Flight> {
        let index = self.wire.iter().position(|f| f.id == id)?;
        Some(self.wire.swap_remove(index))
    }

    /// Lets time pass. What is too long on its way arrives now or never.
    pub fn pass_time(&mut self, seconds: i64) {
        let later = self.now + SignedDuration::from_secs(seconds);
        let mut index = 0;
        while index < self.wire.len() {
            let too_old = later.duration_since(self.wire[index].sent_at) > FLIGHT;
            if too_old {
                if matches!(self.wire[index].at, Leg::Running(_)) || self.rng.in_thousand(500) {
                    self.advance(index);
                    if matches!(self.wire[index].at, Leg::Running(_)) {
                        self.advance(index);
                    }
                }
                if !matches!(self.wire[index].at, Leg::Answered(_)) {
                    let request = self.wire[index].request.clone();
                    self.say("network", || format!("loses {}", show(&request)));
                    self.wire[index].at =
                        Leg::Answered(Response::Error(ProviderError::OutcomeUnknown("lost".to_owned())));
                }
            }
            index += 1;
        }
        self.now = later;
    }
}

/// A request in words.
pub fn show(request: &Request) -> String {
    match request {
        Request::Create { charge, confirm } => {
            let what = if *confirm { "charge" } else { "fence" };
            format!(
                "{what} {}/{} over {} ({})",
                charge.tags.uid, charge.attempt, charge.amount, charge.method
            )
        }
        Request::Cancel(id) => format!("cancel {id}"),
        Request::Refund(r) => format!("refund {}/{} of {} over {}", r.uid, r.attempt, r.intent, r.amount),
        Request::ReadIntent(id) | Request::ReadRefund(id) => format!("read {id}"),
        Request::List { uid, attempt, .. } => format!("list {uid}/{attempt}"),
        Request::Mark(id, kept) => format!("mark {id}: {kept} stay"),
        Request::ListNamed(name) => format!("list all of {name}"),
        Request::Adopt(a) => format!("adopt {} of {} for {}", a.intent, a.from, a.tags.uid),
    }
}

fn show_response(response: &Response) -> String {
    let replayed = |replayed: &bool| if *replayed { " (repeated)" } else { "" };
    match response {
        Response::Intent { intent, replayed: r } | Response::Declined { intent, replayed: r } => {
            let refunds: Vec<String> =
                intent.refunds.iter().map(|r| format!("{} {:?}", r.amount, r.state)).collect();
            format!("{} {:?} refunds {refunds:?}{}", intent.id, intent.state, replayed(r))
        }
        Response::Refund { refund, replayed: r } => {
            format!("{} {} {:?}{}", refund.id, refund.amount, refund.state, replayed(r))
        }
        Response::Found(found) => format!("found {found:?}"),
        Response::Marked => "marked".to_owned(),
        Response::Named(found) => format!("found {} of that name", found.len()),
        Response::Adopted => "adopted".to_owned(),
        Response::Error(error) => error.to_string(),
    }
}
