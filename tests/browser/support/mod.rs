//! A hotel of one case's own on a real control plane, as the integration tests have it.

#[path = "../../it/support/ground.rs"]
mod ground;
#[path = "../../it/support/hotel.rs"]
pub mod hotel;
#[path = "../../it/support/valve.rs"]
pub mod valve;

pub use ground::{PATIENCE, control_plane, eventually};

/// The folder of the project.
pub const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
