//! What the relay counts: what went out to each sink and how late, what waits, what was refused.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Metrics, Timings, register, timings};

/// From a fact's being stored to its acknowledgement: milliseconds where all is well, hours after an outage.
const DELAY_SECONDS: [f64; 14] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0, 86_400.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SinkLabel {
    sink: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabel {
    step: &'static str,
}

#[derive(Debug)]
pub(super) struct Relay {
    published: Family<SinkLabel, Counter>,
    failed: Family<SinkLabel, Counter>,
    refused: Family<SinkLabel, Counter>,
    delay: Timings<SinkLabel>,
    up: Family<SinkLabel, Gauge>,
    pending: Family<SinkLabel, Gauge>,
    lag: Family<SinkLabel, Gauge<f64, AtomicU64>>,
    dead_letters: Family<SinkLabel, Gauge>,
    unreadable: Gauge,
    rewound: Counter,
    filed: Counter,
    released: Counter,
    archive: Gauge,
    expired: Counter,
    held: Family<ReasonLabel, Gauge>,
    held_back: Family<StepLabel, Gauge>,
}

impl Relay {
    pub(super) fn new(to: &mut Registry) -> Self {
        Self {
            published: register(to, "innkeeper_relay_published", "Events acknowledged, by sink"),
            failed: register(
                to,
                "innkeeper_relay_failed",
                "Events that a sink did not take and that are tried again, once for each try",
            ),
            refused: register(
                to,
                "innkeeper_relay_refused",
                "Events that a sink refused for good and that became dead letters",
            ),
            delay: timings(
                to,
                "innkeeper_relay_delay_seconds",
                "From when a fact was stored until its event was acknowledged, by sink",
                || Histogram::new(DELAY_SECONDS),
            ),
            up: register(
                to,
                "innkeeper_relay_sink_up",
                "Whether a sink took, or could be asked, the last time that it was tried",
            ),
            pending: register(to, "innkeeper_relay_pending", "Events that wait for a sink"),
            lag: register(
                to,
                "innkeeper_relay_lag_seconds",
                "How long ago the oldest fact that waits for a sink was stored; 0 where none does",
            ),
            dead_letters: register(
                to,
                "innkeeper_relay_dead_letters",
                "Events that a sink has refused and that nobody has had sent again",
            ),
            unreadable: register(
                to,
                "innkeeper_relay_unreadable",
                "Reservations whose facts cannot be read, and so are not published",
            ),
            rewound: register(
                to,
                "innkeeper_relay_rewound",
                "Reservations whose history was less than what had been published of it",
            ),
            filed: register(to, "innkeeper_relay_filed", "Reservations given to the archive"),
            archive: register(
                to,
                "innkeeper_relay_archive_usable",
                "Whether the archive could be used when it was last",
            ),
            expired: register(
                to,
                "innkeeper_relay_expired",
                "Finished Reservations that were deleted when their time had come",
            ),
            held: register(
                to,
                "innkeeper_relay_expiry_held",
                "Whether nothing expires because of the archive, by why",
            ),
            held_back: register(
                to,
                "innkeeper_relay_held_back",
                "Reservations that cannot be filed, or let go, for a reason of their own, by step",
            ),
            released: register(
                to,
                "innkeeper_relay_released",
                "Deleted Reservations that were let go, with everything published",
            ),
        }
    }
}

fn label(sink: &str) -> SinkLabel {
    SinkLabel { sink: sink.to_owned() }
}

impl Metrics {
    /// A sink has acknowledged an event, so long after its fact was stored.
    pub fn relay_published(&self, sink: &str, delay: Duration) {
        self.0.relay.published.get_or_create(&label(sink)).inc();
        self.0.relay.delay.get_or_create(&label(sink)).observe(delay.as_secs_f64());
    }

    /// A sink did not take an event; it is tried again.
    pub fn relay_failed(&self, sink: &str) {
        self.0.relay.failed.get_or_create(&label(sink)).inc();
    }

    /// A sink has refused an event for good.
    pub fn relay_refused(&self, sink: &str) {
        self.0.relay.refused.get_or_create(&label(sink)).inc();
    }

    /// Whether a sink took what it was last given. The first call for a sink makes all its series.
    pub fn relay_sink_up(&self, sink: &str, up: bool) {
        let relay = &self.0.relay;
        for counter in [&relay.published, &relay.failed, &relay.refused] {
            drop(counter.get_or_create(&label(sink)));
        }
        relay.up.get_or_create(&label(sink)).set(i64::from(up));
    }

    /// What waits for a sink: how many events, how old the oldest fact is, how many were refused.
    pub fn relay_pending(&self, sink: &str, events: i64, lag: Duration, dead_letters: i64) {
        let relay = &self.0.relay;
        relay.pending.get_or_create(&label(sink)).set(events);
        relay.lag.get_or_create(&label(sink)).set(lag.as_secs_f64());
        relay.dead_letters.get_or_create(&label(sink)).set(dead_letters);
    }

    /// How many Reservations cannot be read.
    pub fn relay_unreadable(&self, count: usize) {
        self.0.relay.unreadable.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A Reservation's history went back.
    pub fn relay_rewound(&self) {
        self.0.relay.rewound.inc();
    }

    /// A Reservation was given to the archive.
    pub fn relay_filed(&self) {
        self.0.relay.filed.inc();
    }

    /// Whether the archive could be used.
    pub fn relay_archive(&self, usable: bool) {
        self.0.relay.archive.set(i64::from(usable));
    }

    /// A finished Reservation was deleted when its time had come.
    pub fn relay_expired(&self) {
        self.0.relay.expired.inc();
    }

    /// Why nothing expires; nothing where it does.
    pub fn relay_expiry_held(&self, reason: Option<&'static str>) {
        self.0.relay.held.clear();
        if let Some(reason) = reason {
            self.0.relay.held.get_or_create(&ReasonLabel { reason }).set(1);
        }
    }

    /// How many Reservations are held back at a step (`file`, `release`) for a reason of their own.
    pub fn relay_held_back(&self, step: &'static str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.0.relay.held_back.get_or_create(&StepLabel { step }).set(count);
    }

    /// A deleted Reservation was let go.
    pub fn relay_released(&self) {
        self.0.relay.released.inc();
    }
}
