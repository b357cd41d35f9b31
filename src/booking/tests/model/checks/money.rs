//! I1, I3, I4 and I5 for money: every request that leaves an operator, and everything the provider does.

use innkeeper_api::{ALREADY_CHARGED, ConditionType, RETRY_REFUND, Reason, ReservationStatus};
use innkeeper_booking::provider::Charge;
use jiff::SignedDuration;

use super::{At, Fact, Truth, uid};
use crate::outside::{Outside, Sent, show};
use crate::provider::{KEY_LIFETIME, Ledger, Request, Returned};

impl Truth {
    /// A request left an operator: I4 and I5.
    pub(super) fn sent(&mut self, sent: &Sent, out: &mut Outside) {
        let (who, step) = match &sent.request {
            Request::Create { charge, .. } => (charge.tags.uid.clone(), charge.attempt),
            Request::Refund(refund) => (refund.uid.clone(), refund.attempt),
            _ => return,
        };
        let Some(fact) = self.facts.get(&who) else { return };
        let name = fact.name.clone();
        match &sent.request {
            Request::Create { charge, confirm: true }
                if fact.intent != Some((charge.attempt, charge.amount)) =>
            {
                let (attempt, amount) = (charge.attempt, charge.amount);
                out.fail(
                    "I5",
                    format!("{name}: charge {attempt} over {amount} was sent, stored was {:?}", fact.intent),
                );
            }
            // A hold is fenced at its deadline, before anything is decided: clocks differ by a minute at most.
            Request::Create { confirm: false, .. }
                if !fact.decided
                    && fact
                        .held_until
                        .is_some_and(|until| until <= out.now + SignedDuration::from_mins(1)) => {}
            Request::Refund(refund) if refund.because.is_unasked() && fact.decided => {
                self.unasked(&refund.intent, out);
            }
            Request::Create { confirm: false, .. } | Request::Refund(_) if !fact.decided => {
                out.fail("I5", format!("{name}: {} was sent before it was decided", show(&sent.request)));
            }
            _ => {}
        }
        if let Request::Create { charge, confirm: true } = &sent.request {
            self.paid_before(charge, sent.earlier_read, out);
        }
        let Some(fact) = self.facts.get(&who) else { return };
        let stored = if let Request::Refund(_) = &sent.request { fact.refund_attempt } else { Some(1) };
        if stored.is_none_or(|stored| step > stored) {
            out.fail("I4", format!("{name}: attempt {step}, and the one before is not stored as failed"));
        }
        let Some(key) = sent.request.key() else { return };
        let old = out
            .provider
            .key_seen(&key)
            .is_some_and(|at| out.now.duration_since(at) >= KEY_LIFETIME - SignedDuration::from_hours(1));
        if old && !sent.asked_first {
            out.fail("I4", format!("{name}: {key} was used again after 23 hours without looking first"));
        }
        // What somebody gives back in the dashboard lowers what is due, so the amount may change under the same key.
        // That is meant so: under another key both refunds could happen, under one the provider lets only one of them.
        let by_hand = out.provider.of(&who).any(|i| i.refunds.iter().any(|r| r.by_hand.is_some()));
        if let Some(used) = self.keys.get(&key)
            && !same(used, &sent.request)
            && !by_hand
        {
            let (first, second) = (show(used), show(&sent.request));
            out.fail("I4", format!("{key} means two things: {first}; {second}"));
        }
        self.keys.insert(key, sent.request.clone());
    }

    /// I3: no second capture for a name and check-in whose earlier money is still kept, unless a person has said so. What
    /// lands while somebody is asking cannot be known.
    fn paid_before(&self, charge: &Charge, read: Option<usize>, out: &mut Outside) {
        let told = self.facts.get(&charge.tags.uid).is_some_and(|fact| {
            let annotations = fact.object.metadata.annotations.as_ref();
            annotations.and_then(|a| a.get(ALREADY_CHARGED)).is_some_and(|said| said == "charge-anew")
        });
        let held = |i: &&Ledger| {
            i.tags.uid != charge.tags.uid
                && (&i.tags.name, i.tags.check_in) == (&charge.tags.name, charge.tags.check_in)
                && i.settled.is_none()
                && i.captured > i.returning()
                && read.is_none_or(|read| i.captured_in < read)
        };
        let found = out.provider.intents.iter().find(held).map(|i| i.id.clone());
        if let Some(id) = found.filter(|_| !told) {
            out.fail("I3", format!("{} is charged, and {id} of its name is still kept", charge.tags.name));
        }
    }

    /// What nobody has asked back goes no faster than the brake allows.
    fn unasked(&mut self, intent: &str, out: &mut Outside) {
        let (since, most) = out.brake.allows(out.now);
        self.going.retain(|_, at| *at >= since);
        self.going.entry(intent.to_owned()).or_insert(out.now);
        // Every operator counts what it lets out itself, and sees of the others' what has arrived; what it had let out before
        // a person let go may be sent after that.
        let lives = self.operators + out.brake.crashes;
        if self.going.len() > (most + out.brake.most) * lives {
            out.fail("brake", format!("{} payments go back unasked, {most} may", self.going.len()));
        }
    }

