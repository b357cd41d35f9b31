//! Reservations, indexed by whose they are and by the Rooms on which they have a claim.
//!
//! There may be a hundred thousand, so each is kept packed, and its name, its namespace and its guest are there once for
//! all that speak of them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::Key;
use super::packed::{Listed, Packed};
use super::views::{Claim, StayView};
use crate::identity::owners;

/// Where a Reservation stands in its owner's list: newest first, then by property and name.
pub type Place = (Reverse<i64>, String, String);

/// The same, of texts that are there once.
type Spot = (Reverse<i64>, Arc<str>, Arc<str>);

/// A guest has few, and a list of them takes a fraction of what a tree does; a partner has many.
const FEW: usize = 64;

/// A part of an owner's list.
#[derive(Debug, Default)]
pub struct Page {
    /// The Reservations, newest first.
    pub stays: Vec<Arc<StayView>>,
    /// Where the next part begins; nothing where this is the last.
    pub next: Option<Place>,
}

#[derive(Default)]
pub(super) struct Stays {
    /// By namespace and name.
    all: HashMap<Arc<str>, HashMap<Arc<str>, Kept>>,
    by_owner: HashMap<Arc<str>, Spots>,
    claims: HashMap<Key, HashMap<u128, Claim>>,
}

struct Kept {
    guest: Arc<str>,
    packed: Packed,
}

/// One owner's, in order.
enum Spots {
    Few(Vec<Spot>),
    Many(BTreeSet<Spot>),
}

impl Stays {
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<StayView> {
        let kept = self.all.get(namespace)?.get(name)?;
        kept.packed.unpack(namespace, name, &kept.guest)
    }

    pub(super) fn len(&self) -> usize {
        self.all.values().map(HashMap::len).sum()
    }

    pub(super) fn claims(&self, namespace: &str, room: &str) -> Vec<Claim> {
        if self.claims.is_empty() {
            return Vec::new();
        }
        let key = (namespace.to_owned(), room.to_owned());
        self.claims.get(&key).into_iter().flat_map(HashMap::values).cloned().collect()
    }

    pub(super) fn page(
        &self,
        owner: &str,
        after: Option<&Place>,
        limit: usize,
        within: impl Fn(&str) -> bool,
    ) -> Page {
        let Some(spots) = self.by_owner.get(owner) else { return Page::default() };
        let after = after.map(|(created, namespace, name)| {
            (*created, Arc::from(namespace.as_str()), Arc::from(name.as_str()))
        });
        let mut found = spots.after(after.as_ref()).filter(|(_, namespace, _)| within(namespace));
        let mut page = Page::default();
        let mut last = None;
        for spot in found.by_ref().take(limit) {
            page.stays.extend(self.get(&spot.1, &spot.2).map(Arc::new));
            last = Some(spot);
        }
        if found.next().is_some() {
            page.next =
                last.map(|(created, namespace, name)| (*created, namespace.to_string(), name.to_string()));
        }
        page
    }

    pub(super) fn put(&mut self, namespace: &str, name: &str, stay: Option<&StayView>) {
        match stay {
            Some(stay) => self.place(namespace, name, stay, Listed::of(stay)),
            None => self.remove(namespace, name),
        }
    }

    pub(super) fn list(&mut self, namespace: Option<&str>, all: Vec<(Key, Listed)>) {
        match namespace {
            Some(namespace) => {
                let before = self.all.get(namespace).map(|names| names.keys().cloned().collect::<Vec<_>>());
                for name in before.unwrap_or_default() {
                    self.remove(namespace, &name);
                }
            }
            None => *self = Self::default(),
        }
        for ((namespace, name), listed) in all {
            if let Some(stay) = listed.packed.unpack(&namespace, &name, &listed.guest) {
                self.place(&namespace, &name, &stay, listed);
            }
        }
    }

    fn place(&mut self, namespace: &str, name: &str, stay: &StayView, listed: Listed) {
        self.remove(namespace, name);
        let namespace =
            self.all.get_key_value(namespace).map_or_else(|| namespace.into(), |(it, _)| Arc::clone(it));
        let (name, mut guest): (Arc<str>, Arc<str>) = (name.into(), listed.guest.into());
        for owner in owners(&stay.guest_id) {
            let owner =
                self.by_owner.get_key_value(owner).map_or_else(|| owner.into(), |(it, _)| Arc::clone(it));
            if owner == guest {
                guest = Arc::clone(&owner);
            }
            let spot = (created(stay), Arc::clone(&namespace), Arc::clone(&name));
            self.by_owner.entry(owner).or_insert_with(|| Spots::Few(Vec::new())).insert(spot);
        }
        if let Some(claim) = stay.claim() {
            self.claims.entry(room(stay)).or_default().insert(claim.uid, claim);
        }
        self.all.entry(namespace).or_default().insert(name, Kept { guest, packed: listed.packed });
    }

    fn remove(&mut self, namespace: &str, name: &str) {
        let Some(stay) = self.get(namespace, name) else { return };
        if let Some(names) = self.all.get_mut(namespace) {
            names.remove(name);
            if names.is_empty() {
                self.all.remove(namespace);
            }
        }
        let spot = (created(&stay), Arc::from(namespace), Arc::from(name));
        for owner in owners(&stay.guest_id) {
            if let Some(spots) = self.by_owner.get_mut(owner) {
                spots.remove(&spot);
                if spots.is_empty() {
                    self.by_owner.remove(owner);
                }
            }
        }
        if let Some(claim) = stay.claim() {
            let room = room(&stay);
            if let Some(claims) = self.claims.get_mut(&room) {
                claims.remove(&claim.uid);
                if claims.is_empty() {
                    self.claims.remove(&room);
                }
            }
        }
    }
}

impl Spots {
    fn insert(&mut self, spot: Spot) {
        match self {
            Self::Few(few) if few.len() >= FEW => {
                let mut many: BTreeSet<Spot> = std::mem::take(few).into_iter().collect();
                many.insert(spot);
                *self = Self::Many(many);
            }
            Self::Few(few) => {
                if let Err(at) = few.binary_search(&spot) {
                    few.reserve_exact(1);
                    few.insert(at, spot);
                }
            }
            Self::Many(many) => drop(many.insert(spot)),
        }
    }

    fn remove(&mut self, spot: &Spot) {
        match self {
            Self::Few(few) => {
                if let Ok(at) = few.binary_search(spot) {
                    few.remove(at);
                }
            }
            Self::Many(many) => drop(many.remove(spot)),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    /// In order, those after this one.
    fn after<'a>(&'a self, after: Option<&'a Spot>) -> Box<dyn Iterator<Item = &'a Spot> + 'a> {
        match self {
            Self::Few(few) => {
                let from = after.map_or(0, |after| few.partition_point(|spot| spot <= after));
                Box::new(few[from..].iter())
            }
            Self::Many(many) => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                Box::new(many.range::<Spot, _>((from, Bound::Unbounded)))
            }
        }
    }
}

fn room(stay: &StayView) -> Key {
    (stay.namespace.clone(), stay.room.clone())
}

fn created(stay: &StayView) -> Reverse<i64> {
    Reverse(stay.created.as_second())
}
