//! Reservations as the watch has shown them, in little memory.
//!
//! Nearly all of them are settled, and of those nothing is asked for days but what they have come to. So a settled one
//! is kept packed, as its difference to the first that came to the same, and is unpacked, whole and as it was, when it
//! is looked at. One that moves is kept as it is. What is asked of many at once (where is this UID, has it ended, does
//! it wait for a person) is answered without unpacking.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use innkeeper_api::Reservation;
use innkeeper_booking::status::{End, Stage, stage};
use innkeeper_ops::metrics::WaitsFor;
use innkeeper_ops::packing::Pattern;
use kube::ResourceExt;
use uuid::Uuid;

use crate::attention::waits_for;
use crate::cache::{Guarded, Keeper, Key, key_of};
use crate::earlier::Left;

/// All of them. It is a view, always a little old.
#[derive(Default)]
pub struct Shelf(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    stays: Stays,
    /// For each way of being settled, what the first of them looked like.
    patterns: HashMap<Settled, Pattern>,
    /// How often all of them have been listed.
    lists: u64,
}

#[derive(Default)]
struct Stays {
    /// By namespace and name.
    uids: HashMap<Arc<str>, HashMap<Arc<str>, u128>>,
    by_uid: HashMap<u128, Stay>,
}

struct Stay {
    namespace: Arc<str>,
    name: Arc<str>,
    waits_for: Option<WaitsFor>,
    object: Object,
}

enum Object {
    /// It moves.
    Whole(Arc<Reservation>),
    /// It is settled.
    Packed(Settled, Box<[u8]>),
    /// This version cannot read it.
    Unreadable,
}

/// What a settled one has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Settled {
    Confirmed,
    Rejected,
    Cancelled,
    Withdrawn,
}

/// One that was seen, or seen to be gone.
#[derive(Debug)]
pub struct Seen {
    /// Its namespace and name.
    pub key: Key,
    /// Its UID.
    pub uid: String,
    /// What only a person can bring on.
    pub waits_for: Option<WaitsFor>,
    /// Of one that is gone: the stay whose money may still be with the provider.
    pub left: Option<Left>,
}

impl Shelf {
    /// One, as last seen, unpacked; nothing where this version cannot read it.
    pub fn get(&self, key: &Key) -> Option<Arc<Reservation>> {
        let (packed, pattern) = {
            let inner = self.read();
            match &inner.stays.find(key)?.object {
                Object::Whole(whole) => return Some(Arc::clone(whole)),
                Object::Packed(settled, packed) => (packed.clone(), inner.patterns.get(settled)?.clone()),
                Object::Unreadable => return None,
            }
        };
        // Not under the lock: others go on reading and writing.
        let text = pattern.unpack(&packed);
        let whole = text.and_then(|text| serde_json::from_slice(&text).ok()).map(Arc::new);
        if whole.is_none() {
            tracing::error!(namespace = key.0, reservation = key.1, "what was kept of it cannot be unpacked");
        }
        whole
    }

    /// How often all of them have been listed.
    pub fn lists(&self) -> u64 {
        self.read().lists
    }

    /// Those that wait for a person, for this.
    pub fn waiting_for(&self, what: WaitsFor) -> Vec<Key> {
        let inner = self.read();
        inner.stays.by_uid.values().filter(|stay| stay.waits_for == Some(what)).map(Stay::key).collect()
    }

    /// The one with this UID.
    pub fn key_of_uid(&self, uid: &str) -> Option<Key> {
        let inner = self.read();
        inner.stays.by_uid.get(&compact(uid)).map(Stay::key)
    }

    /// What the one with this UID has come to; nothing where there is none.
    pub fn stage_of_uid(&self, uid: &str) -> Option<Stage> {
        self.read().stays.by_uid.get(&compact(uid)).map(Stay::stage)
    }

    /// A part of those that are settled: all parts together are all of them.
    pub fn settled(&self, part: u32, parts: u32) -> Vec<Key> {
        let inner = self.read();
        let all = inner.stays.by_uid.iter();
        all.filter(|(uid, stay)| {
            matches!(stay.object, Object::Packed(..)) && *uid % u128::from(parts) == u128::from(part)
        })
        .map(|(_, stay)| stay.key())
        .collect()
    }

    /// One as it is kept. Outside of the lock but for the pattern.
    fn keep(&self, object: Guarded<Reservation>) -> (u128, String, Stay) {
        let (namespace, name) = key_of(&object);
        let uid = object.uid().unwrap_or_default();
        let (waits_for, object) = match object.0 {
            Ok(whole) => (whole.status.as_ref().and_then(waits_for), self.packed(whole)),
            Err(_) => (None, Object::Unreadable),
        };
        (compact(&uid), uid, Stay { namespace: namespace.into(), name: name.into(), waits_for, object })
    }

