//! The read model: Rooms, their months and Reservations as the watches have shown them, indexed for what is asked.
//!
//! Every read of the gateway is answered from here, and no read reaches the API server. What is here is always a little
//! old; [`pulse`](crate::pulse) knows how old. Whoever has just written waits here, for a bounded time, until the
//! watch has shown what was written.

mod packed;
mod stays;
pub mod views;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use innkeeper_api::Month;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

pub use packed::Listed;
use stays::Stays;
pub use stays::{Page, Place};
use views::{CalendarView, Claim, RoomView, StayView};

/// A namespace and a name.
pub type Key = (String, String);

/// Objects by namespace and name.
type Named<T> = HashMap<String, BTreeMap<String, Arc<T>>>;

/// The read model. Clones share it.
#[derive(Clone, Default)]
pub struct Model(Arc<Shared>);

#[derive(Default)]
struct Shared {
    known: RwLock<Known>,
    followers: Mutex<HashMap<Key, watch::Sender<()>>>,
    gone: OnceLock<UnboundedSender<Gone>>,
}

/// A Reservation that was known and is not there any more, as the watch says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Its UID.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

#[derive(Default)]
struct Known {
    rooms: Named<RoomView>,
    calendars: Named<CalendarView>,
    stays: Stays,
}

/// A Room with everything that says what of it is free.
#[derive(Debug, Clone)]
pub struct Stock {
    /// The Room.
    pub room: Arc<RoomView>,
    /// The months asked for; `None` for one in which nothing was ever sold.
    pub months: BTreeMap<Month, Option<Arc<CalendarView>>>,
    /// Stays under way.
    pub claims: Vec<Claim>,
}

/// How many objects of each kind are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Rooms.
    pub rooms: usize,
    /// Months of Rooms.
    pub calendars: usize,
    /// Reservations.
    pub reservations: usize,
}

/// Tells of changes to one Reservation for as long as it is held.
pub struct Follower {
    model: Model,
    key: Key,
    changes: watch::Receiver<()>,
}

impl Model {
    /// Whether a property has any Room.
    #[must_use]
    pub fn has_property(&self, namespace: &str) -> bool {
        self.read().rooms.get(namespace).is_some_and(|rooms| !rooms.is_empty())
    }

