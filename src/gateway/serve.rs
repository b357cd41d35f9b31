//! Connections: how many, bounds on a request's headers in bytes, number and time, and an end that waits for what is under
//! way.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use innkeeper_ops::config::Limits;
use innkeeper_ops::metrics::{Metrics, Shed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::layers::Peer;
use crate::lingering::Lingering;
use crate::problem::{self, Kind, Problem};
use crate::unread::Watched;

/// Most headers of one request.
const MOST_HEADERS: usize = 64;
/// How long to wait where the system has no more room for connections.
const OUT_OF_ROOM: Duration = Duration::from_millis(200);

/// How many of those for whom there is no place are told so at the same time; the others are closed without a word.
const TOLD: usize = 256;
/// How long one of those may take to send its request.
const TO_BE_TOLD: Duration = Duration::from_secs(1);

/// What is served, and where.
pub(crate) struct Served {
    /// Takes connections.
    pub(crate) listener: TcpListener,
    /// Answers.
    pub(crate) router: Router,
    /// What is counted.
    pub(crate) metrics: Metrics,
}

impl Served {
    /// Serves until `stop`, and then for at most `drain` until what is under way has been answered. From `leaving` on,
    /// which comes before, every answer closes its connection: its client makes the next one elsewhere. A connection that
    /// is closed while it is idle may be closed on a request that is just being sent.
    pub(crate) async fn serve(
        self,
        limits: &Limits,
        leaving: CancellationToken,
        stop: CancellationToken,
        drain: Duration,
    ) {
        let Self { listener, router, metrics } = self;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(usize::try_from(limits.header_bytes).unwrap_or(usize::MAX))
            .max_headers(MOST_HEADERS);
        let linger = limits.close_timeout;
        let carrier = Carrier { http, router, leaving, linger, connections: GracefulShutdown::new() };
        let most = usize::try_from(limits.connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let (places, told) = (Arc::new(Semaphore::new(most)), Arc::new(Semaphore::new(TOLD)));
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                        carrier.carry(stream, peer, (place, metrics.gateway_connection()));
                        continue;
                    }
                    metrics.gateway_shed(Shed::Connections);
                    if let Ok(place) = Arc::clone(&told).try_acquire_owned() {
                        tokio::spawn(turn_away(Lingering::new(stream, linger), place));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(OUT_OF_ROOM).await;
                }
            }
        }
        drop(listener);
        if tokio::time::timeout(drain, carrier.connections.shutdown()).await.is_err() {
            tracing::warn!(limit = ?drain, "requests were still under way; they are dropped");
        }
    }
}

struct Carrier {
    http: http1::Builder,
    router: Router,
    leaving: CancellationToken,
    linger: Duration,
    connections: GracefulShutdown,
}

impl Carrier {
    /// Answers what comes on a connection. `place` is held until its end.
    fn carry(&self, stream: TcpStream, peer: SocketAddr, place: impl Send + 'static) {
        // Answers are small and are to go at once.
        let _ = stream.set_nodelay(true);
        let (router, leaving) = (self.router.clone(), self.leaving.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (head, body) = request.into_parts();
            let (body, reading) = Watched::new(body);
            let mut request = Request::from_parts(head, Body::new(body));
            request.extensions_mut().insert(Peer(peer));
            let (router, leaving) = (router.clone(), leaving.clone());
            async move {
                let mut answer = router.oneshot(request).await.unwrap_or_else(|never| match never {});
                if leaving.is_cancelled() || !reading.has_ended() {
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let stream = TokioIo::new(Lingering::new(stream, self.linger));
        let connection = self.connections.watch(self.http.serve_connection(stream, service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
}

/// Says that there is no place, as soon as something is asked, whatever that is.
async fn turn_away(mut stream: Lingering<TcpStream>, _place: OwnedSemaphorePermit) {
    // Not before: a client that has asked nothing does not take an answer.
    let asked = tokio::time::timeout(TO_BE_TOLD, stream.read(&mut [0; 4096])).await;
    // A client that does not ask, or has gone, is not told.
    if !matches!(asked, Ok(Ok(1..))) {
        return;
    }
    if stream.write_all(no_place().as_bytes()).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

fn no_place() -> String {
    let problem = Problem::new(Kind::Busy, "As many connections are open as can be served well.");
    let body = serde_json::to_string(&problem).unwrap_or_default();
    format!(
        "HTTP/1.1 {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nretry-after: 1\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        problem.status(),
        problem::CONTENT_TYPE,
        body.len(),
    )
}