    fn packed(&self, whole: Reservation) -> Object {
        let settled = whole.status.as_ref().and_then(|status| settled(stage(status)));
        // One that is being deleted is about to move, and to go.
        let Some(settled) = settled.filter(|_| whole.metadata.deletion_timestamp.is_none()) else {
            return Object::Whole(Arc::new(whole));
        };
        let Ok(text) = serde_json::to_vec(&whole) else { return Object::Whole(Arc::new(whole)) };
        let known = self.read().patterns.get(&settled).cloned();
        let pattern = known.unwrap_or_else(|| {
            self.write().patterns.entry(settled).or_insert_with(|| Pattern::of(&text)).clone()
        });
        Object::Packed(settled, pattern.pack(&text))
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stays {
    fn find(&self, key: &Key) -> Option<&Stay> {
        let uid = self.uids.get(key.0.as_str())?.get(key.1.as_str())?;
        self.by_uid.get(uid)
    }

    fn put(&mut self, uid: u128, mut stay: Stay) {
        // Each name is there once, for both maps, and a namespace's for all that are in it.
        if let Some((shared, _)) = self.uids.get_key_value(&stay.namespace) {
            stay.namespace = Arc::clone(shared);
        }
        let names = self.uids.entry(Arc::clone(&stay.namespace)).or_default();
        if let Some((shared, _)) = names.get_key_value(&stay.name) {
            stay.name = Arc::clone(shared);
        }
        // One that was made anew under the same name, and of which the end of the old one was not seen.
        let old = names.insert(Arc::clone(&stay.name), uid).filter(|old| *old != uid);
        if let Some(old) = old {
            self.by_uid.remove(&old);
        }
        self.by_uid.insert(uid, stay);
    }

    fn remove(&mut self, key: &Key, uid: u128) {
        self.by_uid.remove(&uid);
        let Some(names) = self.uids.get_mut(key.0.as_str()) else { return };
        if names.get(key.1.as_str()) == Some(&uid) {
            names.remove(key.1.as_str());
        }
        if names.is_empty() {
            self.uids.remove(key.0.as_str());
        }
    }
}

impl Stay {
    fn key(&self) -> Key {
        (self.namespace.to_string(), self.name.to_string())
    }

    /// What it leaves behind when it goes.
    fn left(&self, patterns: &HashMap<Settled, Pattern>) -> Option<Left> {
        let unpacked;
        let whole = match &self.object {
            Object::Whole(whole) => Some(&**whole),
            Object::Packed(settled, packed) => {
                let text = patterns.get(settled).and_then(|pattern| pattern.unpack(packed));
                unpacked = text.and_then(|text| serde_json::from_slice::<Reservation>(&text).ok());
                unpacked.as_ref()
            }
            Object::Unreadable => None,
        };
        whole.map_or(Some(Left::UNKNOWN), Left::by)
    }

    fn stage(&self) -> Stage {
        match &self.object {
            Object::Whole(whole) => whole.status.as_ref().map_or(Stage::Open, stage),
            Object::Packed(settled, _) => settled.stage(),
            Object::Unreadable => Stage::Foreign,
        }
    }
}

impl Settled {
    const fn stage(self) -> Stage {
        match self {
            Self::Confirmed => Stage::Confirmed,
            Self::Rejected => Stage::Closed(End::Rejected),
            Self::Cancelled => Stage::Closed(End::Cancelled),
            Self::Withdrawn => Stage::Closed(End::Withdrawn),
        }
    }
}

const fn settled(stage: Stage) -> Option<Settled> {
    match stage {
        Stage::Confirmed => Some(Settled::Confirmed),
        Stage::Closed(End::Rejected) => Some(Settled::Rejected),
        Stage::Closed(End::Cancelled) => Some(Settled::Cancelled),
        Stage::Closed(End::Withdrawn) => Some(Settled::Withdrawn),
        Stage::Open | Stage::InProgress | Stage::Closing(_) | Stage::Foreign => None,
    }
}

/// A UID in 16 bytes. The API server makes them as UUIDs; whatever else stands there gets a UUID of its own.
fn compact(uid: &str) -> u128 {
    Uuid::try_parse(uid).unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, uid.as_bytes())).as_u128()
}

/// Fills a shelf from a watch.
pub struct ShelfKeeper {
    shelf: Arc<Shelf>,
    /// Of a list that is not whole yet; each with its UID as it is written.
    listing: Vec<(u128, String, Stay)>,
}

impl ShelfKeeper {
    /// Fills this one.
    pub fn of(shelf: Arc<Shelf>) -> Self {
        Self { shelf, listing: Vec::new() }
    }
}

impl Keeper for ShelfKeeper {
    type Kind = Reservation;
    type Seen = Seen;

    fn list_begins(&mut self) {
        self.listing = Vec::new();
    }

    fn listed(&mut self, object: Guarded<Reservation>) {
        let kept = self.shelf.keep(object);
        self.listing.push(kept);
    }

    fn list_ends(&mut self) -> Vec<(Seen, bool)> {
        let listing = std::mem::take(&mut self.listing);
        let mut all = Vec::with_capacity(listing.len());
        let mut inner = self.shelf.write();
        inner.lists += 1;
        let mut before = std::mem::take(&mut inner.stays);
        for (compact, uid, stay) in listing {
            before.by_uid.remove(&compact);
            all.push((Seen { key: stay.key(), uid, waits_for: stay.waits_for, left: None }, true));
            inner.stays.put(compact, stay);
        }
        // What went while nobody watched has no event of its own.
        let gone = before.by_uid.into_iter().map(|(uid, stay)| {
            let uid = Uuid::from_u128(uid).to_string();
            let left = stay.left(&inner.patterns);
            (Seen { key: stay.key(), uid, waits_for: None, left }, false)
        });
        drop(all.splice(0..0, gone));
        all
    }

    fn put(&mut self, object: Guarded<Reservation>) -> Seen {
        let (compact, uid, stay) = self.shelf.keep(object);
        let seen = Seen { key: stay.key(), uid, waits_for: stay.waits_for, left: None };
        self.shelf.write().stays.put(compact, stay);
        seen
    }

    fn gone(&mut self, object: Guarded<Reservation>) -> Seen {
        let (key, uid) = (key_of(&object), object.uid().unwrap_or_default());
        self.shelf.write().stays.remove(&key, compact(&uid));
        let left = object.0.as_ref().map_or(Some(Left::UNKNOWN), Left::by);
        Seen { key, uid, waits_for: None, left }
    }
}

#[cfg(test)]
mod tests;
