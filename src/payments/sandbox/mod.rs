//! The embedded payment provider: a server that speaks the subset of Stripe's HTTP API that the operator uses, with
//! an SQLite ledger.
//!
//! It lets Innkeeper be tried and tested without an account anywhere, with the same driver that talks to Stripe. It
//! holds test money only: it takes test payment methods by Stripe's names, refuses live keys and card numbers, and
//! can be told to misbehave (`Fault`). It must never be mistaken for a place where money is.
//!
//! What it promises beyond Stripe's documentation is in the modules: `ledger` (durability), `idempotency` (keys),
//! `faults`, `calls` (the log that invariants are checked against), `events` and `webhooks` (somebody is told).

mod admin;
mod answer;
mod books;
mod calls;
mod card_numbers;
mod charging;
#[allow(clippy::doc_markdown, reason = "the help texts are plain text")]
pub mod cli;
mod currency;
mod error;
mod events;
mod execution;
mod faults;
mod idempotency;
mod intents;
mod key;
mod ledger;
mod lists;
mod means;
mod methods;
mod model;
mod params;
mod provider;
mod refunds;
mod render;
mod routes;
mod server;
mod sockets;
mod webhooks;

pub use admin::{AdminError, Outcome};
pub use calls::Call;
pub use currency::format_amount;
pub use faults::{ActiveFault, Fault, Kind, Match, When};
pub use idempotency::LIFETIME as KEY_LIFETIME;
pub use key::{ApiKey, InvalidKey};
pub use ledger::{Account, Ledger, LedgerError, Location, read_file};
pub use model::{
    Charge, ChargeFailure, ChargeStatus, Intent, IntentStatus, Redirects, Refund, RefundStatus, Settling,
};
pub use provider::Provider;
pub use server::{Config, Server, ServerError, router};
pub use webhooks::Webhooks;
