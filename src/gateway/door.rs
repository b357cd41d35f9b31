//! What every request needs: the read model, the writer, the limits, the configuration, the time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use innkeeper_ops::config::{self, Config, ConfigWatch};
use innkeeper_ops::metrics::{Metrics, Shed};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::Clock;
use crate::contacts::Contacts;
use crate::model::Model;
use crate::overload::Overload;
use crate::partners::Partners;
use crate::past::Past;
use crate::problem::{Kind, Problem};
use crate::pulse::Pulses;
use crate::rates::Rates;
use crate::session::Cookies;
use crate::sign_in::SignIn;
use crate::writer::{WriteError, Writer};

/// How long to wait where nothing better is known.
const A_MOMENT: Duration = Duration::from_secs(2);

/// Shared by all requests.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

/// What a door is made of.
pub struct Inner {
    /// What is known.
    pub model: Model,
    /// How old it is.
    pub pulses: Pulses,
    /// Past stays.
    pub past: Past,
    /// What may be written.
    pub writer: Writer,
    /// Who may come as a partner.
    pub partners: Partners,
    /// Guests' names and addresses, where they are kept.
    pub(crate) contacts: Option<Contacts>,
    /// How guests' sessions are written and read.
    pub(crate) cookies: Cookies,
    /// Signs guests in, where that is set up.
    pub(crate) sign_in: Option<SignIn>,
    /// How often.
    pub rates: Rates,
    /// What is turned away because everybody waits too long.
    pub(crate) overload: Arc<Overload>,
    /// Places for requests under way.
    pub places: Arc<Semaphore>,
    /// Places for connections that follow a booking.
    pub streams: Arc<Semaphore>,
    /// The configuration, always as it is now.
    pub config: Arc<ConfigWatch>,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Cancelled when no new requests are taken: then streams end, so that nobody waits for them.
    pub closing: CancellationToken,
}

/// The gateway's part of the configuration, as it was when it was asked for. Shared, not copied: every request asks.
pub struct Settings(Arc<Config>);

impl std::ops::Deref for Settings {
    type Target = config::Gateway;
    fn deref(&self) -> &config::Gateway {
        &self.0.gateway
    }
}

impl std::ops::Deref for Door {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Door {
    /// Opens it.
    #[must_use]
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The gateway's part of the configuration, as it is now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings(self.config.current())
    }

    /// Fails where what is known is too old to sell from: old stock must not be shown as free.
    pub fn fresh_enough(&self) -> Result<(), Problem> {
        let bound = self.config.current().gateway.model.stale_after;
        if self.pulses.age(Instant::now()).is_some_and(|age| age <= bound) {
            return Ok(());
        }
        self.metrics.gateway_shed(Shed::Stale);
        let detail =
            "The connection to the hotel's books is lost; what is free is not known until it is back.";
        Err(Problem::new(Kind::Stale, detail).after(A_MOMENT))
    }

    /// How old what is known is, where that is too old to sell from.
    #[must_use]
    pub fn age_of_what_is_too_old(&self) -> Option<Duration> {
        let bound = self.config.current().gateway.model.stale_after;
        self.pulses.age(Instant::now()).filter(|age| *age > bound)
    }

    /// An answer from what is known: with its age, and nothing but a word where the client has it already.
    pub fn read<T: Serialize>(&self, asked: &HeaderMap, body: &T) -> Response {
        let Ok(text) = serde_json::to_vec(body) else {
            return Problem::new(Kind::Internal, "The answer could not be written.").into_response();
        };
        let hash = digest(&SHA256, &text);
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12]));
        let mut response = if knows(asked, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, "application/json")], text).into_response()
        };
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("authorization, cookie"));
        headers.insert(header::AGE, HeaderValue::from(self.age()));
        response
    }

    /// How old what is known may be, in whole seconds.
    #[must_use]
    pub fn age(&self) -> u64 {
        self.pulses.age(Instant::now()).unwrap_or_default().as_secs()
    }

    /// What a failed write is to whoever asked for it.
    #[must_use]
    pub fn unwritten(&self, error: WriteError) -> Problem {
        let away = "The hotel's books cannot be written for a moment.";
        match error {
            WriteError::HeldBack(wait) => {
                self.metrics.gateway_shed(Shed::Breaker);
                Problem::new(Kind::Unavailable, format!("{away} Nothing was changed.")).after(wait)
            }
            WriteError::Unanswered => {
                let detail = format!("{away} It is not known whether this took effect; repeat it as it is.");
                Problem::new(Kind::Unavailable, detail).after(A_MOMENT)
            }
            WriteError::Refused(message) => Problem::new(Kind::Invalid, message),
            WriteError::Gone | WriteError::Exists => Problem::not_found("reservation"),
            WriteError::Forbidden => {
                let detail = "The hotel does not let the gateway do this at the moment. Nothing was changed.";
                Problem::new(Kind::Unavailable, detail).after(Duration::from_secs(30))
            }
        }
    }
}

/// Whether the client says that it has the answer with this tag.
fn knows(asked: &HeaderMap, tag: &str) -> bool {
    let texts = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_know_several_answers() {
        let with = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(text));
            knows(&headers, "\"b\"")
        };
        assert!(with("\"b\"") && with("\"a\", W/\"b\"") && with("*"));
        assert!(!with("\"a\"") && !with("b") && !with(""));
        assert!(!knows(&HeaderMap::new(), "\"b\""));
    }
}
