//! The Lease: keeps two operators from doing the same work. It is for thrift, not for safety.

use std::time::Duration;

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch;

use crate::error::OperatorError;

/// How the Lease is kept.
#[derive(Debug, Clone)]
pub struct LeaseConfig {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Who we are, among those who want it.
    pub identity: String,
    /// How long it holds after its last renewal.
    pub duration: Duration,
    /// How often it is renewed.
    pub renew: Duration,
}

/// Tries for the Lease for good. The receiver says whether we have it; dropping it gives the Lease back.
pub async fn keep(client: Client, config: &LeaseConfig) -> Result<watch::Receiver<bool>, OperatorError> {
    let failed = |error: kube_lease_manager::LeaseManagerError| OperatorError::Lease(error.to_string());
    let duration = config.duration.as_secs().max(2);
    let grace = duration.saturating_sub(config.renew.as_secs()).clamp(1, duration - 1);
    let manager: LeaseManager = LeaseManagerBuilder::new(client, &config.name)
        .with_namespace(&config.namespace)
        .with_identity(&config.identity)
        .with_duration(duration)
        .with_grace(grace)
        .build()
        .await
        .map_err(failed)?;
    let (receiver, task) = manager.watch().await;
    tokio::spawn(async move {
        match task.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "the Lease is no longer managed"),
            Err(error) => tracing::error!(%error, "the Lease's task ended"),
        }
    });
    Ok(receiver)
}
