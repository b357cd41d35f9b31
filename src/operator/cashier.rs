//! The way to the payment provider: one breaker for all, a limit on calls at once, and calls counted.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::Stream;
use innkeeper_booking::provider::{
    Adoption, Charge, Fenced, Intent, LookFor, ProviderError, Refund, RefundView, Tags,
};
use innkeeper_ops::metrics::Metrics;
use innkeeper_payments::driver::{ListQuery, Outgoing, Stripe, Whose};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::cache::lock;

/// Pages of the provider's list that are read in one call of ours.
const PAGES: u32 = 10;

/// How calls are kept from a provider in trouble.
#[derive(Debug, Clone, Copy)]
pub struct CashierConfig {
    /// Failures in a row, of the provider as a whole, after which no call is made for a while.
    pub failures: u32,
    /// How long no call is made before one is tried again.
    pub open_for: Duration,
    /// Calls at once.
    pub at_once: usize,
}

/// Speaks with the provider for all Reservations. Clones share the breaker.
#[derive(Clone)]
pub struct Cashier {
    inner: Arc<Inner>,
}

struct Inner {
    stripe: Stripe,
    config: CashierConfig,
    metrics: Metrics,
    failures: AtomicU32,
    /// The last failure was that our key is refused.
    key_refused: AtomicBool,
    open_until: Mutex<Option<Instant>>,
    places: Semaphore,
}

impl Cashier {
    /// Wraps a driver.
    #[must_use]
    pub fn new(stripe: Stripe, config: CashierConfig, metrics: Metrics) -> Self {
        let inner = Inner {
            stripe,
            config,
            metrics,
            failures: AtomicU32::new(0),
            key_refused: AtomicBool::new(false),
            open_until: Mutex::new(None),
            places: Semaphore::new(config.at_once),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes money.
    pub async fn charge(&self, charge: &Charge) -> Result<Intent, ProviderError> {
        self.call(self.inner.stripe.charge(charge)).await
    }

    /// Looks a charge up.
    pub async fn look(&self, what: &LookFor) -> Result<Option<Intent>, ProviderError> {
        self.call(self.inner.stripe.look(what)).await
    }

    /// Sees to it that a charge can never land.
    pub async fn fence(&self, charge: &Charge) -> Result<Fenced, ProviderError> {
        self.call(self.inner.stripe.fence(charge)).await
    }

    /// Cancels an intent. One that captured meanwhile comes back as it is.
    pub async fn cancel(&self, id: &str) -> Result<Intent, ProviderError> {
        self.call(self.inner.stripe.cancel(id)).await
    }

    /// Gives money back.
    pub async fn refund(&self, refund: &Refund) -> Result<RefundView, ProviderError> {
        self.call(self.inner.stripe.refund(refund)).await
    }

    /// Marks that what is left stays with the hotel.
    pub async fn mark_settled(&self, id: &str, kept: i64) -> Result<(), ProviderError> {
        self.call(self.inner.stripe.mark_settled(id, kept)).await
    }

    /// Makes a payment another Reservation's.
    pub async fn adopt(&self, adoption: &Adoption) -> Result<(), ProviderError> {
        self.call(self.inner.stripe.adopt(adoption)).await
    }

    /// Every payment of whatever had this namespace and name, made since then.
    pub async fn named(
        &self,
        installation: &str,
        tags: &Tags,
        since: Timestamp,
    ) -> Result<Vec<(Option<Tags>, Intent)>, ProviderError> {
        let whose = Whose::Named { namespace: tags.namespace.clone(), name: tags.name.clone() };
        self.call(self.inner.stripe.find_all(installation, &whose, since)).await
    }

    /// Every refund that the installation has made since then.
    pub async fn outgoing(
        &self,
        installation: &str,
        since: Timestamp,
    ) -> Result<Vec<Outgoing>, ProviderError> {
        self.call(self.inner.stripe.outgoing(installation, since)).await
    }

    /// One payment as it is now.
    pub async fn examine(
        &self,
        installation: &str,
        id: &str,
    ) -> Result<(Option<Tags>, Intent), ProviderError> {
        self.call(self.inner.stripe.examine(installation, id)).await
    }

    /// All payments of the installation since then, in stretches, newest first; `refunds`: with what has gone back.
    pub fn payments(
        &self,
        installation: &str,
        since: Timestamp,
        refunds: bool,
    ) -> impl Stream<Item = Result<Vec<(Option<Tags>, Intent)>, ProviderError>> {
        let first =
            ListQuery { installation: installation.to_owned(), since, after: None, pages: PAGES, refunds };
        futures::stream::try_unfold(Some(first), async |query| {
            let Some(query) = query else { return Ok(None) };
            let listing = self.call(self.inner.stripe.list(&query)).await?;
            let rest = listing.next.map(|next| ListQuery { after: Some(next), ..query });
            Ok(Some((listing.intents, rest)))
        })
    }

    /// Asks whether the provider answers and takes our key.
    pub async fn check(&self) -> Result<(), ProviderError> {
        self.call(self.inner.stripe.check()).await
    }

    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let inner = &self.inner;
        if self.is_open(Instant::now()) {
            return Err(self.not_tried());
        }
        let place = inner.places.acquire().await;
        let answer = call.await;
        drop(place);
        match &answer {
            Err(error) if error.is_outage() && !matches!(error, ProviderError::RateLimited { .. }) => {
                let refused = matches!(error, ProviderError::Unauthorized(_));
                inner.key_refused.store(refused, Ordering::Relaxed);
                self.failed();
            }
            _ => self.answered(),
        }
        answer
    }

    /// What is said of a call that is held back: what the provider has said last, so that who tries and who waits say the
    /// same, and go on saying it.
    fn not_tried(&self) -> ProviderError {
        let why = "not tried: the provider failed a moment ago".to_owned();
        if self.inner.key_refused.load(Ordering::Relaxed) {
            ProviderError::Unauthorized(why)
        } else {
            ProviderError::Unreachable(why)
        }
    }

    /// How long calls are still held back; `None` where they are not.
    #[must_use]
    pub fn held_back_for(&self) -> Option<Duration> {
        let open_until = *lock(&self.inner.open_until);
        open_until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Whether calls are held back. The first caller after the time is up goes through, the others wait for it.
    fn is_open(&self, now: Instant) -> bool {
        let mut open_until = lock(&self.inner.open_until);
        match *open_until {
            None => false,
            Some(until) if now < until => true,
            Some(_) => {
                *open_until = Some(now + self.inner.config.open_for);
                false
            }
        }
    }

    fn failed(&self) {
        let failures = self.inner.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= self.inner.config.failures {
            let opened =
                lock(&self.inner.open_until).replace(Instant::now() + self.inner.config.open_for).is_none();
            if opened {
                tracing::warn!(failures, "the payment provider does not answer; calls are held back");
                self.inner.metrics.breaker_open(true);
            }
        }
    }

    fn answered(&self) {
        self.inner.failures.store(0, Ordering::Relaxed);
        if lock(&self.inner.open_until).take().is_some() {
            tracing::info!("the payment provider answers again");
            self.inner.metrics.breaker_open(false);
        }
    }
}
