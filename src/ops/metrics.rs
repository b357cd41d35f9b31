//! Metrics: what is counted, under which names, and the text that Prometheus reads.
//!
//! Names that dashboards for other operators already know are kept to the letter; the project's own begin with
//! `innkeeper_`. Callers use typed methods and pass the time a thing took: there is no clock here. No label ever
//! holds the name of an object, a guest or a hotel, or there would be a series for each.

mod gateway;
mod labels;
mod relay;
mod shared;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use gateway::Counted;
use labels::{
    CalendarLabel, CallLabels, ControllerLabel, HaltedLabel, NameLabel, OpLabel, ReconcileLabels,
    ReloadLabel, SettledLabels, StatusLabels, WaitsForLabel,
};
pub use labels::{
    CalendarWrite, Controller, Halted, ModelKind, Outcome, ProviderOp, ProviderOutcome, ReconcileResult,
    ReloadResult, Shed, StatusKind, StatusWrite, TakesEffect, WaitsFor,
};
use shared::Shared;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// As controller-runtime has them, so that its dashboards' quantiles mean the same.
const RECONCILE_SECONDS: [f64; 40] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25,
    1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0,
    50.0, 60.0,
];
/// A card charge takes a second or two; a time-out half a minute.
const CALL_SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const BATCH_SIZES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

type Timings<L> = Family<L, Histogram, fn() -> Histogram>;

/// All metrics of one process. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    shared: Shared,
    reconciles: Family<ReconcileLabels, Counter>,
    reconcile_errors: Family<ControllerLabel, Counter>,
    reconcile_seconds: Timings<ControllerLabel>,
    active_workers: Family<ControllerLabel, Gauge>,
    leader: Family<NameLabel, Gauge>,
    settled: Family<SettledLabels, Counter>,
    provider_calls: Family<CallLabels, Counter>,
    provider_seconds: Timings<OpLabel>,
    waiting: Family<WaitsForLabel, Gauge>,
    orphaned: Gauge,
    orphans_returned: Counter,
    halted: Family<HaltedLabel, Gauge>,
    swept: Gauge,
    breaker_open: Gauge,
    calendar_writes: Family<CalendarLabel, Counter>,
    batch_size: Histogram,
    status_writes: Family<StatusLabels, Counter>,
    webhooks: webhooks::Webhooks,
    gateway: gateway::Gateway,
    relay: relay::Relay,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Operator,
    Gateway,
    Relay,
    All,
}

impl Part {
    /// The first where this part is that one, else the second.
    fn chosen<'a>(self, that: Self, ours: &'a mut Registry, aside: &'a mut Registry) -> &'a mut Registry {
        if self == that || self == Self::All { ours } else { aside }
    }
}

/// Counts one reconcile as running until it is dropped, however it ends.
#[derive(Debug)]
#[must_use = "the worker counts as active only while this is held"]
pub struct ActiveWorker(Gauge);

impl Drop for ActiveWorker {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(env!("CARGO_PKG_VERSION"))
    }
}

