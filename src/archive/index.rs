//! Which stays there are, by whose they are and by their names, in as little memory as does. The stays themselves stay on
//! the volume.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// Says in whose lists a stay with this `guestID` is.
pub type Owners = fn(&str) -> Vec<&str>;

/// Where a stay stands in its owner's list: newest first, then by property, name and UID.
pub type Place = (Reverse<i64>, String, String, u128);

/// Where a stay's order comes from, without a copy of its names.
pub type Key<'a> = (Reverse<i64>, &'a str, &'a str, u128);

/// What of a record is indexed.
#[derive(Debug, Deserialize)]
pub(crate) struct Brief<'a> {
    #[serde(borrow)]
    reservation: BriefReservation<'a>,
}

#[derive(Debug, Deserialize)]
struct BriefReservation<'a> {
    #[serde(borrow)]
    metadata: BriefMeta<'a>,
    #[serde(borrow)]
    spec: BriefSpec<'a>,
}

#[derive(Debug, Deserialize)]
struct BriefMeta<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(rename = "creationTimestamp")]
    created: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct BriefSpec<'a> {
    #[serde(borrow, rename = "guestID")]
    guest_id: Cow<'a, str>,
}

/// A UID in 16 bytes. The API server makes them as UUIDs; whatever else stands there gets a UUID of its own.
#[must_use]
pub(crate) fn compact(uid: &str) -> u128 {
    Uuid::try_parse(uid).unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, uid.as_bytes())).as_u128()
}

/// One stay.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) uid: u128,
    pub(crate) created: i64,
    property: u32,
    name: Box<str>,
    /// Which frame it is in.
    pub(crate) frame: u32,
    /// Which line of that.
    pub(crate) line: u32,
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    properties: Vec<Box<str>>,
    property_ids: HashMap<Box<str>, u32>,
    by_uid: HashMap<u128, u32>,
    by_name: HashMap<(u32, Box<str>), Vec<u32>>,
    by_owner: HashMap<Box<str>, Vec<u32>>,
}

impl Index {
    /// Takes a record in that stands at this line of this frame. Of one UID the last one counts.
    pub(crate) fn put(&mut self, brief: &Brief<'_>, frame: u32, line: u32, owners: Owners) {
        let BriefReservation { metadata: meta, spec } = &brief.reservation;
        let uid = compact(&meta.uid);
        if let Some(known) = self.by_uid.get(&uid).and_then(|at| self.entries.get_mut(*at as usize)) {
            (known.frame, known.line) = (frame, line);
            return;
        }
        let property = self.property(&meta.namespace);
        let created = meta.created.map_or(0, Timestamp::as_second);
        let name: Box<str> = meta.name.as_ref().into();
        let Ok(at) = u32::try_from(self.entries.len()) else { return };
        self.entries.push(Entry { uid, created, property, name: name.clone(), frame, line });
        self.by_uid.insert(uid, at);
        let mut named = self.by_name.remove(&(property, name.clone())).unwrap_or_default();
        let place = named.partition_point(|other| self.key(*other) < self.key(at));
        named.insert(place, at);
        self.by_name.insert((property, name), named);
        for owner in owners(&spec.guest_id) {
            let mut list = self.by_owner.remove(owner).unwrap_or_default();
            let place = list.partition_point(|other| self.key(*other) < self.key(at));
            list.insert(place, at);
            self.by_owner.insert(owner.into(), list);
        }
    }

    fn property(&mut self, name: &str) -> u32 {
        if let Some(id) = self.property_ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.properties.len()).unwrap_or(u32::MAX);
        self.properties.push(name.into());
        self.property_ids.insert(name.into(), id);
        id
    }

    fn key(&self, at: u32) -> Key<'_> {
        let entry = &self.entries[at as usize];
        (Reverse(entry.created), &self.properties[entry.property as usize], &entry.name, entry.uid)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The stay with this UID.
    pub(crate) fn by_uid(&self, uid: &str) -> Option<&Entry> {
        Some(&self.entries[*self.by_uid.get(&compact(uid))? as usize])
    }

    /// The stays of this name, newest first.
    pub(crate) fn by_name(&self, property: &str, name: &str) -> impl Iterator<Item = &Entry> {
        let property = self.property_ids.get(property).copied();
        let named = property.and_then(|property| self.by_name.get(&(property, name.into())));
        named.into_iter().flatten().map(|at| &self.entries[*at as usize])
    }

    /// The stays of an owner behind a place, newest first.
    pub(crate) fn of_owner(
        &self,
        owner: &str,
        after: Option<&Place>,
    ) -> impl Iterator<Item = (Key<'_>, &Entry)> {
        let list = self.by_owner.get(owner).map_or(&[][..], Vec::as_slice);
        let after = after.map(|(created, property, name, uid)| (*created, &**property, &**name, *uid));
        let begin = after.map_or(0, |after| list.partition_point(|at| self.key(*at) <= after));
        list[begin..].iter().map(|at| (self.key(*at), &self.entries[*at as usize]))
    }

    /// Every stay, as it was filed.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Key<'_>, &Entry)> {
        (0..self.entries.len()).filter_map(|at| {
            let at = u32::try_from(at).ok()?;
            Some((self.key(at), &self.entries[at as usize]))
        })
    }
}
