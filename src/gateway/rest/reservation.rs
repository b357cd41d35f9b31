//! A reservation, as it is answered.

use innkeeper_api::{Phase, Reason};
use innkeeper_booking::status::End;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::types::{Amount, Collecting, Party, Price};
use crate::desk::is_cancellable;
use crate::identity::guest_of;
use crate::model::views::StayView;

/// A reservation, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reservation {
    /// The property.
    property: String,
    /// Its name; with the property, its address.
    name: String,
    /// The Room.
    room: String,
    /// First night.
    check_in: Date,
    /// The day of departure.
    check_out: Date,
    /// Units.
    units: u32,
    /// Who comes.
    guests: Party,
    /// The guest, as whoever books for them calls them.
    #[serde(rename = "guestID")]
    guest_id: String,
    /// How far it has come: `Pending`, `InProgress`, `Confirmed`, `Rejecting`, `Rejected`, `Cancelling`, `Cancelled`,
    /// `Withdrawing`, `Withdrawn`.
    #[schema(example = "Confirmed")]
    phase: String,
    /// Why, in one word.
    #[schema(example = "Confirmed")]
    reason: String,
    /// Why, in a sentence.
    message: String,
    /// Whether nothing more will happen by itself.
    settled: bool,
    /// Whether it can be cancelled.
    cancellable: bool,
    /// Whether it is over and filed: it does not change any more.
    archived: bool,
    /// The price agreed; absent until it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
    /// The money that moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<Moved>,
    /// Who collects it.
    collect: Collecting,
    /// The partner's own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    /// What happened, numbered from 1.
    history: Vec<Happened>,
}

/// The money that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Moved {
    /// Taken from the guest.
    paid: Amount,
    /// Given back.
    refunded: Amount,
    /// Stays with the hotel although the stay was given up.
    kept: Amount,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Happened {
    /// From 1, without gaps.
    #[schema(minimum = 1)]
    number: u32,
    /// What.
    #[schema(example = "Paid")]
    fact: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Money that moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
}

impl Reservation {
    pub(crate) fn of(stay: &StayView, now: Timestamp) -> Self {
        let status = &stay.status;
        let quote = status.quote.as_deref();
        let amount = |minor_units: i64| Some(Amount::new(&quote?.currency, minor_units));
        let money = || {
            let (paid, refunded, kept) = status.money;
            Some(Moved { paid: amount(paid)?, refunded: amount(refunded)?, kept: amount(kept)? })
        };
        let (phase, reason, message) = told(stay);
        Self {
            property: stay.namespace.clone(),
            name: stay.name.clone(),
            room: stay.room.clone(),
            check_in: stay.check_in,
            check_out: stay.check_out,
            units: stay.units,
            guests: Party { adults: stay.guests.adults, children: stay.guests.children },
            guest_id: guest_of(&stay.guest_id).to_owned(),
            phase: phase.as_str().to_owned(),
            reason: reason.as_str().to_owned(),
            message: message.to_owned(),
            settled: stay.is_settled(),
            cancellable: is_cancellable(stay, now),
            archived: false,
            price: quote.map(|quote| Price::of(quote, stay.check_out)),
            money: money(),
            collect: stay.collect.into(),
            reference: stay.reference.clone(),
            created: stay.created,
            history: status
                .history
                .iter()
                .map(|fact| Happened {
                    number: fact.number,
                    fact: fact.fact.as_str().to_owned(),
                    time: fact.time,
                    reason: fact.reason.clone(),
                    amount: fact.minor_units.and_then(amount),
                })
                .collect(),
        }
    }
}

impl Reservation {
    /// One that is filed.
    pub(crate) fn archived(stay: &StayView, now: Timestamp) -> Self {
        Self { archived: true, cancellable: false, ..Self::of(stay, now) }
    }
}

/// How far it has come, in a word, why, and in a sentence. What was asked for and not decided yet goes first: whoever has
/// just cancelled must not read that they are booked.
fn told(stay: &StayView) -> (&Phase, &Reason, &str) {
    match (stay.ending(), &stay.status.why) {
        (Some(End::Cancelled), _) => (
            &Phase::Cancelling,
            &Reason::Cancelling,
            "Asked to be cancelled; what comes back is being worked out.",
        ),
        (Some(_), _) => {
            (&Phase::Withdrawing, &Reason::Withdrawing, "The hotel withdraws it; everything comes back.")
        }
        (None, Some((reason, message))) => (&stay.status.phase, reason, message),
        (None, None) => {
            (&stay.status.phase, &Reason::Pending, "Received; the hotel has not looked at it yet.")
        }
    }
}
