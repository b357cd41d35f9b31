//! The API server in memory: every object with all its versions, so that stale reads can be served.
//!
//! Status and calendars are written by compare-and-swap; calendars obey the rules of `innkeeper_api`'s schema, said
//! here a second time so that a mistake in one of the two shows.

mod rules;

use std::collections::BTreeMap;
use std::rc::Rc;

use innkeeper_api::{Reservation, ReservationSpec, ReservationStatus, Room, RoomCalendarFields, RoomSpec};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use rules::rules;

/// The one namespace.
pub const NAMESPACE: &str = "seaside";

/// Why a write was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The resourceVersion is not the current one.
    Conflict,
    /// No such object.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// A rule of the schema or a policy says no.
    Invalid(&'static str),
}

/// An object with the resourceVersion it was read at.
#[derive(Debug)]
pub struct Seen<T> {
    pub rv: u64,
    pub value: Rc<T>,
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Self { rv: self.rv, value: Rc::clone(&self.value) }
    }
}

/// One version; `None` once it is gone.
#[derive(Debug)]
pub struct Version<T> {
    pub rv: u64,
    pub value: Option<Rc<T>>,
}

/// All versions under one name, oldest first.
#[derive(Debug)]
pub struct Versions<T>(pub Vec<Version<T>>);

impl<T> Versions<T> {
    /// What a read at this position of the history gives; position 0 is before anything was there.
    pub fn at(&self, position: usize) -> Option<Seen<T>> {
        let version = self.0.get(position.checked_sub(1)?)?;
        version.value.as_ref().map(|value| Seen { rv: version.rv, value: Rc::clone(value) })
    }

    fn current(&self) -> Option<Seen<T>> {
        self.at(self.0.len())
    }
}

/// What a write changed, for the checks.
#[derive(Debug, Clone)]
pub enum Change {
    /// A version of a Reservation, by name and index.
    Reservation(String, usize),
    /// A version of a calendar, by name and index.
    Calendar(String, usize),
}

/// The server.
#[derive(Default)]
pub struct Server {
    rv: u64,
    uids: u32,
    pub reservations: BTreeMap<String, Versions<Reservation>>,
    pub rooms: BTreeMap<String, Versions<Room>>,
    pub calendars: BTreeMap<String, Versions<RoomCalendarFields>>,
    /// When `state` was set, by UID: what `managedFields` says.
    pub state_set: BTreeMap<String, Timestamp>,
    /// What has changed and was not yet checked.
    pub changes: Vec<Change>,
}

impl Server {
    fn next(&mut self) -> u64 {
        self.rv += 1;
        self.rv
    }

    fn uid(&mut self, kind: &str) -> String {
        self.uids += 1;
        format!("{kind}-{:04}", self.uids)
    }

    /// The newest resourceVersion of all.
    pub fn version(&self) -> u64 {
        self.rv
    }

    pub fn reservation(&self, name: &str) -> Option<Seen<Reservation>> {
        self.reservations.get(name)?.current()
    }

    pub fn room(&self, name: &str) -> Option<Seen<Room>> {
        self.rooms.get(name)?.current()
    }

    pub fn calendar(&self, name: &str) -> Option<Seen<RoomCalendarFields>> {
        self.calendars.get(name)?.current()
    }

    /// The Reservation with a UID, if it is still there.
    pub fn by_uid(&self, uid: &str) -> Option<Seen<Reservation>> {
        self.list().find(|r| r.value.metadata.uid.as_deref() == Some(uid))
    }

    /// An uncached list of the Reservations.
    pub fn list(&self) -> impl Iterator<Item = Seen<Reservation>> {
        self.reservations.values().filter_map(Versions::current)
    }

    fn put_reservation(&mut self, name: &str, value: Option<Reservation>) -> u64 {
        let rv = self.next();
        let versions = self.reservations.entry(name.to_owned()).or_insert_with(|| Versions(Vec::new()));
        versions.0.push(Version { rv, value: value.map(Rc::new) });
        self.changes.push(Change::Reservation(name.to_owned(), versions.0.len() - 1));
        rv
    }

