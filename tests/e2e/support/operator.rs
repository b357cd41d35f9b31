//! The operator's pods, its Lease and its metrics.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::{SYSTEM, World, until};

/// A pod of Innkeeper's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodId {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl World {
    /// Innkeeper's pods.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), SYSTEM)
    }

    /// The operator's pods that are not on their way out.
    pub async fn operators(&self) -> BTreeSet<PodId> {
        let of_operator = ListParams::default().labels("app.kubernetes.io/component=operator");
        let pods = self.pods().list(&of_operator).await.unwrap();
        pods.iter()
            .filter(|p| p.metadata.deletion_timestamp.is_none())
            .map(|p| PodId { name: p.name_any(), uid: p.uid().unwrap() })
            .collect()
    }

    /// Who has the Lease: the holder's identity.
    pub async fn holder(&self) -> Option<String> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), SYSTEM);
        let lease = leases.get_opt("innkeeper-operator").await.ok()??;
        lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
    }

    /// The pod that leads, and the identity by which it does.
    pub async fn leader(&self) -> (PodId, String) {
        until("a pod leads", async || {
            let holder = self.holder().await.ok_or("nobody has the Lease")?;
            let pods = self.operators().await;
            let pod = pods.into_iter().find(|pod| holder.starts_with(&format!("{}_", pod.name)));
            pod.map(|pod| (pod, holder.clone())).ok_or(format!("{holder} has the Lease and is no pod"))
        })
        .await
    }

    /// Waits until somebody else than this identity has the Lease; says since `begun` how long that took.
    pub async fn taken_over(&self, from: &str, begun: Instant) -> Duration {
        until("another has the Lease", async || match self.holder().await {
            Some(holder) if holder != from => Ok(begun.elapsed()),
            other => Err(format!("{other:?} has it")),
        })
        .await
    }

    /// The metrics of a pod, through the API server.
    pub async fn metrics(&self, pod: &str) -> Result<String, String> {
        let path = format!("/api/v1/namespaces/{SYSTEM}/pods/{pod}:8080/proxy/metrics");
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        self.client.request_text(request).await.map_err(|e| e.to_string())
    }

    /// How often the containers of a pod have been restarted.
    pub async fn restarts(&self, pod: &str) -> i32 {
        let found = self.pods().get_opt(pod).await.unwrap();
        let statuses = found.and_then(|p| p.status).and_then(|s| s.container_statuses).unwrap_or_default();
        statuses.iter().map(|s| s.restart_count).sum()
    }
}

/// The sum of the samples of a metric that have these words in their labels.
pub fn value(metrics: &str, name: &str, words: &str) -> Option<f64> {
    metrics
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter(|line| line.contains(words))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .reduce(|sum, next| sum + next)
}
