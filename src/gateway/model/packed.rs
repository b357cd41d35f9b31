//! A Reservation in a few hundred bytes: what is kept of the many that nobody is looking at.
//!
//! The texts that many share (namespace, name, guest) are kept beside it, once; everything else in the order of its
//! fields, numbers as short as they are. It is unpacked, as it was, whenever it is read, which takes about as long as
//! writing one line of the answer.

use innkeeper_api::{
    Collect, Fact, FactKind, Flow, Guests, LineKind, Phase, Quote, QuoteLine, Reason, RefundDeadline,
};
use innkeeper_booking::status::{End, Stage};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::views::{StatusView, StayView};

/// What is kept of one Reservation. Its place and its guest are whoever's who keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed(Box<[u8]>);

/// A Reservation that has arrived with a list, packed at once: a list may be long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub(super) guest: Box<str>,
    pub(super) packed: Packed,
}

impl Listed {
    /// What is kept of this one.
    #[must_use]
    pub fn of(stay: &StayView) -> Self {
        Self { guest: stay.guest_id.as_str().into(), packed: Packed::of(stay) }
    }
}

impl Packed {
    /// Packs a Reservation.
    #[must_use]
    pub fn of(stay: &StayView) -> Self {
        // Nothing in it can fail to be written to memory.
        Self(postcard::to_stdvec(&Content::of(stay)).unwrap_or_default().into_boxed_slice())
    }

    /// The Reservation of this place and this guest; nothing where the bytes are not one.
    #[must_use]
    pub fn unpack(&self, namespace: &str, name: &str, guest: &str) -> Option<StayView> {
        postcard::from_bytes::<Content<'_>>(&self.0).ok()?.whole(namespace, name, guest)
    }
}

/// A day, as year, month and day.
type Day = (i16, i8, i8);
/// An instant, as seconds and nanoseconds.
type Instant = (i64, i32);

#[derive(Serialize, Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    uid: Uid<'a>,
    version: u64,
    created: Instant,
    room: &'a str,
    check_in: Day,
    check_out: Day,
    units: u32,
    guests: (u32, u32),
    collect: u8,
    reference: Option<&'a str>,
    terms: [u8; 16],
    given_up: Option<u8>,
    stage: (u8, Option<u8>),
    phase: &'a str,
    why: Option<(&'a str, &'a str)>,
    #[serde(borrow)]
    quote: Option<Agreed<'a>>,
    money: (i64, i64, i64),
    #[serde(borrow)]
    history: Vec<Happened<'a>>,
}

/// A UID: mostly a UUID, and else as it is.
#[derive(Serialize, Deserialize)]
enum Uid<'a> {
    Uuid([u8; 16]),
    Other(&'a str),
}

#[derive(Serialize, Deserialize)]
struct Agreed<'a> {
    currency: &'a str,
    total: i64,
    collect_online: i64,
    holds_first: bool,
    #[serde(borrow)]
    lines: Vec<(&'a str, Day, i32, i64)>,
    refund_deadlines: Vec<(Instant, u32)>,
    check_in_at: Instant,
    finished_at: Instant,
    #[serde(borrow)]
    room_uid: Uid<'a>,
    room_generation: i64,
}

#[derive(Serialize, Deserialize)]
struct Happened<'a> {
    number: u32,
    fact: &'a str,
    time: Instant,
    reason: Option<&'a str>,
    minor_units: Option<i64>,
}

impl<'a> Content<'a> {
    fn of(stay: &'a StayView) -> Self {
        // Every field by its name: whoever adds one is told here.
        let StayView {
            namespace: _,
            name: _,
            uid,
            version,
            created,
            guest_id: _,
            room,
            check_in,
            check_out,
            units,
            guests,
            collect,
            reference,
            terms,
            given_up,
            status: StatusView { stage, phase, why, quote, money, history },
        } = stay;
        Self {
            uid: Uid::of(uid),
            version: *version,
            created: instant(*created),
            room,
            check_in: day(*check_in),
            check_out: day(*check_out),
            units: *units,
            guests: (guests.adults, guests.children),
            collect: *collect as u8,
            reference: reference.as_deref(),
            terms: *terms,
            given_up: given_up.map(end),
            stage: stage_number(*stage),
            phase: phase.as_str(),
            why: why.as_ref().map(|(reason, message)| (reason.as_str(), &**message)),
            quote: quote.as_deref().map(Agreed::of),
            money: *money,
            history: history.iter().map(Happened::of).collect(),
        }
    }

