//! What share of the requests is turned away because all of them wait too long before they are looked at.
//!
//! What is answered from memory is never under way for long, so a bound on requests under way does not see when more
//! come than can be answered: they wait earlier, in connections that the runtime has not come to yet. That wait is measured
//! by asking as a connection would: one byte goes through a pair of sockets, past the same poll and the same queue.
//!
//! When: if even the shortest wait of an interval was too long, twice in a row. Then it is a queue that stands, and no
//! burst and no pause of the whole process (the rule of `CoDel`, Nichols and Jacobson 2012). How many: of those that are let
//! in a part less each time, and a little more again when it is well (as in DAGOR, Zhou and others 2018).

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::metrics::Metrics;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

/// How often a byte is sent, where the last one has come through.
const EVERY: Duration = Duration::from_millis(20);
/// What is looked at together, at least.
const INTERVAL: Duration = Duration::from_millis(100);
/// At most this part of those that are let in is cut off at once, and at least that.
const CUTS: (f64, f64) = (0.5, 0.95);
/// What is added to the share that is let in after a good interval; after the second in a row twice that, and so on: all
/// are let in again within ten of them.
const STEP: f64 = 0.02;
/// Some are always let in.
const LEAST: f64 = 0.05;

/// Which requests are turned away.
#[derive(Debug, Default)]
pub(crate) struct Overload {
    /// Of what only reads.
    reads: Portion,
    /// Of what changes something: whoever sends it is further on the way than one who looks.
    changes: Portion,
}

/// A part of a stream, taken evenly. In 2^-32.
#[derive(Debug, Default)]
struct Portion {
    share: AtomicU32,
    owed: AtomicU32,
}

impl Portion {
    fn takes(&self) -> bool {
        let share = self.share.load(Ordering::Relaxed);
        self.owed.fetch_add(share, Ordering::Relaxed).checked_add(share).is_none()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 1, and in whole steps"
    )]
    fn set(&self, share: f64) {
        self.share.store((share.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32, Ordering::Relaxed);
    }
}

impl Overload {
    /// Whether this request is one of those that are turned away.
    pub(crate) fn sheds(&self, only_reads: bool) -> bool {
        if only_reads { self.reads.takes() } else { self.changes.takes() }
    }

    /// Lets this share in: of what changes something, all, until half of what reads is turned away.
    fn let_in(&self, admitted: f64) {
        self.reads.set(1.0 - admitted);
        self.changes.set(1.0 - 2.0 * admitted);
    }

    /// Measures, for good. Where that cannot be, nothing is turned away.
    pub(crate) async fn follow(self: Arc<Self>, config: Arc<ConfigWatch>, metrics: Metrics) {
        let rule = Mutex::new(Rule::new(Instant::now()));
        let measured = measure(move |seen| {
            let bound = config.current().gateway.limits.wait;
            let wait = match seen {
                Seen::Came(wait) => wait,
                Seen::Waits(so_far) if so_far > bound => so_far,
                // May yet come to be more.
                Seen::Waits(_) => return,
            };
            let mut rule = rule.lock().unwrap_or_else(PoisonError::into_inner);
            let before = rule.admitted;
            let Some(least) = rule.saw(wait, Instant::now(), bound) else { return };
            let (admitted, all) = (rule.admitted, 1.0);
            drop(rule);
            self.let_in(admitted);
            metrics.gateway_wait(least, admitted);
            if before >= all && admitted < all {
                tracing::warn!(wait = ?least, "requests wait too long; a part of them is turned away");
            } else if before < all && admitted >= all {
                tracing::info!(wait = ?least, "no request is turned away any more for having to wait");
            }
        });
        if let Err(error) = measured.await {
            tracing::warn!(%error, "how long requests wait is not known; none is turned away for it");
        }
    }
}

