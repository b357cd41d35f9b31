//! Reads the configuration file again when it changes, and keeps the last good one.
//!
//! A mounted `ConfigMap` changes by a swapped symbolic link, and an editor by a rename: so the content is looked at,
//! every few seconds and on SIGHUP, and nothing is expected of the file system.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::rules::{self, FIELDS};
use super::{Config, ConfigError};
use crate::metrics::{Metrics, ReloadResult};

/// How often the file is looked at, unless a caller says otherwise.
pub const EVERY: Duration = Duration::from_secs(5);

/// How many changes are remembered for those who are slow to tell of them.
const REMEMBERED: usize = 16;

/// The configuration in force, now and from now on. Clones see the same.
#[derive(Debug, Clone)]
pub struct ConfigWatch {
    current: watch::Receiver<Arc<Config>>,
    refused: watch::Receiver<Option<ConfigError>>,
    reloads: broadcast::Sender<Reload>,
}

/// A field that a reload changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its path, such as `operator.acceptWithin`.
    pub field: &'static str,
    /// Whether the new value waits for the next start.
    pub needs_restart: bool,
}

/// What became of a file that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// Valid, and in force now.
    Applied(Vec<Change>),
    /// Invalid or unreadable; the last good one stays.
    Refused(ConfigError),
}

impl ConfigWatch {
    /// Loads the file and looks at it again `every` so often, and on SIGHUP, until `stop`. Fails where the first
    /// load does, for there is no good configuration to keep then.
    ///
    /// Must be called within a Tokio runtime.
    pub fn start(
        path: &Path,
        metrics: &Metrics,
        every: Duration,
        stop: CancellationToken,
    ) -> Result<Self, ConfigError> {
        let (mut reloader, watch) = Reloader::start(path, metrics)?;
        // Before the task, so that SIGHUP does not end the process once this has returned.
        let mut hangup = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::warn!(%error, "SIGHUP will not reload the configuration"))
            .ok();
        let mut tick = tokio::time::interval_at(Instant::now() + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::spawn(async move {
            loop {
                let asked = async {
                    match &mut hangup {
                        Some(hangup) => hangup.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = tick.tick() => (),
                    _ = asked => tracing::info!("asked to read the configuration again"),
                }
                let text = tokio::fs::read_to_string(&reloader.path).await;
                reloader.look(text);
            }
        });
        Ok(watch)
    }

    /// A configuration that never changes: for tests and for programs without a file.
    #[must_use]
    pub fn fixed(config: Config) -> Self {
        // A receiver keeps its last value when the sender is gone.
        Self {
            current: watch::channel(Arc::new(config)).1,
            refused: watch::channel(None).1,
            reloads: broadcast::Sender::new(REMEMBERED),
        }
    }

    /// The configuration in force.
    #[must_use]
    pub fn current(&self) -> Arc<Config> {
        self.current.borrow().clone()
    }

    /// For those who must act when it changes. `changed()` fails once the watch has stopped.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<Config>> {
        self.current.clone()
    }

    /// What becomes of every change from now on, for those who tell of it.
    #[must_use]
    pub fn reloads(&self) -> broadcast::Receiver<Reload> {
        self.reloads.subscribe()
    }

    /// Why the file as it is now is not the one in force; `None` where it is.
    #[must_use]
    pub fn refused(&self) -> Option<ConfigError> {
        self.refused.borrow().clone()
    }
}

/// The fields in which two configurations differ, in the order of the reference.
#[must_use]
pub fn changes(old: &Config, new: &Config) -> Vec<Change> {
    let (old, new) = (rules::as_values(old), rules::as_values(new));
    FIELDS
        .iter()
        .filter(|field| rules::value_at(&old, field.path) != rules::value_at(&new, field.path))
        .map(|field| Change { field: field.path, needs_restart: !field.live })
        .collect()
}

struct Reloader {
    path: PathBuf,
    /// What the last look found, so that one bad file is told of once.
    last: Result<String, String>,
    current: watch::Sender<Arc<Config>>,
    refused: watch::Sender<Option<ConfigError>>,
    reloads: broadcast::Sender<Reload>,
    metrics: Metrics,
}

impl Reloader {
    fn start(path: &Path, metrics: &Metrics) -> Result<(Self, ConfigWatch), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(path, &error))?;
        let config = Config::parse(&text).map_err(|error| error.of_file(path))?;
        metrics.config_in_force(true);
        let (current, current_seen) = watch::channel(Arc::new(config));
        let (refused, refused_seen) = watch::channel(None);
        let reloads = broadcast::Sender::new(REMEMBERED);
        let watch = ConfigWatch { current: current_seen, refused: refused_seen, reloads: reloads.clone() };
        let (path, last, metrics) = (path.to_owned(), Ok(text), metrics.clone());
        Ok((Self { path, last, current, refused, reloads, metrics }, watch))
    }

    /// Takes what the file is now; none where it is as it was.
    fn look(&mut self, found: std::io::Result<String>) -> Option<Reload> {
        let seen = found.as_ref().map(Clone::clone).map_err(ToString::to_string);
        if seen == self.last {
            return None;
        }
        self.last = seen;
        let parsed = found
            .map_err(|error| ConfigError::unreadable(&self.path, &error))
            .and_then(|text| Config::parse(&text).map_err(|error| error.of_file(&self.path)));
        let reload = match parsed {
            Ok(config) => Reload::Applied(self.apply(config)),
            Err(error) => {
                tracing::error!(%error, "the new configuration is refused; the last good one stays in force");
                self.metrics.config_reloaded(ReloadResult::Refused);
                self.metrics.config_in_force(false);
                self.refused.send_replace(Some(error.clone()));
                Reload::Refused(error)
            }
        };
        // Nobody may be listening.
        let _ = self.reloads.send(reload.clone());
        Some(reload)
    }

    fn apply(&self, config: Config) -> Vec<Change> {
        let changes = changes(&self.current.borrow(), &config);
        let names = |needs_restart| {
            let named = changes.iter().filter(|change| change.needs_restart == needs_restart);
            named.map(|change| change.field).collect::<Vec<_>>().join(", ")
        };
        let (now, later) = (names(false), names(true));
        tracing::info!(changed = now, "the configuration was read again");
        if !later.is_empty() {
            tracing::warn!(changed = later, "these fields take effect at the next start");
        }
        for change in &changes {
            self.metrics.config_changed(change.field, change.needs_restart);
        }
        self.metrics.config_reloaded(ReloadResult::Applied);
        self.metrics.config_in_force(true);
        self.refused.send_replace(None);
        if !changes.is_empty() {
            self.current.send_replace(Arc::new(config));
        }
        changes
    }
}

#[cfg(test)]
mod tests;
