//! Puts the parts together: the watches, a courier for each sink, and who lets deleted Reservations go.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::metrics::Metrics;
use innkeeper_ops::probes::Health;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::archiving::Archiving;
use crate::courier::Courier;
use crate::expiry::Expiry;
use crate::filing::Filing;
use crate::intake::Follower;
use crate::release::Releaser;
use crate::sink::Sink;
use crate::store::{Pending, Store, StoreError, queue};

/// The key of the installation's `ConfigMap` that holds its id.
const ID: &str = "id";
/// How often the gauges follow the queues.
const GAUGES: Duration = Duration::from_secs(1);

/// A sink, under which name, and what goes there.
pub struct Route {
    /// What goes there.
    pub wanted: Wanted,
    /// The sink.
    pub sink: Arc<dyn Sink>,
}

/// What goes to a sink.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The sink's name. How far it has come is kept under it.
    pub sink: String,
    /// Types, each whole or with a `*` at its end. Empty means all.
    pub types: Vec<String>,
    /// Namespaces. Empty means all.
    pub namespaces: Vec<String>,
}

impl Wanted {
    /// Whether events of this type go there.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        let like = |wanted: &String| match wanted.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => kind == wanted,
        };
        self.types.is_empty() || self.types.iter().any(like)
    }

    /// Whether events of this namespace go there.
    #[must_use]
    pub fn serves(&self, namespace: Option<&str>) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|n| Some(n.as_str()) == namespace)
    }
}

/// Why the relay cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// What it remembers cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The installation's id cannot be read.
    #[error("cannot read the installation's id from the ConfigMap {name}: {source}")]
    Installation {
        /// Namespace and name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

/// The relay.
pub struct Relay {
    /// The API server.
    pub client: Client,
    /// The configuration.
    pub config: Arc<ConfigWatch>,
    /// The installation's id.
    pub installation: String,
    /// Which namespaces are followed. Empty means all.
    pub namespaces: Vec<String>,
    /// Where events go.
    pub routes: Vec<Route>,
    /// Where finished Reservations are filed, where they are.
    pub filing: Option<Arc<dyn Filing>>,
    /// From where a Reservation must be read back before it expires. Without it nothing expires.
    pub archive: Option<Archiving>,
    /// What it remembers.
    pub store: Store,
    /// What is counted.
    pub metrics: Metrics,
    /// What readiness asks.
    pub health: Health,
}

/// What all parts of a running relay share.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) config: Arc<ConfigWatch>,
    pub(crate) installation: String,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) filing: Option<Arc<dyn Filing>>,
    pub(crate) store: Store,
    pub(crate) metrics: Metrics,
    /// One for each courier: something was put into queues.
    more: Vec<Arc<Notify>>,
    /// Something went out, or somebody wants to leave.
    pub(crate) out: Arc<Notify>,
}

impl Shared {
    /// Something was put into queues.
    pub(crate) fn tell(&self) {
        for courier in &self.more {
            courier.notify_one();
        }
        self.out.notify_one();
    }
}

impl Relay {
    /// Runs until `stop`, and then until what is on its way has been acknowledged or refused.
    pub fn run(self, stop: CancellationToken) -> impl Future<Output = Result<(), RelayError>> + Send {
        // At once, not when first polled: a process that has not begun must not look ready.
        let following = self.health.condition("reservations-followed");
        async move {
            let names: Vec<String> = self.routes.iter().map(|r| r.wanted.sink.clone()).collect();
            for name in &names {
                self.metrics.relay_sink_up(name, false);
            }
            let kept = names.clone();
            for (sink, events) in self.store.run(move |store| queue::keep_only(store, &kept)).await? {
                tracing::warn!(sink, events, "there is no such sink any more; what waited for it is dropped");
            }
            let more: Vec<_> = names.iter().map(|_| Arc::new(Notify::new())).collect();
            let shared = Arc::new(Shared {
                client: self.client,
                config: self.config,
                installation: self.installation,
                wanted: self.routes.iter().map(|r| r.wanted.clone()).collect(),
                filing: self.filing,
                store: self.store,
                metrics: self.metrics,
                more: more.clone(),
                out: Arc::new(Notify::new()),
            });
            let mut parts = JoinSet::new();
            for (route, more) in self.routes.into_iter().zip(more) {
                let courier = Courier {
                    name: route.wanted.sink,
                    sink: route.sink,
                    store: shared.store.clone(),
                    config: Arc::clone(&shared.config),
                    metrics: shared.metrics.clone(),
                    more,
                    out: Arc::clone(&shared.out),
                };
                parts.spawn(courier.run(stop.clone()));
            }
            if let Some(archiving) = self.archive {
                let namespaces = self.namespaces.clone();
                let expiry = Expiry { shared: Arc::clone(&shared), namespaces, archiving };
                parts.spawn(expiry.run(stop.clone()));
            }
            parts.spawn(Follower::new(Arc::clone(&shared), self.namespaces, following).run(stop.clone()));
            parts.spawn(Releaser::new(Arc::clone(&shared)).run(stop.clone()));
            parts.spawn(show(shared, names, stop));
            while let Some(ended) = parts.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a part of the relay ended before its time");
                }
            }
            Ok(())
        }
    }
}

/// Keeps the gauges in step with the queues.
async fn show(shared: Arc<Shared>, names: Vec<String>, stop: CancellationToken) {
    loop {
        if let Ok(all) = shared.store.run(queue::pending).await {
            let now = Timestamp::now().as_millisecond();
            for name in &names {
                let Pending { events, oldest, letters } = all.get(name).cloned().unwrap_or_default();
                let lag = oldest.and_then(|oldest| u64::try_from(now - oldest).ok()).unwrap_or(0);
                shared.metrics.relay_pending(name, events, Duration::from_millis(lag), letters);
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(GAUGES)).await.is_none() {
            return;
        }
    }
}

/// The installation's id, which the operator makes; none as long as it has not.
pub async fn installation_id(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<String>, RelayError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(|source| RelayError::Installation {
        name: format!("{namespace}/{name}"),
        source: Box::new(source),
    })?;
    Ok(found.and_then(|c| c.data?.get(ID).cloned()).filter(|id| !id.is_empty()))
}
