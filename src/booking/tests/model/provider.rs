//! The payment provider in memory: intents, refunds, idempotency keys, and what a person does in its dashboard.
//!
//! It keeps keys as Stripe does: an answer is repeated for 24 hours, other parameters are refused, a key whose request
//! is still running is refused for now, and a stored 500 is repeated like any other answer.

mod ledger;
mod wire;

use std::collections::BTreeMap;

use innkeeper_booking::provider::{
    Because, Charge, Earlier, IntentState, ProviderError, RefundState, RefundView,
};
use jiff::{SignedDuration, Timestamp};

pub use ledger::{Ledger, Returned};
pub use wire::{Request, Response};

/// How long the provider knows a key.
pub const KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// What goes wrong on the provider's side with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// 500, and nothing was done nor kept.
    Failed,
    /// 500 that is kept under the key; whether the work was done all the same.
    FailedKept {
        done: bool,
    },
    /// 429.
    Limited,
    /// 400 to a read: a proxy, a wrong address, a version that is no longer spoken.
    Nonsense,
}

#[derive(Debug, Clone)]
struct Key {
    request: Request,
    at: Timestamp,
    /// `None` while the request is running.
    answer: Option<Response>,
}

/// What the provider did on its own account, for the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// Money was taken: the intent's index.
    Captured(usize),
    /// Money went back: the intent's index.
    Refunded(usize),
}

/// The provider.
#[derive(Default)]
pub struct Provider {
    pub intents: Vec<Ledger>,
    keys: BTreeMap<String, Key>,
    refunds: u32,
    /// The step of the schedule.
    pub step: usize,
    /// Nothing answers.
    pub outage: bool,
    /// What happened and was not yet checked.
    pub happened: Vec<Happened>,
}

/// Of which attempt a refund is, why it was made, and when.
#[derive(Clone, Copy)]
struct Made {
    attempt: Option<u32>,
    because: Option<Because>,
    at: Timestamp,
}

/// How a creation goes on after it was let in.
pub enum Begun {
    /// Answered at once.
    Answer(Response),
    /// Running: to be finished.
    Running,
}

impl Provider {
    /// Lets a request in. A creation then runs until it is [finished](Self::finish), everything else is done at once.
    pub fn begin(&mut self, request: &Request, fault: Fault, refund: &RefundState, now: Timestamp) -> Begun {
        match fault {
            Fault::Limited => {
                return Begun::Answer(Response::Error(ProviderError::RateLimited { retry_after: None }));
            }
            Fault::Failed => return Begun::Answer(Response::Error(failed())),
            _ => {}
        }
        let Some(key) = request.key() else {
            return Begun::Answer(if fault == Fault::Nonsense {
                Response::Error(invalid("url_invalid"))
            } else {
                self.unkeyed(request)
            });
        };
        if let Some(known) = self.keys.get(&key).filter(|known| now < known.at + KEY_LIFETIME) {
            return Begun::Answer(if known.request == *request {
                known.answer.clone().map_or(Response::Error(ProviderError::InFlight), replay)
            } else {
                Response::Error(ProviderError::Mismatch)
            });
        }
        if let Request::Create { charge, confirm: true } = request
            && charge.method == "pm_missing"
        {
            return Begun::Answer(Response::Error(invalid("resource_missing")));
        }
        self.keys.insert(key, Key { request: request.clone(), at: now, answer: None });
        if let Request::Refund(_) = request {
            return Begun::Answer(self.finish(request, fault, refund, now));
        }
        Begun::Running
    }

    /// Finishes what was begun, keeps the answer under the key, and gives it.
    pub fn finish(
        &mut self,
        request: &Request,
        fault: Fault,
        refund: &RefundState,
        now: Timestamp,
    ) -> Response {
        let answer = match fault {
            Fault::FailedKept { done: false } => Response::Error(failed()),
            Fault::FailedKept { done: true } => {
                self.execute(request, refund, now);
                Response::Error(failed())
            }
            _ => self.execute(request, refund, now),
        };
        if let Some(known) = request.key().and_then(|key| self.keys.get_mut(&key)) {
            known.answer = Some(answer.clone());
        }
        answer
    }

