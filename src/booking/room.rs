//! A Room read as a business: what of it can be sold, how many units a night has, and what is shown of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use innkeeper_api::{
    ConditionStatus, ConditionType, Night, NightStatus, Reason, RoomSpec, RoomStatus, Sale, Tonight,
    uid_of_holder,
};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::currency::Currency;

/// Most nights listed in a Room's status.
const NIGHTS_SHOWN: usize = 31;

/// What is wrong with a Room that the API server cannot see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomFault {
    /// The zone is not in the time zone database.
    #[error("timeZone {0:?} is not known: write an IANA name such as Asia/Seoul or Europe/Lisbon")]
    UnknownTimeZone(String),
    /// The currency cannot be charged.
    #[error(
        "rate.currency {0:?} is not a currency that can be charged: write an ISO 4217 code such as EUR or KRW"
    )]
    UnknownCurrency(String),
}

impl RoomFault {
    /// The reason that a condition gives.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::UnknownTimeZone(_) => Reason::UnknownTimeZone,
            Self::UnknownCurrency(_) => Reason::UnknownCurrency,
        }
    }
}

/// A Room that has been checked: its zone and currency exist.
#[derive(Debug, Clone)]
pub struct SellableRoom<'a> {
    /// As written.
    pub spec: &'a RoomSpec,
    /// Its zone.
    pub zone: TimeZone,
    /// Its currency.
    pub currency: Currency,
    /// When a stay begins on its first day.
    pub check_in_time: Time,
}

impl<'a> SellableRoom<'a> {
    /// Checks what the API server cannot.
    pub fn check(spec: &'a RoomSpec) -> Result<Self, RoomFault> {
        let zone = zone(&spec.time_zone).ok_or_else(|| RoomFault::UnknownTimeZone(spec.time_zone.clone()))?;
        let currency = Currency::of(&spec.rate.currency)
            .ok_or_else(|| RoomFault::UnknownCurrency(spec.rate.currency.clone()))?;
        // The schema's pattern allows nothing that does not parse; three in the afternoon is its default.
        let check_in_time = spec.check_in_time.parse().unwrap_or(Time::constant(15, 0, 0, 0));
        Ok(Self { spec, zone, currency, check_in_time })
    }

    /// The day it is at the Room.
    #[must_use]
    pub fn today(&self, now: Timestamp) -> Date {
        now.to_zoned(self.zone.clone()).date()
    }

    /// The instant of a local time; where clocks are put forward over it, the instant just as late as before.
    #[must_use]
    pub fn instant(&self, date: Date, time: Time) -> Option<Timestamp> {
        date.to_datetime(time).to_zoned(self.zone.clone()).ok().map(|z| z.timestamp())
    }
}

/// Looks a zone up in the database that is built in, so that the answer does not depend on the machine.
fn zone(name: &str) -> Option<TimeZone> {
    static BUNDLED: OnceLock<TimeZoneDatabase> = OnceLock::new();
    BUNDLED.get_or_init(TimeZoneDatabase::bundled).get(name).ok()
}

/// Units that may be sold for a night: those there are, with overbooking, less those out of order.
#[must_use]
pub fn capacity(spec: &RoomSpec, night: Date) -> u32 {
    let out: u32 =
        spec.out_of_order.iter().filter(|o| o.from <= night && night < o.to).map(|o| o.units).sum();
    (spec.units + spec.overbooking).saturating_sub(out).min(innkeeper_api::MAX_UNITS)
}

/// What is shown of a Room whose calendars hold `nights`. `previous` gives the transition times.
#[must_use]
pub fn room_status(
    spec: &RoomSpec,
    generation: i64,
    nights: &BTreeMap<Date, Night>,
    previous: &RoomStatus,
    now: Timestamp,
) -> RoomStatus {
    let mut status = RoomStatus { conditions: previous.conditions.clone(), ..RoomStatus::default() };
    let (ready, available) = (ConditionType::Ready, ConditionType::Available);
    match SellableRoom::check(spec) {
        Err(fault) => {
            let (reason, message) = (fault.reason(), format!("{fault}."));
            status.conditions.set(ready, ConditionStatus::False, reason.clone(), &message, now);
            status.conditions.set(available, ConditionStatus::False, reason.clone(), &message, now);
            status.conditions.set(ConditionType::Stalled, ConditionStatus::True, reason, &message, now);
        }
        Ok(room) => {
            status.conditions.remove(&ConditionType::Stalled);
            let message = "The Room can be sold as it is written.";
            status.conditions.set(ready, ConditionStatus::True, Reason::Sellable, message, now);
            fill(&mut status, &room, nights, now);
            set_available(&mut status, &room, generation, nights, now);
        }
    }
    status.observed_generation = generation;
    status.conditions.observe(generation);
    status
}

