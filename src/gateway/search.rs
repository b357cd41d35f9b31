//! What a guest can have: free units, the price of the stay and of each night, and why something is not offered.
//!
//! Pure: a Room's stock in, an offer out. Whether a stay can be had at all, and for how much, is asked of
//! `innkeeper-booking`, which is what the operator asks too.

use innkeeper_api::{
    Collect, Guests, MAX_NIGHTS, MAX_UNITS, Month, Payment, Quote, Reason, ReservationSpec, RoomSpec, nights,
};
use innkeeper_booking::inventory::capacity_ahead;
use innkeeper_booking::room::SellableRoom;
use innkeeper_booking::terms::{Objection, RoomIdentity, accept};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::Stock;
use crate::model::views::NightView;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// First night.
    pub check_in: Date,
    /// The day of departure.
    pub check_out: Date,
    /// Units of one Room.
    pub units: u32,
    /// Who comes.
    pub guests: Guests,
}

/// What a Room has for a wish.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Units free on every night of it.
    pub free: u32,
    /// The price and the terms, or why it is not to be had.
    pub verdict: Result<Quote, Declined>,
}

/// Why a Room is not offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declined {
    /// In one word.
    pub why: Why,
    /// What stands against it, for whoever says it in words of their own.
    pub because: Because,
    /// In a sentence that says what to change.
    pub message: String,
}

/// Why a Room is not offered, in one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Too few units are free on some night.
    SoldOut,
    /// The Room's terms, as the operator would say it.
    Terms(Reason),
}

/// What stands against a stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// On these nights fewer units are free than are asked for.
    Full(Vec<Date>),
    /// The hotel is taking the Room out of sale.
    Going,
    /// The Room cannot be sold as it is written.
    Unfit,
    /// The Room's terms.
    Terms(Objection),
}

/// A part of a wish that is impossible wherever one goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impossible {
    /// It ends before its first night is over.
    NoNights,
    /// More nights than a stay can have.
    TooLong,
    /// No units, or more than any Room has.
    Units,
    /// No grown-up, or more than any hotel takes.
    Adults,
    /// More children than any hotel takes.
    Children,
}

/// Most grown-ups, and most children.
pub const MOST_GUESTS: u32 = 500;

impl Why {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::SoldOut => "SoldOut",
            Self::Terms(reason) => reason.as_str(),
        }
    }
}

impl Wish {
    /// What of it is impossible wherever one goes.
    #[must_use]
    pub fn impossible(&self) -> Vec<Impossible> {
        let most = usize::try_from(MAX_NIGHTS).unwrap_or(usize::MAX);
        let count = nights(self.check_in, self.check_out).take(most + 1).count();
        let checks = [
            (Impossible::NoNights, self.check_in < self.check_out),
            (Impossible::TooLong, count <= most),
            (Impossible::Units, (1..=MAX_UNITS).contains(&self.units)),
            (Impossible::Adults, (1..=MOST_GUESTS).contains(&self.guests.adults)),
            (Impossible::Children, self.guests.children <= MOST_GUESTS),
        ];
        checks.into_iter().filter(|(_, right)| !right).map(|(what, _)| what).collect()
    }

    /// That of a stay.
    #[must_use]
    pub fn of(stay: &ReservationSpec) -> Self {
        let (check_in, check_out) = (stay.check_in, stay.check_out);
        Self { check_in, check_out, units: stay.units, guests: stay.guests.clone() }
    }

    /// The months that say what is free.
    #[must_use]
    pub fn months(&self) -> Vec<Month> {
        Month::of_stay(self.check_in, self.check_out)
    }

    /// The same as a stay, for somebody who pays at the door: the price is the same for all.
    fn as_stay(&self, room: &str) -> ReservationSpec {
        ReservationSpec {
            room_name: room.to_owned(),
            check_in: self.check_in,
            check_out: self.check_out,
            units: self.units,
            guest_id: String::new(),
            guests: self.guests.clone(),
            payment: Payment { collect: Collect::AtProperty, method: None, reference: None },
            max_total: None,
            state: None,
            ttl_after_finished: None,
        }
    }
}

/// What a Room has for a wish.
#[must_use]
pub fn offer(stock: &Stock, wish: &Wish, now: Timestamp) -> Offer {
    judge(stock, &wish.as_stay(&stock.room.name), now)
}

