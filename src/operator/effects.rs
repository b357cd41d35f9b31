//! Performs effects, and says what came of them in the planner's words.

use innkeeper_api::{OPERATOR_MANAGER, Reservation, Room};
use innkeeper_booking::allotment::Ask;
use innkeeper_booking::knowledge::Answer;
use innkeeper_booking::observed::Effect;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt;

use crate::error::{ReconcileError, WriteError};
use crate::scope::Scope;
use crate::writes;

/// What an effect came to.
pub enum Done {
    /// Something was learnt.
    Learnt(Answer),
    /// The object is now this.
    Object(Box<Reservation>),
    /// The object is now this, and its cancellation was recorded then.
    Cancellation(Box<Reservation>, Timestamp),
    /// The Room, read past the cache.
    Room(Option<Box<Room>>),
    /// The object is gone.
    Gone,
    /// The object changed since it was read.
    Conflict,
}

/// Performs one effect for one Reservation.
pub async fn perform(
    scope: &Scope,
    reservation: &Reservation,
    effect: Effect,
) -> Result<Done, ReconcileError> {
    let namespace = reservation.namespace().unwrap_or_default();
    let room_key = (namespace.clone(), reservation.spec.room_name.clone());
    let cashier = &scope.cashier;
    Ok(match effect {
        Effect::AddFinalizers(missing) => {
            let mut list = reservation.metadata.finalizers.clone().unwrap_or_default();
            list.extend(missing);
            finalizers(scope, reservation, &list).await?
        }
        Effect::RemoveFinalizer(ours) => {
            let mut list = reservation.metadata.finalizers.clone().unwrap_or_default();
            list.retain(|f| *f != ours);
            finalizers(scope, reservation, &list).await?
        }
        // The definition refuses such names, and an object that was stored under another may have one all the same.
        Effect::ReadRoom if !can_be_a_name(&room_key.1) => Done::Room(None),
        Effect::ReadRoom => {
            let room = scope
                .rooms(&namespace)
                .get_opt(&room_key.1)
                .await
                .map_err(ReconcileError::read("the Room"))?;
            Done::Room(room.map(Box::new))
        }
        Effect::ReadCancellation => read_cancellation(scope, reservation, &namespace).await?,
        Effect::FindEarlier(tags) => Done::Learnt(Answer::Earlier(scope.earlier.of(&tags).await)),
        Effect::AskBrake(refund) => Done::Learnt(Answer::Brake(scope.brake.ask(&refund).await)),
        Effect::Adopt(adoption) => Done::Learnt(Answer::Adopted(cashier.adopt(&adoption).await)),
        Effect::Charge(charge) => Done::Learnt(Answer::Charge(cashier.charge(&charge).await)),
        Effect::Look(what) => Done::Learnt(Answer::Look(cashier.look(&what).await)),
        Effect::Fence(charge) => Done::Learnt(Answer::Fence(cashier.fence(&charge).await)),
        Effect::CancelIntent(id) => Done::Learnt(Answer::Charge(cashier.cancel(&id).await)),
        Effect::Refund(refund) => {
            let result = cashier.refund(&refund).await;
            Done::Learnt(Answer::Refund { attempt: refund.attempt, result })
        }
        Effect::MarkSettled { id, kept } => Done::Learnt(Answer::Mark(cashier.mark_settled(&id, kept).await)),
        Effect::Take(stay) => {
            Done::Learnt(Answer::Nights(scope.allocators.ask(&room_key, Ask::Take(stay)).await))
        }
        Effect::Release(stay) => {
            Done::Learnt(Answer::Nights(scope.allocators.ask(&room_key, Ask::Release(stay)).await))
        }
    })
}

/// Whether an object can be called that; the API server cannot even be asked for another.
fn can_be_a_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let (first, last) = (name.bytes().next(), name.bytes().last());
    first.is_some_and(plain)
        && last.is_some_and(plain)
        && name.bytes().all(|c| plain(c) || c == b'-' || c == b'.')
}

