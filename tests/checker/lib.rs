//! Counts for itself whether the promises hold: from the provider's books, the calendars and the specs. Of a status it
//! believes nothing but the outcome that it claims, and holds it to that.
//!
//! What `innkeeper verify` counts with is held to the same books: where one of the two finds them right, both must.
//!
//! It knows no cluster and no provider: whoever asks brings the [`Evidence`], read at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use innkeeper_api::{
    ALREADY_CHARGED, Collect, Reason, Reservation, Room, RoomCalendar, nights, uid_of_holder,
};
use innkeeper_audit::{About, Payment, Progress, imbalances};
use innkeeper_payments::sandbox::{Account, Call, IntentStatus, RefundStatus};
use jiff::Timestamp;
use jiff::civil::Date;
use kube::ResourceExt;

/// What the stays of one hotel should have cost, where a rule of its own would only repeat the operator's.
#[derive(Debug, Clone)]
pub struct Expected {
    nightly: i64,
    prices: BTreeMap<String, i64>,
    keeps: BTreeMap<String, i64>,
    left_alone: BTreeSet<String>,
}

/// Everything of one hotel that is judged, read at one moment: first what is claimed, then what is so, since a claim is
/// never younger than its proof.
#[derive(Debug)]
pub struct Evidence {
    /// Every Reservation.
    pub reservations: Vec<Reservation>,
    /// Every calendar.
    pub calendars: Vec<RoomCalendar>,
    /// Every Room.
    pub rooms: Vec<Room>,
    /// The provider's books, as far as they are about this hotel.
    pub accounts: Vec<Account>,
    /// The provider's log of calls.
    pub calls: Vec<Call>,
}

impl Expected {
    /// A hotel that takes so much for a unit and a night, in minor units.
    #[must_use]
    pub fn nightly(minor_units: i64) -> Self {
        let (prices, keeps) = (BTreeMap::new(), BTreeMap::new());
        Self { nightly: minor_units, prices, keeps, left_alone: BTreeSet::new() }
    }

    /// What one stay costs, where that is something else.
    #[must_use]
    pub fn price(mut self, name: &str, minor_units: i64) -> Self {
        self.prices.insert(name.to_owned(), minor_units);
        self
    }

    /// What the hotel keeps of a cancelled stay; nothing where this is not said.
    #[must_use]
    pub fn keeps(mut self, name: &str, minor_units: i64) -> Self {
        self.keeps.insert(name.to_owned(), minor_units);
        self
    }

    /// One that is not to be settled, because nobody can.
    #[must_use]
    pub fn leaves(mut self, name: &str) -> Self {
        self.left_alone.insert(name.to_owned());
        self
    }

    /// The nightly price, set anew.
    #[must_use]
    pub fn at(mut self, minor_units: i64) -> Self {
        self.nightly = minor_units;
        self
    }

    fn price_of(&self, reservation: &Reservation) -> i64 {
        let spec = &reservation.spec;
        if spec.payment.collect != Collect::Online {
            return 0;
        }
        let usual = || {
            let nights = nights(spec.check_in, spec.check_out).count();
            let nights = i64::try_from(nights).unwrap_or(i64::MAX);
            nights * i64::from(spec.units) * self.nightly
        };
        self.prices.get(&reservation.name_any()).copied().unwrap_or_else(usual)
    }

    /// What is wrong and may never be, however much is under way: I1, I3, I4.
    #[must_use]
    pub fn always(&self, evidence: &Evidence) -> Vec<String> {
        let mut broken = Vec::new();
        let by_uid = evidence.by_uid();
        for (uid, accounts) in &by_uid {
            let captures = accounts.iter().filter(|a| a.intent.amount_received > 0).count();
            if captures > 1 {
                broken.push(format!("I3: {uid} was charged {captures} times"));
            }
            let net: i64 = accounts.iter().map(|a| kept(a)).sum();
            let known = evidence.reservations.iter().find(|r| r.metadata.uid.as_deref() == Some(uid));
            let price = known.map_or(i64::MAX, |r| self.price_of(r));
            if !(0..=price).contains(&net) {
                broken.push(format!("I1: {uid} has paid {net} net, and the price is {price}"));
            }
        }
        for ((name, check_in), uids) in evidence.kept_for_one_stay() {
            if uids.len() > 1 && !evidence.told_to_charge_anew(name) {
                broken.push(format!("I3: {name} paid for {check_in} under {uids:?}, and all of it is kept"));
            }
        }
        let mut meant: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for call in &evidence.calls {
            if let Some(key) = &call.key {
                meant.entry(key).or_default().insert(meaning(call));
            }
        }
        for (key, meanings) in meant.iter().filter(|(_, m)| m.len() > 1) {
            broken.push(format!("I4: the key {key} was used for {meanings:?}"));
        }
        broken
    }

