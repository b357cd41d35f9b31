//! The parts: each sets up what it needs, measures, and says what came out.

pub mod cost;
pub mod latency;
pub mod memory;
pub mod throughput;