    pub fn create_reservation(
        &mut self,
        now: Timestamp,
        name: &str,
        spec: ReservationSpec,
        finalizers: &[String],
    ) -> Result<(), Refused> {
        if self.reservation(name).is_some() {
            return Err(Refused::AlreadyExists);
        }
        let mut object = Reservation::new(name, spec);
        object.metadata.namespace = Some(NAMESPACE.to_owned());
        object.metadata.uid = Some(self.uid("guest"));
        object.metadata.generation = Some(1);
        object.metadata.creation_timestamp = Some(Time(now));
        object.metadata.finalizers = Some(finalizers.to_vec());
        object.status = Some(ReservationStatus::default());
        self.put_reservation(name, Some(object));
        Ok(())
    }

    /// What a person may change: anything, as far as the schema lets them.
    pub fn edit_reservation(
        &mut self,
        now: Timestamp,
        name: &str,
        edit: impl FnOnce(&mut ReservationSpec),
    ) -> Result<(), Refused> {
        let old = self.reservation(name).ok_or(Refused::NotFound)?;
        let mut new = Reservation::clone(&old.value);
        edit(&mut new.spec);
        if new.spec == old.value.spec {
            return Ok(());
        }
        if old.value.spec.state.is_some() && new.spec.state.is_none() {
            return Err(Refused::Invalid("state cannot be taken away"));
        }
        let terms = |spec: &ReservationSpec| ReservationSpec {
            state: None,
            ttl_after_finished: None,
            ..spec.clone()
        };
        if terms(&new.spec) != terms(&old.value.spec) {
            return Err(Refused::Invalid("a stay's terms cannot be changed"));
        }
        if new.spec.state != old.value.spec.state {
            let uid = new.metadata.uid.clone().unwrap_or_default();
            self.state_set.insert(uid, now);
        }
        new.metadata.generation = new.metadata.generation.map(|g| g + 1);
        self.put_reservation(name, Some(new));
        Ok(())
    }

    /// Annotates: another version, the same generation.
    pub fn annotate_reservation(&mut self, name: &str, key: &str, value: &str) -> Result<(), Refused> {
        let old = self.reservation(name).ok_or(Refused::NotFound)?;
        let mut new = Reservation::clone(&old.value);
        let annotations = new.metadata.annotations.get_or_insert_default();
        if annotations.insert(key.to_owned(), value.to_owned()).as_deref() != Some(value) {
            self.put_reservation(name, Some(new));
        }
        Ok(())
    }

    /// Deletes, or marks for deletion while there are finalizers.
    pub fn delete_reservation(&mut self, now: Timestamp, name: &str) -> Result<(), Refused> {
        let old = self.reservation(name).ok_or(Refused::NotFound)?;
        if old.value.metadata.finalizers.iter().flatten().next().is_none() {
            self.put_reservation(name, None);
        } else if old.value.metadata.deletion_timestamp.is_none() {
            let mut new = Reservation::clone(&old.value);
            new.metadata.deletion_timestamp = Some(Time(now));
            new.metadata.generation = new.metadata.generation.map(|g| g + 1);
            self.put_reservation(name, Some(new));
        }
        Ok(())
    }

    fn for_update(&self, name: &str, uid: &str, rv: Option<u64>) -> Result<Seen<Reservation>, Refused> {
        let old = self.reservation(name).ok_or(Refused::NotFound)?;
        if old.value.metadata.uid.as_deref() != Some(uid) || rv.is_some_and(|rv| rv != old.rv) {
            return Err(Refused::Conflict);
        }
        Ok(old)
    }

