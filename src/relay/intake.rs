//! Follows Reservations and Rooms, and puts what is new into the queues.
//!
//! Nothing is kept in memory but what is being looked at: what is new is found by comparing an object's history with how
//! far each sink has come. What a watch shows may be behind; that a history went back is believed only of an object that
//! was read anew.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use innkeeper_api::{Reservation, Room};
use innkeeper_ops::probes::Condition;
use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::relay::Shared;
use crate::store::intake::{Intake, Seen, Taken, forget, forget_all_but};

/// How many changes share one transaction.
const AT_ONCE: usize = 256;
/// How many objects a page of a list has: what a list needs in memory.
const PAGE: u32 = 200;
/// The first and the longest wait before a watch is begun again.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long to wait before what could not be stored is tried again.
const AGAIN: Duration = Duration::from_secs(1);

struct Waits(Duration);

impl Iterator for Waits {
    type Item = Duration;
    fn next(&mut self) -> Option<Duration> {
        let wait = self.0;
        self.0 = (wait * 2).min(WAITS.1);
        Some(wait)
    }
}

impl Backoff for Waits {
    fn reset(&mut self) {
        self.0 = WAITS.0;
    }
}

/// What a watch has shown of an object.
enum Change {
    There(Arc<Reservation>),
    Gone(Arc<Reservation>),
}

/// Follows.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    namespaces: Vec<String>,
    following: Condition,
    /// What the first list of each scope has shown, until all have ended.
    first: Mutex<First>,
    /// Objects that cannot be read, by their UID, and at which version that was said.
    unreadable: Mutex<HashMap<String, String>>,
}

#[derive(Default)]
struct First {
    to_come: usize,
    there: HashSet<String>,
}

impl Follower {
    pub(crate) fn new(shared: Arc<Shared>, namespaces: Vec<String>, following: Condition) -> Self {
        Self { shared, namespaces, following, first: Mutex::default(), unreadable: Mutex::default() }
    }

