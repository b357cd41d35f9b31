//! Puts the parts together and runs them: while we have the Lease, or always where none is asked for.

use std::sync::Arc;
use std::time::Instant;

use futures::Stream;
use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::metrics::{Controller, Metrics, ReconcileResult, WaitsFor};
use innkeeper_ops::probes::{Condition, Health};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, ResourceExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::allocator::Allocators;
use crate::attention::Attention;
use crate::brake::Brake;
use crate::cache::{Cache, Key, Writers, follow, key_of};
use crate::cashier::Cashier;
use crate::doorbell::{Doorbell, Told};
use crate::earlier::EarlierCharges;
use crate::error::{OperatorError, ReconcileError};
use crate::identity::Home;
use crate::lease::{Candidate, LeaseConfig};
use crate::queue::{Patience, Wakers};
use crate::rewound::Past;
use crate::runner::{self, Action};
use crate::scope::{Scope, Suspects, Written};
use crate::shelf::ShelfKeeper;
use crate::{Clock, calendar, orphans, reservation, room};

/// Parts in which those that are settled are looked at again, one after another.
const PARTS: u32 = 64;

/// The operator.
pub struct Operator {
    /// The API server.
    pub client: Client,
    /// The payment provider.
    pub cashier: Cashier,
    /// The configuration; what may change while running is read from it each time.
    pub config: Arc<ConfigWatch>,
    /// Which installation this is, and where it is at home.
    pub home: Home,
    /// The Lease; without one the controllers run at once.
    pub lease: Option<LeaseConfig>,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// What readiness asks.
    pub health: Health,
    /// Who is to be looked at, as somebody outside says.
    pub doorbell: Doorbell,
}

