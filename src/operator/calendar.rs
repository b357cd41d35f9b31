//! The calendar controller: a calendar whose Room is gone goes with the last guest of that Room. It has no owner
//! reference, because garbage collection would take it away under live guests.

use std::sync::Arc;

use innkeeper_api::RoomCalendar;
use innkeeper_booking::inventory;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::controller::Action;

use crate::cache::{Guarded, key_of};
use crate::error::{ReconcileError, WriteError};
use crate::scope::Scope;

/// Looks at one calendar.
pub async fn reconcile(
    seen: Arc<Guarded<RoomCalendar>>,
    scope: Arc<Scope>,
) -> Result<Action, ReconcileError> {
    let Ok(calendar) = &seen.0 else { return Ok(Action::await_change()) };
    let (namespace, _) = key_of(calendar);
    let room = (namespace.clone(), calendar.spec.room_name.clone());
    let cached = scope.cache.room(&room);
    let known = cached.as_deref().is_some_and(|g| g.uid().as_ref() == Some(&calendar.spec.room_uid));
    if known || !inventory::is_empty(&calendar.spec) || calendar.metadata.deletion_timestamp.is_some() {
        return Ok(Action::requeue(scope.resync()));
    }
    let now =
        scope.rooms(&namespace).get_metadata_opt(&room.1).await.map_err(ReconcileError::read("the Room"))?;
    if now.is_some_and(|r| r.uid().as_ref() == Some(&calendar.spec.room_uid)) {
        return Ok(Action::requeue(scope.resync()));
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
