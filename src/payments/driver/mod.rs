//! The Stripe driver: booking's questions as calls to Stripe's API, and its answers as booking's words.
//!
//! It speaks to Stripe itself ([`STRIPE_API`]) or to the embedded provider. Requests and responses are async-stripe's
//! generated types; the transport is our own, because an answer's headers, and whether anything was sent at all,
//! decide about money.
//!
//! What it must not do: decide. It never repeats a request by itself, makes no keys but those of
//! [`provider::key`](innkeeper_booking::provider::key), keeps no state between calls, knows no clock that matters
//! and no Kubernetes. Where an answer leaves doubt, it says so ([`ProviderError::OutcomeUnknown`]) instead of
//! guessing. It touches the intent it is told to: an id from a status, which people can edit, goes through
//! [`look`](Stripe::look) first, which passes over what was made for somebody else.

mod charging;
mod config;
mod failure;
mod finding;
mod metadata;
mod observe;
mod refunding;
mod transport;
mod view;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use innkeeper_booking::provider::ProviderError;

pub use config::{ApiKey, ConfigError, STRIPE_API, StripeConfig};
pub use finding::{ListQuery, Listing, Outgoing, Whose};
pub use observe::{CallReport, Observer, Op, Outcome};

use transport::Transport;

/// The driver. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Stripe {
    transport: Arc<Transport>,
    base: String,
}

impl Stripe {
    /// Makes a driver. Nothing is sent; [`check`](Self::check) does that.
    pub fn new(config: &StripeConfig) -> Result<Self, ConfigError> {
        let transport = Arc::new(Transport::new(config)?);
        Ok(Self { transport, base: config.api_base.clone() })
    }

    /// Has every call reported to an observer, for metrics.
    #[must_use]
    pub fn with_observer(mut self, observer: Observer) -> Self {
        Arc::make_mut(&mut self.transport).observer = Some(observer);
        self
    }
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("api_base", &self.base).finish_non_exhaustive()
    }
}

/// An id that may become part of an address. Ids come from statuses, which people can edit: anything that is not an
/// id would ask for another object.
fn checked(id: &str) -> Result<&str, ProviderError> {
    let like_an_id = !id.is_empty()
        && id.len() <= 255
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if like_an_id { Ok(id) } else { Err(ProviderError::NotFound(format!("object with the id {id:?}"))) }
}
