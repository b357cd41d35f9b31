//! The Room controller: keeps a Room's status and its calendars' capacities as the Room says, and wakes whoever a race
//! has left in a calendar.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use innkeeper_api::{Night, Room, RoomCalendar, RoomStatus, uid_of_holder};
use innkeeper_booking::allotment::Ask;
use innkeeper_booking::inventory;
use innkeeper_booking::room::{SellableRoom, room_status};
use innkeeper_booking::status::Stage;
use innkeeper_ops::metrics::{StatusKind, StatusWrite};
use jiff::civil::{Date, Time};
use kube::ResourceExt;

use crate::cache::{Guarded, Key, lock};
use crate::error::{ReconcileError, WriteError};
use crate::runner::Action;
use crate::scope::Scope;
use crate::writes;

/// Looks at one Room.
pub async fn reconcile(key: Key, scope: Arc<Scope>) -> Result<Action, ReconcileError> {
    let Some(seen) = scope.cache.room(&key) else { return Ok(Action::await_change()) };
    let Ok(room) = &seen.0 else { return Ok(Action::await_change()) };
    // Right after the start a calendar that is not there yet would read as a month in which nothing is sold.
    if !scope.cache.is_whole() {
        return Ok(Action::requeue(Duration::from_millis(50)));
    }
    if let Some(rest) = too_soon(&scope, room) {
        return Ok(Action::requeue(rest));
    }
    let generation = room.metadata.generation.unwrap_or(0);
    let seen_calendars = calendars(&scope, &key);
    let calendars: Vec<&RoomCalendar> = seen_calendars.iter().filter_map(|c| c.0.as_ref().ok()).collect();
    let ours = || calendars.iter().filter(|c| Some(&c.spec.room_uid) == room.metadata.uid.as_ref());
    let ahead = ours().any(|c| inventory::is_ahead(&c.spec, &room.spec, generation));
    if ahead || ours().any(|c| c.spec.nights.iter().any(|n| n.room_generation < generation)) {
        scope.allocators.ask(&key, Ask::Sync).await;
    }
    let mut suspicion = left_behind(&scope, &calendars);
    if suspicion.is_some_and(|rest| rest.is_zero()) {
        tracing::info!(namespace = key.0, room = key.1, "sweeping holders that nobody seems to stand for");
        scope.allocators.ask(&key, Ask::Sweep).await;
        suspicion = None;
    }

    let nights: BTreeMap<Date, Night> =
        ours().flat_map(|c| c.spec.nights.iter().map(|n| (n.date, n.clone()))).collect();
    let before = room.status.clone().unwrap_or_default();
    let now = (scope.clock)();
    let after = room_status(&room.spec, generation, &nights, &before, now);
    if after != before {
        write(&scope, room, &before, &after).await?;
    }
    let next = until_midnight(room, now).min(scope.resync());
    Ok(Action::requeue(suspicion.map_or(next, |rest| rest.min(next))))
}

/// The rest of the pause after the last write of this Room's status.
fn too_soon(scope: &Scope, room: &Room) -> Option<Duration> {
    let written = *lock(&scope.room_written).get(room.metadata.uid.as_deref()?)?;
    scope
        .config
        .current()
        .operator
        .room_status_interval
        .checked_sub(written.elapsed())
        .filter(|rest| !rest.is_zero())
}

fn calendars(scope: &Scope, room: &Key) -> Vec<Arc<Guarded<RoomCalendar>>> {
    let names = scope.cache.calendars_of(room);
    names.into_iter().filter_map(|name| scope.cache.calendar(&(room.0.clone(), name))).collect()
}

/// A write of an operator that had been paused may have put nights back under a Reservation that has ended, or that is
/// gone. Who has ended is woken and lets go himself; says how long to wait before those who are gone are swept out.
fn left_behind(scope: &Scope, calendars: &[&RoomCalendar]) -> Option<Duration> {
    let mut nobody: BTreeSet<&str> = BTreeSet::new();
    let mut last = "";
    for holder in calendars.iter().flat_map(|c| &c.spec.nights).flat_map(|n| &n.holders) {
        let uid = uid_of_holder(holder);
        if uid == last {
            continue;
        }
        last = uid;
        match scope.cache.reservations.stage_of_uid(uid) {
            None => drop(nobody.insert(uid)),
            Some(Stage::Closed(_)) => {
                if let Some(key) = scope.cache.reservations.key_of_uid(uid) {
                    scope.wake_reservation.wake(&key);
                }
            }
            Some(_) => {}
        }
    }
    scope.suspects.rest(&nobody, Instant::now())
}

async fn write(
    scope: &Scope,
    room: &Room,
    before: &RoomStatus,
    after: &RoomStatus,
) -> Result<(), ReconcileError> {
    let value = |status: &RoomStatus| serde_json::to_value(status).unwrap_or_default();
    let api = scope.rooms(&room.namespace().unwrap_or_default());
    let written = writes::status(&api, room, &value(before), &value(after)).await;
    let result = match &written {
        Ok(_) => StatusWrite::Ok,
        Err(WriteError::Conflict | WriteError::Gone) => StatusWrite::Conflict,
        Err(_) => StatusWrite::Error,
    };
    scope.metrics.status_write(StatusKind::Room, result);
    if let Some(uid) = room.uid() {
        lock(&scope.room_written).insert(uid, Instant::now());
    }
    match written {
        // The watch brings the newer version, and with it the next look.
        Ok(_) | Err(WriteError::Conflict | WriteError::Gone) => Ok(()),
        Err(error) => Err(ReconcileError::write("the Room's status")(error)),
    }
}

/// Until the day changes at the Room: tonight is another night then.
fn until_midnight(room: &Room, now: jiff::Timestamp) -> Duration {
    let hour = Duration::from_secs(3600);
    let Ok(sellable) = SellableRoom::check(&room.spec) else { return hour };
    let Ok(tomorrow) = sellable.today(now).tomorrow() else { return hour };
    let midnight = sellable.instant(tomorrow, Time::midnight());
    midnight
        .and_then(|at| Duration::try_from(at.duration_since(now)).ok())
        .map_or(hour, |d| d + Duration::from_secs(1))
}
