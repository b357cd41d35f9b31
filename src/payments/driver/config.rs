//! What the driver must be told: where the provider is, which key opens it, and how long to wait.
//!
//! Everything that can be wrong with it is found here, before the first call.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use reqwest::Url;

/// Stripe's own address.
pub const STRIPE_API: &str = "https://api.stripe.com";

/// The secret key. It is never shown: not by `Debug`, not in a log line, not in an error.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Wraps a key; white space around it (a Secret's trailing newline) is dropped.
    pub fn new(key: impl AsRef<str>) -> Self {
        Self(key.as_ref().trim().to_owned())
    }

    /// Whether the key moves real money.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.0.starts_with("sk_live_") || self.0.starts_with("rk_live_")
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// The header that carries it, marked so that HTTP libraries do not print it either.
    pub(super) fn header(&self) -> Result<HeaderValue, ConfigError> {
        if self.0.is_empty() {
            return Err(ConfigError::Key("it is empty"));
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .map_err(|_| ConfigError::Key("it has characters that no key has"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(not shown)")
    }
}

/// Where the provider is and how to speak with it.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// The provider's address without `/v1`: Stripe's, or the embedded provider's.
    pub api_base: String,
    /// The secret key.
    pub key: ApiKey,
    /// How long a connection may take to come about. A time-out here means that nothing was sent.
    pub connect_timeout: Duration,
    /// How long a call may take in all. A time-out here leaves the outcome unknown, so it is generous:
    /// a card network may take half a minute.
    pub request_timeout: Duration,
    /// Further certificate authorities to trust, PEM, beside the system's.
    pub root_ca: Option<Vec<u8>>,
}

impl StripeConfig {
    /// Stripe itself, with time-outs that suit it.
    #[must_use]
    pub fn new(key: ApiKey) -> Self {
        Self {
            api_base: STRIPE_API.to_owned(),
            key,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            root_ca: None,
        }
    }

    /// The address, checked: http or https, no path, and no live key in the clear.
    pub(super) fn base(&self) -> Result<Url, ConfigError> {
        let wrong = |why: &str| ConfigError::Base { base: self.api_base.clone(), why: why.to_owned() };
        let url = Url::parse(&self.api_base).map_err(|e| wrong(&e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it must begin with http:// or https://"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it must be an address without a path"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConfigError::Base {
                base: "an address with a user name".to_owned(),
                why: "the key is configured apart from it".to_owned(),
            });
        }
        if url.scheme() == "http" && self.key.is_live() {
            return Err(ConfigError::LiveKeyInTheClear);
        }
        Ok(url)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is not one.
    #[error("the payment provider's address {base:?} cannot be used: {why}")]
    Base {
        /// What was configured.
        base: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key is not one.
    #[error("the payment provider's key cannot be used: {0}")]
    Key(&'static str),
    /// A key that moves real money would travel unencrypted.
    #[error("a live key is never sent over plain http; configure an https address")]
    LiveKeyInTheClear,
    /// The certificate authorities are not PEM certificates.
    #[error("the certificate authorities for the payment provider cannot be read: {0}")]
    RootCa(String),
    /// The HTTP client cannot be made (no certificate authorities on this system, for instance).
    #[error("no HTTP client can be made for the payment provider: {0}")]
    Client(String),
}
