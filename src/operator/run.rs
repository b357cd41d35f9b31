//! Puts the parts together and runs them: while we have the Lease, or always where none is asked for.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use futures::{Stream, StreamExt, TryStreamExt};
use innkeeper_api::{Reservation, Room, RoomCalendar};
use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::metrics::{Controller, Metrics, ReconcileResult};
use innkeeper_ops::probes::{Condition, Health};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config, Error, ReconcileRequest, applier};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::{Client, Resource};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::allocator::Allocators;
use crate::attention::Attention;
use crate::cache::{Cache, Writers, follow, key_of};
use crate::cashier::Cashier;
use crate::error::{OperatorError, ReconcileError};
use crate::lease::{Candidate, LeaseConfig};
use crate::queue::{Patience, Wakers};
use crate::scope::{Scope, Suspects, Written};
use crate::{Clock, calendar, orphans, reservation, room};

/// The operator.
pub struct Operator {
    /// The API server.
    pub client: Client,
    /// The payment provider.
    pub cashier: Cashier,
    /// The configuration; what may change while running is read from it each time.
    pub config: Arc<ConfigWatch>,
    /// This installation's id.
    pub installation: String,
    /// The Lease; without one the controllers run at once.
    pub lease: Option<LeaseConfig>,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// What readiness asks.
    pub health: Health,
}

impl Operator {
    /// Runs until `stop`; what is under way is finished first.
    pub fn run(self, stop: CancellationToken) -> impl Future<Output = Result<(), OperatorError>> + Send {
        // At once, not when first polled: a process that has not begun must not look ready.
        let synced = self.health.condition("caches-synced");
        let lease = self.lease.clone().map(|config| (config, self.health.condition("lease")));
        async move {
            match lease {
                None => self.lead(stop, || synced.met()).await,
                Some((config, answered)) => self.lead_in_turn(stop, config, answered, &synced).await?,
            }
            Ok(())
        }
    }

    /// Leads whenever it has the Lease, and gives it back at the end.
    async fn lead_in_turn(
        &self,
        stop: CancellationToken,
        config: LeaseConfig,
        answered: Condition,
        synced: &Condition,
    ) -> Result<(), OperatorError> {
        let (name, identity) = (config.name.clone(), config.identity.clone());
        let mut lease = Candidate::start(self.client.clone(), config, answered);
        while !stop.is_cancelled() {
            let has_it = lease.has_it();
            self.metrics.leading(&name, has_it == Some(true));
            if has_it == Some(true) {
                tracing::info!(identity, lease = name, "leading");
                synced.unmet("not yet");
                let term = stop.child_token();
                let _over = term.clone().drop_guard();
                tokio::select! {
                    () = self.lead(term, || synced.met()) => {}
                    // Lost: whatever is under way is dropped where it stands, which is safe at every point.
                    changed = lease.changed() => {
                        tracing::warn!(identity, "no longer leading");
                        changed?;
                    }
                }
            } else {
                if has_it == Some(false) {
                    // A standby answers correctly too: it is ready to take over.
                    synced.met();
                }
                tokio::select! {
                    changed = lease.changed() => changed?,
                    () = stop.cancelled() => {}
                }
            }
        }
        lease.give_back().await;
        self.metrics.leading(&name, false);
        Ok(())
    }

    async fn lead(&self, stop: CancellationToken, synced: impl Fn()) {
        let config = self.config.current();
        let namespaces: Vec<Option<String>> = match config.operator.watch_namespaces.as_slice() {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        };
        let scopes: Vec<_> = namespaces.into_iter().map(|ns| self.scope(ns, stop.clone())).collect();
        let caches: Vec<Arc<Cache>> = scopes.iter().map(|(cache, _)| Arc::clone(cache)).collect();
        let ready = async {
            for cache in &caches {
                cache.ready().await;
            }
            synced();
        };
        let work = futures::future::join_all(scopes.into_iter().map(|(_, work)| work));
        tokio::join!(ready, work);
    }

    /// The controllers of one namespace, or of all.
    fn scope(
        &self,
        namespace: Option<String>,
        stop: CancellationToken,
    ) -> (Arc<Cache>, impl Future<Output = ()> + use<>) {
        let (cache, writers) = Cache::new();
        let cache = Arc::new(cache);
        let (wake_reservation, reservations) = Wakers::new();
        let (wake_room, rooms) = Wakers::new();
        let (wake_calendar, calendars) = Wakers::new();
        // The allocators end with the scope's work, not before it: a reconcile that is being finished needs them.
        let allocators_stop = CancellationToken::new();
        let ended = allocators_stop.clone().drop_guard();
        let scope = Arc::new(Scope {
            client: self.client.clone(),
            cache: Arc::clone(&cache),
            cashier: self.cashier.clone(),
            allocators: Allocators::new(
                self.client.clone(),
                Arc::clone(&cache),
                self.clock.clone(),
                self.metrics.clone(),
                Arc::clone(&self.config),
                allocators_stop,
            ),
            config: Arc::clone(&self.config),
            installation: self.installation.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            recorder: Recorder::new(
                self.client.clone(),
                Reporter { controller: "innkeeper".into(), instance: None },
            ),
            patience: Patience::default(),
            polling: Patience::default(),
            wake_reservation: Arc::new(wake_reservation),
            wake_room: Arc::new(wake_room),
            written: Written::default(),
            waiting: std::sync::Mutex::default(),
            suspects: Suspects::default(),
            room_written: std::sync::Mutex::default(),
        });
        let sweep = orphans::run(Arc::clone(&scope), namespace.clone());
        let watches = watches(&scope, namespace, writers, wake_calendar);
        let metrics = self.metrics.clone();
        let workers = self.config.current().operator.workers;
        let cached = Arc::clone(&cache);
        let work = async move {
            let _ended = ended;
            let controllers = async {
                tokio::join!(
                    drive(
                        Controller::Reservation,
                        reservations,
                        cached.reservations.clone(),
                        &scope,
                        &metrics,
                        workers,
                        &stop,
                        reservation::reconcile
                    ),
                    drive(
                        Controller::Room,
                        rooms,
                        cached.rooms.clone(),
                        &scope,
                        &metrics,
                        workers,
                        &stop,
                        room::reconcile
                    ),
                    drive(
                        Controller::RoomCalendar,
                        calendars,
                        cached.calendars.clone(),
                        &scope,
                        &metrics,
                        workers,
                        &stop,
                        calendar::reconcile
                    ),
                );
            };
            tokio::select! {
                () = controllers => {}
                () = watches => {}
                () = sweep => {}
            }
        };
        (cache, work)
    }
}

