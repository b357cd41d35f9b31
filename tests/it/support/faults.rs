//! What a test does to a hotel beyond its trade: the provider's faults, and waiting for what is seen from outside.

use std::time::{Duration, Instant};

use innkeeper_api::{ConditionStatus, ConditionType, Reason, Reservation};
use innkeeper_booking::provider::{Charge, Tags};
use innkeeper_payments::driver::{ApiKey, Stripe, StripeConfig};
use innkeeper_payments::sandbox::{Account, Call, Provider, Refund};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::PATIENCE;
use super::checker::Checker;
use super::hotel::{Hotel, KEY, Running, is};

/// Charges and fences.
pub fn charges() -> Value {
    json!({ "method": "POST", "path": "/v1/payment_intents" })
}

/// Refunds.
pub fn refunds() -> Value {
    json!({ "method": "POST", "path": "/v1/refunds" })
}

/// Lookups of every kind.
pub fn lookups() -> Value {
    json!({ "method": "GET" })
}

impl Hotel {
    /// The provider, to be told things.
    pub fn desk(&self) -> Provider {
        self.provider.provider().clone()
    }

    /// Switches a fault on, once; gives its number.
    pub fn fault(&self, matches: &Value, kind: &Value) -> u64 {
        self.faults(matches, kind, Some(1))
    }

    /// Switches a fault on, so many times or for good; gives its number.
    pub fn faults(&self, matches: &Value, kind: &Value, times: Option<u32>) -> u64 {
        self.faults_after(0, matches, kind, times)
    }

    /// The same for lookups of charges, for good: the list that is read once before the first charge passes.
    pub fn blind(&self, kind: &Value) -> u64 {
        self.faults_after(1, &lookups(), kind, None)
    }

    /// Switches a fault on that lets so many requests pass first.
    pub fn faults_after(&self, skip: u32, matches: &Value, kind: &Value, times: Option<u32>) -> u64 {
        let fault = json!({ "match": matches, "fault": kind, "skip": skip, "times": times });
        self.desk().add_fault(serde_json::from_value(fault).unwrap()).id
    }

    /// Waits until a fault has struck so many times.
    pub async fn struck(&self, id: u64, times: u32) {
        let desk = self.desk();
        let mut activity = desk.activity();
        let struck = activity.wait_for(|_| desk.faults().iter().any(|f| f.id == id && f.hits >= times));
        tokio::time::timeout(PATIENCE, struck).await.expect("the fault strikes").unwrap();
    }

    /// Every call of the provider so far.
    pub async fn calls(&self) -> Vec<Call> {
        self.provider.provider().ledger().calls(0, u32::MAX).await.unwrap()
    }

    /// The one account there is.
    pub async fn account(&self) -> Account {
        let mut accounts = self.accounts().await;
        assert_eq!(accounts.len(), 1, "{accounts:#?}");
        accounts.remove(0)
    }

    /// Waits until the provider's books are as asked.
    pub async fn books_until(&self, what: &str, is: impl Fn(&[Account]) -> bool) -> Vec<Account> {
        let begun = Instant::now();
        loop {
            let accounts = self.accounts().await;
            if is(&accounts) {
                return accounts;
            }
            assert!(begun.elapsed() < PATIENCE, "never {what}: {accounts:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The one refund there is, once it is there.
    pub async fn refund(&self) -> Refund {
        let accounts = self.books_until("refunded", |a| a.iter().any(|a| !a.refunds.is_empty())).await;
        let mut refunds: Vec<_> = accounts.into_iter().flat_map(|a| a.refunds).collect();
        assert_eq!(refunds.len(), 1, "{refunds:#?}");
        refunds.remove(0)
    }

    /// Waits until a condition of a Reservation is so.
    pub async fn becomes(
        &self,
        name: &str,
        type_: ConditionType,
        status: ConditionStatus,
        reason: Reason,
    ) -> Reservation {
        self.until(name, move |r: Option<&Reservation>| r.is_some_and(|r| is(r, &type_, status, &reason)))
            .await
    }

    /// Everything is as it should be, of a hotel at the usual price with nothing kept.
    pub async fn check(&self) {
        Checker::of(self).check().await;
    }

    /// A driver of the test's own, to send what an operator that has been forgotten might still send.
    pub fn driver(&self) -> Stripe {
        let config = StripeConfig { api_base: self.provider.url(), ..StripeConfig::new(ApiKey::new(KEY)) };
        Stripe::new(&config).unwrap()
    }

    /// The charge that the operator sends for a Reservation.
    pub fn charge_of(&self, reservation: &Reservation) -> Charge {
        let quote = reservation.status.as_ref().unwrap().quote.clone().unwrap();
        Charge {
            tags: Tags {
                installation: "test".to_owned(),
                namespace: self.namespace.clone(),
                name: reservation.name_any(),
                uid: reservation.uid().unwrap(),
                check_in: reservation.spec.check_in,
            },
            attempt: 1,
            amount: quote.collect_online,
            currency: quote.currency,
            method: reservation.spec.payment.method.clone().unwrap(),
        }
    }
}

impl Running {
    /// How many passes over Reservations it has made.
    pub fn passes(&self) -> u64 {
        let text = self.metrics.text();
        let lines = text.lines().filter_map(|line| {
            let series = line.strip_prefix("controller_runtime_reconcile_total{")?;
            let (labels, count) = series.split_once("} ")?;
            labels.contains("controller=\"reservation\"").then(|| count.parse::<u64>().unwrap())
        });
        lines.sum()
    }

    /// Waits until it has made so many more passes over Reservations.
    pub async fn looks_again(&self, times: u64) {
        self.has_looked(self.passes() + times).await;
    }

    /// Changes something of a Reservation that means nothing, and waits until it has been looked at since.
    pub async fn looks_at(&self, hotel: &Hotel, name: &str) {
        // The pass that is counted first may have begun before.
        for _ in 0..2 {
            let before = self.passes();
            hotel.wake(name).await;
            self.has_looked(before + 1).await;
        }
    }

    async fn has_looked(&self, times: u64) {
        let begun = Instant::now();
        while self.passes() < times {
            assert!(begun.elapsed() < PATIENCE, "the operator does not look again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
