//! The payment provider's webhooks: the provider knows one address, the guests' door, and the operators stand behind it.
//! What comes is passed on as it came, to every operator; who leads looks into it. Nothing of it is read here: whether it
//! is genuine is for who has the secret to say.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode, header};
use reqwest::Client;
use tokio::sync::Semaphore;

use crate::problem::{Kind, Problem};

/// Events are a few kilobytes.
const MOST: usize = 256 * 1024;
/// How long an operator may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// As many are passed on at the same time: anybody can send what looks like one.
const AT_ONCE: usize = 16;
/// What is passed on beside the body.
const HEADERS: [&str; 2] = ["stripe-signature", "content-type"];

struct Passage {
    /// Host and port under which all operators are found.
    operators: String,
    client: Client,
    places: Semaphore,
}

/// The address of webhooks, where it is said who takes them: `operators` is an origin, such as
/// `http://innkeeper-operator-webhooks:8092`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(operators: Option<&str>) -> Router<S> {
    let Some(operators) = operators.and_then(host_and_port) else { return Router::new() };
    let client = match Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "webhooks cannot be passed on");
            return Router::new();
        }
    };
    let passage = Arc::new(Passage { operators, client, places: Semaphore::new(AT_ONCE) });
    let routes = Router::new().route("/webhooks/payments", post(pass_on));
    routes.layer(DefaultBodyLimit::max(MOST)).with_state(passage)
}

fn host_and_port(origin: &str) -> Option<String> {
    let rest = origin.strip_prefix("http://")?.trim_end_matches('/');
    Some(if rest.contains(':') { rest.to_owned() } else { format!("{rest}:80") })
}

async fn pass_on(State(passage): State<Arc<Passage>>, headers: HeaderMap, body: Bytes) -> Response {
    let away = |detail: &str| Problem::new(Kind::Unavailable, detail).after(PATIENCE).into_response();
    let Ok(_place) = passage.places.try_acquire() else {
        return away("Too many webhooks are on their way.");
    };
    // Every one of them, by its own address: a Service would choose one, and that may be a standby.
    let found = match tokio::net::lookup_host(&passage.operators).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, operators = passage.operators, "no operator is found for a webhook");
            return away("No operator is found.");
        }
    };
    let answers = found.map(|address| {
        let mut request = passage.client.post(format!("http://{address}/webhooks/payments"));
        for name in HEADERS {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        request.body(body.clone()).send()
    });
    let answers = futures::future::join_all(answers).await;
    let statuses: Vec<StatusCode> = answers.into_iter().flatten().map(|answer| answer.status()).collect();
    match judged(&statuses) {
        Some(status) => (status, [(header::CONTENT_TYPE, "text/plain")], "").into_response(),
        None => away("No operator takes it at the moment."),
    }
}

/// What they all come to: one that took it is enough; else one that refused it for good.
fn judged(statuses: &[StatusCode]) -> Option<StatusCode> {
    let first = |is: fn(&StatusCode) -> bool| statuses.iter().copied().find(is);
    first(StatusCode::is_success).map(|_| StatusCode::OK).or_else(|| first(StatusCode::is_client_error))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_leader_took_it(&[503, 200], Some(200))]
    #[case::refused_by_the_leader(&[503, 400], Some(400))]
    #[case::nobody_leads(&[503, 503], None)]
    #[case::nobody_is_there(&[], None)]
    #[case::taken_by_one_is_taken(&[409, 200], Some(200))]
    fn one_that_takes_it_is_enough(#[case] statuses: &[u16], #[case] expected: Option<u16>) {
        let statuses: Vec<_> = statuses.iter().map(|status| StatusCode::from_u16(*status).unwrap()).collect();
        assert_eq!(judged(&statuses).map(|status| status.as_u16()), expected);
    }

    #[rstest]
    #[case("http://operators:8092", Some("operators:8092"))]
    #[case("http://operators/", Some("operators:80"))]
    #[case("https://operators:8092", None)]
    fn operators_are_found_by_host_and_port(#[case] origin: &str, #[case] expected: Option<&str>) {
        assert_eq!(host_and_port(origin).as_deref(), expected);
    }
}
