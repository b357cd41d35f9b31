//! Who waits for a person: counted from what the watch shows, so that an alert needs no query of the API server.

use std::collections::HashMap;
use std::sync::Mutex;

use innkeeper_api::{ConditionType, Reason, ReservationStatus};
use innkeeper_ops::metrics::{Metrics, WaitsFor};

use crate::cache::lock;

/// The Reservations of a scope that wait for a person. What they add to the metric goes with it.
pub struct Attention {
    metrics: Metrics,
    by_uid: Mutex<HashMap<String, WaitsFor>>,
}

impl Attention {
    /// Nobody yet.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, by_uid: Mutex::default() }
    }

    /// This one waits for a person, or for nobody, or is gone.
    pub fn see(&self, uid: &str, now: Option<WaitsFor>) {
        let mut by_uid = lock(&self.by_uid);
        let before = match now {
            Some(now) => by_uid.insert(uid.to_owned(), now),
            None => by_uid.remove(uid),
        };
        if before == now {
            return;
        }
        if let Some(now) = now {
            self.metrics.waits_for_a_person(now, 1);
        }
        if let Some(before) = before {
            self.metrics.waits_for_a_person(before, -1);
        }
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        for waits_for in lock(&self.by_uid).values() {
            self.metrics.waits_for_a_person(*waits_for, -1);
        }
    }
}

/// What only a person can bring on, where it is that.
pub fn waits_for(status: &ReservationStatus) -> Option<WaitsFor> {
    match status.conditions.reason(&ConditionType::Stalled)? {
        Reason::RefundFailed => Some(WaitsFor::RefundFailed),
        Reason::NightsLost => Some(WaitsFor::NightsLost),
        Reason::TermsLost => Some(WaitsFor::TermsLost),
        Reason::AlreadyCharged => Some(WaitsFor::AlreadyCharged),
        Reason::MoneyHalted => Some(WaitsFor::MoneyHalted),
        _ => None,
    }
}
