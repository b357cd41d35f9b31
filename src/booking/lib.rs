//! The business, pure: what is known about a Reservation in, what to do next out.
//!
//! [`plan`](plan::plan) maps everything known about one Reservation (its object, its Room, the calendars' answer, the
//! provider's answer, the time) to the next status or one effect, or says when to look again. Nothing here has a
//! client, a clock, randomness or I/O: `now` is a parameter, and effects are values that somebody else performs.

pub mod allotment;
pub mod currency;
#[cfg(test)]
mod fixtures;
pub mod inventory;
pub mod knowledge;
pub mod observed;
pub mod plan;
pub mod policy;
pub mod price;
pub mod provider;
pub mod room;
pub mod status;
pub mod terms;
