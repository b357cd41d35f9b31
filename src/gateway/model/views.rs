//! What is kept of an object: no more than is read. Everything else (`managedFields`, a Room's status, the means of
//! payment) is dropped as soon as it has arrived.

use innkeeper_api::{
    Collect, ConditionType, Fact, Guests, Night, Phase, Quote, Reason, Reservation, ReservationSpec, Room,
    RoomCalendar, RoomSpec, uid_of_holder,
};
use innkeeper_booking::status::{End, Stage, stage};
use jiff::Timestamp;
use jiff::civil::Date;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use uuid::Uuid;

use crate::keys::terms_of;

/// A UID in 16 bytes. The API server makes them as UUIDs; whatever else stands there gets a UUID of its own.
#[must_use]
pub fn compact(uid: &str) -> u128 {
    Uuid::try_parse(uid).unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, uid.as_bytes())).as_u128()
}

/// A resourceVersion as a number, which for one kind on one API server says which is newer (KEP-5504).
#[must_use]
pub fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or(0)
}

/// A Room.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomView {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// What the hotel has written.
    pub spec: RoomSpec,
    /// It is being deleted: it sells nothing more.
    pub going: bool,
}

impl RoomView {
    /// What is kept of a Room.
    #[must_use]
    pub fn of(room: Room) -> Self {
        Self {
            name: room.name_any(),
            uid: room.uid().unwrap_or_default(),
            generation: room.metadata.generation.unwrap_or_default(),
            going: room.metadata.deletion_timestamp.is_some(),
            spec: room.spec,
        }
    }
}

/// A Room's month.
#[derive(Debug, Clone, PartialEq)]
pub struct CalendarView {
    /// UID of the Room it is for.
    pub room_uid: String,
    /// Its nights.
    pub nights: Box<[NightView]>,
}

/// One night.
#[derive(Debug, Clone, PartialEq)]
pub struct NightView {
    /// The day on which it begins.
    pub date: Date,
    /// Units that may be sold.
    pub capacity: u32,
    /// Generation of the Room that this was made from.
    pub generation: i64,
    /// Units sold.
    pub sold: u32,
    /// Who has one, each once.
    pub holders: Box<[u128]>,
}

impl CalendarView {
    /// What is kept of a calendar.
    #[must_use]
    pub fn of(calendar: &RoomCalendar) -> Self {
        Self {
            room_uid: calendar.spec.room_uid.clone(),
            nights: calendar.spec.nights.iter().map(NightView::of).collect(),
        }
    }
}

impl NightView {
    fn of(night: &Night) -> Self {
        let mut holders: Vec<u128> = night.holders.iter().map(|h| compact(uid_of_holder(h))).collect();
        holders.dedup();
        Self {
            date: night.date,
            capacity: night.capacity,
            generation: night.room_generation,
            sold: night.sold(),
            holders: holders.into(),
        }
    }
}

/// A Reservation.
#[derive(Debug, Clone, PartialEq)]
pub struct StayView {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its resourceVersion.
    pub version: u64,
    /// When it was made.
    pub created: Timestamp,
    /// Whose it is.
    pub guest_id: String,
    /// The Room wanted.
    pub room: String,
    /// First night.
    pub check_in: Date,
    /// The day of departure.
    pub check_out: Date,
    /// Units.
    pub units: u32,
    /// Who comes.
    pub guests: Guests,
    /// Who collects the money.
    pub collect: Collect,
    /// The agency's own reference.
    pub reference: Option<String>,
    /// What its terms come to, to be compared with those of a repeated request.
    pub terms: [u8; 16],
    /// Asked to be cancelled, or being deleted; whether that has been decided yet is in the status.
    pub given_up: Option<End>,
    /// How far it has come.
    pub status: StatusView,
}

/// How far a Reservation has come.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusView {
    /// What it has come to.
    pub stage: Stage,
    /// For people.
    pub phase: Phase,
    /// Why it is as it is, in one word and in a sentence; nothing where nobody has looked yet.
    pub why: Option<(Reason, Box<str>)>,
    /// The price and the terms agreed.
    pub quote: Option<Box<Quote>>,
    /// Taken, given back, and kept although the stay was given up, in minor units.
    pub money: (i64, i64, i64),
    /// What happened.
    pub history: Box<[Fact]>,
}

/// A stay that has been asked for and neither has its nights nor has lost them: it is ahead of whoever asks now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The Reservation.
    pub uid: u128,
    /// First night.
    pub from: Date,
    /// First day that is no night of it.
    pub to: Date,
    /// Units in every night.
    pub units: u32,
}

impl StayView {
    /// What is kept of a Reservation.
    #[must_use]
    pub fn of(reservation: Reservation) -> Self {
        let Reservation { metadata: meta, spec, status } = reservation;
        let deleted = meta.deletion_timestamp.as_ref().map(|_| End::Withdrawn);
        let created = meta.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |t| t.0);
        let terms = terms_of(&spec);
        let ReservationSpec {
            room_name, check_in, check_out, units, guest_id, guests, payment, state, ..
        } = spec;
        Self {
            version: version(&meta),
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            created,
            guest_id,
            room: room_name,
            check_in,
            check_out,
            units,
            guests,
            collect: payment.collect,
            reference: payment.reference,
            terms,
            given_up: state.map(|_| End::Cancelled).or(deleted),
            status: StatusView::of(status.unwrap_or_default()),
        }
    }

    /// What it claims, while it is under way.
    #[must_use]
    pub fn claim(&self) -> Option<Claim> {
        let under_way =
            matches!(self.status.stage, Stage::Open | Stage::InProgress) && self.given_up.is_none();
        under_way.then(|| Claim {
            uid: compact(&self.uid),
            from: self.check_in,
            to: self.check_out,
            units: self.units,
        })
    }

    /// Whether nothing more will happen by itself.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        match self.status.stage {
            Stage::Closed(_) => true,
            Stage::Confirmed => self.given_up.is_none(),
            _ => false,
        }
    }

    /// What it was asked to end as, where nothing is decided yet.
    #[must_use]
    pub const fn ending(&self) -> Option<End> {
        match self.status.stage {
            Stage::Open | Stage::InProgress | Stage::Confirmed => self.given_up,
            _ => None,
        }
    }
}

impl StatusView {
    fn of(status: innkeeper_api::ReservationStatus) -> Self {
        let word = |type_| {
            let condition = status.conditions.get(&type_)?;
            Some((condition.reason.clone(), condition.message.as_str().into()))
        };
        let money = status.payment.as_ref().map_or((0, 0, 0), |p| (p.captured, p.refunded, p.kept));
        Self {
            stage: stage(&status),
            why: word(ConditionType::Ready),
            phase: status.phase.unwrap_or(Phase::Pending),
            quote: status.quote.map(Box::new),
            money,
            history: status.history.into(),
        }
    }
}
