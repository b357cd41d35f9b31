//! Payments: the Stripe driver, and the embedded provider that speaks the subset of Stripe's API it uses.
//!
//! [`driver`] is the operator's only way to money, in booking's words
//! ([`innkeeper_booking::provider`]); [`sandbox`] is what it speaks with in the default install and in tests, over
//! HTTP like the real one. Neither knows Kubernetes, neither decides what is charged or given back, and the two share
//! no code: what they agree on is Stripe's API.

pub mod driver;
pub mod sandbox;
pub mod webhooks;
