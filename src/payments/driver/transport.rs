//! Carries the generated requests over HTTP: one pooled client, one call at a time, no retries of its own.
//!
//! async-stripe's own client throws the response's headers away and keeps no connections; here `Idempotent-Replayed`,
//! `Retry-After`, `Request-Id` and the status are kept with the call, and a failure says whether anything was sent.
//! Repeating is the caller's decision, because only the caller knows what is stored.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Url};
use stripe_client_core::{CustomizedStripeRequest, RequestBuilder, StripeClient, StripeMethod, VERSION};
use tracing::Instrument as _;

use super::config::{ApiKey, ConfigError, StripeConfig};
use super::failure::{ErrorBody, Failure, Refusal};
use super::observe::{CallReport, Observer, Op, Outcome};

/// The HTTP client and what every request carries.
#[derive(Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    base: Url,
    key: ApiKey,
    authorization: HeaderValue,
    pub observer: Option<Observer>,
}

impl Transport {
    pub fn new(config: &StripeConfig) -> Result<Self, ConfigError> {
        let base = config.base()?;
        let authorization = config.key.header()?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("innkeeper/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .timeout(config.request_timeout)
            // A redirected POST would be another request; a provider never answers so.
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(60))
            // Find out about a dead connection before a charge is sent into it.
            .tcp_keepalive(Duration::from_secs(30))
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .http2_keep_alive_while_idle(true);
        if base.scheme() == "http" {
            // The embedded provider, in the cluster or on this machine: no proxy leads there, and an image
            // without certificate authorities must not stop it.
            http = http.no_proxy().tls_certs_only([]);
        } else if let Some(pem) = &config.root_ca {
            let roots = Certificate::from_pem_bundle(pem).map_err(|e| ConfigError::RootCa(e.to_string()))?;
            if roots.is_empty() {
                return Err(ConfigError::RootCa("there is no certificate in them".to_owned()));
            }
            http = http.tls_certs_merge(roots);
        }
        let http = http.build().map_err(|e| ConfigError::Client(causes(&e)))?;
        Ok(Self { http, base, key: config.key.clone(), authorization, observer: None })
    }

    /// Begins a call. It is a client for one request of async-stripe's, and must be finished with what came of it.
    pub fn begin(&self, op: Op, attempt: Option<u32>) -> Call<'_> {
        let span = tracing::info_span!(
            "provider_call",
            op = op.as_str(),
            attempt,
            status = tracing::field::Empty,
            request_id = tracing::field::Empty,
            replayed = tracing::field::Empty,
        );
        Call { transport: self, op, span, started: Instant::now(), meta: Mutex::default() }
    }

    async fn send(&self, request: CustomizedStripeRequest) -> Result<reqwest::Response, Failure> {
        let (RequestBuilder { query, body, path, method }, config) = request.into_pieces();
        let mut url = self.base.clone();
        url.set_path(&format!("/v1{path}"));
        url.set_query(query.as_deref().filter(|query| !query.is_empty()));
        let method = match method {
            StripeMethod::Get => http::Method::GET,
            StripeMethod::Post => http::Method::POST,
            StripeMethod::Delete => http::Method::DELETE,
        };
        let mut outgoing = self
            .http
            .request(method, url)
            .header(AUTHORIZATION, self.authorization.clone())
            .header("stripe-version", VERSION.as_str());
        if let Some(key) = config.request_strategy.and_then(|strategy| strategy.get_key()) {
            outgoing = outgoing.header("idempotency-key", key.as_str());
        }
        if let Some(body) = body {
            outgoing = outgoing.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        }
        outgoing.send().await.map_err(|error| failure(&error))
    }
}

/// What an answer says about itself.
#[derive(Debug, Clone, Default)]
struct Meta {
    status: Option<u16>,
    request_id: Option<String>,
    replayed: bool,
    retry_after: Option<u64>,
}

impl Meta {
    fn of(status: u16, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        Self {
            status: Some(status),
            request_id: text("request-id").map(ToOwned::to_owned),
            replayed: text("idempotent-replayed").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            retry_after: text(RETRY_AFTER.as_str()).and_then(|value| value.parse().ok()),
        }
    }
}

/// One request on its way. async-stripe's trait hands back the body alone, so the rest is kept here.
pub(super) struct Call<'a> {
    transport: &'a Transport,
    op: Op,
    span: tracing::Span,
    started: Instant,
    meta: Mutex<Meta>,
}

/// An answer that was read.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub value: T,
    /// Whether the provider repeated an earlier answer instead of doing anything.
    pub replayed: bool,
}

impl Call<'_> {
    /// Ends the call: tells log and observer how it went, and puts the answer's headers beside its content.
    pub fn finish<T>(self, result: Result<T, Failure>) -> Result<Answer<T>, Failure> {
        let meta = self.meta.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = result.map_err(|failure| match (failure, &meta.request_id) {
            (Failure::Unreadable(why), Some(id)) => Failure::Unreadable(format!("{why} (request {id})")),
            (failure, _) => failure,
        });
        let outcome = result.as_ref().err().map_or(Outcome::Ok, Failure::outcome);
        let seconds = self.started.elapsed().as_secs_f64();
        self.span.record("status", meta.status);
        self.span.record("request_id", meta.request_id.as_deref());
        self.span.record("replayed", meta.replayed);
        self.span.in_scope(|| {
            if let Err(Failure::Unreadable(why)) = &result {
                tracing::warn!(
                    outcome = outcome.as_str(),
                    seconds,
                    why,
                    "the provider's answer cannot be read"
                );
            } else {
                tracing::debug!(outcome = outcome.as_str(), seconds, "the provider was called");
            }
        });
        if let Some(observer) = &self.transport.observer {
            observer(&CallReport {
                op: self.op,
                outcome,
                seconds,
                status: meta.status,
                replayed: meta.replayed,
            });
        }
        result.map(|value| Answer { value, replayed: meta.replayed })
    }

    async fn perform(&self, request: CustomizedStripeRequest) -> Result<Bytes, Failure> {
        let response = self.transport.send(request).await?;
        let status = response.status().as_u16();
        let meta = Meta::of(status, response.headers());
        *self.meta.lock().unwrap_or_else(PoisonError::into_inner) = meta.clone();
        let body = response.bytes().await.map_err(|error| failure(&error))?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let mut error = ErrorBody::read(&body);
        if let Some(error) = &mut error {
            error.hide(self.transport.key.expose());
        }
        let (retry_after, replayed) = (meta.retry_after, meta.replayed);
        Err(Failure::Refused(Box::new(Refusal { status, retry_after, replayed, error })))
    }
}

impl StripeClient for Call<'_> {
    type Err = Failure;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, Failure> {
        self.perform(request).instrument(self.span.clone()).await
    }
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_connect() || error.is_builder() {
        Failure::NotSent(causes(error))
    } else if error.is_timeout() {
        Failure::Lost("no answer came in time".to_owned())
    } else {
        Failure::Lost(causes(error))
    }
}

/// An error with what caused it, in one line, without the address: a query may hold what logs should not.
fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_connect() { "no connection" } else { "the exchange broke off" }.to_owned();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
