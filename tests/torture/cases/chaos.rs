//! Delays and failures by a seed: the same seed gives the same whims to the same requests. What comes of it is still up
//! to the machine, since requests overtake each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::tap::Kind;

/// What becomes of one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whim {
    /// It waits before it is sent.
    pub delay: Duration,
    /// It is not sent.
    pub unsent: bool,
    /// It takes effect, and its answer is lost.
    pub unanswered: bool,
}

/// Whims by a seed.
#[derive(Debug, Clone)]
pub struct Chaos {
    seed: u64,
    /// Of a thousand requests, how many fail.
    failing: u64,
    /// How many may fail in all: an end comes only where it lets up.
    left: Arc<AtomicU32>,
    sent: Arc<AtomicU32>,
}

impl Chaos {
    /// Delays alone.
    pub fn delays(seed: u64) -> Self {
        Self { seed, failing: 0, left: Arc::default(), sent: Arc::default() }
    }

    /// Delays, and failures of so many in a thousand, up to so many.
    pub fn failures(seed: u64, failing: u64, most: u32) -> Self {
        Self { seed, failing, left: Arc::new(AtomicU32::new(most)), sent: Arc::default() }
    }

    /// What becomes of the next request.
    pub fn whim(&self, kind: Option<Kind>, what: &str) -> Whim {
        let number = u64::from(self.sent.fetch_add(1, Ordering::SeqCst));
        let mut dice = Dice(self.seed ^ (number << 20) ^ what.len() as u64);
        let delay = Duration::from_millis(if dice.below(3) == 0 { dice.below(40) } else { 0 });
        let mut fails = dice.below(1000) < self.failing;
        if fails {
            let one = |left: u32| left.checked_sub(1);
            fails = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one).is_ok();
        }
        // What was only read has no effect whose answer could be lost.
        let unanswered = fails && kind.is_some() && dice.below(2) == 0;
        Whim { delay, unsent: fails && !unanswered, unanswered }
    }
}

/// Numbers that look random (`SplitMix64`).
pub struct Dice(pub u64);

impl Dice {
    /// The next one.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One below this.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}
