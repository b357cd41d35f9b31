//! Payments: the Stripe driver, and the embedded provider that speaks the subset of Stripe's API it uses.

pub mod driver;
pub mod sandbox;