    /// The properties that have a Room, by name.
    #[must_use]
    pub fn properties(&self) -> Vec<String> {
        let known = self.read();
        let mut names: Vec<String> = known.rooms.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// Every Room of a property, by name, with these months.
    #[must_use]
    pub fn stock(&self, namespace: &str, months: &[Month]) -> Vec<Stock> {
        let known = self.read();
        let rooms = known.rooms.get(namespace).into_iter().flat_map(BTreeMap::values);
        rooms.map(|room| known.stock_of(namespace, room, months)).collect()
    }

    /// One Room of a property, with these months.
    #[must_use]
    pub fn stock_of(&self, namespace: &str, room: &str, months: &[Month]) -> Option<Stock> {
        let known = self.read();
        let room = known.rooms.get(namespace)?.get(room)?;
        Some(known.stock_of(namespace, room, months))
    }

    /// A Reservation.
    #[must_use]
    pub fn stay(&self, namespace: &str, name: &str) -> Option<Arc<StayView>> {
        self.read().stays.get(namespace, name).map(Arc::new)
    }

    /// Reservations of an owner (a guest, or everybody a partner acts for), newest first, after a place, in these
    /// properties (`None`: in all).
    #[must_use]
    pub fn stays_of(
        &self,
        owner: &str,
        after: Option<&Place>,
        limit: usize,
        within: impl Fn(&str) -> bool,
    ) -> Page {
        self.read().stays.page(owner, after, limit, within)
    }

    /// How much is known.
    #[must_use]
    pub fn size(&self) -> Size {
        let known = self.read();
        Size {
            rooms: known.rooms.values().map(BTreeMap::len).sum(),
            calendars: known.calendars.values().map(BTreeMap::len).sum(),
            reservations: known.stays.len(),
        }
    }

    /// Follows one Reservation, there or not yet.
    #[must_use]
    pub fn follow(&self, namespace: &str, name: &str) -> Follower {
        let key = (namespace.to_owned(), name.to_owned());
        let mut followers = lock(&self.0.followers);
        let changes = followers.entry(key.clone()).or_default().subscribe();
        Follower { model: self.clone(), key, changes }
    }

    /// Waits until a Reservation is known as of this version or a later one, or as gone after it was known, at most so
    /// long. Says whether it came to that.
    pub async fn wait_for(&self, namespace: &str, name: &str, version: u64, within: Duration) -> bool {
        let mut follower = self.follow(namespace, name);
        let seen = async {
            while self.stay(namespace, name).is_none_or(|stay| stay.version < version) {
                follower.changed().await;
            }
        };
        tokio::time::timeout(within, seen).await.is_ok()
    }

    /// A Room is so, or there no more.
    pub fn put_room(&self, namespace: &str, name: &str, room: Option<RoomView>) {
        put(&mut self.write().rooms, namespace, name, room.map(Arc::new));
    }

    /// A calendar is so, or there no more.
    pub fn put_calendar(&self, namespace: &str, name: &str, calendar: Option<CalendarView>) {
        put(&mut self.write().calendars, namespace, name, calendar.map(Arc::new));
    }

    /// A Reservation is so, or there no more.
    pub fn put_stay(&self, namespace: &str, name: &str, stay: Option<&StayView>) {
        // One that was made anew under its name went before, which is told, too.
        let gone = self.0.gone.get().filter(|_| stay.is_none());
        let gone = gone.and_then(|tell| Some((tell, self.stay(namespace, name)?)));
        self.write().stays.put(namespace, name, stay);
        self.tell(namespace, name);
        if let Some((tell, old)) = gone {
            let gone =
                Gone { uid: old.uid.clone(), namespace: old.namespace.clone(), name: old.name.clone() };
            // Nobody listens where the gateway is ending.
            let _ = tell.send(gone);
        }
    }

    /// Tells of every Reservation that goes from now on, once. What went while the watch was lost is not told.
    pub fn gone(&self) -> UnboundedReceiver<Gone> {
        let (tell, told) = unbounded_channel();
        let _ = self.0.gone.set(tell);
        told
    }

    /// These are all the Rooms of a namespace, or of all.
    pub fn list_rooms(&self, namespace: Option<&str>, all: Vec<(Key, RoomView)>) {
        list(&mut self.write().rooms, namespace, all);
    }

    /// These are all the calendars of a namespace, or of all.
    pub fn list_calendars(&self, namespace: Option<&str>, all: Vec<(Key, CalendarView)>) {
        list(&mut self.write().calendars, namespace, all);
    }

    /// These are all the Reservations of a namespace, or of all.
    pub fn list_stays(&self, namespace: Option<&str>, all: Vec<(Key, Listed)>) {
        self.write().stays.list(namespace, all);
        for follower in lock(&self.0.followers).values() {
            follower.send_replace(());
        }
    }

    fn tell(&self, namespace: &str, name: &str) {
        let followers = lock(&self.0.followers);
        // Mostly there are none, and then nothing is made to look for them with.
        if followers.is_empty() {
            return;
        }
        if let Some(follower) = followers.get(&(namespace.to_owned(), name.to_owned())) {
            follower.send_replace(());
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn stock_of(&self, namespace: &str, room: &Arc<RoomView>, months: &[Month]) -> Stock {
        let calendars = self.calendars.get(namespace);
        let calendar = |month: &Month| calendars?.get(&month.calendar_name(&room.name)).cloned();
        Stock {
            room: Arc::clone(room),
            months: months.iter().map(|month| (*month, calendar(month))).collect(),
            claims: self.stays.claims(namespace, &room.name),
        }
    }
}

impl Follower {
    /// Waits for the next change since it was last asked.
    pub async fn changed(&mut self) {
        // The sender stays as long as it has a receiver, and this is one.
        let _ = self.changes.changed().await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut followers = lock(&self.model.0.followers);
        if followers.get(&self.key).is_some_and(|sender| sender.receiver_count() <= 1) {
            followers.remove(&self.key);
        }
    }
}

fn put<T>(named: &mut Named<T>, namespace: &str, name: &str, object: Option<Arc<T>>) {
    match object {
        Some(object) => {
            named.entry(namespace.to_owned()).or_default().insert(name.to_owned(), object);
        }
        None => {
            if let Some(there) = named.get_mut(namespace) {
                there.remove(name);
                if there.is_empty() {
                    named.remove(namespace);
                }
            }
        }
    }
}

fn list<T>(named: &mut Named<T>, namespace: Option<&str>, all: Vec<(Key, T)>) {
    match namespace {
        Some(namespace) => drop(named.remove(namespace)),
        None => named.clear(),
    }
    for ((namespace, name), object) in all {
        named.entry(namespace).or_default().insert(name, Arc::new(object));
    }
}

/// Locks; whoever holds one of these locks leaves nothing half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
