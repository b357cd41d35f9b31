//! Probes: whether this process is alive, and whether it will answer correctly now.
//!
//! `/livez` depends on nothing but the process: it fails when the runtime has stopped turning, for which a restart
//! is the cure. `/readyz` lists what is missing, by the names of the parts that said so. Neither asks another
//! service, or one outage would restart everybody who waits for its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::metrics::{CONTENT_TYPE, Metrics};

/// How often the runtime shows that it turns.
const BEAT: Duration = Duration::from_secs(1);

/// How long the runtime may stand still before the process counts as wedged. Long enough for a node that is short
/// of CPU: a restart there makes it worse.
pub const WEDGED_AFTER: Duration = Duration::from_secs(30);

/// What the probes know. Clones know the same.
#[derive(Debug, Clone)]
pub struct Health(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    /// `None` where it is met, else why not.
    conditions: BTreeMap<&'static str, Option<String>>,
    ending: bool,
    last_beat: Instant,
}

/// One thing that must be so before the process is ready. Belongs to the part that knows.
#[derive(Debug, Clone)]
pub struct Condition {
    name: &'static str,
    health: Health,
}

impl Default for Health {
    fn default() -> Self {
        Self::new(Instant::now())
    }
}

impl Health {
    /// Alive as of `now`, and ready until a condition says otherwise.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Known { conditions: BTreeMap::new(), ending: false, last_beat: now })))
    }

    /// Adds a condition, not met yet. Its name is lower case with dashes, such as `caches-synced`.
    #[must_use = "nobody else can say when it is met"]
    pub fn condition(&self, name: &'static str) -> Condition {
        self.lock().conditions.insert(name, Some("not yet".to_owned()));
        Condition { name, health: self.clone() }
    }

    /// Not ready from now on, whatever the conditions say.
    pub fn end(&self) {
        self.lock().ending = true;
    }

    /// What keeps the process from being ready, one sentence each; empty when it is.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let state = self.lock();
        let ending = state.ending.then(|| "shutting down".to_owned());
        let unmet =
            state.conditions.iter().filter_map(|(name, why)| Some(format!("{name}: {}", why.as_ref()?)));
        ending.into_iter().chain(unmet).collect()
    }

    /// The runtime turned at `now`.
    pub fn beat(&self, now: Instant) {
        self.lock().last_beat = now;
    }

    /// How long the runtime had not turned at `now`.
    #[must_use]
    pub fn still_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.lock().last_beat)
    }

    /// What is written under the lock is whole after every statement, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// It is so.
    pub fn met(&self) {
        self.health.lock().conditions.insert(self.name, None);
    }

    /// It is not so, for this reason.
    pub fn unmet(&self, reason: impl Into<String>) {
        self.health.lock().conditions.insert(self.name, Some(reason.into()));
    }
}

/// Answers `/livez`, `/readyz` and `/metrics` on `listener` until `stop`, which should come after draining: a process
/// that is ending still says so. Fails only where the listener does.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<()> {
    // A task of its own, so that it shows whether tasks get their turn; the set ends it with this future.
    let mut beating = JoinSet::new();
    beating.spawn(beat(health.clone()));
    axum::serve(listener, router(health, metrics)).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn beat(health: Health) {
    let mut tick = tokio::time::interval(BEAT);
    loop {
        tick.tick().await;
        health.beat(Instant::now());
    }
}

fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(|State(health): State<Health>| async move { alive(&health, Instant::now()) }))
        .route("/readyz", get(|State(health): State<Health>| async move { ready(&health) }))
        .with_state(health)
        .route(
            "/metrics",
            get(|State(metrics): State<Metrics>| async move {
                ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text())
            })
            .with_state(metrics),
        )
}

fn alive(health: &Health, now: Instant) -> Response {
    let still = health.still_for(now);
    if still <= WEDGED_AFTER {
        return "ok\n".into_response();
    }
    let body = format!("the runtime has not turned for {} s\n", still.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

fn ready(health: &Health) -> Response {
    let missing = health.missing();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n").into_response()
}

#[cfg(test)]
mod tests;
