//! The invariants that hold always, checked after every step from what the server and the provider have stored.
//!
//! Nothing is believed because a status says so: money is counted in the provider's ledger, nights in the calendars,
//! prices and policies are computed here a second time. A status is read only where it is itself what an invariant
//! is about (a stored decision, a confirmation).

mod counted;
mod money;
mod nights;
mod stage;

use std::collections::BTreeMap;
use std::rc::Rc;

use innkeeper_api::{ConditionType, Decision, Flow, Quote, Reason, Reservation, ReservationStatus};
use innkeeper_booking::provider::IntentState;

use crate::outside::Outside;
use crate::provider::{Happened, Ledger, Request};
use crate::server::Change;

use counted::{filed, policy, price};
use jiff::Timestamp;
use money::{retrying, told};
use nights::holding;
pub use nights::missing_night;
pub use stage::At;
use stage::{readable, unchanged};

/// What is known for certain about one Reservation.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "four separate things that happened or not")]
pub struct Fact {
    pub name: String,
    /// As it was created, and as it was last seen.
    pub object: Rc<Reservation>,
    pub at: At,
    pub gone: bool,
    pub confirmed: bool,
    /// A hold of its nights is stored, and until when.
    pub held_until: Option<Timestamp>,
    /// Being given up is stored.
    pub decided: bool,
    /// What was agreed to be collected, counted here.
    agreed: i64,
    /// Attempt and amount of the stored intent.
    intent: Option<(u32, i64)>,
    quote: Option<Quote>,
    decision: Option<Decision>,
    facts: usize,
    /// The stored number of the refund's attempt, and whether the last one is stored as failed.
    pub refund_attempt: Option<u32>,
    refund_failed: bool,
    /// Share of the price that the policy leaves with the hotel, in minor units, once that is decided.
    pub kept: i64,
    /// Deleted after check-out: filed away, not given up.
    pub filed: bool,
}

impl Fact {
    /// What is collected online, in minor units; 0 before there is a price.
    pub fn price(&self) -> i64 {
        self.intent.map_or(0, |(_, amount)| amount)
    }
}

/// Everything the checks remember.
#[derive(Default)]
pub struct Truth {
    pub facts: BTreeMap<String, Fact>,
    /// What each key has been used for.
    keys: BTreeMap<String, Request>,
    /// Payments that were sent back and that nobody had asked back, with when.
    going: BTreeMap<String, Timestamp>,
    /// How many operators there are.
    operators: usize,
}

impl Truth {
    /// Of a world with so many operators.
    pub fn of(operators: usize) -> Self {
        Self { operators, ..Self::default() }
    }

    /// Checks what has changed since the last time.
    pub fn check(&mut self, out: &mut Outside) {
        let changes = std::mem::take(&mut out.server.changes);
        let happened = std::mem::take(&mut out.provider.happened);
        let sent = std::mem::take(&mut out.sent);
        for change in &changes {
            match change {
                Change::Reservation(name, index) => self.reservation(name, *index, out),
                Change::Calendar(name, index) => self.calendar(name, *index, out),
            }
        }
        for sent in &sent {
            self.sent(sent, out);
        }
        for event in &happened {
            match event {
                Happened::Captured(index) => self.captured(*index, out),
                Happened::Refunded(index) => self.balance(*index, out),
            }
        }
        if !changes.is_empty() || !happened.is_empty() {
            self.confirmed_stays(out);
        }
        out.confirmed.clear();
    }

    /// A new version of a Reservation: I7, I5 and what follows from each step.
    fn reservation(&mut self, name: &str, index: usize, out: &mut Outside) {
        let versions = &out.server.reservations[name].0;
        let Some(new) = versions[index].value.clone() else {
            let before = index.checked_sub(1).and_then(|i| versions[i].value.clone());
            if let Some(fact) = before.and_then(|o| self.facts.get_mut(uid(&o))) {
                fact.gone = true;
                out.saw("people: an object is gone");
                let fact = fact.clone();
                let_go(&fact, out);
            }
            return;
        };
        let stored = new.status.as_ref();
        let at = At::of(stored);
        let mut fact = self.facts.get(uid(&new)).cloned().unwrap_or_else(|| Fact {
            name: name.to_owned(),
            object: Rc::clone(&new),
            at: At::Open,
            gone: false,
            confirmed: false,
            held_until: None,
            decided: false,
            agreed: 0,
            intent: None,
            quote: None,
            decision: None,
            facts: 0,
            refund_attempt: None,
            refund_failed: false,
            kept: 0,
            filed: false,
        });
        let before = fact.at;
        if at != before && !before.may_become(at) {
            out.fail("I7", format!("{name} went from {before:?} to {at:?}"));
        }
        if let Some(status) = stored {
            unchanged(&mut fact, status, out);
            readable(&fact.name, at, status, out);
        }
        fact.object = Rc::clone(&new);
        fact.at = at;
        fact.filed |= fact.at == At::Confirmed && filed(&new);
        if at != before {
            Self::arrived(&mut fact, before, out);
        }
        if let Some(status) = stored {
            holding(&mut fact, status, out);
            retrying(&mut fact, status, out);
        }
        self.facts.insert(uid(&new).to_owned(), fact);
    }

