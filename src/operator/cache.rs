//! What the watches have shown: Rooms and calendars in stores, Reservations on a shelf, and who is to be woken by an event.
//!
//! A store is a view, always a little old. Objects that do not decode are kept out of the way: one of them must not
//! stop the others.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use innkeeper_api::{Reservation, Room, RoomCalendar};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::shelf::Shelf;

/// Kinds that are watched.
const KINDS: usize = 3;

/// Objects in one page of a list. An object that has just been read takes several times what is kept of it.
const PAGE: u32 = 200;

/// A namespace and a name.
pub type Key = (String, String);

/// An object that may not decode.
pub type Guarded<K> = DeserializeGuard<K>;

/// The key of an object.
pub fn key_of<K: Resource>(object: &K) -> Key {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// What is known of the three kinds, and an index over it.
pub struct Cache {
    /// Reservations.
    pub reservations: Arc<Shelf>,
    rooms: Store<Guarded<Room>>,
    calendars: Store<Guarded<RoomCalendar>>,
    /// How many of the three kinds have been listed once.
    listed: watch::Receiver<usize>,
    calendars_of: Mutex<HashMap<Key, BTreeSet<String>>>,
}

/// The writers of the stores; each is driven by one watch.
pub struct Writers {
    /// Rooms.
    pub rooms: StoreKeeper<Room>,
    /// Calendars.
    pub calendars: StoreKeeper<RoomCalendar>,
    /// Counts the kinds that have been listed once.
    pub listed: Listed,
}

/// Counts the kinds that have been listed once. Clones count together.
pub type Listed = Arc<watch::Sender<usize>>;

/// Takes in what one watch shows.
pub trait Keeper {
    /// Of which kind.
    type Kind;
    /// What is told of an object that was seen, or seen to be gone.
    type Seen;
    /// A list begins. What is known stays until it is whole.
    fn list_begins(&mut self);
    /// One of the list.
    fn listed(&mut self, object: Guarded<Self::Kind>);
    /// The list is whole: now it is what is known. Gives everybody in it, and whoever is gone; whether each is there.
    fn list_ends(&mut self) -> Vec<(Self::Seen, bool)>;
    /// One is so now.
    fn put(&mut self, object: Guarded<Self::Kind>) -> Self::Seen;
    /// One is gone.
    fn gone(&mut self, object: Guarded<Self::Kind>) -> Self::Seen;
}

impl Cache {
    /// Nothing known yet, and what fills it.
    pub fn new() -> (Self, Writers) {
        let (listed, seen) = watch::channel(0);
        let writers =
            Writers { rooms: StoreKeeper::new(), calendars: StoreKeeper::new(), listed: Arc::new(listed) };
        let cache = Self {
            reservations: Arc::default(),
            rooms: writers.rooms.writer.as_reader(),
            calendars: writers.calendars.writer.as_reader(),
            listed: seen,
            calendars_of: Mutex::default(),
        };
        (cache, writers)
    }

    /// Waits until all three have been listed once.
    pub async fn ready(&self) {
        // That nobody counts any more means that the scope is ending; there is nothing to wait for then.
        let _ = self.listed.clone().wait_for(|listed| *listed >= KINDS).await;
    }

    /// How often the Reservations have been listed: what comes and goes between a watch and the next list is never seen.
    pub fn lists(&self) -> u64 {
        self.reservations.lists()
    }

    /// Whether all three have been listed once: before that, what is not there may only not have been seen.
    pub fn is_whole(&self) -> bool {
        *self.listed.borrow() >= KINDS
    }

    /// A Reservation as last seen, if this version can read it.
    pub fn reservation(&self, key: &Key) -> Option<Arc<Reservation>> {
        self.reservations.get(key)
    }

    /// A Room as last seen.
    pub fn room(&self, key: &Key) -> Option<Arc<Guarded<Room>>> {
        self.rooms.get(&ObjectRef::new(&key.1).within(&key.0))
    }

    /// A calendar as last seen.
    pub fn calendar(&self, key: &Key) -> Option<Arc<Guarded<RoomCalendar>>> {
        self.calendars.get(&ObjectRef::new(&key.1).within(&key.0))
    }

    /// Names of a Room's calendars.
    pub fn calendars_of(&self, room: &Key) -> Vec<String> {
        lock(&self.calendars_of).get(room).map(|names| names.iter().cloned().collect()).unwrap_or_default()
    }

    /// Takes a calendar's event into the index. Gives the Room's key.
    pub fn index_calendar(&self, object: &Guarded<RoomCalendar>, there: bool) -> Option<Key> {
        let calendar = object.0.as_ref().ok()?;
        let (namespace, name) = key_of(calendar);
        let room = (namespace, calendar.spec.room_name.clone());
        let mut index = lock(&self.calendars_of);
        let names = index.entry(room.clone()).or_default();
        if there {
            names.insert(name);
        } else {
            names.remove(&name);
            if names.is_empty() {
                index.remove(&room);
            }
        }
        Some(room)
    }
}

/// Locks; a panic while holding one of these locks leaves nothing half done.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps objects whole, in a store.
pub struct StoreKeeper<K: Resource<DynamicType = ()> + Clone + 'static> {
    writer: Writer<Guarded<K>>,
    before_list: Vec<Arc<Guarded<K>>>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> StoreKeeper<K> {
    fn new() -> Self {
        Self { writer: Writer::new(()), before_list: Vec::new() }
    }
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Keeper for StoreKeeper<K> {
    type Kind = K;
    type Seen = Arc<Guarded<K>>;

    fn list_begins(&mut self) {
        self.writer.apply_watcher_event(&Event::Init);
        self.before_list = self.writer.as_reader().state();
    }

    fn listed(&mut self, object: Guarded<K>) {
        self.writer.apply_watcher_event(&Event::InitApply(object));
    }

    fn list_ends(&mut self) -> Vec<(Self::Seen, bool)> {
        self.writer.apply_watcher_event(&Event::InitDone);
        let reader = self.writer.as_reader();
        // What went while nobody watched has no event of its own.
        let before = std::mem::take(&mut self.before_list).into_iter();
        let gone = before.filter(|gone| {
            let now = reader.get(&ObjectRef::from_obj(&**gone));
            now.is_none_or(|now| now.meta().uid != gone.meta().uid)
        });
        let mut all: Vec<_> = gone.map(|gone| (gone, false)).collect();
        all.extend(reader.state().into_iter().map(|object| (object, true)));
        all
    }

    fn put(&mut self, object: Guarded<K>) -> Self::Seen {
        let seen = Arc::new(object.clone());
        self.writer.apply_watcher_event(&Event::Apply(object));
        seen
    }

    fn gone(&mut self, object: Guarded<K>) -> Self::Seen {
        let seen = Arc::new(object.clone());
        self.writer.apply_watcher_event(&Event::Delete(object));
        seen
    }
}

/// Follows a watch for good, has its keeper take in what it shows, and tells of every object touched (and whether it is
/// still there).
pub async fn follow<K, S: Keeper<Kind = K>>(
    client: Client,
    namespace: Option<String>,
    mut keeper: S,
    all_listed: Listed,
    mut touched: impl FnMut(S::Seen, bool),
) where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + Sync
        + 'static,
{
    let api: Api<Guarded<K>> =
        namespace.map_or_else(|| Api::all(client.clone()), |ns| Api::namespaced(client.clone(), &ns));
    let kind = K::kind(&());
    let mut listed = false;
    // In pages, which the API server gives only to who asks for the newest: to who takes any version it sends the whole
    // list in one answer, and all of it would be here at once, managedFields included.
    let mut events = watcher(api, watcher::Config::default().page_size(PAGE))
        .modify(|object| object.meta_mut().managed_fields = None)
        .default_backoff()
        .boxed();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => match event {
                Event::Apply(object) => {
                    report_broken(&object, &kind);
                    touched(keeper.put(object), true);
                }
                Event::Delete(object) => touched(keeper.gone(object), false),
                // A list becomes known as a whole, at its end: who is woken before that would see the old view, and
                // nobody would wake them again.
                Event::Init => keeper.list_begins(),
                Event::InitApply(object) => {
                    report_broken(&object, &kind);
                    keeper.listed(object);
                }
                Event::InitDone => {
                    let all = keeper.list_ends();
                    if !std::mem::replace(&mut listed, true) {
                        all_listed.send_modify(|kinds| *kinds += 1);
                    }
                    for (seen, there) in all {
                        touched(seen, there);
                    }
                }
            },
            Ok(None) => return,
            Err(error) => tracing::warn!(%kind, %error, "the watch failed; it is begun again"),
        }
    }
}

fn report_broken<K: Resource>(object: &Guarded<K>, kind: &str)
where
    Guarded<K>: Resource,
{
    if let Err(broken) = &object.0 {
        let (namespace, name) = key_of(object);
        tracing::warn!(%kind, namespace, name, error = %broken, "skipped: this version cannot read the object");
    }
}