/// What a Room has for a stay that is to be booked, with its own limits.
#[must_use]
pub fn judge(stock: &Stock, stay: &ReservationSpec, now: Timestamp) -> Offer {
    let free = stock.free(stay.check_in, stay.check_out);
    let verdict = terms(stock, stay, now).and_then(|quote| {
        let full = stock.full(stay.check_in, stay.check_out, stay.units);
        if full.is_empty() { Ok(quote) } else { Err(sold_out(full, stay.units)) }
    });
    Offer { free, verdict }
}

fn terms(stock: &Stock, stay: &ReservationSpec, now: Timestamp) -> Result<Quote, Declined> {
    let room = &stock.room;
    let declined = |reason, because, message: String| Declined { why: Why::Terms(reason), because, message };
    if room.going {
        let message = "The hotel is taking this Room out of sale; choose another.".to_owned();
        return Err(declined(Reason::SaleStopped, Because::Going, message));
    }
    let sellable = SellableRoom::check(&room.spec).map_err(|fault| {
        declined(fault.reason(), Because::Unfit, format!("The hotel has to put this Room right: {fault}."))
    })?;
    let identity = RoomIdentity { uid: &room.uid, generation: room.generation };
    accept(stay, &sellable, identity, now).map_err(|objection| {
        let (reason, message) = (objection.reason(), objection.to_string());
        declined(reason, Because::Terms(objection), message)
    })
}

fn sold_out(full: Vec<Date>, units: u32) -> Declined {
    const SHOWN: usize = 7;
    let shown: Vec<String> = full.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = full.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let units = if units == 1 { "No unit is".to_owned() } else { format!("Fewer than {units} units are") };
    let message = format!(
        "{units} free on {}{rest}; choose other nights, another Room, or fewer units.",
        shown.join(", ")
    );
    Declined { why: Why::SoldOut, because: Because::Full(full), message }
}

/// The price of every night of a stay that ends on this day, for all units together.
pub fn each_night(quote: &Quote, to: Date) -> impl Iterator<Item = (Date, i64)> + use<'_> {
    let mut lines = quote.lines.iter();
    let mut line = lines.next();
    let mut left = line.map_or(0, |l| l.nights);
    let from = quote.lines.first().map_or(to, |l| l.from);
    nights(from, to).map_while(move |date| {
        while left == 0 {
            line = lines.next();
            left = line?.nights;
        }
        left -= 1;
        Some((date, line?.minor_units))
    })
}

/// The Room's zone. A Room whose zone is not known has no quote.
#[must_use]
pub fn zone(spec: &RoomSpec) -> TimeZone {
    SellableRoom::check(spec).map_or(TimeZone::UTC, |room| room.zone)
}

impl Stock {
    /// Units free on every night of a stay.
    #[must_use]
    pub fn free(&self, from: Date, to: Date) -> u32 {
        nights(from, to).map(|night| self.free_on(night)).min().unwrap_or(0)
    }

    /// The nights with fewer free units than these.
    #[must_use]
    pub fn full(&self, from: Date, to: Date, units: u32) -> Vec<Date> {
        nights(from, to).filter(|night| self.free_on(*night) < units).collect()
    }

    /// Units free on a night: what may be sold, less what is sold, less what those under way will take. They were first.
    #[must_use]
    pub fn free_on(&self, date: Date) -> u32 {
        let (room, month) = (&self.room, self.months.get(&Month::of(date)));
        let night = match month {
            // Nobody has asked for this month: what is not known is not free.
            None => return 0,
            Some(None) => None,
            // Of a Room that had this name before: it takes nobody until the operator has taken it away.
            Some(Some(calendar)) if calendar.room_uid != room.uid => return 0,
            Some(Some(calendar)) => calendar.nights.iter().find(|n| n.date == date),
        };
        let stored = night.map(|n| (n.capacity, n.generation));
        let capacity = capacity_ahead(stored, &room.spec, room.generation, date);
        let claimed: u32 = self
            .claims
            .iter()
            .filter(|claim| claim.from <= date && date < claim.to && !night.is_some_and(|n| n.has(claim.uid)))
            .map(|claim| claim.units)
            .sum();
        capacity.saturating_sub(night.map_or(0, |n| n.sold)).saturating_sub(claimed)
    }
}

impl NightView {
    fn has(&self, uid: u128) -> bool {
        self.holders.contains(&uid)
    }
}

#[cfg(test)]
mod tests;
