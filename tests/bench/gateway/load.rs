//! Many who ask: each as soon as it has its answer (a closed loop, which finds out how many can be answered), or at times
//! that no answer moves (an open loop).
//!
//! In an open loop a request's time begins when it was due, not when it could be sent: who waits behind a slow answer
//! waits too (no coordinated omission).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::sync::Semaphore;

use super::wire::{Page, Wire};
use crate::Result;

/// How often an open loop looks who is due.
const TICK: Duration = Duration::from_micros(100);

/// What came of it.
#[derive(Default)]
pub struct Told {
    /// Requests sent.
    pub sent: usize,
    /// Answered with a page.
    pub answered: usize,
    /// Answered with 503 or 429.
    pub turned_away: usize,
    /// Answered otherwise, or not at all.
    pub failed: usize,
    /// Due, and still without a connection when the time was up.
    pub unsent: usize,
    /// Bytes of the pages' bodies.
    pub bytes: usize,
    /// Seconds until each page was there.
    pub times: Vec<f64>,
    /// Seconds from when a request was due to when it was sent.
    pub late: Vec<f64>,
    /// How long all of it took.
    pub took: Duration,
}

impl Told {
    /// Pages a second.
    pub fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }

    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.turned_away += other.turned_away;
        self.failed += other.failed;
        self.bytes += other.bytes;
        self.times.extend(other.times);
        self.late.extend(other.late);
    }

    async fn ask(&mut self, wire: &mut Wire, page: &Page, due: Instant) {
        self.sent += 1;
        self.late.push(due.elapsed().as_secs_f64());
        match wire.ask(page).await {
            Ok(answer) if answer.status == 200 => {
                self.answered += 1;
                self.bytes += answer.body.len();
                self.times.push(due.elapsed().as_secs_f64());
            }
            Ok(answer) if matches!(answer.status, 503 | 429) => self.turned_away += 1,
            _ => self.failed += 1,
        }
    }
}

/// As many as there are connections ask, again and again, for a while.
pub async fn closed(
    url: &str,
    connections: usize,
    time: Duration,
    page: impl Fn(usize) -> Page + Sync,
) -> Result<Told> {
    let (next, begun) = (AtomicUsize::new(0), Instant::now());
    let (next, page) = (&next, &page);
    let one = |number: usize| async move {
        let (mut told, mut wire) = (Told::default(), Wire::open(url, number).await?);
        while begun.elapsed() < time {
            let page = page(next.fetch_add(1, Ordering::Relaxed));
            told.ask(&mut wire, &page, Instant::now()).await;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(told)
    };
    let all = try_join_all((0..connections).map(one)).await?;
    Ok(together(all, begun))
}

/// So many a second ask, whatever comes of it.
pub async fn open(
    url: &str,
    connections: usize,
    time: Duration,
    rate: f64,
    page: impl Fn(usize) -> Page + Sync,
) -> Result<Told> {
    let wires = try_join_all((0..connections).map(|number| Wire::open(url, number))).await?;
    let queue = Arc::new(Queue::default());
    let begun = Instant::now();
    let clock = {
        let queue = Arc::clone(&queue);
        // A thread of its own: the runtime's timers know only whole milliseconds.
        std::thread::spawn(move || {
            let mut due = 0_u32;
            while begun.elapsed() < time {
                while begun + Duration::from_secs_f64(f64::from(due) / rate) <= Instant::now() {
                    queue.push(begun + Duration::from_secs_f64(f64::from(due) / rate));
                    due += 1;
                }
                std::thread::sleep(TICK);
            }
            queue.end();
        })
    };
    let next = AtomicUsize::new(0);
    let (next, page, waiting) = (&next, &page, &queue);
    let one = |mut wire: Wire| async move {
        let mut told = Told::default();
        while let Some(due) = waiting.next().await {
            let page = page(next.fetch_add(1, Ordering::Relaxed));
            told.ask(&mut wire, &page, due).await;
        }
        told
    };
    let all = futures::future::join_all(wires.into_iter().map(one)).await;
    clock.join().map_err(|_| "the clock of an open loop ended early")?;
    let mut told = together(all, begun);
    told.unsent = queue.left();
    Ok(told)
}

fn together(all: Vec<Told>, begun: Instant) -> Told {
    let mut whole = Told::default();
    for told in all {
        whole.add(told);
    }
    whole.took = begun.elapsed();
    whole
}

/// Who is due and has no connection yet.
struct Queue {
    due: Mutex<VecDeque<Instant>>,
    there: Semaphore,
    ended: AtomicBool,
}

impl Default for Queue {
    fn default() -> Self {
        Self { due: Mutex::default(), there: Semaphore::new(0), ended: AtomicBool::new(false) }
    }
}

impl Queue {
    fn push(&self, due: Instant) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).push_back(due);
        self.there.add_permits(1);
    }

    async fn next(&self) -> Option<Instant> {
        let permit = self.there.acquire().await.ok()?;
        permit.forget();
        if self.ended.load(Ordering::Acquire) {
            return None;
        }
        self.due.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.there.close();
    }

    fn left(&self) -> usize {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
