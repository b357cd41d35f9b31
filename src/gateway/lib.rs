//! The guests' door: a site in the browser, and REST for guests and partners.
//!
//! Writes become Reservations; what becomes of them is the operator's business. Reads are answered from a model in
//! memory that watches keep, never by a request to the API server. What is offered and for how much is asked of
//! `innkeeper-booking`, so that the gateway and the operator never say two things.

mod breaker;
mod contacts;
mod csrf;
mod desk;
mod door;
mod follow;
mod gateway;
mod identity;
mod keys;
mod layers;
mod lingering;
mod list;
mod live;
mod model;
mod overload;
mod page;
mod partners;
mod past;
mod problem;
mod pulse;
mod rates;
mod rest;
mod search;
mod secrets;
mod serve;
mod session;
mod sign_in;
mod site;
mod trace;
mod unread;
mod webhooks;
mod words;
mod writer;

pub use gateway::{Gateway, document};
pub use partners::{Partners, PartnersError};
pub use secrets::{SecretError, make_key};
pub use sign_in::Guests;

/// Where the gateway's time comes from.
pub type Clock = std::sync::Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
