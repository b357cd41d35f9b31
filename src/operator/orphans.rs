//! The sweep of money: payments at the provider are compared with the Reservations.
//!
//! A captured payment without a mark, whose Reservation is not there, is money that nobody accounts for: a finalizer was
//! stripped, or the cluster was put back to an earlier hour. It goes back, through the brake. One that seems to be so is
//! looked for twice, past the cache, in two rounds, and a last time right before: a list that lags, or an API server that
//! cannot say, makes no orphan. Where the Reservation is there, the sweep only has it looked at; where another of its
//! name is there, which may be the same stay made anew, a person decides, and here it is only told.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use innkeeper_booking::provider::{Because, Intent, ProviderError, Refund, RefundState, Tags};
use innkeeper_booking::status::Stage;
use innkeeper_ops::metrics::Metrics;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::ListParams;

use crate::scope::Scope;

/// Younger ones may be on their way into a status.
const SETTLES_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// The first round comes this soon after the start, if not sooner by configuration.
const FIRST: Duration = Duration::from_secs(300);

/// Sweeps until it is dropped.
pub async fn run(scope: Arc<Scope>, namespace: Option<String>) {
    let mut sweep =
        Sweep { told: Told::new(scope.metrics.clone()), suspects: BTreeSet::new(), scope, namespace };
    let mut first = true;
    loop {
        let every = sweep.scope.config.current().payments.sweep.every;
        tokio::time::sleep(if std::mem::take(&mut first) { every.min(FIRST) } else { every }).await;
        match sweep.round().await {
            Ok(()) => sweep.scope.metrics.swept((sweep.scope.clock)().as_second()),
            Err(error) => {
                tracing::warn!(%error, "the provider's payments could not be listed; the sweep comes back");
            }
        }
    }
}

struct Sweep {
    scope: Arc<Scope>,
    namespace: Option<String>,
    /// Payments that had no Reservation in the round before.
    suspects: BTreeSet<String>,
    told: Told,
}

/// What is known of a payment's Reservation.
enum Found {
    There,
    /// No object of that name.
    Gone,
    /// An object of that name, and another one.
    Another,
    /// Nobody could say.
    Unknown,
}

impl Sweep {
    async fn round(&mut self) -> Result<(), ProviderError> {
        let now = (self.scope.clock)();
        let back = SignedDuration::try_from(self.scope.config.current().payments.sweep.back);
        let since = now.saturating_sub(back.unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MIN);
        let (mut gone, mut orphans) = (BTreeSet::new(), BTreeMap::new());
        let scope = Arc::clone(&self.scope);
        let mut payments = pin!(scope.cashier.payments(&scope.installation, since, true));
        while let Some(some) = payments.try_next().await? {
            for (tags, intent) in some {
                let Some(tags) = tags.filter(|tags| self.is_ours(tags)) else { continue };
                if !nobody_accounts_for(&intent, now) {
                    continue;
                }
                let before = self.suspects.contains(&intent.id);
                match self.look_for(&tags).await {
                    Found::Gone | Found::Another if before => {
                        orphans.insert(intent.id.clone(), Orphan { tags, intent });
                    }
                    Found::Gone | Found::Another => drop(gone.insert(intent.id)),
                    // Neither found nor missed: what was suspected stays so, and what was told stays told.
                    Found::Unknown if self.told.knows(&intent.id) => {
                        orphans.insert(intent.id.clone(), Orphan { tags, intent });
                    }
                    Found::Unknown if before => drop(gone.insert(intent.id)),
                    Found::There | Found::Unknown => {}
                }
            }
        }
        self.suspects = gone.into_iter().chain(orphans.keys().cloned()).collect();
        self.told.tell(&orphans);
        for orphan in orphans.values() {
            if let Err(error) = self.give_back(orphan).await {
                let (payment, namespace) = (&orphan.intent.id, &orphan.tags.namespace);
                tracing::warn!(%error, payment, namespace, "the sweep comes back to a payment that nobody accounts for");
            }
        }
        Ok(())
    }

