//! An operator's way to the payment provider, which passes by its tap: call by call, with the answer in one piece.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::tap::{Kind, Tap};

/// The way.
pub struct Till {
    url: String,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Behind {
    tap: Tap,
    provider: String,
    http: reqwest::Client,
}

impl Till {
    /// Opens one.
    pub async fn open(provider: String, tap: Tap) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behind = Behind { tap, provider, http: reqwest::Client::new() };
        let router = Router::new().fallback(carry).with_state(behind);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, task }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answered = Result<(StatusCode, http::HeaderMap, Bytes), String>;

/// Carries one call there and back. An operator that is gone has hung up, and then this is dropped where it stands: a
/// call that was not sent by then never is.
async fn carry(State(behind): State<Behind>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let what = format!("{} {}", parts.method, parts.uri.path());
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let target = format!("{}{}", behind.provider, parts.uri);
    let mut headers = parts.headers;
    headers.remove(http::header::HOST);
    headers.remove(http::header::CONTENT_LENGTH);
    let sent = behind.http.request(parts.method, target).headers(headers).body(body);
    let send = async {
        let answer = sent.send().await.map_err(|e| e.to_string())?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok((status, headers, answer.bytes().await.map_err(|e| e.to_string())?))
    };
    let answered: Answered = behind.tap.pass(Some(Kind::Call), &what, send, |why| Err(why.to_owned())).await;
    match answered {
        Ok((status, mut headers, body)) => {
            headers.remove(http::header::TRANSFER_ENCODING);
            headers.remove(http::header::CONTENT_LENGTH);
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        // An answer that breaks off: the operator sees a connection that was closed.
        Err(why) => {
            let cut = futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other(why))]);
            Response::new(Body::from_stream(cut))
        }
    }
}