    /// Money was taken: I1, I3, I7.
    pub(super) fn captured(&self, index: usize, out: &mut Outside) {
        let ledger = out.provider.intents[index].clone();
        let who = &ledger.tags.uid;
        if let Some(fact) = self.facts.get(who) {
            let stripped = out.stripped.contains(who);
            if fact.at.ended() {
                out.fail("I7", format!("{} has ended as {:?} and was charged", fact.name, fact.at));
            } else if fact.gone && !stripped {
                out.fail("I5", format!("{} is gone and was charged", fact.name));
            }
            let said =
                fact.object.status.as_ref().and_then(|s| s.conditions.reason(&ConditionType::Allocated));
            if said == Some(&Reason::HoldExpired) {
                out.fail("I11", format!("the hold of {} has run out, and it is paid", fact.name));
            }
            if fact.at.given_up() {
                out.saw("money: a charge lands after it was given up");
            }
        }
        let captures = out.provider.intents.iter().filter(|i| i.tags.uid == *who && i.captured > 0).count();
        if captures > 1 {
            out.fail("I3", format!("{who} was charged {captures} times"));
        }
        self.balance(index, out);
    }

    /// I1 and I3: what was taken and given back for one UID.
    pub(super) fn balance(&self, index: usize, out: &mut Outside) {
        let who = out.provider.intents[index].tags.uid.clone();
        let net: i64 = out.provider.of(&who).map(|i| i.captured - i.returning()).sum();
        let price = self.facts.get(&who).map_or(0, Fact::price);
        if net < 0 || net > price {
            out.fail("I1", format!("{who}: {net} is with the hotel, the price is {price}"));
        }
        if out.provider.of(&who).any(|i| i.returning() > i.captured) {
            out.fail("I3", format!("{who}: more went back than was taken"));
        }
        // By our own doing no more goes back than the policy says.
        let own = |i: &Ledger| -> i64 {
            i.refunds.iter().filter(|r| r.view.counts() && r.by_hand.is_none()).map(|r| r.view.amount).sum()
        };
        if let Some(fact) = self.facts.get(&who)
            && out.provider.of(&who).map(own).sum::<i64>() > fact.price() - fact.kept
        {
            out.fail("I11", format!("{}: more went back than the policy says", fact.name));
        }
    }
}

/// The number of a refund's attempt rises by one, when a person has asked, and the last one is stored as failed and has
/// failed (I4).
pub fn retrying(fact: &mut Fact, status: &ReservationStatus, out: &mut Outside) {
    let stored = status.payment.as_ref().and_then(|p| p.refund_attempt);
    if let (Some(before), Some(now)) = (fact.refund_attempt, stored)
        && before != now
    {
        out.saw("money: a person allows a failed refund another attempt");
        let asked = fact.object.metadata.annotations.as_ref().and_then(|a| a.get(RETRY_REFUND));
        let counts = |r: &Returned| r.view.attempt == Some(before) && r.view.counts();
        let under_way = out.provider.of(uid(&fact.object)).any(|i| i.refunds.iter().any(counts));
        if now != before + 1
            || !fact.refund_failed
            || under_way
            || *asked.unwrap_or(&String::new()) != now.to_string()
        {
            out.fail("I4", format!("{}: attempt {now} at a refund follows {before}", fact.name));
        }
    }
    fact.refund_attempt = stored;
    fact.refund_failed = status.conditions.reason(&ConditionType::Refunded) == Some(&Reason::RefundFailed);
}

/// What a status says of the money at the end is what the ledger says, unless somebody moved it by hand meanwhile.
pub fn told(fact: &Fact, status: &ReservationStatus, out: &mut Outside) {
    let who = uid(&fact.object);
    if out.provider.of(who).any(|i| i.refunds.iter().any(|r| r.by_hand.is_some())) {
        return;
    }
    let captured: i64 = out.provider.of(who).map(|i| i.captured).sum();
    let returned: i64 = out.provider.of(who).map(Ledger::returned).sum();
    let kept = if fact.at == At::Confirmed { 0 } else { captured - returned };
    let said = status.payment.clone().unwrap_or_default();
    if (said.captured, said.refunded, said.kept) != (captured, returned, kept) {
        out.fail(
            "I11",
            format!("{}: the status says {said:?}, the ledger {captured} and {returned}", fact.name),
        );
    }
    let paid = status.conditions.get(&ConditionType::Paid).is_some_and(|c| c.reason == Reason::Captured);
    if paid != (captured > 0) {
        out.fail("I11", format!("{}: Paid says captured {paid}, the ledger {captured}", fact.name));
    }
}

/// Same key, same meaning: a fence is the same as its charge but for `confirm` and the means of payment.
fn same(one: &Request, other: &Request) -> bool {
    match (one, other) {
        (Request::Create { charge: a, .. }, Request::Create { charge: b, .. }) => {
            (&a.tags, a.attempt, a.amount, &a.currency) == (&b.tags, b.attempt, b.amount, &b.currency)
        }
        (one, other) => one == other,
    }
}