    fn execute(&mut self, request: &Request, refund: &RefundState, now: Timestamp) -> Response {
        match request {
            Request::Create { charge, confirm } => self.create(charge, *confirm, now),
            Request::Refund(request) => {
                let made = Made { attempt: Some(request.attempt), because: Some(request.because), at: now };
                self.give_back(&request.intent, request.amount, made, refund.clone())
            }
            _ => self.unkeyed(request),
        }
    }

    fn create(&mut self, charge: &Charge, confirm: bool, now: Timestamp) -> Response {
        let state = match charge.method.as_str() {
            _ if !confirm => IntentState::Open,
            "pm_declined" => declined(),
            "pm_slow" => IntentState::Processing,
            _ => IntentState::Captured,
        };
        let captured = if state == IntentState::Captured { charge.amount } else { 0 };
        self.intents.push(Ledger {
            id: format!("pi_{}", self.intents.len() + 1),
            tags: charge.tags.clone(),
            attempt: charge.attempt,
            fence: !confirm,
            amount: charge.amount,
            currency: charge.currency.clone(),
            captured,
            refunds: Vec::new(),
            created: now,
            settled: None,
            captured_in: self.step,
            state,
        });
        let index = self.intents.len() - 1;
        if captured > 0 {
            self.happened.push(Happened::Captured(index));
        }
        let intent = Box::new(self.intents[index].view());
        if matches!(intent.state, IntentState::Declined { .. }) {
            Response::Declined { intent, replayed: false }
        } else {
            Response::Intent { intent, replayed: false }
        }
    }

    fn give_back(&mut self, intent: &str, amount: i64, made: Made, state: RefundState) -> Response {
        let Made { attempt, because, at } = made;
        self.refunds += 1;
        let id = format!("re_{}", self.refunds);
        let Some(index) = self.intents.iter().position(|i| i.id == intent) else {
            return Response::Error(invalid("resource_missing"));
        };
        let ledger = &mut self.intents[index];
        if amount > ledger.captured - ledger.returning() {
            return Response::Error(invalid("charge_already_refunded"));
        }
        let view = RefundView { id, amount, state, attempt };
        let by_hand = attempt.is_none().then_some(self.step);
        ledger.refunds.push(Returned { view: view.clone(), by_hand, because, at });
        self.happened.push(Happened::Refunded(index));
        Response::Refund { refund: view, replayed: false }
    }

    fn unkeyed(&mut self, request: &Request) -> Response {
        match request {
            Request::Cancel(id) => {
                let Some(ledger) = self.intents.iter_mut().find(|i| i.id == *id) else { return missing(id) };
                if matches!(ledger.state, IntentState::Open | IntentState::Declined { .. }) {
                    ledger.state = IntentState::Cancelled;
                    Response::Intent { intent: Box::new(ledger.view()), replayed: false }
                } else {
                    Response::Error(invalid("payment_intent_unexpected_state"))
                }
            }
            Request::ReadIntent(id) => self.intents.iter().find(|i| i.id == *id).map_or_else(
                || missing(id),
                |ledger| Response::Intent { intent: Box::new(ledger.view()), replayed: false },
            ),
            Request::ReadRefund(id) => {
                let found = self.intents.iter().flat_map(|i| &i.refunds).find(|r| r.view.id == *id);
                found.map_or_else(
                    || missing(id),
                    |returned| Response::Refund { refund: returned.view.clone(), replayed: false },
                )
            }
            Request::List { uid, attempt, since } => {
                let margin = SignedDuration::from_mins(10);
                let of =
                    |i: &&Ledger| i.tags.uid == *uid && i.attempt == *attempt && i.created + margin >= *since;
                let best = self.intents.iter().filter(of).min_by_key(|i| rank(i));
                Response::Found(best.map(|i| i.id.clone()))
            }
            Request::ListNamed(name) => {
                let of = |i: &&Ledger| i.tags.name == *name;
                let earlier = |i: &Ledger| Earlier {
                    uid: i.tags.uid.clone(),
                    check_in: i.tags.check_in,
                    intent: i.view(),
                };
                Response::Named(self.intents.iter().filter(of).map(earlier).collect())
            }
            Request::Adopt(adoption) => {
                let found = self.intents.iter_mut().find(|i| i.id == adoption.intent);
                let Some(ledger) = found else { return missing(&adoption.intent) };
                if ![&adoption.from, &adoption.tags.uid].contains(&&ledger.tags.uid) {
                    return Response::Error(invalid("adopted"));
                }
                ledger.tags = adoption.tags.clone();
                ledger.attempt = adoption.attempt;
                Response::Adopted
            }
            Request::Mark(id, kept) => {
                let Some(ledger) = self.intents.iter_mut().find(|i| i.id == *id) else { return missing(id) };
                ledger.settled = Some(*kept);
                Response::Marked
            }
            Request::Create { .. } | Request::Refund(_) => Response::Error(failed()),
        }
    }

