//! The world in memory: the planner driven through random interleavings, the invariants checked after every step.
//!
//! A schedule is a seed. `INNKEEPER_SEED=n` runs one and prints all of it, `INNKEEPER_SCHEDULES=n` says how many are
//! run. One that fails is made shorter by striking out what people did, and printed with its seed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test target: the lint knows only functions marked as tests"
)]

mod allocator;
mod bite;
mod checks;
mod driver;
mod operator;
mod outside;
mod provider;
mod quiet;
mod random;
mod rest;
mod runner;
mod server;
mod users;
mod world;
