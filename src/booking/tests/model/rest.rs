//! Coming to rest: faults stop, time goes on, everybody who has something to do gets to do it. Then the invariants
//! of a world at rest are checked.

use std::collections::BTreeSet;

use innkeeper_api::{ALREADY_CHARGED, ConditionType, Reason, nights, uid_of_holder};
use innkeeper_booking::observed::Wake;
use innkeeper_booking::provider::IntentState;

use crate::allocator::Allocator;
use crate::checks::{At, Fact, Truth, missing_night};
use crate::outside::Leg;
use crate::provider::Ledger;
use crate::users::{Deed, act};
use crate::world::World;

/// Rounds after which somebody is wedged.
const ROUNDS: usize = 40;
/// Steps of one operator in one round after which it is going in circles.
const PATIENCE: usize = 2_000;

impl World {
    /// Lets the world come to rest and checks it there.
    pub fn rest(&mut self) {
        self.out.faults = false;
        self.out.provider.outage = false;
        self.out.say("world", || "comes to rest".to_owned());
        for round in 0..ROUNDS {
            let before = (self.out.server.version(), self.out.requests);
            self.settle_outside();
            for who in 0..self.operators.len() {
                self.fair_round(who);
                if self.check() {
                    return;
                }
            }
            let quiet = before == (self.out.server.version(), self.out.requests);
            let open = self.operators.iter().any(|o| o.wakes.values().any(|w| *w != Wake::OnChange));
            if quiet && !open && self.out.wire.is_empty() {
                return self.at_rest();
            }
            // A key is forgotten after a day: the last thing that anybody may have to wait for.
            let seconds = match round % 3 {
                0 => 60,
                1 => 4_000,
                _ => 90_000,
            };
            self.out.pass_time(seconds);
            if self.check() {
                return;
            }
        }
        let open: Vec<String> = self
            .operators
            .iter()
            .flat_map(|o| {
                o.wakes.iter().filter(|(_, w)| **w != Wake::OnChange).map(|(n, w)| format!("{n} {w:?}"))
            })
            .collect();
        self.out.fail("I8", format!("nobody comes to rest: {open:?}"));
    }

    /// Everything on the wire arrives, the provider decides, people see to what only people can.
    fn settle_outside(&mut self) {
        for index in 0..self.out.wire.len() {
            while !matches!(self.out.wire[index].at, Leg::Answered(_)) {
                self.out.advance(index);
            }
        }
        for index in self.out.provider.processing() {
            self.out.provider.process(index, true);
        }
        while !self.out.provider.pending().is_empty() {
            self.provider_works();
        }
        self.refund_failures_by_hand();
        self.people_decide();
        self.relay();
        if self.check() {
            return;
        }
        for operator in &mut self.operators {
            operator.cache.catch_up(&self.out.server);
        }
    }

    /// Where the provider could not give money back, a person does, as the condition's message asks for.
    fn refund_failures_by_hand(&mut self) {
        for fact in self.truth.facts.values().filter(|f| f.at.given_up()) {
            let who = fact.object.metadata.uid.as_deref().unwrap_or_default();
            let failed = |i: &Ledger| {
                i.tags.uid == who
                    && i.captured - i.returning() > fact.kept
                    && i.refunds.iter().any(|r| !r.view.counts())
            };
            let Some(index) = self.out.provider.intents.iter().position(failed) else { continue };
            let ledger = &self.out.provider.intents[index];
            let due = ledger.captured - ledger.returning() - fact.kept;
            let name = fact.name.clone();
            // Or allows one more attempt, as the same message says.
            let retry = fact.refund_attempt.map_or(2, |n| n + 1);
            if retry < 5 && self.out.rng.in_thousand(500) {
                act(&Deed::RetryRefund(name, retry), &mut self.out);
                continue;
            }
            self.out.saw("money: a person gives back what the provider could not");
            self.out.say("dashboard", || format!("gives back {due} of {name}, as its condition asks for"));
            self.out.provider.refund_by_hand(index, due, innkeeper_booking::provider::RefundState::Succeeded);
        }
    }

    /// Whose money it is that stands in the way, and whether what waits may go: only a person can say.
    fn people_decide(&mut self) {
        act(&Deed::Everything(false), &mut self.out);
        if self.out.brake.halted {
            self.acknowledge();
        }
        let stuck: Vec<(String, Option<String>)> = self
            .truth
            .facts
            .values()
            .filter(|fact| !fact.gone && stands(fact))
            .map(|fact| {
                let said = fact.object.metadata.annotations.as_ref().and_then(|a| a.get(ALREADY_CHARGED));
                (fact.name.clone(), said.cloned())
            })
            .collect();
        for (name, said) in stuck {
            // What did not help is not said again.
            let word = if said.as_deref() == Some("adopt") { "charge-anew" } else { "adopt" };
            self.out.saw("people: say whose the money is");
            act(&Deed::Whose(name, word), &mut self.out);
        }
    }

    /// A person lets the brake go, and every operator hears of it.
    pub fn acknowledge(&mut self) {
        act(&Deed::Acknowledge, &mut self.out);
        for operator in &mut self.operators {
            operator.let_go();
        }
    }

    /// One operator does all that it has to do just now.
    fn fair_round(&mut self, who: usize) {
        let calendars: Vec<String> = self.out.server.calendars.keys().cloned().collect();
        for name in &calendars {
            self.order(who, name, false);
            self.order(who, name, true);
        }
        let names: Vec<String> = self.operators[who].cache.reservations.keys().cloned().collect();
        self.operators[who].wakes.clear();
        self.drain(who);
        self.operators[who].cache.catch_up(&self.out.server);
        for name in names {
            self.operators[who].start(&name, &mut self.out);
            self.drain(who);
        }
    }

