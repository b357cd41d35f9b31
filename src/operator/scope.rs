//! What the controllers of one scope (one namespace, or all of them) share.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use innkeeper_api::{FINALIZER, Reservation, Room, RoomCalendar};
use innkeeper_booking::observed::Settings;
use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::metrics::Metrics;
use jiff::SignedDuration;
use kube::runtime::events::Recorder;
use kube::{Api, Client, ResourceExt};

use crate::Clock;
use crate::allocator::Allocators;
use crate::brake::Brake;
use crate::cache::{Cache, Key, lock};
use crate::cashier::Cashier;
use crate::doorbell::Told;
use crate::earlier::EarlierCharges;
use crate::queue::{Patience, Waits, Wakers};
use crate::rewound::Past;

/// Shared by all controllers of a scope.
pub struct Scope {
    /// The API server.
    pub client: Client,
    /// What the watches have shown.
    pub cache: Arc<Cache>,
    /// The payment provider.
    pub cashier: Cashier,
    /// Money of other objects of the same name.
    pub earlier: Arc<EarlierCharges>,
    /// The brake on money.
    pub brake: Arc<Brake>,
    /// Whether this cluster knows what was paid.
    pub past: Arc<Past>,
    /// The allocators, one per Room.
    pub allocators: Allocators,
    /// The configuration, always as it is now.
    pub config: Arc<ConfigWatch>,
    /// This installation's id.
    pub installation: String,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Kubernetes Events, for what a person should notice.
    pub recorder: Recorder,
    /// Waits after failures.
    pub patience: Patience,
    /// Waits while the provider is at it.
    pub polling: Patience,
    /// Whom to look at.
    pub wake_reservation: Wakers,
    /// Which Room to look at.
    pub wake_room: Wakers,
    /// Whose money has changed, as the provider has said by itself.
    pub told: Told,
    /// What our own writes returned, where the watch has not caught up with it.
    pub written: Written,
    /// Who waits for a Room.
    pub waiting: Mutex<HashMap<Key, HashSet<Key>>>,
    /// Holders that nobody seems to stand for.
    pub suspects: Suspects,
    /// When a Room's status was last written.
    pub room_written: Mutex<HashMap<String, Instant>>,
}

impl Scope {
    /// The planner's settings, as they are now.
    pub fn settings(&self) -> Settings {
        let config = self.config.current();
        let mut finalizers = vec![FINALIZER.to_owned()];
        finalizers.extend(config.operator.extra_finalizers.iter().cloned());
        Settings {
            accept_within: SignedDuration::try_from(config.operator.accept_within)
                .unwrap_or(SignedDuration::MAX),
            finalizers,
            installation: self.installation.clone(),
        }
    }

    /// How long to wait before this object is tried again after a failure. While the provider is down for all, nobody
    /// gets impatient by himself: everybody comes back when it is tried again, so that recovery is noticed soon.
    pub fn next_try(&self, uid: &str) -> Duration {
        if let Some(left) = self.cashier.held_back_for() {
            return left + self.patience.spread(uid, Duration::from_secs(1));
        }
        let backoff = &self.config.current().payments.backoff;
        self.patience.next(uid, Waits { initial: backoff.initial, max: backoff.max })
    }

    /// How long to wait before the provider is asked again for what it is working on.
    pub fn next_poll(&self, uid: &str) -> Duration {
        self.polling.next(uid, Waits { initial: Duration::from_secs(2), max: Duration::from_secs(600) })
    }

    /// How often every object is looked at again, changed or not.
    pub fn resync(&self) -> Duration {
        self.config.current().operator.resync
    }

    /// Reservations of a namespace.
    pub fn reservations(&self, namespace: &str) -> Api<Reservation> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Rooms of a namespace.
    pub fn rooms(&self, namespace: &str) -> Api<Room> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Calendars of a namespace.
    pub fn calendars(&self, namespace: &str) -> Api<RoomCalendar> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Has everybody looked at who waits for a Room.
    pub fn room_changed(&self, room: &Key) {
        let waiting = lock(&self.waiting).remove(room).unwrap_or_default();
        for reservation in &waiting {
            self.wake_reservation.wake(reservation);
        }
    }

    /// A Reservation no longer waits for a Room.
    pub fn no_longer_waits(&self, room: &Key, reservation: &Key) {
        let mut waiting = lock(&self.waiting);
        if let Some(who) = waiting.get_mut(room) {
            who.remove(reservation);
            if who.is_empty() {
                waiting.remove(room);
            }
        }
    }

    /// Remembers that a Reservation waits for a Room.
    pub fn wait_for_room(&self, room: Key, reservation: Key) {
        lock(&self.waiting).entry(room).or_default().insert(reservation);
    }
}

/// What our own writes returned. A watch event is not the latest state after one's own write.
#[derive(Default)]
pub struct Written(Mutex<HashMap<String, Arc<Reservation>>>);

impl Written {
    /// Keeps what a write returned.
    pub fn keep(&self, object: Arc<Reservation>) {
        if let Some(uid) = object.uid() {
            lock(&self.0).insert(uid, object);
        }
    }

    /// The newer of what was seen and what was written; what the watch has caught up with is forgotten.
    pub fn newest(&self, seen: &Reservation) -> Option<Arc<Reservation>> {
        let uid = seen.uid()?;
        let mut all = lock(&self.0);
        let ours = all.get(&uid)?;
        if version(ours) > version(seen) {
            return Some(Arc::clone(ours));
        }
        all.remove(&uid);
        None
    }

    /// The object is gone.
    pub fn forget(&self, uid: &str) {
        lock(&self.0).remove(uid);
    }
}

/// How long a holder without a Reservation is left alone: the watches of the two kinds may be a little apart.
const SUSPICION: Duration = Duration::from_secs(5);

/// Holders that nobody seems to stand for, and since when.
#[derive(Default)]
pub struct Suspects(Mutex<HashMap<String, Instant>>);

impl Suspects {
    /// How long until the oldest suspicion is old enough to be looked into; zero where it is. `None` without any.
    pub fn rest(&self, nobody: &BTreeSet<&str>, now: Instant) -> Option<Duration> {
        let mut since = lock(&self.0);
        if nobody.is_empty() {
            return None;
        }
        // Old suspicions of other Rooms may be forgotten here; they begin anew when those Rooms are looked at.
        since.retain(|uid, at| nobody.contains(uid.as_str()) || now.duration_since(*at) < SUSPICION * 10);
        let oldest = nobody.iter().map(|uid| *since.entry((*uid).to_owned()).or_insert(now)).min()?;
        Some(SUSPICION.saturating_sub(now.duration_since(oldest)))
    }
}

/// A resourceVersion as a number, which for one kind on one API server says which is newer (KEP-5504).
fn version(object: &Reservation) -> u64 {
    object.metadata.resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or(0)
}