    /// Follows until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let scopes: Vec<Option<String>> = match self.namespaces.as_slice() {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        };
        lock(&self.first).to_come = scopes.len();
        let all: Vec<_> = scopes.iter().map(|scope| self.scope(scope.as_deref()).boxed()).collect();
        // Nothing is lost by stopping anywhere: what is not in a queue is still on its object.
        let _ = stop.run_until_cancelled(futures::future::join_all(all)).await;
    }

    async fn scope(&self, scope: Option<&str>) {
        tokio::join!(self.reservations(scope), self.rooms(scope));
    }

    async fn reservations(&self, scope: Option<&str>) {
        let events = watched::<Reservation>(&self.shared.client, scope);
        let mut events = std::pin::pin!(events.ready_chunks(AT_ONCE));
        let mut first = true;
        while let Some(chunk) = events.next().await {
            let (mut changes, mut listed) = (Vec::new(), false);
            for event in chunk {
                match event {
                    Ok(Event::Apply(object) | Event::InitApply(object)) => {
                        if first && let Some(uid) = object.uid() {
                            lock(&self.first).there.insert(uid);
                        }
                        changes.extend(self.read(object).map(Change::There));
                    }
                    Ok(Event::Delete(object)) => {
                        let uid = object.uid().unwrap_or_default();
                        self.readable(&uid);
                        changes.extend(self.read(object).map(Change::Gone));
                    }
                    Ok(Event::InitDone) => listed = std::mem::take(&mut first) || listed,
                    Ok(Event::Init) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the watch of Reservations failed; it is begun again");
                    }
                }
            }
            self.take_in(changes).await;
            if listed {
                self.listed().await;
            }
        }
    }

    /// What can be read of an object. What cannot is said once a version, counted, and left as it is: its finalizer keeps
    /// it until it can be read.
    fn read(&self, object: DeserializeGuard<Reservation>) -> Option<Arc<Reservation>> {
        let uid = object.uid().unwrap_or_default();
        let version = object.resource_version().unwrap_or_default();
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let reason = match object.0 {
            Ok(object) => match gap(&object) {
                None => {
                    self.readable(&uid);
                    return Some(Arc::new(object));
                }
                Some(reason) => reason,
            },
            Err(error) => error.to_string(),
        };
        let mut unreadable = lock(&self.unreadable);
        if unreadable.insert(uid, version.clone()) != Some(version) {
            tracing::error!(
                namespace,
                name,
                reason,
                "the facts of this Reservation cannot be read; nothing of it is published until they can"
            );
        }
        self.shared.metrics.relay_unreadable(unreadable.len());
        None
    }

    fn readable(&self, uid: &str) {
        let mut unreadable = lock(&self.unreadable);
        if unreadable.remove(uid).is_some() {
            self.shared.metrics.relay_unreadable(unreadable.len());
        }
    }

    /// Puts what is new into the queues, and tries until that is stored.
    async fn take_in(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let changes = Arc::new(changes);
        let doubtful = self.stored(&changes).await;
        for reservation in doubtful {
            self.look_again(&reservation).await;
        }
    }

    async fn stored(&self, changes: &Arc<Vec<Change>>) -> Vec<Arc<Reservation>> {
        loop {
            let (shared, taking) = (Arc::clone(&self.shared), Arc::clone(changes));
            let done = self.shared.store.run(move |store| {
                let intake = intake(&shared);
                let (mut new, mut doubtful) = (0, Vec::new());
                for change in taking.iter() {
                    match change {
                        Change::There(object) => match intake.reservation(store, Seen::Watched, object)? {
                            Taken::Doubtful => doubtful.push(Arc::clone(object)),
                            Taken::New(more) | Taken::Rewound(more) => new += more,
                        },
                        Change::Gone(object) => {
                            if let Taken::New(more) = intake.reservation(store, Seen::Last, object)? {
                                new += more;
                            }
                            forget(store, &object.uid().unwrap_or_default())?;
                        }
                    }
                }
                Ok((new, doubtful))
            });
            match done.await {
                Ok((_, doubtful)) => {
                    self.shared.tell();
                    return doubtful;
                }
                Err(error) => {
                    tracing::error!(%error, "what is new cannot be stored; it is tried again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Looks at a Reservation as it is now: what the watch has shown is less than what was published.
    async fn look_again(&self, seen: &Reservation) {
        let (namespace, name) = (seen.namespace().unwrap_or_default(), seen.name_any());
        let api: Api<Reservation> = Api::namespaced(self.shared.client.clone(), &namespace);
        let found = loop {
            match api.get_opt(&name).await {
                Ok(found) => break found.filter(|found| found.uid() == seen.uid()),
                Err(error) => {
                    tracing::warn!(namespace, name, %error, "a Reservation cannot be read again; it is tried again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        // One that is gone is told of by the watch.
        let Some(found) = found.filter(|found| gap(found).is_none()) else { return };
        let found = Arc::new(found);
        loop {
            let (shared, object) = (Arc::clone(&self.shared), Arc::clone(&found));
            let taken =
                self.shared.store.run(move |store| intake(&shared).reservation(store, Seen::Fresh, &object));
            match taken.await {
                Ok(Taken::Rewound(_)) => {
                    tracing::warn!(
                        namespace,
                        name,
                        "the history of this Reservation went back; what it says now is published from the fork"
                    );
                    self.shared.metrics.relay_rewound();
                    return self.shared.tell();
                }
                Ok(_) => return self.shared.tell(),
                Err(error) => {
                    tracing::error!(%error, "what is new cannot be stored; it is tried again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// The first list of a scope has ended. After those of all scopes, what is not there any more is forgotten.
    async fn listed(&self) {
        let there = {
            let mut first = lock(&self.first);
            if first.to_come > 1 {
                first.to_come -= 1;
                return;
            }
            first.to_come = 0;
            std::mem::take(&mut first.there)
        };
        if !there.is_empty() {
            match self.shared.store.run(move |store| forget_all_but(store, &there)).await {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "Reservations went while nobody looked"),
                Err(error) => tracing::warn!(%error, "what is gone is remembered a little longer"),
            }
        }
        self.following.met();
    }

    async fn rooms(&self, scope: Option<&str>) {
        if !self.shared.wanted.iter().any(|wanted| wanted.wants(crate::event::AVAILABILITY)) {
            return;
        }
        let events = watched::<Room>(&self.shared.client, scope);
        let mut events = std::pin::pin!(events.ready_chunks(AT_ONCE));
        while let Some(chunk) = events.next().await {
            let rooms: Vec<Room> = chunk
                .into_iter()
                .filter_map(|event| match event {
                    Ok(Event::Apply(object) | Event::InitApply(object)) => object.0.ok(),
                    _ => None,
                })
                .collect();
            let shared = Arc::clone(&self.shared);
            let stored = self
                .shared
                .store
                .run(move |store| rooms.iter().try_for_each(|room| intake(&shared).room(store, room)));
            match stored.await {
                Ok(()) => self.shared.tell(),
                // The next change says it all again.
                Err(error) => tracing::warn!(%error, "a notice of what is free is left out"),
            }
        }
    }
}

fn intake(shared: &Shared) -> Intake<'_> {
    Intake {
        wanted: &shared.wanted,
        installation: &shared.installation,
        now: Timestamp::now(),
        filing: shared.filing.is_some(),
    }
}

/// What is wrong with the numbers of a history: somebody else has written it.
fn gap(reservation: &Reservation) -> Option<String> {
    let history = reservation.status.as_ref().map(|s| s.history.as_slice()).unwrap_or_default();
    let wrong = history.iter().zip(1..).find(|(fact, number)| fact.number != *number);
    wrong.map(|(fact, number)| format!("fact {} of the history has the number {}", number, fact.number))
}

fn watched<K>(
    client: &Client,
    scope: Option<&str>,
) -> impl futures::Stream<Item = Result<Event<DeserializeGuard<K>>, watcher::Error>> + Send + use<K>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + DeserializeOwned
        + Clone
        + Debug
        + Send
        + 'static,
{
    let api: Api<DeserializeGuard<K>> = match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    watcher(api, watcher::Config::default().page_size(PAGE)).backoff(Waits(WAITS.0))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
