//! A Reservation read for one question alone: which nights does it hold. Whoever cannot be read in full, because
//! another version wrote it, holds its nights all the same, and must not be left out when a calendar is made anew.

use innkeeper_api::{ConditionType, Month, Reason, Reservation};
use innkeeper_booking::inventory::Stay;
use jiff::Timestamp;
use jiff::civil::Date;
use kube::api::{ApiResource, Object};
use kube::{Api, Client, ResourceExt};
use serde::Deserialize;

/// What is read of it.
pub type Occupant = Object<Terms, Told>;

/// The nights that it asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    check_in: Date,
    check_out: Date,
    units: u32,
}

/// What its conditions say, in words.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Told {
    #[serde(default)]
    quote: Option<Agreed>,
    #[serde(default)]
    conditions: Vec<Condition>,
}

/// What was agreed, as far as it is about time.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Agreed {
    finished_at: Timestamp,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: ConditionType,
    status: String,
    reason: Reason,
}

impl Told {
    fn get(&self, type_: &ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.type_ == *type_)
    }
}

/// The Reservations of a namespace, read so.
pub fn api(client: &Client, namespace: &str) -> Api<Occupant> {
    Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<Reservation>(&()))
}

/// Its stay, where it holds nights of this month.
pub fn stay_in(occupant: &Occupant, month: Month) -> Option<Stay> {
    occupant.status.as_ref()?.get(&ConditionType::Allocated).filter(|c| c.status == "True")?;
    let Terms { check_in, check_out, units } = occupant.spec;
    let stay = Stay { uid: occupant.uid()?, from: check_in, to: check_out, units };
    stay.months().contains(&month).then_some(stay)
}

/// Whether its stay is over: the day of check-out has ended.
pub fn is_over(occupant: &Occupant, now: Timestamp) -> bool {
    let agreed = occupant.status.as_ref().and_then(|s| s.quote.as_ref());
    agreed.is_some_and(|agreed| agreed.finished_at <= now)
}

/// Whether it has ended, in a way that leaves it no nights.
pub fn has_ended(occupant: &Occupant) -> bool {
    let settled = occupant.status.as_ref().and_then(|s| s.get(&ConditionType::Settled));
    settled.is_some_and(|c| matches!(c.reason, Reason::Rejected | Reason::Cancelled | Reason::Withdrawn))
}
