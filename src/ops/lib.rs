//! What every part of Innkeeper needs to be run: configuration, logs, metrics, probes, and an orderly end.
//!
//! Nothing here knows Kubernetes, Reservations or payments: the parts bring their own words in, as typed labels
//! and named conditions.

pub mod config;
pub mod metrics;
pub mod packing;
pub mod probes;
pub mod shutdown;
pub mod telemetry;

pub use config::{Config, ConfigError, ConfigWatch};
pub use metrics::Metrics;
pub use probes::{Condition, Health};
pub use shutdown::Shutdown;
pub use telemetry::Telemetry;
