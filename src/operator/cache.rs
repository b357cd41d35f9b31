//! What the watches have shown: stores of the three kinds, and who is to be woken by an event.
//!
//! A store is a view, always a little old. Objects that do not decode are kept out of the way: one of them must not
//! stop the others.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use innkeeper_api::{Reservation, Room, RoomCalendar};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

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

/// The stores, and two indexes over them.
pub struct Cache {
    /// Reservations.
    pub reservations: Store<Guarded<Reservation>>,
    /// Rooms.
    pub rooms: Store<Guarded<Room>>,
    /// Calendars.
    pub calendars: Store<Guarded<RoomCalendar>>,
    /// How many of the three kinds have been listed once.
    listed: AtomicUsize,
    by_uid: Mutex<HashMap<String, Key>>,
    calendars_of: Mutex<HashMap<Key, BTreeSet<String>>>,
}

/// The writers of the stores; each is driven by one watch.
pub struct Writers {
    /// Reservations.
    pub reservations: Writer<Guarded<Reservation>>,
    /// Rooms.
    pub rooms: Writer<Guarded<Room>>,
    /// Calendars.
    pub calendars: Writer<Guarded<RoomCalendar>>,
}

impl Cache {
    /// Empty stores and their writers.
    pub fn new() -> (Self, Writers) {
        let writers =
            Writers { reservations: Writer::new(()), rooms: Writer::new(()), calendars: Writer::new(()) };
        let cache = Self {
            reservations: writers.reservations.as_reader(),
            rooms: writers.rooms.as_reader(),
            calendars: writers.calendars.as_reader(),
            listed: AtomicUsize::new(0),
            by_uid: Mutex::default(),
            calendars_of: Mutex::default(),
        };
        (cache, writers)
    }

    /// Waits until all three have been listed once.
    pub async fn ready(&self) {
        // A dropped writer means that the scope is ending; there is nothing to wait for then.
        let _ = self.reservations.wait_until_ready().await;
        let _ = self.rooms.wait_until_ready().await;
        let _ = self.calendars.wait_until_ready().await;
    }

    /// One more kind has been listed.
    pub fn one_listed(&self) {
        self.listed.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether all three have been listed once: before that, what is not there may only not have been seen.
    pub fn is_whole(&self) -> bool {
        self.listed.load(Ordering::SeqCst) >= 3
    }

    /// A Reservation as last seen.
    pub fn reservation(&self, key: &Key) -> Option<Arc<Guarded<Reservation>>> {
        self.reservations.get(&ObjectRef::new(&key.1).within(&key.0))
    }

    /// A Room as last seen.
    pub fn room(&self, key: &Key) -> Option<Arc<Guarded<Room>>> {
        self.rooms.get(&ObjectRef::new(&key.1).within(&key.0))
    }

    /// A calendar as last seen.
    pub fn calendar(&self, key: &Key) -> Option<Arc<Guarded<RoomCalendar>>> {
        self.calendars.get(&ObjectRef::new(&key.1).within(&key.0))
    }

    /// The Reservation with this UID.
    pub fn key_of_uid(&self, uid: &str) -> Option<Key> {
        lock(&self.by_uid).get(uid).cloned()
    }

    /// Names of a Room's calendars.
    pub fn calendars_of(&self, room: &Key) -> Vec<String> {
        lock(&self.calendars_of).get(room).map(|names| names.iter().cloned().collect()).unwrap_or_default()
    }

    /// Takes a Reservation's event into the index.
    pub fn index_reservation(&self, object: &Guarded<Reservation>, there: bool) {
        let Some(uid) = object.uid() else { return };
        let mut index = lock(&self.by_uid);
        if there {
            index.insert(uid, key_of(object));
        } else {
            index.remove(&uid);
        }
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

/// Follows a watch for good, keeps its store, and tells of every object touched (and whether it is still there).
pub async fn follow<K>(
    client: Client,
    namespace: Option<String>,
    mut writer: Writer<Guarded<K>>,
    cache: Arc<Cache>,
    mut touched: impl FnMut(&Guarded<K>, bool),
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
    let reader = writer.as_reader();
    let mut listed = false;
    let mut before_list = Vec::new();
    // In pages, which the API server gives only to who asks for the newest: to who takes any version it sends the whole
    // list in one answer, and all of it would be here at once, managedFields included.
    let mut events = watcher(api, watcher::Config::default().page_size(PAGE))
        .modify(|object| object.meta_mut().managed_fields = None)
        .default_backoff()
        .boxed();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => {
                writer.apply_watcher_event(&event);
                match &event {
                    Event::Apply(object) => {
                        report_broken(object, &kind);
                        touched(object, true);
                    }
                    Event::Delete(object) => touched(object, false),
                    // A list enters the store as a whole, at its end: who is woken before that would see the old view,
                    // and nobody would wake them again.
                    Event::Init => before_list = reader.state(),
                    Event::InitApply(_) => {}
                    Event::InitDone => {
                        if !std::mem::replace(&mut listed, true) {
                            cache.one_listed();
                        }
                        // What went while nobody watched has no event of its own.
                        for gone in std::mem::take(&mut before_list) {
                            let now = reader.get(&ObjectRef::from_obj(&*gone));
                            if now.is_none_or(|now| now.meta().uid != gone.meta().uid) {
                                touched(&gone, false);
                            }
                        }
                        for object in reader.state() {
                            report_broken(&*object, &kind);
                            touched(&object, true);
                        }
                    }
                }
            }
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