    /// What must be true at the version at which a Reservation came to where it is.
    fn arrived(fact: &mut Fact, before: At, out: &mut Outside) {
        let object = Rc::clone(&fact.object);
        let status = object.status.clone().unwrap_or_default();
        let name = fact.name.clone();
        match fact.at {
            At::Taking => {
                let has = |f: &String| object.metadata.finalizers.iter().flatten().any(|g| g == f);
                if !out.settings.finalizers.iter().all(has) && !out.stripped.contains(uid(&object)) {
                    out.fail("I5", format!("{name}: the intent was stored without all finalizers"));
                }
                match price(&out.server, &object, status.quote.as_ref()) {
                    Some(price) => {
                        let attempt = status.payment.as_ref().and_then(|p| p.attempt);
                        let nights_first = status.quote.as_ref().is_some_and(|q| q.flow == Flow::HoldFirst);
                        if attempt.is_some() != (price > 0 && !nights_first) {
                            out.fail("I5", format!("{name}: attempt {attempt:?} for a price of {price}"));
                        }
                        fact.agreed = price;
                        fact.intent = attempt.map(|attempt| (attempt, price));
                        if status.quote.as_ref().map(|q| q.collect_online) != Some(price) {
                            out.fail("I7", format!("{name}: the quote is not the Room's price of {price}"));
                        }
                    }
                    None => out.fail("I7", format!("{name}: a quote from no Room that ever was")),
                }
            }
            At::Confirmed => {
                fact.confirmed = true;
                let read =
                    out.confirmed.iter().rev().find(|(u, _)| u == uid(&object)).map_or(0, |(_, step)| *step);
                let known = |i: &Ledger| {
                    i.refunds.iter().any(|r| r.view.counts() && r.by_hand.is_some_and(|s| s < read))
                };
                if out.provider.of(uid(&object)).any(|i| i.captured > 0 && known(i)) {
                    out.fail(
                        "I6",
                        format!("{name} was confirmed although its money was known to be refunded"),
                    );
                }
                told(fact, &status, out);
                out.saw("end: confirmed");
                if fact.held_until.is_some_and(|until| until < out.now) {
                    out.saw("end: a hold was found paid after its deadline");
                }
            }
            At::Rejecting | At::Cancelling | At::Withdrawing => {
                fact.decided = true;
                fact.kept = policy(fact, &status, out);
            }
            At::Rejected | At::Cancelled | At::Withdrawn => {
                let left: i64 = out.provider.of(uid(&object)).map(|i| i.captured - i.returned()).sum();
                let by_hand: i64 = out.provider.of(uid(&object)).map(Ledger::by_hand).sum();
                if left > fact.kept || left < fact.kept - by_hand {
                    out.fail(
                        "I11",
                        format!("{name} ended as {:?} with {left} kept, not {}", fact.at, fact.kept),
                    );
                }
                let may_land = |i: &Ledger| {
                    i.state == IntentState::Processing || i.state == IntentState::Open && !i.fence
                };
                if out.provider.of(uid(&object)).any(may_land) {
                    out.fail("I11", format!("{name} ended while a charge of its was still under way"));
                }
                fact.decided = true;
                told(fact, &status, out);
                count_end(fact, before, &status, out);
            }
            At::Open => {}
        }
    }
}

/// The object is gone: what is left of its money must be marked (I12).
fn let_go(fact: &Fact, out: &mut Outside) {
    let who = uid(&fact.object);
    if out.stripped.contains(who) {
        return;
    }
    if fact.filed && fact.at == At::Confirmed {
        out.saw("end: filed away after check-out");
    }
    let unmarked = |i: &&Ledger| i.tags.uid == who && i.captured > i.returned() && i.settled.is_none();
    if out.provider.intents.iter().any(|i| unmarked(&i)) {
        out.fail("I12", format!("{} was let go, and its money is not marked", fact.name));
    }
    if !(fact.at.ended() || fact.filed || fact.intent.is_none() && !fact.confirmed) {
        out.fail("I5", format!("{} was let go while {:?}", fact.name, fact.at));
    }
}

fn count_end(fact: &Fact, before: At, status: &ReservationStatus, out: &mut Outside) {
    let captured: i64 = out.provider.of(uid(&fact.object)).map(|i| i.captured).sum();
    let allocated = status.conditions.reason(&ConditionType::Allocated);
    let accepted = status.conditions.reason(&ConditionType::Accepted);
    let paid = status.conditions.reason(&ConditionType::Paid);
    let what = match (fact.at, before) {
        (At::Rejected, At::Taking) => "end: declined",
        (At::Rejected, At::Open) if accepted == Some(&Reason::TimedOut) => {
            "end: timed out waiting for its Room"
        }
        (At::Rejected, At::Open) => "end: refused",
        (At::Rejected, _) if allocated == Some(&Reason::OutOfStock) && captured > 0 => {
            "end: out of stock, refunded"
        }
        (At::Rejected, _) if allocated == Some(&Reason::OutOfStock) => "end: out of stock, never charged",
        (At::Rejected, _) if allocated == Some(&Reason::HoldExpired) => "end: a hold ran out",
        (At::Rejected, _) if paid == Some(&Reason::Declined) => "end: declined while the nights were held",
        (At::Rejected, _) if accepted == Some(&Reason::TimedOut) && captured > 0 => {
            "end: timed out, refunded"
        }
        (At::Rejected, _) if accepted == Some(&Reason::TimedOut) => "end: timed out, never charged",
        (At::Rejected, _) => "end: rejected otherwise",
        (_, At::Open) => "end: given up before it was decided",
        (At::Cancelled, _) if !fact.confirmed => "end: cancelled before it was booked",
        (At::Cancelled, _) if fact.kept == 0 => "end: cancelled with a full refund",
        (At::Cancelled, _) if fact.kept == fact.price() => "end: cancelled with nothing back",
        (At::Cancelled, _) => "end: cancelled with a share back",
        (_, _) if fact.confirmed => "end: withdrawn after it was booked",
        (_, _) => "end: withdrawn before it was booked",
    };
    out.saw(what);
}

fn uid(object: &Reservation) -> &str {
    object.metadata.uid.as_deref().unwrap_or_default()
}
