//! The embedded payment provider over its HTTP API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests too")]

mod async_stripe;
mod cli;
mod crash;
mod desk;
mod faults;
mod first_line;
mod http;
mod keys;
mod lists;
mod methods;
mod property;
mod refusals;
mod webhooks;
