//! The Lease: keeps two operators from doing the same work. It is for thrift, not for safety.
//!
//! As client-go does it: whoever wants the Lease looks at it every so often, and takes another's once it has been seen
//! unchanged for as long as it lasts, by this process's own clock, so that clocks need not agree. Every write carries
//! the resourceVersion it was decided on. A Lease that somebody deletes is made again; one that somebody overwrites is
//! lost; one that cannot be renewed is given up before another may take it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use innkeeper_ops::probes::Condition;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::OperatorError;

/// When the Lease was last renewed before it changed hands, for as long as nobody has looked at what was paid since.
const UNCHECKED: &str = "innkeeper.dev/payments-unchecked-since";

/// How long giving back may take: the end of a process must not wait for an API server that is down.
const GIVE_BACK: Duration = Duration::from_secs(3);

/// Looks at a Lease that changed under our write before it is left for the next time.
const ROUNDS: usize = 3;

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

/// An identity that no other process has: not on this host, and not under the same name after a restart.
#[must_use]
pub fn lease_identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "innkeeper".to_owned());
    format!("{host}_{}", uuid::Uuid::new_v4())
}

/// Somebody who wants the Lease, for good.
pub struct Candidate {
    has_it: watch::Receiver<Option<bool>>,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl Candidate {
    /// Begins to try. `answered` is met once the API server has said whose the Lease is.
    pub fn start(client: Client, config: LeaseConfig, answered: Condition) -> Self {
        let (tell, has_it) = watch::channel(None);
        let stop = CancellationToken::new();
        let api = Api::namespaced(client, &config.namespace);
        let elector = Elector { api, config, seen: None, renewed: None };
        let task = tokio::spawn(elector.run(tell, stop.clone(), answered));
        Self { has_it, task, stop: stop.drop_guard() }
    }

    /// Whether we have it; `None` until that is known.
    pub fn has_it(&mut self) -> Option<bool> {
        *self.has_it.borrow_and_update()
    }

    /// Returns when that has changed. Fails when nobody tries any more.
    pub async fn changed(&mut self) -> Result<(), OperatorError> {
        self.has_it.changed().await.map_err(|_| OperatorError::Lease)
    }

    /// Gives it back, if we have it, and returns when that is done or takes too long.
    pub async fn give_back(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the Lease was not given back");
        }
    }
}

struct Elector {
    api: Api<Lease>,
    config: LeaseConfig,
    /// The Lease as another left it, and since when we see it so.
    seen: Option<(LeaseSpec, Instant)>,
    /// The renewal that we have last written.
    renewed: Option<MicroTime>,
}

