//! What the gateway counts: rate, errors and duration by route, what is turned away, and how old what it knows is.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{ModelKind, Shed};
use super::{Metrics, Timings, register, timings};

/// Reads take less than a millisecond, writes some hundred, and nothing more than the time-out.
const REQUEST_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShedLabel {
    why: Shed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: ModelKind,
}

#[derive(Debug)]
pub(super) struct Gateway {
    requests: Family<RequestLabels, Counter>,
    seconds: Timings<RouteLabel>,
    in_flight: Gauge,
    streams: Gauge,
    connections: Gauge,
    wait: Gauge<f64, AtomicU64>,
    admitted: Gauge<f64, AtomicU64>,
    shed: Family<ShedLabel, Counter>,
    breaker_open: Gauge,
    age: Gauge<f64, AtomicU64>,
    objects: Family<KindLabel, Gauge>,
    archive_stays: Gauge,
    archive_readable: Gauge,
}

impl Gateway {
    pub(super) fn new(to: &mut Registry) -> Self {
        Self {
            requests: register(to, "innkeeper_gateway_requests", "Requests, by route template and status"),
            seconds: timings(
                to,
                "innkeeper_gateway_request_seconds",
                "How long it took until an answer began, by route template",
                || Histogram::new(REQUEST_SECONDS),
            ),
            in_flight: register(to, "innkeeper_gateway_in_flight", "Requests under way"),
            streams: register(to, "innkeeper_gateway_streams", "Connections that follow a booking live"),
            connections: register(to, "innkeeper_gateway_connections", "Connections of guests and partners"),
            wait: register(
                to,
                "innkeeper_gateway_wait_seconds",
                "How long a request waits until it is looked at: the shortest time seen in the last tenth of a second",
            ),
            admitted: register(
                to,
                "innkeeper_gateway_admitted_ratio",
                "The share of reading requests that is not turned away because all wait too long",
            ),
            shed: register(to, "innkeeper_gateway_shed", "Requests turned away, by why"),
            breaker_open: register(
                to,
                "innkeeper_gateway_breaker_open",
                "Whether writes to the Kubernetes API server are held back because it is down",
            ),
            age: register(
                to,
                "innkeeper_gateway_read_model_age_seconds",
                "How old what the gateway knows may be: the longest time without a sign of life of a watch",
            ),
            objects: register(to, "innkeeper_gateway_read_model_objects", "Objects known, by kind"),
            archive_stays: register(
                to,
                "innkeeper_gateway_archive_stays",
                "Past stays known from the archive",
            ),
            archive_readable: register(
                to,
                "innkeeper_gateway_archive_readable",
                "Whether the archive of past stays could be read whole when it was last looked at",
            ),
        }
    }

    pub(super) fn start_at_zero(&self) {
        for &why in Shed::ALL {
            drop(self.shed.get_or_create(&ShedLabel { why }));
        }
        self.admitted.set(1.0);
    }
}

impl Metrics {
    /// A request was answered. `route` is the route's template, never an address as it was asked for.
    pub fn gateway_request(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let (route, gateway) = (route.to_owned(), &self.0.gateway);
        gateway.seconds.get_or_create(&RouteLabel { route: route.clone() }).observe(took.as_secs_f64());
        let labels = RequestLabels { route, method: method.to_string(), status: status.as_u16() };
        gateway.requests.get_or_create(&labels).inc();
    }

    /// A request is under way; it counts until the answer is dropped.
    pub fn gateway_in_flight(&self) -> Counted {
        Counted::new(&self.0.gateway.in_flight)
    }

    /// A booking is followed live; it counts until the answer is dropped.
    pub fn gateway_stream(&self) -> Counted {
        Counted::new(&self.0.gateway.streams)
    }

    /// A connection is open; it counts until this is dropped.
    pub fn gateway_connection(&self) -> Counted {
        Counted::new(&self.0.gateway.connections)
    }

    /// How long requests wait until they are looked at, and which share of those that read is let in.
    pub fn gateway_wait(&self, wait: Duration, admitted: f64) {
        self.0.gateway.wait.set(wait.as_secs_f64());
        self.0.gateway.admitted.set(admitted);
    }

    /// A request was turned away.
    pub fn gateway_shed(&self, why: Shed) {
        self.0.gateway.shed.get_or_create(&ShedLabel { why }).inc();
    }

    /// Whether writes are held back.
    pub fn gateway_breaker_open(&self, open: bool) {
        self.0.gateway.breaker_open.set(i64::from(open));
    }

    /// How old what is known may be.
    pub fn gateway_model_age(&self, age: Duration) {
        self.0.gateway.age.set(age.as_secs_f64());
    }

    /// How many objects of a kind are known.
    pub fn gateway_model_objects(&self, kind: ModelKind, count: usize) {
        let gauge = self.0.gateway.objects.get_or_create_owned(&KindLabel { kind });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

impl Metrics {
    /// How many past stays are known, and whether the archive could be read.
    pub fn gateway_archive(&self, stays: usize, readable: bool) {
        self.0.gateway.archive_stays.set(i64::try_from(stays).unwrap_or(i64::MAX));
        self.0.gateway.archive_readable.set(i64::from(readable));
    }
}

/// Counts until it is dropped.
#[derive(Debug)]
#[must_use = "it counts only while this is held"]
pub struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
