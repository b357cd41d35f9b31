//! Keeps writes from an API server that is down: after some failures in a row none is sent for a while, and then one, to
//! see. Whoever is turned away is told at once, and nobody waits for a time-out that everybody knows will come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use innkeeper_ops::metrics::Metrics;

/// The breaker. Clones share it.
#[derive(Clone)]
pub struct Breaker(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    failures: u16,
    open_for: Duration,
    metrics: Metrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Writes pass; so many in a row have failed.
    Closed { failed: u16 },
    /// None passes until then.
    Open { until: Instant },
    /// One has been let through, to see.
    Probing,
}

/// One write may be sent. Its end must be told; dropped without a word, it counts for nothing.
#[must_use = "tell how it ended"]
pub struct Pass {
    breaker: Breaker,
    probe: bool,
    told: bool,
}

impl Breaker {
    /// Closed. Opens after so many failures in a row, for so long.
    #[must_use]
    pub fn new(failures: u16, open_for: Duration, metrics: Metrics) -> Self {
        let state = Mutex::new(State::Closed { failed: 0 });
        Self(Arc::new(Shared { state, failures, open_for, metrics }))
    }

    /// Lets a write pass, or says how long to wait.
    pub fn admit(&self, now: Instant) -> Result<Pass, Duration> {
        let mut state = self.state();
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now < until => return Err(until - now),
            State::Open { .. } => {
                *state = State::Probing;
                true
            }
            State::Probing => return Err(self.0.open_for),
        };
        Ok(Pass { breaker: self.clone(), probe, told: false })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: &mut State, next: State) {
        *state = next;
        self.0.metrics.gateway_breaker_open(!matches!(next, State::Closed { .. }));
    }
}

impl Pass {
    /// The API server has answered, whatever it said.
    pub fn answered(mut self) {
        self.told = true;
        let mut state = self.breaker.state();
        // An answer to what was sent before it opened says nothing of now, unless it was the one sent to see.
        if self.probe || matches!(*state, State::Closed { .. }) {
            self.breaker.set(&mut state, State::Closed { failed: 0 });
        }
    }

    /// It has not answered, or has failed.
    pub fn failed(mut self, now: Instant) {
        self.told = true;
        let mut state = self.breaker.state();
        let open = State::Open { until: now + self.breaker.0.open_for };
        match *state {
            State::Closed { failed } if failed + 1 < self.breaker.0.failures => {
                *state = State::Closed { failed: failed + 1 };
            }
            State::Closed { .. } => {
                tracing::warn!("the API server does not answer; writes are held back");
                self.breaker.set(&mut state, open);
            }
            State::Probing if self.probe => self.breaker.set(&mut state, open),
            State::Probing | State::Open { .. } => {}
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe && !self.told {
            // Whoever sent it has gone away; the next one may see.
            *self.breaker.state() = State::Open { until: Instant::now() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(5);

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::new(2, OPEN_FOR, Metrics::new("test"));
        for _ in 0..2 {
            breaker.admit(now).ok().unwrap().failed(now);
        }
        breaker
    }

    fn refused(breaker: &Breaker, now: Instant) -> Option<Duration> {
        breaker.admit(now).map(Pass::answered).err()
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_an_answer_between_them_starts_the_count_anew() {
        let now = Instant::now();
        let breaker = Breaker::new(2, OPEN_FOR, Metrics::new("test"));
        for _ in 0..3 {
            breaker.admit(now).ok().unwrap().failed(now);
            breaker.admit(now).ok().unwrap().answered();
        }
        assert_eq!(refused(&breaker, now), None);
        assert_eq!(refused(&opened(now), now), Some(OPEN_FOR));
    }

    #[test]
    fn when_its_time_is_over_one_is_let_through_and_its_answer_decides() {
        let now = Instant::now();
        let later = now + OPEN_FOR;
        let breaker = opened(now);
        let probe = breaker.admit(later).ok().unwrap();
        assert_eq!(refused(&breaker, later), Some(OPEN_FOR), "only one");
        probe.failed(later);
        assert_eq!(refused(&breaker, later), Some(OPEN_FOR));
        breaker.admit(later + OPEN_FOR).ok().unwrap().answered();
        assert_eq!(refused(&breaker, later + OPEN_FOR), None);
    }

    #[test]
    fn one_that_is_dropped_without_a_word_leaves_the_seeing_to_the_next() {
        let now = Instant::now();
        let breaker = opened(now);
        drop(breaker.admit(now + OPEN_FOR).ok());
        assert!(breaker.admit(Instant::now() + OPEN_FOR).is_ok());
    }

    #[test]
    fn a_late_answer_from_before_does_not_close_it() {
        let now = Instant::now();
        let breaker = Breaker::new(1, OPEN_FOR, Metrics::new("test"));
        let slow = breaker.admit(now).ok().unwrap();
        breaker.admit(now).ok().unwrap().failed(now);
        slow.answered();
        assert_eq!(refused(&breaker, now), Some(OPEN_FOR));
    }
}
