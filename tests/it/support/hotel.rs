//! A hotel for one test: a namespace, an embedded payment provider, and as many operators as the test wants, all real.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use innkeeper_api::{
    ConditionStatus, ConditionType, Guests, Payment, Rate, Reason, Reservation, ReservationSpec, Room,
    RoomCalendar, RoomSpec, WantedState,
};
use innkeeper_operator::{
    Cashier, CashierConfig, Clock, Doorbell, Home, LeaseConfig, Operator, lease_identity, system_clock,
};
use innkeeper_ops::config::{Config, ConfigWatch};
use innkeeper_ops::metrics::Metrics;
use innkeeper_ops::probes::Health;
use innkeeper_payments::driver::{self, Stripe, StripeConfig};
use innkeeper_payments::sandbox::{self, Account, Server};
use innkeeper_testbed::ControlPlane;
use jiff::civil::{Date, date};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, ResourceExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, control_plane};

/// The secret key that the provider of a test takes.
pub const KEY: &str = "sk_test_innkeeper";

/// The `ConfigMap` of a hotel's installation.
pub const INSTALLATION: &str = "innkeeper-installation";

/// A night far ahead, the first of a month.
pub const JULY: Date = date(2030, 7, 1);

/// A hotel of one test's own.
pub struct Hotel {
    /// Its namespace.
    pub namespace: String,
    /// Administrator of the cluster.
    pub client: Client,
    /// The payment provider.
    pub provider: Server,
    /// The configuration that its operators take.
    pub config: Config,
    /// The time that its operators take.
    pub clock: Clock,
}

/// An operator that runs in this process.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// What it counts.
    pub metrics: Metrics,
    /// What webhooks ring.
    pub doorbell: Doorbell,
}

