//! The work queue of one controller: who is to be looked at, and with how much patience after a failure.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use crate::cache::{Key, lock};

/// Where a controller is told whom to look at.
pub struct Wakers(mpsc::UnboundedSender<Key>);

impl Wakers {
    /// A queue: its sending side, and the stream that a controller runs on.
    pub fn new() -> (Self, impl Stream<Item = Key> + Send + use<>) {
        let (tx, rx) = mpsc::unbounded_channel();
        let queue = stream::unfold(rx, |mut rx| async move { Some((rx.recv().await?, rx)) });
        (Self(tx), queue.boxed())
    }

    /// Has the object looked at soon. A queue that has ended needs nobody.
    pub fn wake(&self, key: &Key) {
        let _ = self.0.send(key.clone());
    }
}

/// How long to wait before trying again, longer each time, per object.
#[derive(Debug, Default)]
pub struct Patience {
    tries: Mutex<HashMap<String, u32>>,
    salt: RandomState,
}

/// From the first wait, doubling, to the longest.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// The first.
    pub initial: Duration,
    /// The longest.
    pub max: Duration,
}

impl Patience {
    /// The next wait of an object, spread by a quarter.
    pub fn next(&self, uid: &str, waits: Waits) -> Duration {
        let tries = {
            let mut all = lock(&self.tries);
            let tries = all.entry(uid.to_owned()).or_insert(0);
            *tries = tries.saturating_add(1);
            *tries
        };
        let doubled = waits.initial.saturating_mul(1 << (tries - 1).min(20)).min(waits.max);
        doubled.mul_f64(0.75) + self.spread((uid, tries), doubled.mul_f64(0.5))
    }

    /// A part of `most` that differs from object to object, so that those who failed together do not return together.
    pub fn spread(&self, what: impl Hash, most: Duration) -> Duration {
        let part = u32::try_from(self.salt.hash_one(what) % 1000).unwrap_or(0);
        most.mul_f64(f64::from(part) / 1000.0)
    }

    /// The object moved on.
    pub fn forget(&self, uid: &str) {
        lock(&self.tries).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_to_its_limit_and_is_forgotten() {
        let patience = Patience::default();
        let waits = Waits { initial: Duration::from_secs(1), max: Duration::from_secs(8) };
        let seen: Vec<f64> = (0..6).map(|_| patience.next("a", waits).as_secs_f64()).collect();
        for (wait, expected) in seen.iter().zip([1.0, 2.0, 4.0, 8.0, 8.0, 8.0]) {
            assert!((expected * 0.75..=expected * 1.25).contains(wait), "{wait} for {expected}");
        }
        patience.forget("a");
        assert!(patience.next("a", waits) <= Duration::from_millis(1250));
    }
}
