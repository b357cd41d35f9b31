//! The guests' door over real HTTP: a real gateway and a real operator on a real API server.

mod access;
mod contacts;
mod document;
mod fold;
mod forgery;
pub mod front;
mod guests;
mod idempotency;
mod outages;
mod pages;
mod past;
mod process;
mod reading;
mod refusals;
mod rights;
mod signing_in;
mod site;
mod site_frame;
mod stories;
mod through;
mod tracing;