    /// What is still wrong, or not yet at rest: I2, I8, I11 and I12.
    #[must_use]
    pub fn at_rest(&self, evidence: &Evidence) -> Vec<String> {
        let mut broken = Vec::new();
        let by_uid = evidence.by_uid();
        let mut expected: BTreeMap<(String, Date), Vec<String>> = BTreeMap::new();
        for reservation in &evidence.reservations {
            let name = reservation.name_any();
            if self.left_alone.contains(&name) {
                continue;
            }
            let uid = reservation.uid().unwrap_or_default();
            let accounts = by_uid.get(&uid).cloned().unwrap_or_default();
            let net: i64 = accounts.iter().map(|a| kept(a)).sum();
            let price = self.price_of(reservation);
            let due = match claimed(reservation) {
                Some(Reason::Confirmed) => {
                    for night in nights(reservation.spec.check_in, reservation.spec.check_out) {
                        let place = expected.entry((reservation.spec.room_name.clone(), night)).or_default();
                        place.extend(innkeeper_api::holder_entries(&uid, reservation.spec.units));
                    }
                    price
                }
                Some(Reason::Rejected | Reason::Withdrawn) => 0,
                Some(Reason::Cancelled) => self.keeps.get(&name).copied().unwrap_or(0),
                other => {
                    broken.push(format!("I11: {name} is not settled: {other:?}"));
                    continue;
                }
            };
            if net != due {
                broken.push(format!("I11: {name} claims {:?}; kept {net}, due {due}", claimed(reservation)));
            }
            for account in accounts {
                if !is_over(account) {
                    broken.push(format!("I11: {name} is settled, and {} is under way", account.intent.id));
                }
            }
            if let Some(told) = told_otherwise(reservation, net) {
                broken.push(told);
            }
        }
        self.money_without_a_stay(evidence, &by_uid, &mut broken);
        evidence.nights(&expected, &mut broken);
        if broken.is_empty() {
            broken = self.audited(evidence);
        }
        broken
    }

    /// What the audit has against books that are right. Who waits for a person, and what a hotel has sold too often by its
    /// own doing, is no fault here.
    fn audited(&self, evidence: &Evidence) -> Vec<String> {
        let found = imbalances(&evidence.books_of_account(), Timestamp::now());
        let a_fault = |about| !matches!(about, About::Waiting | About::Oversold);
        let ours = found.iter().filter(|i| a_fault(i.about) && !self.left_alone.contains(&i.name));
        ours.map(|imbalance| format!("audit: {imbalance}")).collect()
    }

    fn money_without_a_stay(
        &self,
        evidence: &Evidence,
        by_uid: &BTreeMap<String, Vec<&Account>>,
        broken: &mut Vec<String>,
    ) {
        for (uid, accounts) in by_uid {
            if evidence.reservations.iter().any(|r| r.metadata.uid.as_ref() == Some(uid)) {
                continue;
            }
            for account in accounts {
                let (id, name) = (&account.intent.id, tag(account, "innkeeper_name"));
                let marked = account.intent.metadata.get("innkeeper_settled").and_then(|m| m.parse().ok());
                let due = self.keeps.get(name).copied().unwrap_or(0);
                if kept(account) != due || (due > 0 && marked != Some(due)) {
                    let kept = kept(account);
                    broken
                        .push(format!("I12: {id} of {name}, which is gone, keeps {kept} (mark {marked:?})"));
                }
                if !is_over(account) {
                    broken.push(format!("I12: {id} of {name}, which is gone, is under way"));
                }
            }
        }
    }
}

impl Evidence {
    /// The same, as the audit reads it.
    fn books_of_account(&self) -> innkeeper_audit::Books {
        innkeeper_audit::Books {
            reservations: self.reservations.clone(),
            rooms: self.rooms.clone(),
            calendars: self.calendars.clone(),
            payments: self.accounts.iter().map(payment).collect(),
        }
    }

    /// Under which UIDs money is kept for the same name and check-in, without a mark that it is the hotel's.
    fn kept_for_one_stay(&self) -> BTreeMap<(&str, &str), BTreeSet<&str>> {
        let mut stays: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        let unmarked = |a: &&Account| !a.intent.metadata.contains_key("innkeeper_settled");
        for account in self.accounts.iter().filter(|a| kept(a) > 0).filter(unmarked) {
            let stay = (tag(account, "innkeeper_name"), tag(account, "innkeeper_check_in"));
            stays.entry(stay).or_default().insert(tag(account, "innkeeper_uid"));
        }
        stays
    }

    /// Whether a person has said that the earlier money is another stay's.
    fn told_to_charge_anew(&self, name: &str) -> bool {
        let said = |r: &Reservation| r.annotations().get(ALREADY_CHARGED).is_some_and(|v| v == "charge-anew");
        self.reservations.iter().any(|r| r.name_any() == name && said(r))
    }

    fn by_uid(&self) -> BTreeMap<String, Vec<&Account>> {
        let mut by_uid: BTreeMap<String, Vec<&Account>> = BTreeMap::new();
        for account in &self.accounts {
            by_uid.entry(tag(account, "innkeeper_uid").to_owned()).or_default().push(account);
        }
        by_uid
    }

