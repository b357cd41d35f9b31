//! Has Reservations looked at whom somebody outside names: the provider's webhooks. Only who leads can.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use innkeeper_ops::metrics::Metrics;
use innkeeper_payments::webhooks::{Rung, Subject, Wake};

use crate::cache::lock;
use crate::scope::Scope;

/// Rung by webhooks. Clones ring the same.
#[derive(Clone)]
pub struct Doorbell {
    metrics: Metrics,
    /// The scopes that are worked on; none while another operator leads.
    scopes: Arc<Mutex<Vec<Weak<Scope>>>>,
}

impl Doorbell {
    /// One that nobody hears yet.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, scopes: Arc::default() }
    }

    /// This scope hears it, for as long as it is worked on.
    pub(crate) fn heard_by(&self, scope: &Arc<Scope>) {
        let mut scopes = lock(&self.scopes);
        scopes.retain(|scope| scope.strong_count() > 0);
        scopes.push(Arc::downgrade(scope));
    }
}

impl Wake for Doorbell {
    fn wake(&self, subject: &Subject) -> Rung {
        let scopes: Vec<Arc<Scope>> = lock(&self.scopes).iter().filter_map(Weak::upgrade).collect();
        // One that has not seen everything yet cannot say that it knows nobody of that name.
        if scopes.is_empty() || scopes.iter().any(|scope| !scope.cache.is_whole()) {
            return Rung::NobodyLeads;
        }
        let named = |scope: &&Arc<Scope>| scope.cache.reservations.key_of_uid(&subject.uid);
        let found = scopes.iter().find_map(|scope| Some((scope, named(&scope)?)));
        let Some((scope, key)) = found else { return Rung::Unknown };
        scope.told.tell(&subject.uid);
        scope.wake_reservation.wake(&key);
        Rung::Woken
    }

    fn count(&self, outcome: &'static str) {
        self.metrics.webhook(outcome);
    }
}

/// Whose money has changed, as the provider has said by itself: kept until a pass that began after that has come to its
/// end.
#[derive(Default)]
pub struct Told {
    by_uid: Mutex<HashMap<String, u64>>,
    count: AtomicU64,
}

impl Told {
    fn tell(&self, uid: &str) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        lock(&self.by_uid).insert(uid.to_owned(), number);
    }

    /// Whether anything was said of it, and the number of that.
    pub fn of(&self, uid: &str) -> Option<u64> {
        lock(&self.by_uid).get(uid).copied()
    }

    /// What was said has been looked into, unless more was said meanwhile.
    pub fn heard(&self, uid: &str, number: u64) {
        let mut by_uid = lock(&self.by_uid);
        if by_uid.get(uid) == Some(&number) {
            by_uid.remove(uid);
        }
    }

    /// The object is gone.
    pub fn forget(&self, uid: &str) {
        lock(&self.by_uid).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_while_it_is_being_looked_into_is_looked_into_again() {
        let told = Told::default();
        told.tell("a");
        let before = told.of("a").unwrap();
        told.tell("a");
        told.heard("a", before);
        let again = told.of("a").expect("it was said once more");
        told.heard("a", again);
        assert_eq!(told.of("a"), None);
    }
}
