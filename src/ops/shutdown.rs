//! An orderly end: on SIGTERM or SIGINT not ready at once, then draining, with a limit.
//!
//! A second signal ends the process where it stands: the work is safe to be cut short anywhere, only slower to resume.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::probes::Health;

/// The process's wish to end. Clones share it.
#[derive(Debug, Clone)]
pub struct Shutdown {
    health: Health,
    requested: CancellationToken,
}

/// How draining went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Drained {
    /// Everything under way was finished.
    Finished,
    /// The limit came first, and what was left was dropped.
    CutShort,
}

/// A signal that asks the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Terminate,
    Interrupt,
}

impl Asked {
    /// What a shell expects of a process ended by this signal.
    const fn exit_code(self) -> i32 {
        match self {
            Self::Terminate => 128 + 15,
            Self::Interrupt => 128 + 2,
        }
    }
}

impl Shutdown {
    /// For a process whose end is asked for by [`Shutdown::request`] alone.
    #[must_use]
    pub fn new(health: Health) -> Self {
        Self { health, requested: CancellationToken::new() }
    }

    /// Asks for the end on SIGTERM and SIGINT too. Fails where the handlers cannot be put in place.
    ///
    /// Must be called within a Tokio runtime; from then on these signals no longer end the process by themselves.
    pub fn on_signals(health: Health) -> std::io::Result<Self> {
        let shutdown = Self::new(health);
        let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let asked = shutdown.clone();
        tokio::spawn(async move {
            asked.first(next(&mut signals).await);
            let again = next(&mut signals).await;
            tracing::warn!(signal = ?again, "asked to end again; ending at once");
            std::process::exit(again.exit_code());
        });
        Ok(shutdown)
    }

    /// Cancelled when the end is asked for. Whoever holds it takes no new work then.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.requested.clone()
    }

    /// Asks for the end: not ready first, so that nobody who sees the token cancelled is still ready.
    pub fn request(&self) {
        self.health.end();
        self.requested.cancel();
    }

    /// Waits for `work` to finish once the end has been asked for, at most `limit` longer; also returns when it
    /// finishes by itself.
    pub async fn drain(&self, work: impl Future<Output = ()>, limit: Duration) -> Drained {
        let too_late = async {
            self.requested.cancelled().await;
            tokio::time::sleep(limit).await;
        };
        tokio::select! {
            // Work that is done by the limit counts as done.
            biased;
            () = work => Drained::Finished,
            () = too_late => {
                tracing::warn!(limit = ?limit, "draining took too long; what is left is dropped");
                Drained::CutShort
            }
        }
    }

    fn first(&self, asked: Asked) {
        tracing::info!(signal = ?asked, "asked to end; draining");
        self.request();
    }
}

async fn next((terminate, interrupt): &mut (Signal, Signal)) -> Asked {
    tokio::select! {
        _ = terminate.recv() => Asked::Terminate,
        _ = interrupt.recv() => Asked::Interrupt,
    }
}

#[cfg(test)]
mod tests;
