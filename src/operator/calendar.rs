//! The calendar controller: a calendar whose Room is gone goes with the last guest of that Room, and one whose month is
//! past with the last stay that reached into it. It has no owner reference, because garbage collection would take it away
//! under live guests.

use std::sync::Arc;

use innkeeper_api::Month;
use innkeeper_booking::allotment::Ask;
use innkeeper_booking::inventory;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};

use crate::cache::Key;
use crate::error::{ReconcileError, WriteError};
use crate::runner::Action;
use crate::scope::Scope;

/// Looks at one calendar.
pub async fn reconcile(key: Key, scope: Arc<Scope>) -> Result<Action, ReconcileError> {
    let Some(seen) = scope.cache.calendar(&key) else { return Ok(Action::await_change()) };
    let Ok(calendar) = &seen.0 else { return Ok(Action::await_change()) };
    let (namespace, _) = key;
    let room = (namespace.clone(), calendar.spec.room_name.clone());
    let cached = scope.cache.room(&room);
    let known = cached.as_deref().is_some_and(|g| g.uid().as_ref() == Some(&calendar.spec.room_uid));
    if calendar.metadata.deletion_timestamp.is_some() {
        return Ok(Action::requeue(scope.resync()));
    }
    let past = Month::parse(&calendar.spec.month).filter(|month| is_past(*month, (scope.clock)()));
    if !inventory::is_empty(&calendar.spec) {
        if let Some(month) = past {
            // The watch brings the calendar as it is then, and with it the next look.
            scope.allocators.ask(&room, Ask::Retire(month)).await;
        }
        return Ok(Action::requeue(scope.resync()));
    }
    if past.is_none() {
        if known {
            return Ok(Action::requeue(scope.resync()));
        }
        let now = scope.rooms(&namespace).get_metadata_opt(&room.1).await;
        let now = now.map_err(ReconcileError::read("the Room"))?;
        if now.is_some_and(|r| r.uid().as_ref() == Some(&calendar.spec.room_uid)) {
            return Ok(Action::requeue(scope.resync()));
        }
    }
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: calendar.uid(),
            resource_version: calendar.resource_version(),
        }),
        ..DeleteParams::default()
    };
    match scope.calendars(&namespace).delete(&calendar.name_any(), &params).await.map_err(WriteError::from) {
        Ok(_) | Err(WriteError::Conflict | WriteError::Gone) => Ok(Action::await_change()),
        Err(error) => Err(ReconcileError::write("the calendar")(error)),
    }
}

/// Whether the month is over everywhere on Earth, and has been for a day: nobody can ask for a night of it any more, nor
/// be waiting for one.
fn is_past(month: Month, now: Timestamp) -> bool {
    let last = month.nights().last();
    let over = last.and_then(|date| date.at(0, 0, 0, 0).in_tz("UTC").ok()).map(|at| at.timestamp());
    over.is_some_and(|at| now.duration_since(at) > SignedDuration::from_hours(24 * 3))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::in_the_middle("2026-11-15T12:00:00Z", false)]
    #[case::on_the_last_day("2026-11-30T23:59:59Z", false)]
    #[case::when_it_is_still_november_in_hawaii("2026-12-01T09:59:59Z", false)]
    #[case::a_day_later("2026-12-02T12:00:00Z", false)]
    #[case::three_days_after_the_last_began("2026-12-03T00:00:01Z", true)]
    #[case::next_year("2027-01-01T00:00:00Z", true)]
    fn a_month_is_past(#[case] now: &str, #[case] past: bool) {
        assert_eq!(is_past(Month::parse("2026-11").unwrap(), now.parse().unwrap()), past);
    }
}
