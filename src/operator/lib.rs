//! The controllers: gather what is known, ask the planner, apply what it says.
//!
//! What is decided is in `innkeeper-booking`; nothing here decides about money or nights. This crate reads and writes
//! the API server, calls the payment provider, and keeps the pace. Nothing depends on there being one of it: a Lease
//! keeps two operators from doing the same work, resourceVersions, keys and fences keep it right when they do.

mod allocator;
mod attention;
mod batch;
mod brake;
mod cache;
mod calendar;
mod cashier;
mod client;
mod doorbell;
mod earlier;
mod effects;
mod error;
mod identity;
mod lease;
mod occupant;
mod orphans;
mod queue;
mod reservation;
mod rewound;
mod room;
mod run;
mod runner;
mod scope;
mod shelf;
mod writes;

pub use cashier::{Cashier, CashierConfig};
pub use client::{client, crds_installed};
pub use doorbell::Doorbell;
pub use error::OperatorError;
pub use identity::{Home, installation_id};
pub use lease::{LeaseConfig, lease_identity};
pub use run::Operator;

/// Where the operator's time comes from: whole seconds, as the API server counts them.
pub type Clock = std::sync::Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// The system's clock, in whole seconds.
#[must_use]
pub fn system_clock() -> Clock {
    std::sync::Arc::new(|| {
        let now = jiff::Timestamp::now();
        jiff::Timestamp::from_second(now.as_second()).unwrap_or(now)
    })
}
