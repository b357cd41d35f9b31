//! Bookings of another system, pure: the rows of a file, and whether each fits into what a hotel has.
//!
//! `innkeeper import` reads the file and the hotel, asks here, and writes what fits.

pub mod fit;
pub mod rows;
