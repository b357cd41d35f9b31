//! The world in memory: the planner driven through random interleavings, the invariants checked after every step.
//!
//! A schedule is a seed. `INNKEEPER_SEED=n` runs one and prints all of it, `INNKEEPER_SCHEDULES=n` says how many are
//! run. One that fails is made shorter by striking out operators and what people did, and printed with its seed:
//! `INNKEEPER_SEED=7 cargo test -p innkeeper-booking --test model no_interleaving -- --nocapture`.
//!
//! What is assumed of the world around: a request is on its way for half an hour at most; a pass sends nothing to the
//! provider once it is an hour old; somebody sweeps holders whose Reservation is gone out of the calendars; a person
//! gives back in the dashboard what the provider could not, says whose the money of an earlier object of a name is, and
//! lets the brake go. Not modelled yet: Rooms deleted and made anew, statuses edited by hand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test target: the lint knows only functions marked as tests"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "how many schedules, and how fast they ran; the world has its own clock"
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