    /// Writes a status. Without a resourceVersion it is written blindly, which only a broken operator does.
    pub fn write_status(
        &mut self,
        name: &str,
        uid: &str,
        rv: Option<u64>,
        status: &ReservationStatus,
    ) -> Result<Seen<Reservation>, Refused> {
        let old = self.for_update(name, uid, rv)?;
        if old.value.status.as_ref() == Some(status) {
            return Ok(old);
        }
        let mut new = Reservation::clone(&old.value);
        new.status = Some(status.clone());
        self.put_reservation(name, Some(new));
        self.reservation(name).ok_or(Refused::NotFound)
    }

    /// Sets the finalizers. `None` is returned when that let the object go.
    pub fn set_finalizers(
        &mut self,
        name: &str,
        uid: &str,
        rv: Option<u64>,
        list: &[String],
    ) -> Result<Option<Seen<Reservation>>, Refused> {
        let old = self.for_update(name, uid, rv)?;
        let before = old.value.metadata.finalizers.clone().unwrap_or_default();
        if before == list {
            return Ok(Some(old));
        }
        let deleted = old.value.metadata.deletion_timestamp.is_some();
        if deleted && list.iter().any(|f| !before.contains(f)) {
            return Err(Refused::Invalid("no new finalizers on an object that is being deleted"));
        }
        if deleted && list.is_empty() {
            self.put_reservation(name, None);
            return Ok(None);
        }
        let mut new = Reservation::clone(&old.value);
        new.metadata.finalizers = Some(list.to_vec());
        self.put_reservation(name, Some(new));
        Ok(self.reservation(name))
    }

    /// Creates a Room, or changes its spec.
    pub fn apply_room(&mut self, name: &str, spec: RoomSpec) {
        let room = match self.room(name) {
            Some(old) if old.value.spec == spec => return,
            Some(old) => {
                let mut room = Room::clone(&old.value);
                room.spec = spec;
                room.metadata.generation = room.metadata.generation.map(|g| g + 1);
                room
            }
            None => {
                let mut room = Room::new(name, spec);
                room.metadata.namespace = Some(NAMESPACE.to_owned());
                room.metadata.uid = Some(self.uid("room"));
                room.metadata.generation = Some(1);
                room
            }
        };
        let rv = self.next();
        let versions = self.rooms.entry(name.to_owned()).or_insert_with(|| Versions(Vec::new()));
        versions.0.push(Version { rv, value: Some(Rc::new(room)) });
    }

    fn put_calendar(&mut self, name: &str, value: Option<RoomCalendarFields>) {
        let rv = self.next();
        let versions = self.calendars.entry(name.to_owned()).or_insert_with(|| Versions(Vec::new()));
        versions.0.push(Version { rv, value: value.map(Rc::new) });
        self.changes.push(Change::Calendar(name.to_owned(), versions.0.len() - 1));
    }

    pub fn create_calendar(
        &mut self,
        name: &str,
        fields: &RoomCalendarFields,
    ) -> Result<Seen<RoomCalendarFields>, Refused> {
        if self.calendar(name).is_some() {
            return Err(Refused::AlreadyExists);
        }
        rules(None, fields)?;
        self.put_calendar(name, Some(fields.clone()));
        self.calendar(name).ok_or(Refused::NotFound)
    }

    /// Writes a calendar. Without a resourceVersion it is written blindly, which only a broken operator does.
    pub fn write_calendar(
        &mut self,
        name: &str,
        rv: Option<u64>,
        fields: &RoomCalendarFields,
    ) -> Result<Seen<RoomCalendarFields>, Refused> {
        let old = self.calendar(name).ok_or(Refused::NotFound)?;
        if rv.is_some_and(|rv| rv != old.rv) {
            return Err(Refused::Conflict);
        }
        if *old.value == *fields {
            return Ok(old);
        }
        rules(Some(&old.value), fields)?;
        self.put_calendar(name, Some(fields.clone()));
        self.calendar(name).ok_or(Refused::NotFound)
    }

    /// Loses a calendar, as a restore or a hand with every right can.
    pub fn lose_calendar(&mut self, name: &str) {
        if self.calendar(name).is_some() {
            self.put_calendar(name, None);
        }
    }
}
