//! Counts for itself whether money and nights are where they belong: from specs, calendars and the provider's list.
//!
//! It believes no status but the outcome that one claims and the price that was agreed, and holds the claim to what is
//! really there. Nothing of the operator's planner is used here: a mistake there must not hide itself. It reads nothing;
//! whoever asks brings the [`Books`], and reads the claims before the proof, since a claim is never younger than that.

mod money;
mod nights;

use std::collections::BTreeMap;
use std::fmt;

use innkeeper_api::{ConditionStatus, ConditionType, Reason, Reservation, Room, RoomCalendar};
use jiff::Timestamp;
use jiff::civil::Date;
use kube::ResourceExt;
use serde::Serialize;

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The money was taken.
    Captured,
    /// It may still be taken.
    UnderWay,
    /// It was refused, or cancelled: nothing was taken, and nothing will be.
    Over,
}

/// One payment as the provider has it, with whose it is. Minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The provider's id.
    pub id: String,
    /// Namespace of the Reservation that it was made for.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Day of arrival.
    pub check_in: Option<Date>,
    /// ISO 4217, upper case.
    pub currency: String,
    /// How far it has come.
    pub progress: Progress,
    /// What was taken.
    pub captured: i64,
    /// What has gone back, and what is on its way back.
    pub returning: i64,
    /// Some of that is still on its way, and may yet fail.
    pub refund_pending: bool,
    /// It carries the mark that what is left of it stays with the hotel.
    pub settled: bool,
}

impl Payment {
    /// What is with the hotel.
    #[must_use]
    pub const fn kept(&self) -> i64 {
        self.captured - self.returning
    }

    fn moves(&self) -> bool {
        self.progress == Progress::UnderWay || self.refund_pending
    }
}

/// Everything that is counted, read at one moment.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Every Reservation.
    pub reservations: Vec<Reservation>,
    /// Every Room.
    pub rooms: Vec<Room>,
    /// Every calendar.
    pub calendars: Vec<RoomCalendar>,
    /// Every payment of the installation.
    pub payments: Vec<Payment>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Imbalance {
    /// Which promise it is about.
    pub about: About,
    /// The hotel.
    pub namespace: String,
    /// The Reservation, the Room's calendar, or the payment.
    pub name: String,
    /// What is so, and what should be.
    pub what: String,
    /// What a person can do.
    pub to_do: String,
}

/// Which promise an imbalance is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum About {
    /// More was taken, or more than once, or more given back than was taken.
    Charged,
    /// What is kept is not what the outcome says.
    Kept,
    /// Money of no Reservation.
    Orphan,
    /// A night that is held by nobody's stay, or a stay without its night.
    Nights,
    /// A night is sold more often than there are units.
    Oversold,
    /// A calendar offers another number of units than its Room.
    Capacity,
    /// Somebody is waited for.
    Waiting,
}

impl fmt::Display for Imbalance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { about, namespace, name, what, to_do } = self;
        write!(f, "{namespace}/{name} ({about:?}): {what} {to_do}")
    }
}

/// What a Reservation says that it has come to; nothing while it moves.
#[must_use]
pub fn claimed(reservation: &Reservation) -> Option<Reason> {
    let settled = reservation.status.as_ref()?.conditions.get(&ConditionType::Settled)?;
    (settled.status == ConditionStatus::True).then(|| settled.reason.clone())
}

/// Everything that is not as it should be, by hotel and name. `now` says which nights are still to come.
#[must_use]
pub fn imbalances(books: &Books, now: Timestamp) -> Vec<Imbalance> {
    let mut found = Vec::new();
    let by_uid = by_uid(&books.payments);
    for reservation in &books.reservations {
        let uid = reservation.uid().unwrap_or_default();
        let payments = by_uid.get(uid.as_str()).map_or(&[][..], Vec::as_slice);
        money::of_a_reservation(reservation, payments, &mut found);
        found.extend(waits_for_a_person(reservation));
    }
    money::without_a_reservation(books, &by_uid, &mut found);
    nights::count(books, now, &mut found);
    found.sort_by(|a, b| (&a.namespace, &a.name, a.about).cmp(&(&b.namespace, &b.name, b.about)));
    found
}

/// Payments by the UID of the Reservation that they were made for.
#[must_use]
pub fn by_uid(payments: &[Payment]) -> BTreeMap<&str, Vec<&Payment>> {
    let mut by_uid: BTreeMap<&str, Vec<&Payment>> = BTreeMap::new();
    for payment in payments {
        by_uid.entry(&payment.uid).or_default().push(payment);
    }
    by_uid
}

fn waits_for_a_person(reservation: &Reservation) -> Option<Imbalance> {
    let status = reservation.status.as_ref()?;
    let stalled = status.conditions.get(&ConditionType::Stalled)?;
    let waits = [
        Reason::RefundFailed,
        Reason::AlreadyCharged,
        Reason::MoneyHalted,
        Reason::NightsLost,
        Reason::TermsLost,
    ];
    waits.contains(&stalled.reason).then(|| Imbalance {
        about: About::Waiting,
        namespace: reservation.namespace().unwrap_or_default(),
        name: reservation.name_any(),
        what: format!("It waits for a person ({}).", stalled.reason),
        to_do: stalled.message.clone(),
    })
}

#[cfg(test)]
mod tests;
