//! Connections: bounds on a request's headers in bytes, number and time, and an end that waits for what is under way.

use std::convert::Infallible;
use std::net::SocketAddr;
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
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::layers::Peer;

/// Most headers of one request.
const MOST_HEADERS: usize = 64;
/// How long to wait where the system has no more room for connections.
const OUT_OF_ROOM: Duration = Duration::from_millis(200);

/// Serves until `stop`, and then for at most `drain` until what is under way has been answered. From `leaving` on, which
/// comes before, every answer closes its connection: its client makes the next one elsewhere. A connection that is closed
/// while it is idle may be closed on a request that is just being sent.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    leaving: CancellationToken,
    stop: CancellationToken,
    drain: Duration,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(usize::try_from(limits.header_bytes).unwrap_or(usize::MAX))
        .max_headers(MOST_HEADERS);
    let connections = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => carry(stream, peer, &http, &router, &leaving, &connections),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(OUT_OF_ROOM).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(drain, connections.shutdown()).await.is_err() {
        tracing::warn!(limit = ?drain, "requests were still under way; they are dropped");
    }
}

fn carry(
    stream: TcpStream,
    peer: SocketAddr,
    http: &http1::Builder,
    router: &Router,
    leaving: &CancellationToken,
    connections: &GracefulShutdown,
) {
    // Answers are small and are to go at once.
    let _ = stream.set_nodelay(true);
    let (router, leaving) = (router.clone(), leaving.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        let (router, leaving) = (router.clone(), leaving.clone());
        async move {
            let mut answer = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            if leaving.is_cancelled() {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}
