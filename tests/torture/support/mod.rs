//! A hotel of one case's own on a real control plane, and who counts whether all is right, as the integration tests have
//! them.

#[path = "../../it/support/checker.rs"]
pub mod checker;
#[path = "../../it/support/faults.rs"]
pub mod faults;
#[path = "../../it/support/ground.rs"]
mod ground;
#[path = "../../it/support/history.rs"]
pub mod history;
#[path = "../../it/support/hotel.rs"]
pub mod hotel;

pub use ground::{PATIENCE, control_plane, eventually_async};

/// The folder of the project.
pub const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
