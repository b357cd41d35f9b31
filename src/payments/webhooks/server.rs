//! Where webhooks come in: one address. What is done about one is elsewhere.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Refusal, Subject, Verifier};

/// Events are a few kilobytes.
const MOST: usize = 256 * 1024;

/// What came of waking whom a webhook names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// A Reservation is being looked at.
    Woken,
    /// It names none that is known: one of another installation, or one that is gone.
    Unknown,
    /// Nobody works here: another operator leads, or this one has not begun.
    NobodyLeads,
}

/// Wakes whom a webhook names, and is told of those that are refused.
pub trait Wake: Send + Sync {
    /// Has the Reservation looked at.
    fn wake(&self, subject: &Subject) -> Rung;
    /// One came in; what became of it, in a word.
    fn count(&self, outcome: &'static str);
}

struct Door {
    verifier: Verifier,
    wake: Arc<dyn Wake>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Takes webhooks at `/webhooks/payments`. A standby answers 503 and has done nothing, so that it can be sent again.
pub fn router(
    verifier: Verifier,
    wake: Arc<dyn Wake>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
) -> Router {
    Router::new()
        .route("/webhooks/payments", post(take))
        .layer(DefaultBodyLimit::max(MOST))
        .with_state(Arc::new(Door { verifier, wake, clock }))
}

/// Serves [`router`] until `stop`.
pub async fn serve(listener: TcpListener, app: Router, stop: CancellationToken) -> io::Result<()> {
    axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn take(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> Response {
    let now = (door.clock)();
    let header = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let genuine = match door.verifier.check(header, &body, now) {
        Ok(genuine) => genuine,
        Err(refusal) => {
            door.wake.count(refusal.as_str());
            // What anybody can send must not fill the log.
            tracing::debug!(%refusal, "a webhook is refused");
            let status =
                if refusal == Refusal::Replayed { StatusCode::CONFLICT } else { StatusCode::BAD_REQUEST };
            return (status, refusal.to_string()).into_response();
        }
    };
    let rung = genuine.told.subject.as_ref().map_or(Rung::Unknown, |subject| door.wake.wake(subject));
    tracing::debug!(event = genuine.told.event, kind = genuine.told.kind, ?rung, "a webhook");
    let (word, answer) = match rung {
        Rung::Woken => ("woken", (StatusCode::OK, "looked at")),
        Rung::Unknown => ("unknown", (StatusCode::OK, "about nobody here")),
        Rung::NobodyLeads => ("standby", (StatusCode::SERVICE_UNAVAILABLE, "another operator leads")),
    };
    door.wake.count(word);
    if rung != Rung::NobodyLeads {
        door.verifier.remember(&genuine, now);
    }
    answer.into_response()
}