impl Elector {
    async fn run(mut self, tell: watch::Sender<Option<bool>>, stop: CancellationToken, answered: Condition) {
        let renew = self.config.renew;
        // Well before another may take it.
        let trusted_for = self.config.duration.mul_f64(0.8);
        let (mut known, mut ours_until) = (false, None::<Instant>);
        loop {
            let begun = Instant::now();
            // The end of the process waits for it: a write under way could take effect after the Lease was given back.
            let outcome = tokio::time::timeout(renew, self.attempt()).await;
            match outcome {
                Ok(Ok(ours)) => {
                    known = true;
                    answered.met();
                    ours_until = ours.then(|| begun + trusted_for);
                }
                Ok(Err(error)) => self.say(&answered, &error.to_string()),
                Err(_) => self.say(&answered, "no answer from the API server in time"),
            }
            let left = ours_until.map(|until| until.saturating_duration_since(Instant::now()));
            let ours = left.is_some_and(|left| !left.is_zero());
            // As long as nothing was ever answered, nobody knows.
            tell.send_if_modified(|told| known && told.replace(ours) != Some(ours));
            let pause = left.filter(|_| ours).map_or(renew, |left| left.min(renew));
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause.saturating_sub(begun.elapsed())) => {}
            }
        }
        if ours_until.is_some() {
            match tokio::time::timeout(GIVE_BACK, self.give_back()).await {
                Ok(Ok(())) => tracing::info!(lease = self.config.name, "the Lease is given back"),
                Ok(Err(error)) => tracing::warn!(%error, "the Lease was not given back"),
                Err(_) => {
                    tracing::warn!("the Lease was not given back: no answer from the API server in time");
                }
            }
        }
    }

    fn say(&self, answered: &Condition, error: &str) {
        let LeaseConfig { namespace, name, .. } = &self.config;
        tracing::warn!(lease = %format!("{namespace}/{name}"), error, "the Lease cannot be read or written");
        answered.unmet(format!("the Lease {namespace}/{name} cannot be read or written: {error}"));
    }

    /// Takes or renews it if that may be; says whether it is ours.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let params = PostParams::default();
        let mut changed = None;
        for _ in 0..ROUNDS {
            let written = match self.api.get_opt(&self.config.name).await? {
                None => self.api.create(&params, &self.ours(Lease::default())).await,
                Some(lease) if self.is_anothers(&lease) => {
                    self.renewed = None;
                    return Ok(false);
                }
                Some(lease) if self.is_of_the_past(&lease) => {
                    tracing::error!(
                        "the Lease is an earlier one of our own: was the cluster put back? Beginning anew"
                    );
                    self.renewed = None;
                    self.api.replace(&self.config.name, &params, &self.ours(lease)).await?;
                    return Ok(false);
                }
                Some(lease) => self.api.replace(&self.config.name, &params, &self.ours(lease)).await,
            };
            match written {
                Ok(lease) => {
                    self.renewed = lease.spec.and_then(|spec| spec.renew_time);
                    return Ok(true);
                }
                // Somebody wrote or deleted it since we read it.
                Err(kube::Error::Api(s)) if s.is_conflict() || s.is_already_exists() || s.is_not_found() => {
                    changed = Some(kube::Error::Api(s));
                }
                Err(error) => return Err(error),
            }
        }
        changed.map_or(Ok(false), Err)
    }

    /// Whether another has it and may still be at work.
    fn is_anothers(&mut self, lease: &Lease) -> bool {
        let spec = lease.spec.clone().unwrap_or_default();
        match spec.holder_identity.as_deref() {
            None | Some("") => return false,
            Some(holder) if holder == self.config.identity => return false,
            Some(_) => {}
        }
        let seconds = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok());
        let lasts = seconds.map_or(self.config.duration, Duration::from_secs);
        match &self.seen {
            Some((seen, since)) if *seen == spec => since.elapsed() < lasts,
            _ => {
                self.seen = Some((spec, Instant::now()));
                true
            }
        }
    }

    /// Ours, and renewed before we have last renewed it: somebody has put etcd back under us.
    fn is_of_the_past(&self, lease: &Lease) -> bool {
        let spec = lease.spec.as_ref();
        let ours = spec.and_then(|s| s.holder_identity.as_ref()) == Some(&self.config.identity);
        let at = spec.and_then(|s| s.renew_time.as_ref());
        ours && self.renewed.as_ref().is_some_and(|renewed| at.is_none_or(|at| at.0 < renewed.0))
    }

    /// The Lease as it is when it is ours, on top of what it was.
    fn ours(&self, lease: Lease) -> Lease {
        let mut metadata: ObjectMeta = lease.metadata;
        let mut spec = lease.spec.unwrap_or_default();
        let now = MicroTime(Timestamp::now());
        if self.renewed.is_none()
            && let Some(before) = &spec.renew_time
        {
            let annotations: &mut BTreeMap<_, _> = metadata.annotations.get_or_insert_default();
            annotations.entry(UNCHECKED.to_owned()).or_insert_with(|| before.0.to_string());
        }
        if spec.holder_identity.as_ref() != Some(&self.config.identity) {
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |n| n.saturating_add(1)));
            spec.acquire_time = Some(now.clone());
            spec.holder_identity = Some(self.config.identity.clone());
        }
        spec.lease_duration_seconds = i32::try_from(self.config.duration.as_secs()).ok();
        spec.renew_time = Some(now);
        metadata.name = Some(self.config.name.clone());
        Lease { metadata, spec: Some(spec) }
    }

    async fn give_back(&self) -> Result<(), kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.config.name).await? else { return Ok(()) };
        let mut spec = lease.spec.take().unwrap_or_default();
        if spec.holder_identity.as_ref() != Some(&self.config.identity) {
            return Ok(());
        }
        spec.holder_identity = None;
        spec.acquire_time = None;
        // Until when somebody looked after the money: whoever comes next begins there.
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        lease.spec = Some(spec);
        self.api.replace(&self.config.name, &PostParams::default(), &lease).await?;
        Ok(())
    }
}

/// Payments that nobody has looked at since the Lease changed hands.
pub struct Unchecked {
    /// Made since then.
    pub since: Timestamp,
    said: String,
}

impl Unchecked {
    /// What the Lease says.
    pub async fn read(client: &Client, config: &LeaseConfig) -> Result<Option<Self>, kube::Error> {
        let api: Api<Lease> = Api::namespaced(client.clone(), &config.namespace);
        let Some(lease) = api.get_opt(&config.name).await? else { return Ok(None) };
        let said = lease.metadata.annotations.and_then(|mut all| all.remove(UNCHECKED));
        // What cannot be read would never be done: from the beginning, then.
        Ok(said.map(|said| Self { since: said.parse().unwrap_or(Timestamp::UNIX_EPOCH), said }))
    }

    /// They have been looked at. Whoever renews the Lease meanwhile is read again.
    pub async fn done(self, client: &Client, config: &LeaseConfig) -> Result<(), kube::Error> {
        let api: Api<Lease> = Api::namespaced(client.clone(), &config.namespace);
        loop {
            let Some(mut lease) = api.get_opt(&config.name).await? else { return Ok(()) };
            let annotations = lease.metadata.annotations.get_or_insert_default();
            if annotations.get(UNCHECKED) != Some(&self.said) {
                return Ok(());
            }
            annotations.remove(UNCHECKED);
            match api.replace(&config.name, &PostParams::default(), &lease).await {
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                other => return other.map(drop),
            }
        }
    }
}