impl Metrics {
    /// An operator's; `version` is the program's.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        Self::build(version, Part::Operator)
    }

    /// A gateway's: with what it counts, and without what only an operator does.
    #[must_use]
    pub fn of_gateway(version: &'static str) -> Self {
        Self::build(version, Part::Gateway)
    }

    /// A relay's: with what it counts, and nothing of the others'.
    #[must_use]
    pub fn of_relay(version: &'static str) -> Self {
        Self::build(version, Part::Relay)
    }

    /// Of a process that is all of them.
    #[must_use]
    pub fn of_all(version: &'static str) -> Self {
        Self::build(version, Part::All)
    }

    fn build(version: &'static str, part: Part) -> Self {
        // The names below are without `_total` and `_info`: the encoder adds these. What this process does not do goes
        // aside and is never shown: a zero there would say that it is well.
        let (mut registry, mut aside) = (Registry::default(), Registry::default());
        let shared = Shared::new(&mut registry, version);
        let gateway = gateway::Gateway::new(part.chosen(Part::Gateway, &mut registry, &mut aside));
        let relay = relay::Relay::new(part.chosen(Part::Relay, &mut registry, &mut aside));
        let to = part.chosen(Part::Operator, &mut registry, &mut aside);
        let inner = Inner {
            reconciles: register(to, "controller_runtime_reconcile", "Reconciles, by result"),
            reconcile_errors: register(to, "controller_runtime_reconcile_errors", "Failed reconciles"),
            reconcile_seconds: timings(
                to,
                "controller_runtime_reconcile_time_seconds",
                "How long a reconcile took",
                || Histogram::new(RECONCILE_SECONDS),
            ),
            active_workers: register(to, "controller_runtime_active_workers", "Reconciles running now"),
            leader: register(to, "leader_election_master_status", "Whether this process holds the Lease"),
            settled: register(to, "innkeeper_reservations_settled", "Reservations that reached their end"),
            provider_calls: register(to, "innkeeper_provider_calls", "Calls to the payment provider"),
            provider_seconds: timings(
                to,
                "innkeeper_provider_call_seconds",
                "How long a call to the payment provider took",
                || Histogram::new(CALL_SECONDS),
            ),
            waiting: register(
                to,
                "innkeeper_reservations_waiting_for_a_person",
                "Reservations that go no further until a person has acted, by reason",
            ),
            orphaned: register(
                to,
                "innkeeper_orphaned_payments",
                "Captured payments that no Reservation accounts for, as the last sweep found them",
            ),
            orphans_returned: register(
                to,
                "innkeeper_orphaned_payments_returned",
                "Payments that no Reservation accounted for, and that were given back",
            ),
            halted: register(
                to,
                "innkeeper_money_halted",
                "Whether money waits until a person has acknowledged it, by reason",
            ),
            swept: register(
                to,
                "innkeeper_sweep_last_success_timestamp_seconds",
                "When all payments were last compared with the Reservations; 0 before that",
            ),
            breaker_open: register(
                to,
                "innkeeper_provider_breaker_open",
                "Whether calls to the payment provider are held back because it is down",
            ),
            calendar_writes: register(
                to,
                "innkeeper_calendar_writes",
                "Writes of calendars: stored, decided on an old version, or refused by the rules",
            ),
            batch_size: register_as(
                to,
                "innkeeper_allocator_batch_size",
                "Stays admitted together by one pass of an allocator",
                Histogram::new(BATCH_SIZES),
            ),
            status_writes: register(to, "innkeeper_status_writes", "Writes of a status"),
            webhooks: register(
                to,
                "innkeeper_payment_webhooks",
                "Webhooks of the payment provider, by what became of them",
            ),
            shared,
            gateway,
            relay,
            registry,
        };
        let metrics = Self(Arc::new(inner));
        metrics.start_at_zero();
        metrics
    }

    /// A rate over a series that appears with its first failure misses that failure.
    fn start_at_zero(&self) {
        let Inner { reconcile_errors, calendar_writes, waiting, halted, shared, gateway, .. } = &*self.0;
        gateway.start_at_zero();
        for &controller in Controller::ALL {
            drop(reconcile_errors.get_or_create(&ControllerLabel { controller }));
        }
        for &reason in WaitsFor::ALL {
            drop(waiting.get_or_create(&WaitsForLabel { reason }));
        }
        for &because in Halted::ALL {
            drop(halted.get_or_create(&HaltedLabel { because }));
        }
        for &result in CalendarWrite::ALL {
            drop(calendar_writes.get_or_create(&CalendarLabel { result }));
        }
        for &result in ReloadResult::ALL {
            drop(shared.config_reloads.get_or_create(&ReloadLabel { result }));
        }
    }

    /// A reconcile has begun; it counts as active until the answer is dropped.
    pub fn reconciling(&self, controller: Controller) -> ActiveWorker {
        let gauge = self.0.active_workers.get_or_create_owned(&ControllerLabel { controller });
        gauge.inc();
        ActiveWorker(gauge)
    }

    /// A reconcile has ended.
    pub fn reconciled(&self, controller: Controller, result: ReconcileResult, took: Duration) {
        self.0.reconciles.get_or_create(&ReconcileLabels { controller, result }).inc();
        if result == ReconcileResult::Error {
            self.0.reconcile_errors.get_or_create(&ControllerLabel { controller }).inc();
        }
        self.0.reconcile_seconds.get_or_create(&ControllerLabel { controller }).observe(took.as_secs_f64());
    }

    /// Whether this process holds the Lease of this name.
    pub fn leading(&self, lease: &str, leading: bool) {
        self.0.leader.get_or_create(&NameLabel { name: lease.to_owned() }).set(i64::from(leading));
    }

    /// A Reservation has reached its end. `reason` is one of the conditions' constants, never text read from an
    /// object.
    pub fn settled(&self, outcome: Outcome, reason: &'static str) {
        self.0.settled.get_or_create(&SettledLabels { outcome, reason }).inc();
    }

    /// A call to the payment provider has ended.
    pub fn provider_call(&self, op: ProviderOp, outcome: ProviderOutcome, took: Duration) {
        self.0.provider_calls.get_or_create(&CallLabels { op, outcome }).inc();
        self.0.provider_seconds.get_or_create(&OpLabel { op }).observe(took.as_secs_f64());
    }

    /// So many more Reservations wait for a person.
    pub fn waits_for_a_person(&self, reason: WaitsFor, more: i64) {
        self.0.waiting.get_or_create(&WaitsForLabel { reason }).inc_by(more);
    }

    /// So many more payments have no Reservation.
    pub fn orphaned(&self, more: i64) {
        self.0.orphaned.inc_by(more);
    }

    /// A payment that no Reservation accounted for has gone back.
    pub fn orphan_returned(&self) {
        self.0.orphans_returned.inc();
    }

    /// Whether money waits for a person, for this reason.
    pub fn money_halted(&self, because: Halted, halted: bool) {
        self.0.halted.get_or_create(&HaltedLabel { because }).set(i64::from(halted));
    }

    /// All payments have been compared with the Reservations, at this time since the epoch.
    pub fn swept(&self, second: i64) {
        self.0.swept.set(second);
    }

    /// Whether calls to the provider are held back.
    pub fn breaker_open(&self, open: bool) {
        self.0.breaker_open.set(i64::from(open));
    }

    /// A calendar was written, or the write was turned down.
    pub fn calendar_write(&self, result: CalendarWrite) {
        self.0.calendar_writes.get_or_create(&CalendarLabel { result }).inc();
    }

    /// An allocator has handled so many stays in one pass.
    pub fn batch(&self, stays: usize) {
        // Batches are far below 2^32, up to which a float counts exactly.
        self.0.batch_size.observe(f64::from(u32::try_from(stays).unwrap_or(u32::MAX)));
    }

    /// A status was written, or the write failed.
    pub fn status_write(&self, kind: StatusKind, result: StatusWrite) {
        self.0.status_writes.get_or_create(&StatusLabels { kind, result }).inc();
    }

    /// Everything, in the `OpenMetrics` text format ([`CONTENT_TYPE`]).
    #[must_use]
    pub fn text(&self) -> String {
        let mut page = String::new();
        // Only the writer can fail, and a string does not.
        let _ = text::encode(&mut page, &self.0.registry);
        page
    }
}

fn register<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: prometheus_client::registry::Metric + Clone + Default,
{
    register_as(registry, name, help, M::default())
}

fn register_as<M>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M
where
    M: prometheus_client::registry::Metric + Clone,
{
    registry.register(name, help, metric.clone());
    metric
}

fn timings<L>(registry: &mut Registry, name: &str, help: &str, new: fn() -> Histogram) -> Timings<L>
where
    L: EncodeLabelSet + std::fmt::Debug + Clone + Eq + std::hash::Hash + Send + Sync + 'static,
{
    register_as(registry, name, help, Family::new_with_constructor(new))
}

#[cfg(test)]
mod tests;
