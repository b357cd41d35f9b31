//! One allocator per Room: its waiting Reservations in order of arrival, one calendar write for as many as fit.
//!
//! Sixty-four writers racing for one object win twenty times a second; one writer that takes whoever waits admits
//! thousands. What is decided about a batch is in `batch`; here is who waits, and the pace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use innkeeper_booking::allotment::Ask;
use innkeeper_booking::knowledge::NightsKnown;
use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::metrics::Metrics;
use kube::Client;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::Clock;
use crate::batch::Book;
use crate::cache::{Cache, Key, lock};

/// Most asks in one batch: their stays fit into one write with room to spare.
const BATCH_MAX: usize = 500;

/// An ask and where its answer goes.
pub struct Waiting {
    /// What is asked.
    pub ask: Ask,
    /// Where the answer goes.
    pub reply: oneshot::Sender<NightsKnown>,
}

/// The allocators of a scope, made when first asked for.
pub struct Allocators {
    client: Client,
    cache: Arc<Cache>,
    clock: Clock,
    metrics: Metrics,
    config: Arc<ConfigWatch>,
    stop: CancellationToken,
    by_room: Mutex<HashMap<Key, mpsc::UnboundedSender<Waiting>>>,
}

impl Allocators {
    /// None yet. They end with `stop`.
    pub fn new(
        client: Client,
        cache: Arc<Cache>,
        clock: Clock,
        metrics: Metrics,
        config: Arc<ConfigWatch>,
        stop: CancellationToken,
    ) -> Self {
        Self { client, cache, clock, metrics, config, stop, by_room: Mutex::default() }
    }

    /// Asks a Room's allocator and waits for its answer. An allocator that is ending answers that it is busy.
    pub async fn ask(&self, room: &Key, ask: Ask) -> NightsKnown {
        let (reply, answer) = oneshot::channel();
        if self.of(room).send(Waiting { ask, reply }).is_err() {
            lock(&self.by_room).remove(room);
            return NightsKnown::Busy;
        }
        answer.await.unwrap_or(NightsKnown::Busy)
    }

    fn of(&self, room: &Key) -> mpsc::UnboundedSender<Waiting> {
        let mut all = lock(&self.by_room);
        let sender = all.entry(room.clone()).or_insert_with(|| {
            let (tx, rx) = mpsc::unbounded_channel();
            let book = Book::new(
                &self.client,
                room.clone(),
                Arc::clone(&self.cache),
                self.clock.clone(),
                self.metrics.clone(),
            );
            let work = run(rx, book, Arc::clone(&self.config), self.metrics.clone());
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(work));
            tx
        });
        sender.clone()
    }
}

async fn run(
    mut rx: mpsc::UnboundedReceiver<Waiting>,
    mut book: Book,
    config: Arc<ConfigWatch>,
    metrics: Metrics,
) {
    while let Some(first) = rx.recv().await {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX {
            match rx.try_recv() {
                Ok(next) => batch.push(next),
                Err(_) => break,
            }
        }
        let takes = batch.iter().filter(|w| matches!(w.ask, Ask::Take(_))).count();
        if takes > 0 {
            metrics.batch(takes);
        }
        let asks: Vec<Ask> = batch.iter().map(|w| w.ask.clone()).collect();
        let answers = book.settle(&asks).await;
        for (waiting, answer) in batch.into_iter().zip(answers) {
            // Who asked may be gone, with its operator's lease; the nights it got are seen by the next pass.
            let _ = waiting.reply.send(answer);
        }
        // Every write stores the whole object again: paced by its size, or two hot Rooms would fill etcd's quota
        // within a compaction interval. Whoever asks meanwhile is in the next batch.
        let bytes = book.take_written();
        if bytes > 0 {
            let bytes_per_second = config.current().operator.calendar_bytes_per_second.max(1);
            tokio::time::sleep(Duration::from_micros(bytes.saturating_mul(1_000_000) / bytes_per_second))
                .await;
        }
    }
}