    /// The provider comes to an end with an intent it was processing.
    pub fn process(&mut self, index: usize, captured: bool) {
        let ledger = &mut self.intents[index];
        if ledger.state != IntentState::Processing {
            return;
        }
        if captured {
            ledger.state = IntentState::Captured;
            ledger.captured = ledger.amount;
            ledger.captured_in = self.step;
            self.happened.push(Happened::Captured(index));
        } else {
            ledger.state = declined();
        }
    }

    /// A pending refund comes to an end. Gives who it was for.
    pub fn decide_refund(&mut self, index: usize, number: usize, state: RefundState) {
        self.intents[index].refunds[number].view.state = state;
        self.happened.push(Happened::Refunded(index));
    }

    /// Somebody gives money back in the dashboard.
    pub fn refund_by_hand(&mut self, index: usize, amount: i64, state: RefundState) {
        let id = self.intents[index].id.clone();
        let made = Made { attempt: None, because: None, at: Timestamp::UNIX_EPOCH };
        self.give_back(&id, amount, made, state);
    }

    /// Somebody cancels a payment in the dashboard, where that can still be done.
    pub fn cancel_by_hand(&mut self, index: usize) {
        let id = self.intents[index].id.clone();
        self.unkeyed(&Request::Cancel(id));
    }

    /// Refunds that are pending: intent and number.
    pub fn pending(&self) -> Vec<(usize, usize)> {
        let of = |(index, ledger): (usize, &Ledger)| {
            let pending =
                |(n, r): (usize, &Returned)| (r.view.state == RefundState::Pending).then_some((index, n));
            ledger.refunds.iter().enumerate().filter_map(pending).collect::<Vec<_>>()
        };
        self.intents.iter().enumerate().flat_map(of).collect()
    }

    /// Intents that are being processed.
    pub fn processing(&self) -> Vec<usize> {
        let processing =
            |(index, ledger): (usize, &Ledger)| (ledger.state == IntentState::Processing).then_some(index);
        self.intents.iter().enumerate().filter_map(processing).collect()
    }

    /// Intents of which money has gone back since then that nobody had asked back.
    pub fn unasked(&self, since: Timestamp) -> impl Iterator<Item = &Ledger> {
        let counts = move |r: &Returned| r.at >= since && r.because.is_some_and(Because::is_unasked);
        self.intents.iter().filter(move |i| i.refunds.iter().any(counts))
    }

    /// The intents of a Reservation.
    pub fn of<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = &'a Ledger> {
        self.intents.iter().filter(move |i| i.tags.uid == uid)
    }

    /// When a key was first used, if the provider has seen it.
    pub fn key_seen(&self, key: &str) -> Option<Timestamp> {
        self.keys.get(key).map(|known| known.at)
    }
}

fn replay(answer: Response) -> Response {
    match answer {
        Response::Intent { intent, .. } => Response::Intent { intent, replayed: true },
        Response::Declined { intent, .. } => Response::Declined { intent, replayed: true },
        Response::Refund { refund, .. } => Response::Refund { refund, replayed: true },
        other => other,
    }
}

/// The driver's order: money that is taken comes first, then money that may be.
fn rank(ledger: &Ledger) -> u8 {
    match &ledger.state {
        IntentState::Captured => 0,
        IntentState::Processing => 1,
        IntentState::Open if !ledger.fence => 2,
        IntentState::Declined { .. } => 3,
        IntentState::Open => 4,
        IntentState::Cancelled => 5,
    }
}

fn declined() -> IntentState {
    IntentState::Declined { code: "card_declined".to_owned(), message: "The card was declined.".to_owned() }
}

fn failed() -> ProviderError {
    ProviderError::Server { status: 500, message: "api_error".to_owned() }
}

fn invalid(code: &str) -> ProviderError {
    ProviderError::Invalid { code: code.to_owned(), message: "invalid request".to_owned() }
}

fn missing(id: &str) -> Response {
    Response::Error(ProviderError::NotFound(id.to_owned()))
}