    /// Holders are exactly those who should be there; capacities are the Rooms'.
    fn nights(&self, expected: &BTreeMap<(String, Date), Vec<String>>, broken: &mut Vec<String>) {
        let mut there: BTreeMap<(String, Date), Vec<String>> = BTreeMap::new();
        for calendar in &self.calendars {
            let room = &calendar.spec.room_name;
            for night in &calendar.spec.nights {
                let declared = self.rooms.iter().find(|r| r.name_any() == *room);
                let capacity = declared.map_or(night.capacity, |r| r.spec.units + r.spec.overbooking);
                if night.capacity != capacity {
                    let (date, shown) = (night.date, night.capacity);
                    broken.push(format!("I2: {room} on {date} has room for {shown}, not for {capacity}"));
                }
                if !night.holders.is_empty() {
                    there.insert((room.clone(), night.date), night.holders.clone());
                }
            }
        }
        let places: BTreeSet<_> = there.keys().chain(expected.keys()).collect();
        for place in places {
            let is: BTreeSet<_> = there.get(place).into_iter().flatten().collect();
            let should: BTreeSet<_> = expected.get(place).into_iter().flatten().collect();
            for holder in is.difference(&should) {
                let uid = uid_of_holder(holder);
                broken.push(format!("I8: {place:?} is held by {uid}, who has no stay there"));
            }
            for holder in should.difference(&is) {
                broken.push(format!("I8: {holder} is confirmed, and not in the calendar at {place:?}"));
            }
        }
    }

    /// The provider's books and its last calls, for a message.
    #[must_use]
    pub fn books(&self) -> String {
        let mut text = String::from("the provider's books:\n");
        for account in &self.accounts {
            let (intent, refunds) = (&account.intent, &account.refunds);
            let refunds: Vec<_> = refunds.iter().map(|r| (r.amount, r.status)).collect();
            let name = intent.metadata.get("innkeeper_name");
            let _ =
                writeln!(text, "  {} {name:?} {:?} {} {refunds:?}", intent.id, intent.status, intent.amount);
        }
        for call in self.calls.iter().rev().take(40).rev() {
            let (method, path, key) = (&call.method, &call.path, &call.key);
            let (status, fault, replayed) = (call.status, &call.fault, call.replayed);
            let _ = writeln!(text, "  {method} {path} {key:?} {status:?} {fault:?} replayed={replayed}");
        }
        text
    }
}

pub use innkeeper_audit::claimed;

/// An account as the audit reads it.
fn payment(account: &Account) -> Payment {
    let intent = &account.intent;
    let progress = match intent.status {
        IntentStatus::Succeeded => Progress::Captured,
        _ if is_over(account) => Progress::Over,
        _ => Progress::UnderWay,
    };
    Payment {
        id: intent.id.clone(),
        namespace: tag(account, "innkeeper_namespace").to_owned(),
        name: tag(account, "innkeeper_name").to_owned(),
        uid: tag(account, "innkeeper_uid").to_owned(),
        check_in: tag(account, "innkeeper_check_in").parse().ok(),
        currency: intent.currency.to_ascii_uppercase(),
        progress,
        captured: intent.amount_received,
        returning: intent.amount_received - kept(account),
        refund_pending: account.refunds.iter().any(|r| r.status == RefundStatus::Pending),
        settled: intent.metadata.contains_key("innkeeper_settled"),
    }
}

/// The status shows what was taken and given back; what it shows must be so.
fn told_otherwise(reservation: &Reservation, net: i64) -> Option<String> {
    let shown = reservation.status.as_ref()?.payment.as_ref()?;
    let told = shown.captured - shown.refunded;
    (told != net).then(|| format!("{} shows {told} net, and it is {net}", reservation.name_any()))
}

/// What the operator wrote on a charge; empty where it did not.
fn tag<'a>(account: &'a Account, name: &str) -> &'a str {
    account.intent.metadata.get(name).map_or("", String::as_str)
}

/// Nothing of it can move any more by itself.
fn is_over(account: &Account) -> bool {
    let status = account.intent.status;
    let declined =
        status == IntentStatus::RequiresPaymentMethod && account.intent.last_payment_error.is_some();
    (matches!(status, IntentStatus::Succeeded | IntentStatus::Canceled) || declined)
        && account.refunds.iter().all(|r| r.status != RefundStatus::Pending)
}

/// What a call with a key asks for; a charge and its fence mean the same.
fn meaning(call: &Call) -> String {
    let of = |name: &str| call.parameters.get(name).cloned().unwrap_or_default();
    let parts =
        ["amount", "currency", "payment_intent", "metadata[innkeeper_uid]", "metadata[innkeeper_attempt]"];
    format!("{} {}", call.path, parts.map(of).join(" "))
}

/// What one account has taken and not given back, counted from the books.
#[must_use]
pub fn kept(account: &Account) -> i64 {
    let back = account
        .refunds
        .iter()
        .filter(|r| matches!(r.status, RefundStatus::Succeeded | RefundStatus::Pending));
    account.intent.amount_received - back.map(|r| r.amount).sum::<i64>()
}
