//! One stay as it is filed: the Reservation with its facts and its last status, without what nobody needs any more.

use innkeeper_api::{ConditionType, Reason, Reservation, ReservationStatus};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::error::ArchiveError;
use crate::folder::{file_of, is_property};

/// One finished stay, as it is filed: one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When it was filed.
    pub filed: Timestamp,
    /// When it had finished.
    pub finished: Timestamp,
    /// The Reservation.
    pub reservation: Reservation,
}

impl Record {
    /// What is filed of a Reservation that finished then. Left out: the provider's token for the means of payment, labels,
    /// annotations, who managed which field, finalizers, and that it is being deleted.
    pub fn of(reservation: &Reservation, finished: Timestamp, now: Timestamp) -> Result<Self, ArchiveError> {
        let meta = &reservation.metadata;
        let unfit = |what: &str| ArchiveError::Unfit(what.to_owned());
        let uid = meta.uid.clone().filter(|uid| !uid.is_empty()).ok_or_else(|| unfit("it has no UID"))?;
        let namespace = meta.namespace.clone().filter(|name| is_property(name));
        let namespace = namespace.ok_or_else(|| unfit("it is in no namespace"))?;
        let mut spec = reservation.spec.clone();
        spec.payment.method = None;
        let metadata = ObjectMeta {
            name: meta.name.clone(),
            namespace: Some(namespace),
            uid: Some(uid),
            generation: meta.generation,
            resource_version: meta.resource_version.clone(),
            creation_timestamp: meta.creation_timestamp.clone(),
            ..ObjectMeta::default()
        };
        let reservation = Reservation { metadata, spec, status: reservation.status.clone() };
        Ok(Self { filed: now, finished, reservation })
    }

    /// Its UID.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.reservation.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        self.reservation.metadata.resource_version.as_deref().unwrap_or_default()
    }

    /// Its property.
    #[must_use]
    pub fn property(&self) -> &str {
        self.reservation.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.reservation.name_any()
    }

    /// The file it belongs into.
    #[must_use]
    pub fn file(&self) -> String {
        file_of(self.property(), self.reservation.spec.check_out)
    }

    /// Whether the two say the same of the same stay. When they were filed does not count, nor the version: one that
    /// changed in nothing that is kept is the same.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let meta = |record: &Self| {
            let meta = &record.reservation.metadata;
            (meta.uid.clone(), meta.namespace.clone(), meta.name.clone(), meta.generation)
        };
        self.finished == other.finished
            && meta(self) == meta(other)
            && self.reservation.spec == other.reservation.spec
            && self.reservation.status == other.reservation.status
    }
}

/// When a Reservation finished; nothing where it has not. Rejected, cancelled and withdrawn ones have, once they are
/// settled and no money is on its way; a confirmed one has once the day of its check-out is over and nobody asks for
/// it to be cancelled. One whose spec changed since anybody looked is not judged.
#[must_use]
pub fn finished_at(reservation: &Reservation, now: Timestamp) -> Option<Timestamp> {
    let status = reservation.status.as_ref()?;
    if status.observed_generation < reservation.metadata.generation.unwrap_or_default() {
        return None;
    }
    let settled = status.conditions.get(&ConditionType::Settled)?;
    match settled.reason {
        Reason::Rejected | Reason::Cancelled | Reason::Withdrawn if !money_moves(status) => {
            Some(settled.last_transition_time)
        }
        Reason::Confirmed if reservation.spec.state.is_none() => {
            status.quote.as_ref().map(|quote| quote.finished_at).filter(|end| *end <= now)
        }
        _ => None,
    }
}

/// Whether money is still due, or on its way.
fn money_moves(status: &ReservationStatus) -> bool {
    let refunded = status.conditions.reason(&ConditionType::Refunded);
    matches!(refunded, Some(Reason::Pending | Reason::RefundFailed | Reason::MoneyHalted))
}
