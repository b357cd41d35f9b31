//! The guests' door over real HTTP: a real gateway and a real operator on a real API server.

mod access;
mod front;
mod idempotency;
mod outages;
mod process;
mod reading;
mod refusals;
mod rights;
mod stories;