impl Operator {
    /// Runs until `stop`; what is under way is finished first.
    pub fn run(self, stop: CancellationToken) -> impl Future<Output = Result<(), OperatorError>> + Send {
        // At once, not when first polled: a process that has not begun must not look ready.
        let synced = self.health.condition("caches-synced");
        let lease = self.lease.clone().map(|config| (config, self.health.condition("lease")));
        async move {
            match lease {
                None => Box::pin(self.lead(stop, || synced.met())).await,
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
                    () = Box::pin(self.lead(term, || synced.met())) => {}
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
        let kept: Vec<_> = namespaces
            .into_iter()
            .map(|ns| (ns, Cache::new()))
            .map(|(ns, (cache, writers))| (ns, Arc::new(cache), writers))
            .collect();
        let caches: Vec<Arc<Cache>> = kept.iter().map(|(_, cache, _)| Arc::clone(cache)).collect();
        let money = self.money(&caches);
        let scopes: Vec<_> = kept
            .into_iter()
            .map(|(ns, cache, writers)| self.scope(ns, &cache, writers, &money, stop.clone()))
            .collect();
        let ready = async {
            for cache in &caches {
                cache.ready().await;
            }
            synced();
        };
        let work = async {
            tokio::select! {
                _ = futures::future::join_all(scopes) => {}
                () = money.brake.listen() => {}
            }
        };
        tokio::join!(ready, work, async {
            tokio::select! {
                () = money.past.look() => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// What all scopes share of what guards the money.
    fn money(&self, caches: &[Arc<Cache>]) -> Money {
        let (client, cashier, config) = (self.client.clone(), self.cashier.clone(), Arc::clone(&self.config));
        let earlier = EarlierCharges::new(
            cashier.clone(),
            Arc::clone(&config),
            self.clock.clone(),
            self.home.installation.clone(),
        );
        for cache in caches {
            earlier.knows(Arc::clone(cache));
        }
        let brake = Arc::new(Brake::new(
            client.clone(),
            self.home.clone(),
            cashier.clone(),
            Arc::clone(&config),
            self.clock.clone(),
            self.metrics.clone(),
            self.recorder(),
        ));
        let past = Past::new(
            client,
            cashier,
            config,
            self.home.installation.clone(),
            self.lease.clone(),
            caches.to_vec(),
            Arc::clone(&brake),
        );
        Money { earlier: Arc::new(earlier), brake, past: Arc::new(past) }
    }

    fn recorder(&self) -> Recorder {
        Recorder::new(self.client.clone(), Reporter { controller: "innkeeper".into(), instance: None })
    }

    /// The controllers of one namespace, or of all.
    fn scope(
        &self,
        namespace: Option<String>,
        cache: &Arc<Cache>,
        writers: Writers,
        money: &Money,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let (wake_reservation, reservations) = Wakers::new();
        let (wake_room, rooms) = Wakers::new();
        let (wake_calendar, calendars) = Wakers::new();
        // The allocators end with the scope's work, not before it: a reconcile that is being finished needs them.
        let allocators_stop = CancellationToken::new();
        let ended = allocators_stop.clone().drop_guard();
        let scope = Arc::new(Scope {
            client: self.client.clone(),
            cache: Arc::clone(cache),
            cashier: self.cashier.clone(),
            earlier: Arc::clone(&money.earlier),
            brake: Arc::clone(&money.brake),
            past: Arc::clone(&money.past),
            allocators: Allocators::new(
                self.client.clone(),
                Arc::clone(cache),
                self.clock.clone(),
                self.metrics.clone(),
                Arc::clone(&self.config),
                allocators_stop,
            ),
            config: Arc::clone(&self.config),
            installation: self.home.installation.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            recorder: self.recorder(),
            patience: Patience::default(),
            polling: Patience::default(),
            wake_reservation,
            wake_room,
            told: Told::default(),
            written: Written::default(),
            waiting: std::sync::Mutex::default(),
            suspects: Suspects::default(),
            room_written: std::sync::Mutex::default(),
        });
        self.doorbell.heard_by(&scope);
        let sweep = orphans::run(Arc::clone(&scope), namespace.clone());
        let watches = watches(&scope, namespace, writers, wake_calendar);
        let again = look_again(Arc::clone(&scope));
        let metrics = self.metrics.clone();
        let workers = self.config.current().operator.workers;
        let let_go = wake_halted(Arc::clone(&scope));
        async move {
            let _ended = ended;
            let driven = Driven { scope: &scope, metrics: &metrics, workers, stop: &stop };
            let controllers = async {
                tokio::join!(
                    driven.run(Controller::Reservation, reservations, reservation::reconcile),
                    driven.run(Controller::Room, rooms, room::reconcile),
                    driven.run(Controller::RoomCalendar, calendars, calendar::reconcile),
                );
            };
            tokio::select! {
                () = controllers => {}
                () = watches => {}
                () = sweep => {}
                () = again => {}
                () = let_go => {}
            }
        }
    }
}

/// What guards the money, for all scopes together.
struct Money {
    earlier: Arc<EarlierCharges>,
    brake: Arc<Brake>,
    past: Arc<Past>,
}

/// Has everybody looked at who waited for the brake, when it is let go.
async fn wake_halted(scope: Arc<Scope>) {
    let mut let_go = scope.brake.let_go();
    while let_go.changed().await.is_ok() {
        for key in scope.cache.reservations.waiting_for(WaitsFor::MoneyHalted) {
            scope.wake_reservation.wake(&key);
        }
    }
}

/// Looks at everybody who is settled again, changed or not: a part of them after the other, so that each has its turn
/// once in every `resync` and no turn is everybody's.
async fn look_again(scope: Arc<Scope>) {
    for part in (0..PARTS).cycle() {
        tokio::time::sleep(scope.resync() / PARTS).await;
        for key in scope.cache.reservations.settled(part, PARTS) {
            scope.wake_reservation.wake(&key);
        }
    }
}

/// The three watches of a scope, and whom their events wake.
fn watches(
    scope: &Arc<Scope>,
    namespace: Option<String>,
    writers: Writers,
    wake_calendar: Wakers,
) -> impl Future<Output = ()> + use<> {
    let client = scope.client.clone();
    let wake_calendar = Arc::new(wake_calendar);
    let attention = Attention::new(scope.metrics.clone());
    let (by_reservation, by_room, by_calendar) = (Arc::clone(scope), Arc::clone(scope), Arc::clone(scope));
    let calendars_of_room = Arc::clone(&wake_calendar);
    let reservations = follow(
        client.clone(),
        namespace.clone(),
        ShelfKeeper::of(Arc::clone(&scope.cache.reservations)),
        Arc::clone(&writers.listed),
        move |seen, there| {
            attention.see(&seen.uid, seen.waits_for);
            if there {
                by_reservation.wake_reservation.wake(&seen.key);
            } else {
                by_reservation.earlier.gone(&seen);
                by_reservation.written.forget(&seen.uid);
            }
        },
    );
    let rooms = follow(
        client.clone(),
        namespace.clone(),
        writers.rooms,
        Arc::clone(&writers.listed),
        move |object, there| {
            let key = key_of(&*object);
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
    let calendars = follow(client, namespace, writers.calendars, writers.listed, move |object, there| {
        let room = by_calendar.cache.index_calendar(&object, there);
        if let Some(room) = room {
            by_calendar.wake_room.wake(&room);
        }
        if there {
            wake_calendar.wake(&key_of(&*object));
        }
    });
    async move {
        tokio::join!(reservations, rooms, calendars);
    }
}

/// What the controllers of a scope run with.
struct Driven<'a> {
    scope: &'a Arc<Scope>,
    metrics: &'a Metrics,
    workers: u16,
    stop: &'a CancellationToken,
}

impl Driven<'_> {
    /// Runs one controller until `stop`; reconciles under way are finished.
    async fn run<F>(
        &self,
        name: Controller,
        queue: impl Stream<Item = Key> + Send,
        reconcile: impl Fn(Key, Arc<Scope>) -> F + Copy + Send + 'static,
    ) where
        F: Future<Output = Result<Action, ReconcileError>> + Send + 'static,
    {
        let look = |key: Key| async move {
            let span = tracing::info_span!(
                "reconciling",
                controller = name.as_str(),
                namespace = key.0,
                name = key.1
            );
            let (metrics, scope, at) = (self.metrics.clone(), Arc::clone(self.scope), key.clone());
            let work = async move {
                let _active = metrics.reconciling(name);
                let begun = Instant::now();
                let result = reconcile(at, scope).await;
                metrics.reconciled(name, class(&result), begun.elapsed());
                result
            };
            // A task of its own: a panic in one reconcile is an error of that object, and of no other.
            let task = AbortOnDropHandle::new(tokio::spawn(work.instrument(span)));
            let result = task.await.unwrap_or_else(|e| Err(ReconcileError::Panicked(e.to_string())));
            result.unwrap_or_else(|error| {
                let wait = self.scope.next_try(&self.uid(name, &key));
                let (namespace, object) = &key;
                tracing::warn!(controller = name.as_str(), namespace, name = object, %error, retry_in = ?wait, "a reconcile failed");
                Action::requeue(wait)
            })
        };
        runner::run(queue, self.workers, self.stop, look).await;
    }

    /// By what patience knows an object.
    fn uid(&self, name: Controller, key: &Key) -> String {
        let cache = &self.scope.cache;
        let uid = match name {
            Controller::Reservation => cache.reservation(key).and_then(|r| r.uid()),
            Controller::Room => cache.room(key).and_then(|r| r.uid()),
            Controller::RoomCalendar => cache.calendar(key).and_then(|c| c.uid()),
        };
        uid.unwrap_or_default()
    }
}

fn class(result: &Result<Action, ReconcileError>) -> ReconcileResult {
    match result {
        Ok(action) if *action == Action::await_change() => ReconcileResult::Success,
        Ok(_) => ReconcileResult::RequeueAfter,
        Err(_) => ReconcileResult::Error,
    }
}
