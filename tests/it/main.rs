//! Integration tests against a real kube-apiserver and etcd, with real operators and the embedded payment provider.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected here is a failed test"
)]
#![allow(clippy::similar_names, reason = "guests of a test are called by short names")]

mod business;
mod care;
mod conventions;
mod cost;
mod drift;
mod examples;
mod gateway;
mod guarded;
mod holding;
mod money;
mod process;
mod races;
mod readme;
mod recovery;
mod relay;
mod rules;
mod stories;
mod support;
mod torture;
mod webhooks;
mod worst;
