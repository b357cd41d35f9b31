//! A gateway in this process, as the integration tests have it.

#[path = "../../it/gateway/front.rs"]
pub mod front;
