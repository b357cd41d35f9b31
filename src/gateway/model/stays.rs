//! Reservations, indexed by whose they are and by the Rooms on which they have a claim.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::views::{Claim, StayView};
use super::{Key, Named, put};
use crate::identity::owners;

/// Where a Reservation stands in its owner's list: newest first, then by property and name.
pub type Place = (Reverse<i64>, String, String);

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
    all: Named<StayView>,
    by_owner: HashMap<String, BTreeSet<Place>>,
    claims: HashMap<Key, HashMap<u128, Claim>>,
}

impl Stays {
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<StayView>> {
        self.all.get(namespace)?.get(name).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.all.values().map(std::collections::BTreeMap::len).sum()
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
        let Some(places) = self.by_owner.get(owner) else { return Page::default() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = places
            .range::<Place, _>((from, Bound::Unbounded))
            .filter(|(_, namespace, _)| within(namespace))
            .filter_map(|place| Some((place, self.get(&place.1, &place.2)?)));
        let mut page = Page::default();
        let mut last = None;
        for (place, stay) in found.by_ref().take(limit) {
            page.stays.push(stay);
            last = Some(place);
        }
        if found.next().is_some() {
            page.next = last.cloned();
        }
        page
    }

    pub(super) fn put(&mut self, namespace: &str, name: &str, stay: Option<Arc<StayView>>) {
        if let Some(old) = self.get(namespace, name) {
            self.unindex(&old);
        }
        if let Some(stay) = &stay {
            self.index(stay);
        }
        put(&mut self.all, namespace, name, stay);
    }

    pub(super) fn list(&mut self, namespace: Option<&str>, all: Vec<(Key, StayView)>) {
        match namespace {
            Some(namespace) => {
                for old in self.all.remove(namespace).into_iter().flatten().map(|(_, stay)| stay) {
                    self.unindex(&old);
                }
            }
            None => *self = Self::default(),
        }
        for ((namespace, name), stay) in all {
            self.put(&namespace, &name, Some(Arc::new(stay)));
        }
    }

    fn index(&mut self, stay: &StayView) {
        for owner in owners(&stay.guest_id) {
            self.by_owner.entry(owner.to_owned()).or_default().insert(place(stay));
        }
        if let Some(claim) = stay.claim() {
            self.claims.entry(room(stay)).or_default().insert(claim.uid, claim);
        }
    }

    fn unindex(&mut self, stay: &StayView) {
        for owner in owners(&stay.guest_id) {
            if let Some(places) = self.by_owner.get_mut(owner) {
                places.remove(&place(stay));
                if places.is_empty() {
                    self.by_owner.remove(owner);
                }
            }
        }
        if let Some(claim) = stay.claim() {
            let room = room(stay);
            if let Some(claims) = self.claims.get_mut(&room) {
                claims.remove(&claim.uid);
                if claims.is_empty() {
                    self.claims.remove(&room);
                }
            }
        }
    }
}

fn room(stay: &StayView) -> Key {
    (stay.namespace.clone(), stay.room.clone())
}

fn place(stay: &StayView) -> Place {
    (Reverse(stay.created.as_second()), stay.namespace.clone(), stay.name.clone())
}