impl Running {
    /// Asks it to end, and waits until it has.
    pub async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("the operator ends").unwrap();
    }

    /// Drops it where it stands.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl Hotel {
    /// Opens one, with nothing in it and no operator.
    pub async fn open(prefix: &str) -> Self {
        Self::open_on(control_plane(), prefix).await
    }

    /// Opens one on a control plane of the test's own.
    pub async fn open_on(control_plane: &ControlPlane, prefix: &str) -> Self {
        // RUST_LOG shows what the operators of a test do; the first test of the process to come here sets it up.
        if std::env::var_os("RUST_LOG").is_some() {
            let _ = innkeeper_ops::telemetry::init(&innkeeper_ops::config::Log::default());
        }
        let key = sandbox::ApiKey::parse(KEY).unwrap();
        let provider = Server::start(sandbox::Config::new(key)).await.unwrap();
        let mut config = Config::default();
        config.payments.backoff.initial = Duration::from_millis(50);
        config.payments.backoff.max = Duration::from_secs(1);
        config.payments.breaker.failures = 1000;
        config.operator.room_status_interval = Duration::from_millis(50);
        Self {
            namespace: control_plane.namespace(prefix),
            client: control_plane.client(),
            provider,
            config,
            clock: system_clock(),
        }
    }

    /// Starts an operator for this hotel alone, without a Lease.
    pub fn operator(&self) -> Running {
        self.operator_at(&self.provider.url())
    }

    /// The same, with its provider at another address.
    pub fn operator_at(&self, provider: &str) -> Running {
        self.operator_with(self.client.clone(), provider)
    }

    /// The same, with another configuration, and without being told of this hotel.
    pub fn operator_of(&self, config: Config) -> Running {
        self.start(self.client.clone(), &self.provider.url(), config, None)
    }

    /// The same, with another client of the API server.
    pub fn operator_with(&self, client: Client, provider: &str) -> Running {
        self.start(client, provider, self.of_this_hotel(), None)
    }

    /// The same, with a Lease that lasts so long.
    pub fn operator_in_turn(&self, client: Client, provider: &str, duration: Duration) -> Running {
        let lease = LeaseConfig {
            name: "operator".to_owned(),
            namespace: self.namespace.clone(),
            identity: lease_identity(),
            duration,
            renew: duration / 4,
        };
        self.start(client, provider, self.of_this_hotel(), Some(lease))
    }

    fn of_this_hotel(&self) -> Config {
        let mut config = self.config.clone();
        config.operator.watch_namespaces.push(self.namespace.clone());
        config
    }

    fn start(&self, client: Client, provider: &str, config: Config, lease: Option<LeaseConfig>) -> Running {
        let metrics = Metrics::new("test");
        let stripe = Stripe::new(&StripeConfig {
            api_base: provider.to_owned(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: self.config.payments.request_timeout,
            ..StripeConfig::new(driver::ApiKey::new(KEY))
        })
        .unwrap();
        let limits = CashierConfig {
            failures: u32::from(self.config.payments.breaker.failures),
            open_for: self.config.payments.breaker.open_for,
            at_once: 64,
        };
        let doorbell = Doorbell::new(Metrics::default());
        let operator = Operator {
            doorbell: doorbell.clone(),
            client,
            cashier: Cashier::new(stripe, limits, metrics.clone()),
            config: Arc::new(ConfigWatch::fixed(config)),
            home: Home {
                installation: "test".to_owned(),
                namespace: self.namespace.clone(),
                config_map: INSTALLATION.to_owned(),
            },
            lease,
            clock: self.clock.clone(),
            metrics: metrics.clone(),
            health: Health::new(Instant::now()),
        };
        let stop = CancellationToken::new();
        let ends = stop.clone();
        let task = tokio::spawn(async move { operator.run(ends).await.unwrap() });
        Running { stop, task, metrics, doorbell }
    }

    /// Its Reservations.
    pub fn reservations(&self) -> Api<Reservation> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Its Rooms.
    pub fn rooms(&self) -> Api<Room> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Its calendars.
    pub fn calendars(&self) -> Api<RoomCalendar> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Declares a Room at 120.00 EUR.
    pub async fn room(&self, name: &str, units: u32) -> Room {
        self.room_with(name, units, |_| ()).await
    }

    /// Declares a Room, changed as the test wants.
    pub async fn room_with(&self, name: &str, units: u32, change: impl FnOnce(&mut RoomSpec)) -> Room {
        let mut spec = room_spec(units);
        change(&mut spec);
        self.rooms().create(&PostParams::default(), &Room::new(name, spec)).await.unwrap()
    }

    /// Asks for two nights from the first of July.
    pub async fn reserve(&self, name: &str, room: &str) -> Reservation {
        self.reserve_with(name, room, |_| ()).await
    }

    /// Asks for a stay, changed as the test wants.
    pub async fn reserve_with(
        &self,
        name: &str,
        room: &str,
        change: impl FnOnce(&mut ReservationSpec),
    ) -> Reservation {
        let mut spec = stay(room);
        change(&mut spec);
        self.reservations().create(&PostParams::default(), &Reservation::new(name, spec)).await.unwrap()
    }

    /// Asks for two nights, born with the operator's finalizer or without.
    pub async fn reserve_born(&self, name: &str, room: &str, with_finalizer: bool) -> Reservation {
        let mut reservation = Reservation::new(name, stay(room));
        if with_finalizer {
            reservation.metadata.finalizers = Some(vec![innkeeper_api::FINALIZER.to_owned()]);
        }
        self.reservations().create(&PostParams::default(), &reservation).await.unwrap()
    }

    /// Sets `state: Cancelled`, as the front desk does.
    pub async fn cancel(&self, name: &str) {
        let patch = serde_json::json!({ "spec": { "state": WantedState::Cancelled } });
        self.reservations().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Has its operator look at a Reservation, as any change of it would.
    pub async fn wake(&self, name: &str) {
        let woken = uuid::Uuid::new_v4().to_string();
        let patch = serde_json::json!({ "metadata": { "annotations": { "test/woken": woken } } });
        self.reservations().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// From now on the operators it starts go by a clock that is so many seconds ahead.
    pub fn movable_clock(&mut self) -> Arc<AtomicI64> {
        let ahead = Arc::new(AtomicI64::new(0));
        let seconds = Arc::clone(&ahead);
        self.clock = Arc::new(move || {
            jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds.load(Ordering::SeqCst))
        });
        ahead
    }

    /// Deletes, without waiting for it to be gone.
    pub async fn delete(&self, name: &str) {
        self.reservations().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until a Reservation is as asked, and gives it.
    pub async fn until(&self, name: &str, is: impl Condition<Reservation>) -> Reservation {
        let found = tokio::time::timeout(PATIENCE, await_condition(self.reservations(), name, is)).await;
        let Ok(found) = found else {
            let now = self.reservations().get_opt(name).await.unwrap();
            panic!("{name} never came to it; it is {now:#?}");
        };
        found.unwrap().unwrap()
    }

    /// Waits until a Reservation is settled with this reason.
    pub async fn settled(&self, name: &str, reason: Reason) -> Reservation {
        self.until(name, move |r: Option<&Reservation>| {
            r.is_some_and(|r| is(r, &ConditionType::Settled, ConditionStatus::True, &reason))
        })
        .await
    }

    /// Waits until a Reservation is gone.
    pub async fn gone(&self, name: &str) {
        let begun = Instant::now();
        while self.reservations().get_opt(name).await.unwrap().is_some() {
            assert!(begun.elapsed() < PATIENCE, "{name} is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a Room is as asked.
    pub async fn room_until(&self, name: &str, is: impl Fn(&Room) -> bool + Send) -> Room {
        let found = await_condition(self.rooms(), name, move |r: Option<&Room>| r.is_some_and(&is));
        tokio::time::timeout(PATIENCE, found).await.expect("the Room comes to it").unwrap().unwrap()
    }

    /// Every entry of every night of every calendar: (night, holder).
    pub async fn holders(&self) -> Vec<(Date, String)> {
        let calendars = self.calendars().list(&ListParams::default()).await.unwrap();
        let nights = calendars.items.iter().flat_map(|c| &c.spec.nights);
        let mut all: Vec<_> = nights.flat_map(|n| n.holders.iter().map(|h| (n.date, h.clone()))).collect();
        all.sort();
        all
    }

    /// Takes everybody out of a calendar, in one write, as somebody might who means well.
    pub async fn empty(&self, calendar: &str) {
        let mut found = self.calendars().get(calendar).await.unwrap();
        found.spec.nights.iter_mut().for_each(|night| night.holders.clear());
        found.metadata.managed_fields = None;
        self.calendars().replace(calendar, &PostParams::default(), &found).await.unwrap();
    }

    /// The provider's books.
    pub async fn accounts(&self) -> Vec<Account> {
        self.provider.provider().ledger().accounts().await.unwrap()
    }

    /// What the provider has taken and not given back, in all.
    pub async fn money_kept(&self) -> i64 {
        self.accounts().await.iter().map(innkeeper_checker::kept).sum()
    }
}

/// A Room's spec at 120.00 EUR, in Lisbon.
pub fn room_spec(units: u32) -> RoomSpec {
    let rate = Rate { currency: "EUR".to_owned(), minor_units: 12_000 };
    serde_json::from_value(serde_json::json!({ "units": units, "rate": rate, "timeZone": "Europe/Lisbon" }))
        .unwrap()
}

/// Two nights from the first of July, paid with a good card.
pub fn stay(room: &str) -> ReservationSpec {
    ReservationSpec {
        room_name: room.to_owned(),
        check_in: JULY,
        check_out: date(2030, 7, 3),
        units: 1,
        guest_id: "g-1".to_owned(),
        guests: Guests::default(),
        payment: pay_with("pm_card_visa"),
        max_total: None,
        state: None,
        ttl_after_finished: None,
    }
}

/// Online, with this test method.
pub fn pay_with(method: &str) -> Payment {
    Payment { collect: innkeeper_api::Collect::Online, method: Some(method.to_owned()), reference: None }
}

/// Whether a condition is so.
pub fn is(
    reservation: &Reservation,
    type_: &ConditionType,
    status: ConditionStatus,
    reason: &Reason,
) -> bool {
    reservation.status.as_ref().is_some_and(|s| s.conditions.is(type_, status, reason))
}

/// The UID.
pub fn uid(reservation: &Reservation) -> String {
    reservation.uid().unwrap()
}
