//! What an event looks like: `CloudEvents` 1.0, one type for each kind of fact.
//!
//! Everything in an event comes from what is immutable on the object (the stay's terms, the quote's currency, the fact),
//! so the same fact gives the same bytes whenever and by whomever it is published. Nothing personal is in it: no guest's
//! id, no reference, no means of payment.

use aws_lc_rs::digest::{SHA256, digest};
use innkeeper_api::{Fact, FactKind, NightStatus, Reservation, Room, Tonight};
use jiff::Timestamp;
use jiff::civil::Date;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SPEC_VERSION;

/// What the type of every event begins with.
pub const PREFIX: &str = "dev.innkeeper.";
/// The type of the event that says that an object's history went back.
pub const REWOUND: &str = "dev.innkeeper.reservation.historyrewound";
/// The type of the notice of what is free of a Room.
pub const AVAILABILITY: &str = "dev.innkeeper.room.availability";

/// The event type of a kind of fact. One that this version does not know is published all the same.
#[must_use]
pub fn type_of(kind: &FactKind) -> String {
    format!("{PREFIX}reservation.{}", kind.as_str().to_ascii_lowercase())
}

/// One event: the attributes of `CloudEvents` 1.0 with its extensions for partitioning and sequence, and the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event<D = Value> {
    /// The version of `CloudEvents`.
    pub specversion: String,
    /// The same for the same fact, whoever publishes it and however often: by it a repeat is recognised.
    pub id: String,
    /// Which installation and namespace it comes from: `/installations/<id>/namespaces/<namespace>`.
    pub source: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the object in its namespace.
    pub subject: String,
    /// When the fact was stored.
    pub time: Timestamp,
    /// The media type of `data`.
    pub datacontenttype: String,
    /// The object's UID: events of one object go to one partition, in order.
    pub partitionkey: String,
    /// The fact's number, where it is about a fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// The rest.
    pub data: D,
}

impl<D> Event<D> {
    /// The same event with other data.
    #[must_use]
    pub fn with<E>(self, data: E) -> Event<E> {
        let Self {
            specversion,
            id,
            source,
            kind,
            subject,
            time,
            datacontenttype,
            partitionkey,
            sequence,
            ..
        } = self;
        Event { specversion, id, source, kind, subject, time, datacontenttype, partitionkey, sequence, data }
    }
}

/// Which object an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Which {
    /// Its namespace: the property.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID: the same name may be used again, a UID never.
    pub uid: String,
}

/// The data of an event about a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationFact {
    /// The Reservation.
    #[serde(flatten)]
    pub which: Which,
    /// The fact's number in the Reservation's history: from 1, without gaps.
    pub number: u32,
    /// What happened.
    pub fact: FactKind,
    /// Why, where there is a reason (`OutOfStock`, `insufficient_funds`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Money that moved or is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// What was asked for.
    pub stay: Stay,
}

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// ISO 4217.
    pub currency: String,
    /// In the currency's minor units.
    pub minor_units: i64,
}

/// What was asked for. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stay {
    /// The Room.
    pub room: String,
    /// Day of arrival.
    pub check_in: Date,
    /// Day of departure.
    pub check_out: Date,
    /// How many units.
    pub units: u32,
}

/// The data of the event that says that a Reservation's history is not what was published before: the cluster was
/// restored from a backup. What follows was stored after that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRewound {
    /// The Reservation.
    #[serde(flatten)]
    pub which: Which,
    /// Facts from this number on that were published before do not hold any more.
    pub from: u32,
    /// The highest number that was published before.
    pub published: u32,
}

/// The data of the notice of what is free of a Room. The latest is true; those before it may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomAvailability {
    /// The Room.
    #[serde(flatten)]
    pub which: Which,
    /// Units sold and free tonight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tonight: Option<Tonight>,
    /// Fewest units free on any night ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewest_free: Option<u32>,
    /// Nights ahead with no unit free.
    pub sold_out_nights: u32,
    /// Reservations that hold a night from today on.
    pub stays_ahead: u32,
    /// The next nights with anything sold, ascending, at most 31 of them.
    pub nights: Vec<NightStatus>,
}

