//! Whether this cluster knows what was paid: looked at once when the Lease changes hands, before any money moves.
//!
//! Every charge follows a stored intent, so a payment whose Reservation the API server has never heard of was made by
//! another past: etcd was put back to an earlier hour, or this is a copy of a cluster that goes on elsewhere. The Lease
//! tells from when on to look: whoever took it over has kept there when it was last renewed before, until this was done.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use innkeeper_api::Reservation;
use innkeeper_booking::provider::{Intent, IntentState, ProviderError, Tags};
use innkeeper_ops::config::ConfigWatch;
use jiff::Timestamp;
use kube::{Api, Client, ResourceExt};

use crate::brake::{Brake, Kind};
use crate::cache::Cache;
use crate::cashier::Cashier;
use crate::lease::{LeaseConfig, Unchecked};

/// Between two tries, where nobody could say.
const AGAIN: Duration = Duration::from_secs(5);

/// The look at what was paid.
pub struct Past {
    client: Client,
    cashier: Cashier,
    config: Arc<ConfigWatch>,
    installation: String,
    lease: Option<LeaseConfig>,
    caches: Vec<Arc<Cache>>,
    brake: Arc<Brake>,
    done: tokio::sync::Mutex<bool>,
}

/// Why it could not be looked at.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the API server does not say: {0}")]
    Api(#[from] kube::Error),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("the halt is not stored yet")]
    NotStored,
}

impl Past {
    /// Of an operator that has just begun to lead.
    pub fn new(
        client: Client,
        cashier: Cashier,
        config: Arc<ConfigWatch>,
        installation: String,
        lease: Option<LeaseConfig>,
        caches: Vec<Arc<Cache>>,
        brake: Arc<Brake>,
    ) -> Self {
        let done = tokio::sync::Mutex::new(false);
        Self { client, cashier, config, installation, lease, caches, brake, done }
    }

    /// Looks until it is known, so that it is told even where nobody wants to pay.
    pub async fn look(&self) {
        while self.checked().await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Returns once it is known, which is before anything is sent that moves money. What fails is a call that was not made.
    pub async fn checked(&self) -> Result<(), ProviderError> {
        let mut done = self.done.lock().await;
        if *done {
            return Ok(());
        }
        match self.check().await {
            Ok(()) => *done = true,
            Err(error) => {
                tracing::warn!(%error, "whether this cluster knows what was paid cannot be seen yet; no money moves before");
                let why = format!("not tried: whether all payments are known cannot be seen yet ({error})");
                return Err(ProviderError::Unreachable(why));
            }
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), Trouble> {
        self.brake.recall().await?;
        let Some(lease) = &self.lease else { return Ok(()) };
        let Some(unchecked) = Unchecked::read(&self.client, lease).await? else { return Ok(()) };
        for cache in &self.caches {
            cache.ready().await;
        }
        let since = Timestamp::from_second(unchecked.since.as_second()).unwrap_or(unchecked.since);
        let unknown = self.unknown(since).await?;
        if let Some(first) = unknown.first() {
            let because = format!(
                "The payment provider has {} payments made after {since} whose Reservations this cluster has never had (one of them {first}): it was put back to an earlier state, or it is a copy of another cluster.",
                unknown.len()
            );
            self.brake.halt(Kind::Rewound, &format!("rewound-{since}"), because).await;
            // As long as it is only in memory, the Lease must go on telling of it.
            if !self.brake.is_stored() {
                return Err(Trouble::NotStored);
            }
        }
        unchecked.done(&self.client, lease).await?;
        Ok(())
    }

    /// Reservations of which there is money from that time on, and no object.
    async fn unknown(&self, since: Timestamp) -> Result<BTreeSet<String>, Trouble> {
        let mut unknown = BTreeSet::new();
        let mut payments = pin!(self.cashier.payments(&self.installation, since, true));
        while let Some(some) = payments.try_next().await? {
            for (tags, intent) in some {
                let Some(tags) = tags.filter(|tags| intent.created >= since && self.is_watched(tags)) else {
                    continue;
                };
                if holds_money(&intent) && !self.is_there(&tags).await? {
                    unknown.insert(format!("{}/{}", tags.namespace, tags.name));
                }
            }
        }
        Ok(unknown)
    }

    fn is_watched(&self, tags: &Tags) -> bool {
        let config = self.config.current();
        let watched = &config.operator.watch_namespaces;
        watched.is_empty() || watched.contains(&tags.namespace)
    }

    async fn is_there(&self, tags: &Tags) -> Result<bool, kube::Error> {
        if self.caches.iter().any(|cache| cache.reservations.key_of_uid(&tags.uid).is_some()) {
            return Ok(true);
        }
        let reservations: Api<Reservation> = Api::namespaced(self.client.clone(), &tags.namespace);
        let found = reservations.get_metadata_opt(&tags.name).await?;
        Ok(found.is_some_and(|found| found.uid().as_deref() == Some(&tags.uid)))
    }
}

fn holds_money(intent: &Intent) -> bool {
    !intent.settled && (intent.captured > intent.returning() || intent.state == IntentState::Processing)
}
