//! Carries one sink's queue to it: a batch at a time, in order for each object, with patience where it is not taken.
//!
//! Each sink has its own: one that is down holds up no other. A sink that takes nothing is left alone for a while; where
//! it takes some, only the objects whose events it did not take wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::metrics::Metrics;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::sink::{Outgoing, Sink, Verdict};
use crate::store::{Store, StoreError, queue};

/// How often the queue is looked at without being told: what `innkeeper relay replay` puts into it is not told.
const LOOK: Duration = Duration::from_secs(1);
/// More objects than this are not waited for one by one: then the sink as a whole is left alone.
const MOST_WAITING: usize = 500;

/// One sink's.
pub(crate) struct Courier {
    pub(crate) name: String,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) store: Store,
    pub(crate) config: Arc<ConfigWatch>,
    pub(crate) metrics: Metrics,
    /// Something was put into queues.
    pub(crate) more: Arc<Notify>,
    /// Something went out.
    pub(crate) out: Arc<Notify>,
}

/// A wait that gets longer.
#[derive(Debug, Clone, Copy)]
struct Wait {
    times: u32,
    until: Instant,
}

impl Courier {
    /// Carries until `stop`; what is under way then is brought to its end.
    pub(crate) async fn run(self, stop: CancellationToken) {
        match stop.run_until_cancelled(self.sink.check()).await {
            None => return,
            Some(Ok(())) => {
                tracing::info!(sink = self.name, "the sink can be reached");
                self.metrics.relay_sink_up(&self.name, true);
            }
            Some(Err(error)) => self.complain(&error),
        }
        let mut waiting: HashMap<String, Wait> = HashMap::new();
        let mut refused_all: u32 = 0;
        while !stop.is_cancelled() {
            let now = Instant::now();
            let not_of: Vec<String> =
                waiting.iter().filter(|(_, wait)| wait.until > now).map(|(uid, _)| uid.clone()).collect();
            let (sink, most) = (self.name.clone(), self.sink.batch());
            let batch = self.store.run(move |store| queue::next(store, &sink, most, &not_of)).await;
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    self.complain(&error.to_string());
                    pause(&stop, LOOK).await;
                    continue;
                }
            };
            if batch.is_empty() {
                let soon = waiting.values().filter_map(|w| w.until.checked_duration_since(now)).min();
                let look = soon.unwrap_or(LOOK).clamp(Duration::from_millis(1), LOOK);
                tokio::select! {
                    () = self.more.notified() => {}
                    () = pause(&stop, look) => {}
                }
                continue;
            }
            let Ok(taken) =
                self.carry(&batch, &mut waiting).await.inspect_err(|e| self.complain(&e.to_string()))
            else {
                // They were delivered, and will be again: that is what at least once means.
                pause(&stop, LOOK).await;
                continue;
            };
            if taken && waiting.len() < MOST_WAITING {
                refused_all = 0;
                continue;
            }
            waiting.clear();
            refused_all = refused_all.saturating_add(1);
            pause(&stop, self.patience(refused_all)).await;
        }
    }

    /// Delivers a batch and stores what came of it. Says whether anything was taken, or refused for good.
    async fn carry(
        &self,
        batch: &[Outgoing],
        waiting: &mut HashMap<String, Wait>,
    ) -> Result<bool, StoreError> {
        let verdicts = self.sink.deliver(batch).await;
        let (mut acked, mut refused) = (Vec::new(), Vec::new());
        let now = Timestamp::now().as_millisecond();
        let mut first_failure = None;
        for (event, verdict) in batch.iter().zip(verdicts) {
            match verdict {
                Verdict::Acked => {
                    acked.push(event.seq);
                    waiting.remove(&event.key);
                    let late = u64::try_from(now - event.time).unwrap_or(0);
                    self.metrics.relay_published(&self.name, Duration::from_millis(late));
                }
                Verdict::Refused(reason) => {
                    tracing::error!(
                        sink = self.name,
                        event = event.id,
                        kind = event.kind,
                        reason,
                        "refused for good; it is kept among the dead letters: innkeeper relay replay --dead-letters"
                    );
                    self.metrics.relay_refused(&self.name);
                    waiting.remove(&event.key);
                    refused.push((event.seq, reason));
                }
                Verdict::Failed(reason) => {
                    self.metrics.relay_failed(&self.name);
                    let times = waiting.get(&event.key).map_or(1, |wait| wait.times.saturating_add(1));
                    let until = Instant::now() + self.patience(times);
                    waiting.insert(event.key.clone(), Wait { times, until });
                    first_failure.get_or_insert((event, reason));
                }
                Verdict::Held => {}
            }
        }
        // Once a batch, which may be long: metrics say how many.
        if let Some((event, reason)) = first_failure {
            tracing::warn!(sink = self.name, event = event.id, reason, "not delivered; it is tried again");
        }
        let some = !acked.is_empty() || !refused.is_empty();
        self.metrics.relay_sink_up(&self.name, some);
        if some {
            self.store.run(move |store| queue::settle(store, &acked, &refused, now)).await?;
            self.out.notify_one();
        }
        Ok(some)
    }

    fn patience(&self, times: u32) -> Duration {
        let retry = &self.config.current().relay.retry;
        let factor = 2u32.saturating_pow(times.saturating_sub(1).min(20));
        retry.initial.saturating_mul(factor).min(retry.max)
    }

    fn complain(&self, error: &str) {
        tracing::error!(sink = self.name, error, "events cannot be delivered; it is tried again");
        self.metrics.relay_sink_up(&self.name, false);
    }
}

async fn pause(stop: &CancellationToken, long: Duration) {
    // Either way it is over.
    let _ = stop.run_until_cancelled(tokio::time::sleep(long)).await;
}