    /// Gives back what no Reservation accounts for, where nothing speaks against it.
    async fn give_back(&mut self, orphan: &Orphan) -> Result<(), ProviderError> {
        let Scope { cashier, brake, past, installation, .. } = &*self.scope;
        past.checked().await?;
        if brake.everything().is_some() {
            return Ok(());
        }
        // As it is now, not as the list had it.
        let (tags, intent) = cashier.examine(installation, &orphan.intent.id).await?;
        let same = tags.as_ref().is_some_and(|tags| tags.uid == orphan.tags.uid);
        // What could not be given back once, a person must see to.
        let failed =
            intent.refunds.iter().any(|r| matches!(r.state, RefundState::Failed(_) | RefundState::Cancelled));
        if !same || failed || !nobody_accounts_for(&intent, (self.scope.clock)()) {
            return Ok(());
        }
        if !matches!(self.look_for(&orphan.tags).await, Found::Gone) {
            return Ok(());
        }
        let refund = Refund {
            installation: installation.clone(),
            uid: orphan.tags.uid.clone(),
            attempt: 1,
            intent: intent.id.clone(),
            amount: intent.captured - intent.returning(),
            because: Because::Orphaned,
        };
        if brake.ask(&refund).await?.is_some() {
            return Ok(());
        }
        let made = cashier.refund(&refund).await?;
        tracing::warn!(
            payment = refund.intent,
            namespace = orphan.tags.namespace,
            reservation = orphan.tags.name,
            uid = orphan.tags.uid,
            amount = refund.amount,
            currency = intent.currency,
            state = ?made.state,
            "a payment without a Reservation goes back"
        );
        self.scope.metrics.orphan_returned();
        // What is on its way back is nobody's any more; if it fails, the next round tells of it again.
        self.told.over(&refund.intent);
        Ok(())
    }

    fn is_ours(&self, tags: &Tags) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == tags.namespace)
    }

    async fn look_for(&self, tags: &Tags) -> Found {
        if let Some(key) = self.scope.cache.reservations.key_of_uid(&tags.uid) {
            // Who is booked may keep the money; of anybody else it is to be asked why it is still there.
            if self.scope.cache.reservations.stage_of_uid(&tags.uid) != Some(Stage::Confirmed) {
                self.scope.wake_reservation.wake(&key);
            }
            return Found::There;
        }
        let reservations = self.scope.reservations(&tags.namespace);
        let found = match reservations.get_metadata_opt(&tags.name).await {
            // Where the kind itself is not served, everything is "not found". That would be no evidence.
            Ok(None) => {
                reservations.list_metadata(&ListParams::default().limit(1)).await.map(|_| Found::Gone)
            }
            Ok(Some(object)) if object.uid().as_deref() == Some(&tags.uid) => Ok(Found::There),
            Ok(Some(_)) => Ok(Found::Another),
            Err(error) => Err(error),
        };
        found.unwrap_or_else(|error| {
            tracing::debug!(%error, namespace = tags.namespace, reservation = tags.name, "cannot be looked for");
            Found::Unknown
        })
    }
}

/// Captured and not given back, not marked as settled, and old enough to be in a status.
fn nobody_accounts_for(intent: &Intent, now: Timestamp) -> bool {
    intent.captured > intent.returning()
        && !intent.settled
        && now.duration_since(intent.created) > SETTLES_WITHIN
}

/// A payment without a Reservation.
struct Orphan {
    tags: Tags,
    intent: Intent,
}

/// The orphans that have been told. What they add to the metric goes with them.
struct Told {
    metrics: Metrics,
    ids: BTreeSet<String>,
}

impl Told {
    fn new(metrics: Metrics) -> Self {
        Self { metrics, ids: BTreeSet::new() }
    }

    fn knows(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    fn tell(&mut self, orphans: &BTreeMap<String, Orphan>) {
        for (id, Orphan { tags, intent }) in orphans.iter().filter(|(id, _)| !self.ids.contains(*id)) {
            tracing::warn!(
                payment = id,
                namespace = tags.namespace,
                reservation = tags.name,
                uid = tags.uid,
                kept = intent.captured - intent.returning(),
                currency = intent.currency,
                "a payment has no Reservation"
            );
        }
        self.count(orphans.len());
        self.ids = orphans.keys().cloned().collect();
    }

    /// One of them is no orphan any more.
    fn over(&mut self, id: &str) {
        if self.ids.remove(id) {
            self.metrics.orphaned(-1);
        }
    }

    fn count(&self, now: usize) {
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.orphaned(signed(now) - signed(self.ids.len()));
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.count(0);
    }
}
