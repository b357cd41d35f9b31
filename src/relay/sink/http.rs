//! An HTTP receiver: this is how the hotel is told. Each event is a POST, structured or binary as `CloudEvents` says,
//! signed where there is a secret.
//!
//! Events of different objects travel side by side, those of one object one after the other: one that is not taken
//! holds up what follows it of the same object, and nothing else.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use reqwest::Url;
use serde_json::Value;

use super::signature::{HEADER, Secret};
use super::{Outgoing, Sink, Verdict};

/// How many objects' events are on their way at once.
const AT_ONCE: usize = 16;
/// How much of a refusal's text is kept.
const EXCERPT: usize = 200;

/// How an event is put into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The whole event is the body.
    Structured,
    /// The data are the body, the attributes headers.
    Binary,
}

/// Where the receiver is and how it is spoken to.
#[derive(Debug)]
pub struct HttpConfig {
    /// Its address.
    pub url: String,
    /// How an event is put into a request.
    pub mode: Mode,
    /// By what it knows that it is us.
    pub secret: Option<Secret>,
    /// How long one request may take.
    pub timeout: Duration,
    /// PEM certificates of authorities that are trusted besides the system's.
    pub roots: Option<Vec<u8>>,
}

/// The receiver.
pub struct HttpSink {
    http: reqwest::Client,
    url: Url,
    mode: Mode,
    secret: Option<Secret>,
}

impl HttpSink {
    /// Fails where the address or the certificates cannot be used, and says why.
    pub fn new(config: HttpConfig) -> Result<Self, String> {
        let url = Url::parse(&config.url).map_err(|e| format!("`{}` is no address: {e}", config.url))?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("innkeeper/", env!("CARGO_PKG_VERSION")))
            .timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none());
        if url.scheme() == "http" {
            // In the cluster or on this machine: an image without certificate authorities must not stop it.
            http = http.no_proxy().tls_certs_only([]);
        } else if let Some(pem) = &config.roots {
            let roots = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|e| format!("the certificates cannot be read: {e}"))?;
            http = http.tls_certs_only(roots);
        }
        let http = http.build().map_err(|e| format!("no HTTP client: {e}"))?;
        Ok(Self { http, url, mode: config.mode, secret: config.secret })
    }

    async fn send(&self, event: &Outgoing) -> Verdict {
        let request = match self.request(event) {
            Ok(request) => request,
            Err(reason) => return Verdict::Refused(reason),
        };
        match self.http.execute(request).await {
            Ok(answer) => judge(answer).await,
            Err(error) => Verdict::Failed(causes(&error)),
        }
    }

    /// Sends what is of one object, one after the other, until one is not taken.
    async fn send_lane(&self, batch: &[Outgoing], lane: Vec<usize>) -> Vec<(usize, Verdict)> {
        let mut sent = Vec::new();
        for at in lane {
            let verdict = self.send(&batch[at]).await;
            let failed = matches!(verdict, Verdict::Failed(_));
            sent.push((at, verdict));
            if failed {
                break;
            }
        }
        sent
    }

    fn request(&self, event: &Outgoing) -> Result<reqwest::Request, String> {
        let poisoned = |what: String| format!("the event cannot be put into a request: {what}");
        let now = Timestamp::now().as_second();
        let (content_type, attributes, body) = match self.mode {
            Mode::Structured => ("application/cloudevents+json", Vec::new(), event.json.clone()),
            Mode::Binary => {
                let (attributes, body) = parts(&event.json).map_err(poisoned)?;
                ("application/json", attributes, body)
            }
        };
        let signature = self.secret.as_ref().map(|secret| secret.sign(now, &attributes, &body));
        let mut request = self.http.post(self.url.clone()).header(CONTENT_TYPE, content_type);
        for (name, value) in attributes {
            let name = HeaderName::try_from(name).map_err(|e| poisoned(e.to_string()))?;
            request =
                request.header(name, HeaderValue::try_from(value).map_err(|e| poisoned(e.to_string()))?);
        }
        if let Some(signature) = signature {
            request = request.header(HEADER, signature);
        }
        request.body(body).build().map_err(|e| poisoned(e.to_string()))
    }
}

/// The attributes as headers, by name, and the data.
fn parts(json: &str) -> Result<(Vec<(String, String)>, String), String> {
    let mut event: Value = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let data = event["data"].take();
    let mut attributes: Vec<(String, String)> = event
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "data" | "datacontenttype"))
        .filter_map(|(name, value)| Some((format!("ce-{name}"), value.as_str()?.to_owned())))
        .collect();
    attributes.sort();
    Ok((attributes, data.to_string()))
}

async fn judge(answer: reqwest::Response) -> Verdict {
    let status = answer.status();
    if status.is_success() {
        return Verdict::Acked;
    }
    let text = answer.text().await.unwrap_or_default();
    let excerpt: String = text.chars().filter(|c| !c.is_control()).take(EXCERPT).collect();
    let said = format!("{status} {excerpt}").trim_end().to_owned();
    let later =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if status.is_client_error() && !later { Verdict::Refused(said) } else { Verdict::Failed(said) }
}

/// An error with what it came from, and without the address, which is said elsewhere.
fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { "no answer".to_owned() };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl Sink for HttpSink {
    /// A receiver takes events and nothing else, so there is nothing to ask it.
    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        async { Ok(()) }.boxed()
    }

    fn deliver<'a>(&'a self, batch: &'a [Outgoing]) -> BoxFuture<'a, Vec<Verdict>> {
        async move {
            let mut verdicts = vec![Verdict::Held; batch.len()];
            let lanes: Vec<_> =
                lanes(batch).into_iter().map(|lane| self.send_lane(batch, lane).boxed()).collect();
            let sent: Vec<Vec<(usize, Verdict)>> =
                futures::stream::iter(lanes).buffer_unordered(AT_ONCE).collect().await;
            for (at, verdict) in sent.into_iter().flatten() {
                verdicts[at] = verdict;
            }
            verdicts
        }
        .boxed()
    }
}

/// The places of the events of each object in the batch, in their order.
fn lanes(batch: &[Outgoing]) -> Vec<Vec<usize>> {
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    let mut lane_of = std::collections::HashMap::new();
    for (at, event) in batch.iter().enumerate() {
        let lane = *lane_of.entry(event.key.as_str()).or_insert_with(|| {
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        lanes[lane].push(at);
    }
    lanes
}

#[cfg(test)]
mod tests;