/// A fact's hash: by it two facts of the same number are told apart.
#[must_use]
pub fn hash(fact: &Fact) -> [u8; 8] {
    let Fact { number, fact, time, reason, minor_units } = fact;
    let reason = reason.as_deref().unwrap_or_default();
    let money = minor_units.map(|m| m.to_string()).unwrap_or_default();
    // The order, the separators and the form of the time are for good: ids are made from them.
    short(format!("{number}\n{fact}\n{time}\n{reason}\n{money}").as_bytes())
}

/// The first eight bytes of a SHA-256.
pub(crate) fn short(bytes: &[u8]) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&digest(&SHA256, bytes).as_ref()[..8]);
    short
}

/// Bytes in small hexadecimal letters.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
        text
    })
}

/// Where events come from.
#[must_use]
pub fn source(installation: &str, namespace: &str) -> String {
    format!("/installations/{installation}/namespaces/{namespace}")
}

impl Which {
    fn of<K: ResourceExt>(object: &K) -> Self {
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
        }
    }

    fn event<D>(&self, installation: &str, id: String, kind: String, time: Timestamp, data: D) -> Event<D> {
        Event {
            specversion: SPEC_VERSION.to_owned(),
            id,
            source: source(installation, &self.namespace),
            kind,
            subject: self.name.clone(),
            time,
            datacontenttype: "application/json".to_owned(),
            partitionkey: self.uid.clone(),
            sequence: None,
            data,
        }
    }
}

/// The event of a fact of a Reservation.
#[must_use]
pub fn of_fact(installation: &str, reservation: &Reservation, fact: &Fact) -> Event<ReservationFact> {
    let which = Which::of(reservation);
    let currency = reservation.status.as_ref().and_then(|s| s.quote.as_ref()).map(|q| q.currency.clone());
    let spec = &reservation.spec;
    let data = ReservationFact {
        which: which.clone(),
        number: fact.number,
        fact: fact.fact.clone(),
        reason: fact.reason.clone(),
        amount: fact.minor_units.and_then(|minor_units| Some(Amount { currency: currency?, minor_units })),
        stay: Stay {
            room: spec.room_name.clone(),
            check_in: spec.check_in,
            check_out: spec.check_out,
            units: spec.units,
        },
    };
    let id = format!("{}/{}/{}", which.uid, fact.number, hex(&hash(fact)));
    let event = which.event(installation, id, type_of(&fact.fact), fact.time, data);
    Event { sequence: Some(fact.number.to_string()), ..event }
}

/// The event that says that a Reservation's history went back: what was published from `from` on does not hold.
#[must_use]
pub fn of_rewinding(
    installation: &str,
    reservation: &Reservation,
    published: &[[u8; 8]],
    from: u32,
    now: Timestamp,
) -> Event<HistoryRewound> {
    let which = Which::of(reservation);
    let count = u32::try_from(published.len()).unwrap_or(u32::MAX);
    let facts = reservation.status.as_ref().map(|s| s.history.as_slice()).unwrap_or_default();
    let both: Vec<u8> = published.iter().copied().chain(facts.iter().map(hash)).flatten().collect();
    let id = format!("{}/rewound/{from}/{}", which.uid, hex(&short(&both)));
    let data = HistoryRewound { which: which.clone(), from, published: count };
    which.event(installation, id, REWOUND.to_owned(), now, data)
}

/// The notice of what is free of a Room; none before the operator has looked.
#[must_use]
pub fn of_room(installation: &str, room: &Room, now: Timestamp) -> Option<Event<RoomAvailability>> {
    let status = room.status.as_ref()?;
    let which = Which::of(room);
    let data = RoomAvailability {
        which: which.clone(),
        tonight: status.tonight.clone(),
        fewest_free: status.fewest_free,
        sold_out_nights: status.sold_out_nights,
        stays_ahead: status.stays_ahead,
        nights: status.nights.clone(),
    };
    let version = room.resource_version().unwrap_or_default();
    let id = format!("{}/availability/{version}", which.uid);
    Some(which.event(installation, id, AVAILABILITY.to_owned(), now, data))
}

#[cfg(test)]
pub(crate) mod tests;