    fn whole(self, namespace: &str, name: &str, guest: &str) -> Option<StayView> {
        Some(StayView {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: self.uid.text(),
            version: self.version,
            created: timestamp(self.created)?,
            guest_id: guest.to_owned(),
            room: self.room.to_owned(),
            check_in: date(self.check_in)?,
            check_out: date(self.check_out)?,
            units: self.units,
            guests: Guests { adults: self.guests.0, children: self.guests.1 },
            collect: [Collect::Online, Collect::AtProperty, Collect::External]
                .into_iter()
                .find(|collect| *collect as u8 == self.collect)?,
            reference: self.reference.map(ToOwned::to_owned),
            terms: self.terms,
            given_up: self.given_up.and_then(end_of),
            status: StatusView {
                stage: stage_of(self.stage)?,
                phase: Phase::from(self.phase.to_owned()),
                why: self.why.map(|(reason, message)| (Reason::from(reason.to_owned()), message.into())),
                quote: match self.quote {
                    Some(quote) => Some(Box::new(quote.whole()?)),
                    None => None,
                },
                money: self.money,
                history: self.history.into_iter().map(Happened::whole).collect::<Option<_>>()?,
            },
        })
    }
}

impl<'a> Uid<'a> {
    fn of(text: &'a str) -> Self {
        // Only what is written as it would be written again.
        let uuid = Uuid::try_parse(text).ok().filter(|uuid| uuid.to_string() == text);
        uuid.map_or(Self::Other(text), |uuid| Self::Uuid(uuid.into_bytes()))
    }

    fn text(&self) -> String {
        match self {
            Self::Uuid(bytes) => Uuid::from_bytes(*bytes).to_string(),
            Self::Other(text) => (*text).to_owned(),
        }
    }
}

impl<'a> Agreed<'a> {
    fn of(quote: &'a Quote) -> Self {
        let line = |line: &'a QuoteLine| (line.kind.as_str(), day(line.from), line.nights, line.minor_units);
        Self {
            currency: &quote.currency,
            total: quote.total,
            collect_online: quote.collect_online,
            holds_first: quote.flow == Flow::HoldFirst,
            lines: quote.lines.iter().map(line).collect(),
            refund_deadlines: quote.refund_deadlines.iter().map(|d| (instant(d.until), d.percent)).collect(),
            check_in_at: instant(quote.check_in_at),
            finished_at: instant(quote.finished_at),
            room_uid: Uid::of(&quote.room_uid),
            room_generation: quote.room_generation,
        }
    }

    fn whole(self) -> Option<Quote> {
        let line = |(kind, from, nights, minor_units): (&str, Day, i32, i64)| {
            Some(QuoteLine { kind: LineKind::from(kind.to_owned()), from: date(from)?, nights, minor_units })
        };
        let deadline = |(until, percent)| Some(RefundDeadline { until: timestamp(until)?, percent });
        Some(Quote {
            currency: self.currency.to_owned(),
            total: self.total,
            collect_online: self.collect_online,
            flow: if self.holds_first { Flow::HoldFirst } else { Flow::PayFirst },
            lines: self.lines.into_iter().map(line).collect::<Option<_>>()?,
            refund_deadlines: self.refund_deadlines.into_iter().map(deadline).collect::<Option<_>>()?,
            check_in_at: timestamp(self.check_in_at)?,
            finished_at: timestamp(self.finished_at)?,
            room_uid: self.room_uid.text(),
            room_generation: self.room_generation,
        })
    }
}

impl<'a> Happened<'a> {
    fn of(fact: &'a Fact) -> Self {
        Self {
            number: fact.number,
            fact: fact.fact.as_str(),
            time: instant(fact.time),
            reason: fact.reason.as_deref(),
            minor_units: fact.minor_units,
        }
    }

    fn whole(self) -> Option<Fact> {
        Some(Fact {
            number: self.number,
            fact: FactKind::from(self.fact.to_owned()),
            time: timestamp(self.time)?,
            reason: self.reason.map(ToOwned::to_owned),
            minor_units: self.minor_units,
        })
    }
}

fn instant(at: Timestamp) -> Instant {
    (at.as_second(), at.subsec_nanosecond())
}

fn timestamp((seconds, nanoseconds): Instant) -> Option<Timestamp> {
    Timestamp::new(seconds, nanoseconds).ok()
}

fn day(date: Date) -> Day {
    (date.year(), date.month(), date.day())
}

fn date((year, month, day): Day) -> Option<Date> {
    Date::new(year, month, day).ok()
}

const fn end(end: End) -> u8 {
    match end {
        End::Rejected => 0,
        End::Cancelled => 1,
        End::Withdrawn => 2,
    }
}

fn end_of(number: u8) -> Option<End> {
    [End::Rejected, End::Cancelled, End::Withdrawn].into_iter().find(|known| end(*known) == number)
}

const fn stage_number(stage: Stage) -> (u8, Option<u8>) {
    match stage {
        Stage::Open => (0, None),
        Stage::InProgress => (1, None),
        Stage::Closing(as_) => (2, Some(end(as_))),
        Stage::Confirmed => (3, None),
        Stage::Closed(as_) => (4, Some(end(as_))),
        Stage::Foreign => (5, None),
    }
}

fn stage_of(number: (u8, Option<u8>)) -> Option<Stage> {
    Some(match number {
        (0, _) => Stage::Open,
        (1, _) => Stage::InProgress,
        (2, Some(as_)) => Stage::Closing(end_of(as_)?),
        (3, _) => Stage::Confirmed,
        (4, Some(as_)) => Stage::Closed(end_of(as_)?),
        (5, _) => Stage::Foreign,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
