//! The HTTP server: starting, serving, draining.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin;
use super::answer::{Answer, Delivery};
use super::error::StripeError;
use super::key::ApiKey;
use super::ledger::{Ledger, LedgerError, Location};
use super::provider::{Incoming, Provider};
use super::sockets::{Hangup, Sockets};
use super::webhooks::Webhooks;

/// The largest body taken, in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// How a server is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the ledger is.
    pub ledger: Location,
    /// The key that callers must show.
    pub key: ApiKey,
    /// Whether `/sandbox/...` is there: faults, clock, log of calls. On by default, since it takes the same key and
    /// there is only test money here.
    pub admin: bool,
    /// How long refunds and charges that settle by themselves take, by the provider's clock.
    pub settle_after: Duration,
    /// How many calls the log keeps.
    pub calls_limit: u32,
    /// How long a shutdown waits for requests under way.
    pub drain: Duration,
    /// Who is told of what happens.
    pub webhooks: Option<Webhooks>,
}

impl Config {
    /// On a free port of the loopback interface, in memory, with everything else as in production.
    #[must_use]
    pub fn new(key: ApiKey) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ledger: Location::Memory,
            key,
            admin: true,
            settle_after: Duration::from_secs(5),
            calls_limit: 100_000,
            drain: Duration::from_secs(10),
            webhooks: None,
        }
    }
}

/// Why a server did not start or end well.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The ledger could not be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Serving ended with an error.
    #[error("serving failed: {0}")]
    Serve(String),
    /// Requests were still under way when the time to drain was over.
    #[error("requests were still under way after {0:?}")]
    NotDrained(Duration),
}

/// A running server. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    provider: Provider,
    key: ApiKey,
    drain: Duration,
    stop: CancellationToken,
    ending: CancellationToken,
    requests: TaskTracker,
    serving: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Opens the ledger, listens, and serves until told to stop.
    pub async fn start(config: Config) -> Result<Self, ServerError> {
        let ledger = Ledger::open(&config.ledger, config.settle_after)?;
        let listen = |source| ServerError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let provider = Provider::new(ledger, config.key.clone(), config.calls_limit);
        let (stop, ending) = (CancellationToken::new(), CancellationToken::new());
        let requests = TaskTracker::new();
        let app = app(Shared {
            provider: provider.clone(),
            stop: stop.clone(),
            ending: ending.clone(),
            requests: requests.clone(),
            admin: config.admin,
        });
        let service = app.into_make_service_with_connect_info::<Hangup>();
        let stopped = stop.clone().cancelled_owned();
        let serving = tokio::spawn(async move {
            axum::serve(Sockets(listener), service).with_graceful_shutdown(stopped).await
        });
        if let Some(webhooks) = config.webhooks {
            tokio::spawn(webhooks.run(provider.clone(), stop.clone()));
        }
        tracing::info!(%address, admin = config.admin, "the embedded payment provider listens; it moves no real money");
        Ok(Self {
            address,
            provider,
            key: config.key,
            drain: config.drain,
            stop,
            ending,
            requests,
            serving: Some(serving),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, without `/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The key it answers to.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    /// The provider behind it: ledger, faults, clock.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Not ready from now on; requests are taken as before.
    pub fn leave(&self) {
        self.ending.cancel();
    }

    /// Takes no more requests, ends those under way, closes the ledger.
    pub async fn shutdown(mut self) -> Result<(), ServerError> {
        self.stop.cancel();
        self.requests.close();
        let served = match self.serving.take() {
            None => Ok(()),
            Some(mut serving) => match tokio::time::timeout(self.drain, &mut serving).await {
                Err(_) => {
                    serving.abort();
                    Err(ServerError::NotDrained(self.drain))
                }
                Ok(Err(error)) => Err(ServerError::Serve(error.to_string())),
                Ok(Ok(result)) => result.map_err(|error| ServerError::Serve(error.to_string())),
            },
        };
        // A request whose caller has gone away is still carried out, and must not find the ledger closed.
        let drained = tokio::time::timeout(self.drain, self.requests.wait()).await;
        self.provider.ledger().close().await;
        served.and(drained.map_err(|_| ServerError::NotDrained(self.drain)))
    }

    /// Stops at once, as a crash would, but gives the ledger's file free before it returns.
    pub async fn abort(mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
        self.stop.cancel();
        self.provider.ledger().close().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The provider's routes without a socket of their own. A fault that drops the connection answers 502 here, for want
/// of a connection to drop.
pub fn router(provider: &Provider, admin: bool) -> Router {
    app(Shared {
        provider: provider.clone(),
        stop: CancellationToken::new(),
        ending: CancellationToken::new(),
        requests: TaskTracker::new(),
        admin,
    })
}

#[derive(Clone)]
struct Shared {
    provider: Provider,
    stop: CancellationToken,
    ending: CancellationToken,
    requests: TaskTracker,
    admin: bool,
}

fn app(shared: Shared) -> Router {
    let mut app = Router::new();
    if shared.admin {
        app = app.nest("/sandbox", admin::routes(shared.provider.clone()));
    }
    app.route("/livez", get(async || "ok")).route("/readyz", get(ready)).fallback(serve).with_state(shared)
}

async fn ready(State(shared): State<Shared>) -> Response {
    if shared.ending.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down").into_response();
    }
    match shared.provider.ledger().check().await {
        Ok(()) => "ok".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let hangup = parts.extensions.get::<ConnectInfo<Hangup>>().map(|info| info.0.clone());
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        let mut error = StripeError::invalid("The body is too large or was cut off.");
        error.status = 413;
        return respond(Answer::new(error.status, error.body().to_string(), false));
    };
    let incoming = Incoming {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    let provider = shared.provider.clone();
    // In a task of its own: what has begun is carried out even if the caller hangs up.
    let done = shared.requests.spawn(async move { provider.handle(incoming).await });
    match done.await {
        Ok(Delivery::Answer(answer)) => respond(answer),
        Ok(Delivery::Drop) => close(hangup),
        Ok(Delivery::Hang) => {
            tokio::select! {
                () = pending() => {}
                () = shared.stop.cancelled() => {}
            }
            close(hangup)
        }
        Err(error) => {
            tracing::error!(%error, "a request ended early");
            let error = StripeError::internal();
            respond(Answer::new(error.status, error.body().to_string(), false))
        }
    }
}

pub(super) fn respond(answer: Answer) -> Response {
    let mut response = Response::builder().status(answer.status).header("content-type", "application/json");
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be written");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// Ends the connection; the response that is returned finds no way out.
fn close(hangup: Option<Hangup>) -> Response {
    if let Some(hangup) = hangup {
        hangup.hang_up();
    }
    StatusCode::BAD_GATEWAY.into_response()
}
