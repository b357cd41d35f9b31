//! The guests' door over real HTTP: a real gateway and a real operator on a real API server.

mod access;
mod contacts;
mod forgery;
pub mod front;
mod guests;
mod idempotency;
mod outages;
mod past;
mod process;
mod reading;
mod refusals;
mod rights;
mod signing_in;
mod stories;