async fn finalizers(
    scope: &Scope,
    reservation: &Reservation,
    list: &[String],
) -> Result<Done, ReconcileError> {
    let api = scope.reservations(&reservation.namespace().unwrap_or_default());
    match writes::finalizers(&api, reservation, list).await {
        Ok(object) => Ok(Done::Object(Box::new(object))),
        Err(WriteError::Conflict) => Ok(Done::Conflict),
        Err(WriteError::Gone) => Ok(Done::Gone),
        Err(error) => Err(ReconcileError::write("the finalizers")(error)),
    }
}

async fn read_cancellation(
    scope: &Scope,
    reservation: &Reservation,
    namespace: &str,
) -> Result<Done, ReconcileError> {
    let name = reservation.name_any();
    let read = scope
        .reservations(namespace)
        .get_opt(&name)
        .await
        .map_err(ReconcileError::read("the Reservation"))?;
    let Some(object) = read.filter(|r| r.uid() == reservation.uid()) else { return Ok(Done::Gone) };
    let at = cancelled_at(object.managed_fields(), (scope.clock)());
    Ok(Done::Cancellation(Box::new(object), at))
}

/// When `state` was set, as the API server recorded it: the entry that owns the field, kept between our last write
/// of the status and now, because an entry's time moves with every other field of its manager.
fn cancelled_at(entries: &[ManagedFieldsEntry], now: Timestamp) -> Timestamp {
    let last_status = entries
        .iter()
        .filter(|e| {
            e.subresource.as_deref() == Some("status") && e.manager.as_deref() == Some(OPERATOR_MANAGER)
        })
        .filter_map(|e| e.time.as_ref().map(|t| t.0))
        .max();
    let recorded =
        entries.iter().filter(|e| owns_state(e)).filter_map(|e| e.time.as_ref().map(|t| t.0)).min();
    let at = recorded.unwrap_or(now).min(now);
    last_status.filter(|last| *last <= now).map_or(at, |last| at.max(last))
}

fn owns_state(entry: &ManagedFieldsEntry) -> bool {
    entry.subresource.is_none()
        && entry.fields_v1.as_ref().is_some_and(|f| !f.0["f:spec"]["f:state"].is_null())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, Time};
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(manager: &str, subresource: Option<&str>, second: i64, fields: Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            subresource: subresource.map(ToOwned::to_owned),
            time: Some(Time(at(second))),
            fields_v1: Some(FieldsV1(fields)),
            ..ManagedFieldsEntry::default()
        }
    }

    #[rstest]
    #[case::as_recorded(vec![entry("desk", None, 50, json!({"f:spec": {"f:state": {}}}))], 50)]
    #[case::never_before_our_last_status(
        vec![
            entry("desk", None, 50, json!({"f:spec": {"f:state": {}}})),
            entry("innkeeper", Some("status"), 60, json!({"f:status": {"f:phase": {}}})),
        ],
        60
    )]
    #[case::never_in_the_future(vec![entry("desk", None, 500, json!({"f:spec": {"f:state": {}}}))], 100)]
    #[case::the_first_of_several_owners(
        vec![
            entry("git", None, 70, json!({"f:spec": {"f:state": {}}})),
            entry("desk", None, 65, json!({"f:spec": {"f:state": {}}})),
        ],
        65
    )]
    #[case::other_fields_do_not_count(vec![entry("git", None, 70, json!({"f:spec": {"f:units": {}}}))], 100)]
    #[case::nobody_is_on_record(vec![], 100)]
    fn the_moment_of_cancelling_is_the_one_recorded(
        #[case] entries: Vec<ManagedFieldsEntry>,
        #[case] second: i64,
    ) {
        assert_eq!(cancelled_at(&entries, at(100)), at(second));
    }

    #[test]
    fn what_no_object_can_be_called_is_not_asked_for() {
        for name in ["double", "d", "4", "sea-view.2"] {
            assert!(can_be_a_name(name), "{name}");
        }
        for name in
            ["", " ", "Double", "../../x", "-d", "d-", "a b", "a\nb", "\u{c608}", "a/b", "a?b", "a%2fb"]
        {
            assert!(!can_be_a_name(name), "{name:?}");
        }
    }
}
