//! Holds one hotel to the promises, once it is at rest.

use std::time::{Duration, Instant};

use innkeeper_checker::{Evidence, Expected};
use innkeeper_payments::sandbox::Account;
use kube::api::ListParams;

pub use innkeeper_checker::claimed;

use super::hotel::Hotel;

/// How long it may take until everything is at rest.
const REST: Duration = Duration::from_secs(60);

/// Checks one hotel, at rest.
pub struct Checker<'a> {
    hotel: &'a Hotel,
    /// The hotel whose provider took the money.
    paid_at: &'a Hotel,
    expected: Expected,
}

impl<'a> Checker<'a> {
    /// Of a hotel that takes 120.00 for a unit and a night.
    pub fn of(hotel: &'a Hotel) -> Self {
        Self { hotel, paid_at: hotel, expected: Expected::nightly(12_000) }
    }

    /// Where the money is at another hotel's provider.
    pub fn paid_at(mut self, hotel: &'a Hotel) -> Self {
        self.paid_at = hotel;
        self
    }

    /// What a unit costs for a night, in minor units.
    pub fn nightly(mut self, minor_units: i64) -> Self {
        self.expected = self.expected.at(minor_units);
        self
    }

    /// What one stay costs, where that is something else.
    pub fn price(mut self, name: &str, minor_units: i64) -> Self {
        self.expected = self.expected.price(name, minor_units);
        self
    }

    /// What the hotel keeps of a cancelled stay; nothing where this is not said.
    pub fn keeps(mut self, name: &str, minor_units: i64) -> Self {
        self.expected = self.expected.keeps(name, minor_units);
        self
    }

    /// One that is not to be settled, because nobody can.
    pub fn leaves(mut self, name: &str) -> Self {
        self.expected = self.expected.leaves(name);
        self
    }

    /// What is wrong as it is now, and may never be.
    pub async fn never_to_be(&self) -> Vec<String> {
        self.expected.always(&evidence(self.hotel, self.paid_at).await)
    }

    /// Waits until all is at rest, and fails with everything that is wrong.
    pub async fn check(self) {
        let begun = Instant::now();
        loop {
            let evidence = evidence(self.hotel, self.paid_at).await;
            let broken = self.expected.always(&evidence);
            assert!(broken.is_empty(), "never to be: {broken:#?}\n{}", evidence.books());
            let broken = self.expected.at_rest(&evidence);
            if broken.is_empty() {
                return;
            }
            let waited = begun.elapsed();
            assert!(waited < REST, "not at rest after {waited:?}: {broken:#?}\n{}", evidence.books());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn evidence(hotel: &Hotel, paid_at: &Hotel) -> Evidence {
    let all = ListParams::default();
    let ours = |a: &Account| a.intent.metadata["innkeeper_namespace"] == hotel.namespace;
    Evidence {
        rooms: hotel.rooms().list(&all).await.unwrap().items,
        reservations: hotel.reservations().list(&all).await.unwrap().items,
        calendars: hotel.calendars().list(&all).await.unwrap().items,
        accounts: paid_at.accounts().await.into_iter().filter(ours).collect(),
        calls: paid_at.calls().await,
    }
}