/// When to turn some away, and how many.
#[derive(Debug)]
struct Rule {
    /// The interval began.
    begun: Instant,
    /// The shortest wait in it.
    least: Option<Duration>,
    /// Good intervals in a row, until now.
    good: u32,
    /// Whether the interval before was bad, and nothing has been done about it.
    bad: bool,
    /// The share that is let in.
    admitted: f64,
}

impl Rule {
    fn new(now: Instant) -> Self {
        Self { begun: now, least: None, good: 0, bad: false, admitted: 1.0 }
    }

    /// Something has waited so long. Where that ends an interval: the shortest wait in it, by which the share was decided.
    fn saw(&mut self, wait: Duration, now: Instant, bound: Duration) -> Option<Duration> {
        let least = self.least.map_or(wait, |least| least.min(wait));
        self.least = Some(least);
        if now.saturating_duration_since(self.begun) < INTERVAL {
            return None;
        }
        (self.begun, self.least) = (now, None);
        if least <= bound {
            (self.good, self.bad) = (self.good.saturating_add(1), false);
            self.admitted = (self.admitted + STEP * f64::from(self.good)).min(1.0);
        } else if self.bad {
            let part = bound.as_secs_f64() / least.as_secs_f64();
            self.admitted = (self.admitted * part.clamp(CUTS.0, CUTS.1)).max(LEAST);
            // What waits already goes on waiting for a while: whether it was enough shows later.
            (self.good, self.bad) = (0, false);
        } else {
            (self.good, self.bad) = (0, true);
        }
        Some(least)
    }
}

/// What is seen of a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It has come through, after so long.
    Came(Duration),
    /// It has not, and waits for so long already.
    Waits(Duration),
}

/// Sends a byte every so often, and says how long it took to come through, until the sockets fail.
async fn measure(saw: impl Fn(Seen) + Send + Sync + 'static) -> io::Result<()> {
    let (mut near, far) = UnixStream::pair()?;
    let saw = Arc::new(saw);
    let sent: Arc<Mutex<Option<Instant>>> = Arc::default();
    // A task of its own, woken by nothing but the byte: a timer would let it in before others.
    let mut coming = AbortOnDropHandle::new(tokio::spawn(receive(far, Arc::clone(&sent), Arc::clone(&saw))));
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = &mut coming => return ended.unwrap_or_else(|error| Err(io::Error::other(error))),
            _ = ticks.tick() => {}
        }
        let since = {
            let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
            let since = *sent;
            // Before it is sent: it may come through at once.
            sent.get_or_insert_with(Instant::now);
            since
        };
        match since {
            Some(since) => saw(Seen::Waits(since.elapsed())),
            None => near.write_all(b".").await?,
        }
    }
}