    /// Until no pass, no allocator and no request of this operator can go on.
    fn drain(&mut self, who: usize) {
        for _ in 0..PATIENCE {
            if self.out.broken.is_some() {
                return;
            }
            let runnable = self.operators[who].runnable();
            let waiting = self.operators[who].waiting();
            let busy =
                |(room, allocator): (&String, &Allocator)| (!allocator.is_idle()).then(|| room.clone());
            let rooms: Vec<String> = self.operators[who].allocators.iter().filter_map(busy).collect();
            if let Some(name) = runnable.first() {
                self.operators[who].step(name, &mut self.out);
            } else if let Some((name, id)) = waiting.first() {
                if let Some(index) = self.out.wire.iter().position(|f| f.id == *id) {
                    while !matches!(self.out.wire[index].at, Leg::Answered(_)) {
                        self.out.advance(index);
                    }
                }
                self.operators[who].deliver(name, false, &mut self.out);
            } else if let Some(room) = rooms.first() {
                self.operators[who].allocate(room, &mut self.out);
            } else {
                // Answers that nobody waits for any more.
                let waited: BTreeSet<u64> =
                    self.operators.iter().flat_map(|o| o.waiting().into_iter().map(|(_, id)| id)).collect();
                self.out.wire.retain(|f| !matches!(f.at, Leg::Answered(_)) || waited.contains(&f.id));
                return;
            }
            self.check();
        }
        let name = self.operators[who].who.clone();
        self.out.fail("I14", format!("{name} goes in circles"));
    }

    fn at_rest(&mut self) {
        self.truth.settled(&mut self.out);
        if self.out.broken.is_some() {
            return;
        }
        // I14: looking again, with the newest view, changes nothing and asks nobody.
        let before = (self.out.server.version(), self.out.requests);
        for who in 0..self.operators.len() {
            self.operators[who].cache.catch_up(&self.out.server);
            self.fair_round(who);
        }
        if before != (self.out.server.version(), self.out.requests) {
            self.out.fail("I14", "reconciling again writes or calls".to_owned());
        }
    }
}

/// Another object's money stands in its way.
fn stands(fact: &Fact) -> bool {
    let status = fact.object.status.as_ref();
    status.and_then(|s| s.conditions.reason(&ConditionType::Paid)) == Some(&Reason::AlreadyCharged)
        && fact.at == At::Taking
}

impl Truth {
    /// I2, I8, I11, I12 at rest, and that everybody has come to an end.
    fn settled(&self, out: &mut crate::outside::Outside) {
        for (who, fact) in &self.facts {
            let stripped = fact.gone && out.stripped.contains(who);
            let name = &fact.name;
            if !(fact.gone || fact.at.ended() || fact.at == At::Confirmed) {
                out.fail("I11", format!("{name} never came to an end: {:?}", fact.at));
            }
            if !fact.gone && fact.object.metadata.deletion_timestamp.is_some() {
                out.fail("I11", format!("{name} was deleted and is still there"));
            }
            let observed = fact.object.status.as_ref().map(|s| s.observed_generation);
            if !fact.gone && observed != fact.object.metadata.generation {
                out.fail("I14", format!("{name}: the last generation was never stamped"));
            }
            let net: i64 = out.provider.of(who).map(|i| i.captured - i.returned()).sum();
            let by_hand: i64 = out.provider.of(who).map(Ledger::by_hand).sum();
            let moving = out.provider.of(who).any(|i| i.state == IntentState::Processing);
            let due = if fact.at == At::Confirmed { fact.price() } else { fact.kept };
            if !stripped && (net > due || net < due - by_hand || moving) {
                out.fail("I11", format!("{name} rests as {:?} with {net} kept, not {due}", fact.at));
            }
            let marked = out.provider.of(who).all(|i| i.captured - i.returned() <= 0 || i.settled.is_some());
            if fact.gone && !stripped && net > 0 && !marked {
                out.fail("I12", format!("{name} is gone, and {net} of it is with the hotel without a mark"));
            }
            if !fact.gone
                && fact.at == At::Confirmed
                && let Some(words) = missing_night(who, fact, &out.server)
            {
                out.fail("I8", words);
            }
        }
        self.calendars_at_rest(out);
    }

    fn calendars_at_rest(&self, out: &mut crate::outside::Outside) {
        let calendars: Vec<_> = out.server.calendars.keys().filter_map(|n| out.server.calendar(n)).collect();
        for seen in calendars {
            let room = out.server.room(&seen.value.room_name);
            for night in &seen.value.nights {
                for holder in &night.holders {
                    let who = uid_of_holder(holder);
                    let booked = self.facts.get(who).is_some_and(|fact| {
                        let spec = &fact.object.spec;
                        !fact.gone
                            && fact.at == At::Confirmed
                            && nights(spec.check_in, spec.check_out).any(|d| d == night.date)
                    });
                    if !booked {
                        out.fail("I8", format!("{holder} holds {} and is not booked", night.date));
                    }
                }
                let Some(room) = &room else { continue };
                let capacity = innkeeper_booking::room::capacity(&room.value.spec, night.date);
                if capacity != night.capacity {
                    let (date, said) = (night.date, night.capacity);
                    out.fail(
                        "I2",
                        format!("at rest the calendar says {said} units on {date}, the Room {capacity}"),
                    );
                }
            }
        }
    }
}
