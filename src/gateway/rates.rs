//! How often the same caller may ask: by address, and by who they are. Counted in memory, by each replica for itself.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, QuantaClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};
use innkeeper_ops::config;
use innkeeper_ops::metrics::Shed;

use crate::problem::{Kind, Problem};

/// How often what is no longer needed is forgotten.
const EVERY: Duration = Duration::from_secs(60);

type Limiter<K> = RateLimiter<K, DashMapStateStore<K>, QuantaClock, StateInformationMiddleware>;

/// The limits.
pub struct Rates {
    clock: QuantaClock,
    by_address: Limiter<IpAddr>,
    by_identity: Limiter<String>,
}

/// What is left, to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    policy: &'static str,
    quota: u32,
    remaining: u32,
}

/// Too many.
#[derive(Debug)]
pub struct Exceeded {
    /// By which limit.
    pub why: Shed,
    left: Left,
    wait: Duration,
}

impl Rates {
    /// As the configuration says.
    #[must_use]
    pub fn new(rates: &config::Rates) -> Self {
        let clock = QuantaClock::default();
        let quota = |each: u32| Quota::per_minute(NonZeroU32::new(each).unwrap_or(NonZeroU32::MIN));
        Self {
            by_address: RateLimiter::dashmap_with_clock(quota(rates.address_per_minute), clock.clone())
                .with_middleware(),
            by_identity: RateLimiter::dashmap_with_clock(quota(rates.identity_per_minute), clock.clone())
                .with_middleware(),
            clock,
        }
    }

    /// One more from this address.
    pub fn address(&self, address: IpAddr) -> Result<Left, Exceeded> {
        self.count(&self.by_address, &address, "address", Shed::Address)
    }

    /// One more of this caller.
    pub fn identity(&self, name: &str) -> Result<Left, Exceeded> {
        self.count(&self.by_identity, &name.to_owned(), "identity", Shed::Identity)
    }

    /// Forgets those who have not come for long, for good.
    pub async fn forget(&self) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.by_address.retain_recent();
            self.by_identity.retain_recent();
        }
    }

    fn count<K>(
        &self,
        limiter: &Limiter<K>,
        key: &K,
        policy: &'static str,
        why: Shed,
    ) -> Result<Left, Exceeded>
    where
        K: Clone + Eq + std::hash::Hash,
    {
        match limiter.check_key(key) {
            Ok(state) => Ok(Left {
                policy,
                quota: state.quota().burst_size().get(),
                remaining: state.remaining_burst_capacity(),
            }),
            Err(not_until) => Err(Exceeded {
                why,
                left: Left { policy, quota: not_until.quota().burst_size().get(), remaining: 0 },
                wait: not_until.wait_time_from(self.clock.now()),
            }),
        }
    }
}

impl Left {
    /// The one of which less is left.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        if other.remaining < self.remaining { other } else { self }
    }

    /// Tells it in the headers `RateLimit` and `RateLimit-Policy`.
    pub fn tell(self, headers: &mut HeaderMap) {
        let Self { policy, quota, remaining } = self;
        let texts = [
            ("ratelimit-policy", format!("\"{policy}\";q={quota};w=60")),
            ("ratelimit", format!("\"{policy}\";r={remaining}")),
        ];
        for (name, text) in texts {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

impl Exceeded {
    /// As it is told.
    #[must_use]
    pub fn problem(&self) -> (Problem, Left) {
        let Left { policy, quota, .. } = self.left;
        let whose = if policy == "identity" { "you" } else { "your address" };
        let detail = format!("{quota} requests a minute are taken from {whose}; come back a little later.");
        (Problem::new(Kind::TooMany, detail).after(self.wait), self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_may_come_at_once_and_then_no_more_of_that_caller() {
        let rates = Rates::new(&config::Rates { identity_per_minute: 3, address_per_minute: 1 });
        let left: Vec<u32> = (0..3).map(|_| rates.identity("acme").unwrap().remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let exceeded = rates.identity("acme").unwrap_err();
        assert!(exceeded.wait <= Duration::from_secs(20));
        assert!(rates.identity("other").is_ok(), "others are not held back");
        let address = |text: &str| rates.address(text.parse().unwrap());
        assert!(
            address("192.0.2.1").is_ok() && address("192.0.2.1").is_err() && address("192.0.2.2").is_ok()
        );
        let mut headers = HeaderMap::new();
        exceeded.problem().1.tell(&mut headers);
        assert_eq!(headers["ratelimit"], "\"identity\";r=0");
        assert_eq!(headers["ratelimit-policy"], "\"identity\";q=3;w=60");
    }
}