async fn receive(
    far: UnixStream,
    sent: Arc<Mutex<Option<Instant>>>,
    saw: Arc<impl Fn(Seen)>,
) -> io::Result<()> {
    let mut bytes = [0; 8];
    loop {
        far.readable().await?;
        match far.try_read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {
                let since = sent.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(since) = since {
                    saw(Seen::Came(since.elapsed()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_millis(50);

    /// Intervals of which each has a wait at its beginning and one at its end.
    fn after(rule: &mut Rule, now: &mut Instant, waits: &[(u64, u64)]) -> f64 {
        for (first, last) in waits {
            assert_eq!(rule.saw(Duration::from_millis(*first), *now, BOUND), None, "in the middle of it");
            *now += INTERVAL;
            let least = rule.saw(Duration::from_millis(*last), *now, BOUND);
            assert_eq!(least, Some(Duration::from_millis(*first.min(last))));
        }
        rule.admitted
    }

    #[track_caller]
    fn is(admitted: f64, share: f64) {
        assert!((admitted - share).abs() < 1e-9, "{admitted} and not {share}");
    }

    #[test]
    fn bursts_and_one_pause_of_everything_turn_nobody_away() {
        let mut now = Instant::now();
        let mut rule = Rule::new(now);
        is(after(&mut rule, &mut now, &[(900, 1); 20]), 1.0);
        is(after(&mut rule, &mut now, &[(50, 5000); 20]), 1.0);
        is(after(&mut rule, &mut now, &[(3000, 3000), (1, 1), (3000, 3000), (1, 1)]), 1.0);
    }

    #[test]
    fn a_queue_that_stands_lets_fewer_in_by_how_long_it_is_and_never_nobody() {
        let mut now = Instant::now();
        let mut rule = Rule::new(now);
        is(after(&mut rule, &mut now, &[(80, 100)]), 1.0);
        is(after(&mut rule, &mut now, &[(80, 100)]), 0.625);
        is(after(&mut rule, &mut now, &[(90, 90)]), 0.625);
        is(after(&mut rule, &mut now, &[(51, 51)]), 0.625 * 0.95);
        is(after(&mut rule, &mut now, &[(5000, 5000)]), 0.625 * 0.95);
        is(after(&mut rule, &mut now, &[(5000, 5000)]), 0.625 * 0.95 * 0.5);
        is(after(&mut rule, &mut now, &[(5000, 5000); 20]), LEAST);
    }

    #[test]
    fn when_it_is_gone_all_are_let_in_again_more_each_time() {
        let mut now = Instant::now();
        let mut rule = Rule::new(now);
        is(after(&mut rule, &mut now, &[(5000, 5000); 20]), LEAST);
        is(after(&mut rule, &mut now, &[(1, 1)]), LEAST + STEP);
        // One bad interval again is not yet a queue that stands.
        is(after(&mut rule, &mut now, &[(90, 90)]), LEAST + STEP);
        is(after(&mut rule, &mut now, &[(1, 1); 9]), LEAST + STEP + 45.0 * STEP);
        is(after(&mut rule, &mut now, &[(1, 1)]), 1.0);
    }

    #[test]
    fn as_many_are_turned_away_as_decided_evenly_and_bookings_last() {
        let shed = |admitted: f64| {
            let overload = Overload::default();
            overload.let_in(admitted);
            let of = |reads: bool| (0..1000).filter(|_| overload.sheds(reads)).count();
            (of(true), of(false))
        };
        assert_eq!(shed(1.0), (0, 0));
        assert!(matches!(shed(0.75), (249..=250, 0)), "{:?}", shed(0.75));
        assert!(matches!(shed(0.5), (499..=500, 0)), "{:?}", shed(0.5));
        assert!(matches!(shed(0.2), (799..=800, 599..=600)), "{:?}", shed(0.2));
        let overload = Overload::default();
        overload.let_in(0.75);
        let first: Vec<bool> = (0..8).map(|_| overload.sheds(true)).collect();
        assert!(first.chunks(4).all(|four| four.iter().filter(|shed| **shed).count() <= 1), "{first:?}");
    }

    /// On one thread, which others hold up for so long each: a byte waits for them as a request would.
    #[tokio::test]
    async fn what_is_measured_is_how_long_the_runtime_takes_to_come_to_a_connection() {
        const HELD: Duration = Duration::from_millis(5);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let measuring = AbortOnDropHandle::new(tokio::spawn(measure(move |seen| {
            let _ = tell.send(seen);
        })));
        assert!(matches!(told.recv().await, Some(Seen::Came(_))), "with nobody else it comes through");
        let _busy: Vec<_> = (0..8)
            .map(|_| {
                AbortOnDropHandle::new(tokio::spawn(async {
                    loop {
                        std::thread::sleep(HELD);
                        tokio::task::yield_now().await;
                    }
                }))
            })
            .collect();
        let mut came = Vec::new();
        while came.len() < 4 {
            if let Seen::Came(wait) = told.recv().await.unwrap() {
                came.push(wait);
            }
        }
        // The first may have been on its way before.
        assert!(came[1..].iter().all(|wait| *wait >= HELD), "{came:?}");
        assert!(!measuring.is_finished());
    }
}
