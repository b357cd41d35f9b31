//! The embedded payment provider over its HTTP API.

mod desk;
mod first_line;