/// The three watches of a scope, and whom their events wake.
fn watches(
    scope: &Arc<Scope>,
    namespace: Option<String>,
    writers: Writers,
    wake_calendar: Wakers<DeserializeGuard<RoomCalendar>>,
) -> impl Future<Output = ()> + use<> {
    let client = scope.client.clone();
    let wake_calendar = Arc::new(wake_calendar);
    let attention = Attention::new(scope.metrics.clone());
    let (by_reservation, by_room, by_calendar) = (Arc::clone(scope), Arc::clone(scope), Arc::clone(scope));
    let calendars_of_room = Arc::clone(&wake_calendar);
    let reservations = follow::<Reservation>(
        client.clone(),
        namespace.clone(),
        writers.reservations,
        Arc::clone(&scope.cache),
        move |object, there| {
            by_reservation.cache.index_reservation(object, there);
            attention.see(object, there);
            if there {
                by_reservation.wake_reservation.wake(&key_of(object));
            } else if let Some(uid) = &object.meta().uid {
                by_reservation.written.forget(uid);
            }
        },
    );
    let rooms = follow::<Room>(
        client.clone(),
        namespace.clone(),
        writers.rooms,
        Arc::clone(&scope.cache),
        move |object, there| {
            let key = key_of(object);
            by_room.room_changed(&key);
            if there {
                by_room.wake_room.wake(&key);
            } else {
                for name in by_room.cache.calendars_of(&key) {
                    calendars_of_room.wake(&(key.0.clone(), name));
                }
            }
        },
    );
    let calendars = follow::<RoomCalendar>(
        client,
        namespace,
        writers.calendars,
        Arc::clone(&scope.cache),
        move |object, there| {
            let room = by_calendar.cache.index_calendar(object, there);
            if let Some(room) = room {
                by_calendar.wake_room.wake(&room);
            }
            if there {
                wake_calendar.wake(&key_of(object));
            }
        },
    );
    async move {
        tokio::join!(reservations, rooms, calendars);
    }
}

/// Runs one controller until `stop`; reconciles under way are finished.
#[allow(clippy::too_many_arguments, reason = "called three times, right above")]
async fn drive<K, F>(
    name: Controller,
    queue: impl Stream<Item = Result<ReconcileRequest<K>, Infallible>> + Send,
    store: Store<K>,
    scope: &Arc<Scope>,
    metrics: &Metrics,
    workers: u16,
    stop: &CancellationToken,
    reconcile: impl Fn(Arc<K>, Arc<Scope>) -> F + Copy + Send + 'static,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    F: Future<Output = Result<Action, ReconcileError>> + Send + 'static,
{
    let counted = metrics.clone();
    let reconciler = move |object: Arc<K>, scope: Arc<Scope>| {
        let metrics = counted.clone();
        let task = tokio::spawn(async move {
            let _active = metrics.reconciling(name);
            let begun = Instant::now();
            let result = reconcile(object, scope).await;
            metrics.reconciled(name, class(&result), begun.elapsed());
            result
        });
        // A task of its own: a panic in one reconcile is an error of that object, and of no other.
        let task = AbortOnDropHandle::new(task);
        Box::pin(async move { task.await.unwrap_or_else(|e| Err(ReconcileError::Panicked(e.to_string()))) })
    };
    let policy = |object: Arc<K>, error: &ReconcileError, scope: Arc<Scope>| {
        let (namespace, object_name) = key_of(&*object);
        let uid = object.meta().uid.clone().unwrap_or_default();
        let wait = scope.next_try(&uid);
        tracing::warn!(controller = name.as_str(), namespace, name = object_name, %error, retry_in = ?wait, "a reconcile failed");
        Action::requeue(wait)
    };
    let config = Config::default().concurrency(workers);
    let queue = queue.take_until(stop.clone().cancelled_owned()).boxed();
    applier(reconciler, policy, Arc::clone(scope), store, queue, config)
        .map_err(|error: Error<ReconcileError, Infallible>| error)
        .for_each(|result| async move {
            if let Err(Error::RunnerError(error)) = result {
                tracing::error!(%error, "a controller is in trouble");
            }
        })
        .await;
}

fn class(result: &Result<Action, ReconcileError>) -> ReconcileResult {
    match result {
        Ok(action) if *action == Action::await_change() => ReconcileResult::Success,
        Ok(_) => ReconcileResult::RequeueAfter,
        Err(_) => ReconcileResult::Error,
    }
}
