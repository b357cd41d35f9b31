//! What the API server has written and refused, by its own count.
//!
//! A write that changes something raises etcd's revision by one; a write that changes nothing is answered 200 and does
//! not. So no-op writes are the writes answered with success, less the revisions.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::Request;
use innkeeper_api::GROUP;
use innkeeper_testbed::ControlPlane;
use kube::Client;

use crate::Result;

/// Long enough for a Room's status to follow, which is written at most once a second.
const QUIET: Duration = Duration::from_millis(2500);
const PATIENCE: Duration = Duration::from_secs(120);

/// Counts since the API server's start, or between two such.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// etcd's revision: every write of every object.
    pub revision: i64,
    /// Requests of Innkeeper's own kinds that wrote, by resource and subresource.
    pub writes: BTreeMap<String, i64>,
    /// Writes of Leases: the operator's, the API server's own, and the one by which API servers find each other, which is
    /// written past all requests.
    pub leases: i64,
    /// Requests that wrote anything else.
    pub others: i64,
    /// Requests of Innkeeper's own kinds that were answered 409.
    pub conflicts: i64,
}

impl Counts {
    /// What the API server has counted so far.
    pub async fn take(control_plane: &ControlPlane, client: &Client) -> Result<Self> {
        loop {
            let (before, revision) = (read(client).await?, control_plane.etcd_revision());
            let after = read(client).await?;
            // Nothing was written in between, so the revision belongs to these counts.
            if before.leases == after.leases && before.others == after.others && before.all() == after.all() {
                return Ok(Self { revision, ..after });
            }
        }
    }

    /// What has come since.
    pub fn since(&self, before: &Self) -> Self {
        let was = |name: &str| before.writes.get(name).copied().unwrap_or(0);
        Self {
            revision: self.revision - before.revision,
            writes: self
                .writes
                .iter()
                .map(|(name, count)| (name.clone(), count - was(name)))
                .filter(|(_, count)| *count != 0)
                .collect(),
            leases: self.leases - before.leases,
            others: self.others - before.others,
            conflicts: self.conflicts - before.conflicts,
        }
    }

    /// Requests of Innkeeper's own kinds that wrote.
    pub fn all(&self) -> i64 {
        self.writes.values().sum()
    }

    /// Revisions without those of Leases.
    pub fn revisions(&self) -> i64 {
        self.revision - self.leases
    }

    /// Requests that were answered as a write and changed nothing.
    pub fn no_ops(&self) -> i64 {
        self.all() + self.others + self.leases - self.revision
    }

    /// The writes by resource, for people.
    pub fn by_resource(&self, bookings: usize) -> String {
        let each = |(name, count): (&String, &i64)| format!("{name} {:.2}", *count as f64 / bookings as f64);
        self.writes.iter().map(each).collect::<Vec<_>>().join(", ")
    }
}

/// Waits until nothing of Innkeeper's has been written for a while.
pub async fn quiet(client: &Client) -> Result<()> {
    let begun = Instant::now();
    let (mut last, mut since) = (read(client).await?.all(), Instant::now());
    while since.elapsed() < QUIET {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = read(client).await?.all();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if begun.elapsed() > PATIENCE {
            return Err("the operator does not come to rest".into());
        }
    }
    Ok(())
}

async fn read(client: &Client) -> Result<Counts> {
    let text = client.request_text(Request::get("/metrics").body(Vec::new())?).await?;
    let mut counts = Counts::default();
    for line in text.lines() {
        let peers = line.starts_with("etcd_requests_total{") && line.contains("\"apiServerPeerIPInfo\"");
        if !peers && !line.starts_with("apiserver_request_total{") {
            continue;
        }
        let label = |name: &str| {
            let from = line.find(&format!("{name}=\"")).map_or(line.len(), |at| at + name.len() + 2);
            line[from..].split('"').next().unwrap_or_default()
        };
        let Some(count) = line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok()) else { continue };
        #[allow(clippy::cast_possible_truncation, reason = "a count")]
        let count = count as i64;
        if peers {
            counts.leases += if label("operation") == "get" { 0 } else { count };
            continue;
        }
        let (group, code) = (label("group"), label("code"));
        let writes = matches!(label("verb"), "POST" | "PUT" | "PATCH" | "APPLY" | "DELETE")
            && matches!(code, "200" | "201")
            // A question that is asked with POST and stored nowhere.
            && !group.starts_with("authorization.") && !group.starts_with("authentication.");
        if group == GROUP && code == "409" {
            counts.conflicts += count;
        }
        match (writes, group) {
            (false, _) => {}
            (true, GROUP) => {
                let name = [label("resource"), label("subresource")].join("/");
                *counts.writes.entry(name.trim_end_matches('/').to_owned()).or_default() += count;
            }
            (true, "coordination.k8s.io") => counts.leases += count,
            (true, _) => counts.others += count,
        }
    }
    Ok(counts)
}
