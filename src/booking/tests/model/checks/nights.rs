//! I2, I5 and I6 for nights: nobody has one too many, nobody loses one undecided, and who is confirmed has all.

use std::collections::BTreeSet;
use std::rc::Rc;

use innkeeper_api::{
    ConditionType, Night, Reason, ReservationStatus, RoomCalendarFields, nights, uid_of_holder,
};
use innkeeper_booking::provider::IntentState;

use super::counted::capacity_at;
use super::{At, Fact, Truth};
use crate::outside::Outside;
use crate::provider::Ledger;
use crate::server::Server;

impl Truth {
    /// A calendar was written: I2, and I5 for those who were taken out.
    pub(super) fn calendar(&self, name: &str, index: usize, out: &mut Outside) {
        let versions = &out.server.calendars[name].0;
        let old = index.checked_sub(1).and_then(|i| versions[i].value.clone());
        let Some(new) = versions[index].value.clone() else { return };
        for night in &new.nights {
            let before = old.as_ref().and_then(|c| c.nights.iter().find(|n| n.date == night.date));
            self.night(name, &new, night, before, out);
        }
        let empty = BTreeSet::new();
        let (was, is) = (old.as_ref().map_or(empty, |c| held(c)), held(&new));
        for gone in was.difference(&is) {
            let Some(fact) = self.facts.get(gone) else { continue };
            if !(fact.decided || fact.filed || fact.gone) {
                out.fail("I5", format!("the nights of {} were released before that was decided", fact.name));
            }
        }
    }

    fn night(
        &self,
        name: &str,
        calendar: &RoomCalendarFields,
        night: &Night,
        before: Option<&Night>,
        out: &mut Outside,
    ) {
        let none = Vec::new();
        let earlier = before.map_or(&none, |n| &n.holders);
        if *earlier == night.holders && before.is_some_and(|n| n.capacity == night.capacity) {
            return;
        }
        for holder in night.holders.iter().filter(|h| !earlier.contains(h)) {
            let who = uid_of_holder(holder);
            let wants = self.facts.get(who).is_some_and(|fact| {
                let spec = &fact.object.spec;
                let units = u32::try_from(night.holders.iter().filter(|h| uid_of_holder(h) == who).count());
                spec.room_name == calendar.room_name
                    && (spec.check_in..spec.check_out).contains(&night.date)
                    && units == Ok(spec.units)
            });
            if !wants {
                out.fail(
                    "I2",
                    format!("{name}: {holder} has the night of {} and does not want it so", night.date),
                );
            }
        }
        // Counted from the stays, not from the entries: one unit for each that a stay with a foot in it asked for.
        let stays: BTreeSet<&str> = night.holders.iter().map(|h| uid_of_holder(h)).collect();
        let sold: u32 = stays.iter().map(|u| self.facts.get(*u).map_or(1, |f| f.object.spec.units)).sum();
        let grew = night.holders.iter().any(|h| !earlier.contains(h));
        let capacity = capacity_at(&out.server, calendar, night);
        // Generation 0: the calendar is made anew for those who have their nights already.
        let made_anew = before.is_none() && night.room_generation == 0;
        if made_anew {
            let had = |fact: &Fact| fact.confirmed || fact.held_until.is_some();
            let known = |u: &&str| self.facts.get(*u).is_some_and(had);
            if !stays.iter().all(known) {
                out.fail("I2", format!("{name}: made anew for somebody who had no night"));
            }
        } else if capacity != Some(night.capacity) && night.room_generation > 0 {
            let (date, said) = (night.date, night.capacity);
            out.fail("I2", format!("{name}: {said} units on {date}, and the Room says {capacity:?}"));
        } else if grew && sold > night.capacity {
            out.fail("I2", format!("{name}: {sold} sold of {} on {}", night.capacity, night.date));
        }
    }

    /// I6: as long as a confirmation stands, its nights and its money are there.
    pub(super) fn confirmed_stays(&self, out: &mut Outside) {
        let standing = self.facts.iter().filter(|(_, f)| f.at == At::Confirmed && !f.filed && !f.gone);
        let mut broken = None;
        for (who, fact) in standing {
            if let Some(words) = missing_night(who, fact, &out.server) {
                broken = Some(words);
            }
            let own = |i: &Ledger| -> i64 {
                let ours = i.refunds.iter().filter(|r| r.by_hand.is_none());
                i.captured - ours.filter(|r| r.view.counts()).map(|r| r.view.amount).sum::<i64>()
            };
            let net: i64 = out.provider.of(who).map(own).sum();
            if net != fact.price() {
                broken = Some(format!("{} is confirmed with {net} of {} paid", fact.name, fact.price()));
            }
        }
        let waiting =
            self.facts.iter().filter(|(_, f)| f.at == At::Taking && f.held_until.is_some() && !f.gone);
        for (who, fact) in waiting {
            if let Some(words) = missing_night(who, fact, &out.server) {
                broken = Some(format!("while it waits for its money: {words}"));
            }
        }
        if let Some(words) = broken {
            out.fail("I6", words);
        }
    }
}

/// A hold is stored with the number of its charge, when its nights are there (I5); it runs out only where no money came
/// and none can come (I11).
pub(super) fn holding(fact: &mut Fact, status: &ReservationStatus, out: &mut Outside) {
    let object = Rc::clone(&fact.object);
    let who = object.metadata.uid.as_deref().unwrap_or_default();
    let reason = status.conditions.reason(&ConditionType::Allocated);
    if fact.at == At::Taking && reason == Some(&Reason::Held) && fact.held_until.is_none() {
        fact.held_until = status.deadline;
        let attempt = status.payment.as_ref().and_then(|p| p.attempt);
        fact.intent = attempt.map(|attempt| (attempt, fact.agreed));
        if let Some(words) = missing_night(who, fact, &out.server) {
            out.fail("I5", format!("held, says the status: {words}"));
        }
    }
    if reason == Some(&Reason::HoldExpired) {
        let may_land =
            |i: &Ledger| i.state == IntentState::Processing || i.state == IntentState::Open && !i.fence;
        if out.provider.of(who).any(|i| i.captured > 0 || may_land(i)) {
            out.fail("I11", format!("the hold of {} has run out, and it is or may be paid", fact.name));
        }
    }
}

/// The first night that a Reservation should have and has not, in words. A calendar that was lost and is not
/// made anew yet says nothing.
pub fn missing_night(who: &str, fact: &Fact, server: &Server) -> Option<String> {
    let spec = &fact.object.spec;
    for date in nights(spec.check_in, spec.check_out) {
        let name = innkeeper_api::Month::of(date).calendar_name(&spec.room_name);
        let lost = server.calendars.get(&name).is_some_and(|v| v.0.last().is_some_and(|v| v.value.is_none()));
        if lost {
            continue;
        }
        let held = server
            .calendar(&name)
            .and_then(|c| c.value.nights.iter().find(|n| n.date == date).map(|n| n.held_by(who)));
        if held != Some(spec.units) {
            return Some(format!("{} is confirmed, and has {held:?} units on {date}", fact.name));
        }
    }
    None
}

fn held(calendar: &RoomCalendarFields) -> BTreeSet<String> {
    calendar.nights.iter().flat_map(|n| n.holders.iter().map(|h| uid_of_holder(h).to_owned())).collect()
}