fn fill(status: &mut RoomStatus, room: &SellableRoom<'_>, nights: &BTreeMap<Date, Night>, now: Timestamp) {
    let today = room.today(now);
    let declared = capacity(room.spec, today);
    status.tonight = Some(nights.get(&today).map_or(Tonight { date: today, sold: 0, free: declared }, |n| {
        Tonight { date: today, sold: n.sold(), free: n.free() }
    }));
    let ahead = || nights.range(today..).map(|(_, n)| n);
    // A night without a calendar has nothing sold: what the Room itself says is free there, less what is out of order.
    let usual = room.spec.units + room.spec.overbooking;
    let out_of_order = room.spec.out_of_order.iter();
    let declared = out_of_order.map(|o| capacity(room.spec, o.from.max(today))).chain([usual]);
    let fewest = ahead().map(Night::free).chain(declared).min();
    status.fewest_free = fewest;
    status.sold_out_nights = count(ahead().filter(|n| n.free() == 0).count());
    let stays: BTreeSet<&str> = ahead().flat_map(|n| n.holders.iter().map(|h| uid_of_holder(h))).collect();
    status.stays_ahead = count(stays.len());
    status.nights = ahead()
        .filter(|n| n.sold() > 0)
        .take(NIGHTS_SHOWN)
        .map(|n| NightStatus { date: n.date, sold: n.sold(), free: n.free() })
        .collect();
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn set_available(
    status: &mut RoomStatus,
    room: &SellableRoom<'_>,
    generation: i64,
    nights: &BTreeMap<Date, Night>,
    now: Timestamp,
) {
    let (spec, today) = (room.spec, room.today(now));
    let over = nights.range(today..).filter(|(_, n)| n.sold() > n.capacity);
    let over = listed(over.map(|(date, n)| format!("{date} ({} sold, {} to sell)", n.sold(), n.capacity)));
    // A calendar of an older generation is about to be brought up to this one.
    let says = |n: &Night| capacity(spec, n.date);
    let other =
        nights.range(today..).filter(|(_, n)| n.room_generation >= generation && n.capacity != says(n));
    let other = listed(other.map(|(date, n)| format!("{date} ({} instead of {})", n.capacity, says(n))));
    let (state, reason, message) = if spec.sale == Sale::Stopped {
        (
            ConditionStatus::False,
            Reason::SaleStopped,
            "sale is Stopped: no new stays are taken; set sale to Open to sell again.".to_owned(),
        )
    } else if let Some((count, shown)) = over {
        let message = format!(
            "More is sold than there is on {count} nights: {shown}. Nothing more is sold for them; raise units, or move guests."
        );
        (ConditionStatus::False, Reason::Oversold, message)
    } else if let Some((count, shown)) = other {
        let message = format!(
            "New stays are taken. The calendar has another capacity than this Room says on {count} nights: {shown}. It was edited by hand, or another version computes it otherwise; a change of anything in the Room's spec has it computed anew."
        );
        (ConditionStatus::True, Reason::CalendarOutOfDate, message)
    } else {
        (ConditionStatus::True, Reason::Open, "New stays are taken.".to_owned())
    };
    status.conditions.set(ConditionType::Available, state, reason, &message, now);
}

/// How many, and the first of them; `None` without any.
fn listed(all: impl Iterator<Item = String>) -> Option<(usize, String)> {
    let all: Vec<String> = all.collect();
    (!all.is_empty()).then(|| (all.len(), all[..all.len().min(5)].join(", ")))
}

#[cfg(test)]
mod tests;
