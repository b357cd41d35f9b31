//! The business, pure: what is known about a Reservation in, what to do next out.
pub mod provider;
