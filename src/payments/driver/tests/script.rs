//! A provider on loopback that answers from a script and keeps what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use innkeeper_booking::provider::{Because, Charge, LookFor, Refund, Tags};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::driver::{ApiKey, Stripe, StripeConfig};

pub(super) const KEY: &str = "sk_test_4eC39HqLyjWDarjtT1zdp7dc";
pub(super) const CREATED: i64 = 1_790_000_000;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Method and path.
    pub line: String,
    pub query: BTreeMap<String, String>,
    pub form: BTreeMap<String, String>,
    pub headers: HeaderMap,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// One answer to come.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    pub fn text(status: u16, body: &str) -> Self {
        Self { status, headers: vec![("request-id", "req_1".to_owned())], body: body.to_owned() }
    }

    pub fn json(body: &Value) -> Self {
        Self::text(200, &body.to_string())
    }

    /// An error as Stripe words it.
    pub fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Self {
        Self::text(
            status,
            &json!({ "error": { "type": kind, "code": code, "message": message } }).to_string(),
        )
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn replayed(self) -> Self {
        self.with("idempotent-replayed", "true")
    }
}

struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
}

/// The scripted provider. It ends with the test's runtime.
pub(super) struct Script {
    pub stripe: Stripe,
    shared: Arc<Shared>,
}

impl Script {
    pub async fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let shared =
            Arc::new(Shared { replies: Mutex::new(replies.into_iter().collect()), seen: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { stripe: stripe(&base), shared }
    }

    /// What was asked, when every answer of the script has been used.
    pub fn seen(&self) -> Vec<Seen> {
        let left = self.shared.replies.lock().unwrap().len();
        assert_eq!(left, 0, "answers were left over: the driver asked less than it should");
        self.shared.seen.lock().unwrap().clone()
    }

    /// Method and path of everything that was asked.
    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    shared.seen.lock().unwrap().push(Seen {
        line: format!("{} {}", parts.method, parts.uri.path()),
        query: pairs(parts.uri.query().unwrap_or_default()),
        form: pairs(std::str::from_utf8(&body).unwrap()),
        headers: parts.headers,
    });
    let reply = shared
        .replies
        .lock()
        .unwrap()
        .pop_front()
        .unwrap_or_else(|| Reply::text(418, "the script has no answer for this request"));
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

fn pairs(encoded: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{encoded}")).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// A provider that answers every request with these bytes and closes; `None` never answers.
pub(super) async fn broken(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = vec![0; 65536];
                let _ = socket.read(&mut request).await;
                match answer {
                    Some(bytes) => drop(socket.write_all(bytes).await),
                    // The client gives up and closes.
                    None => while socket.read(&mut request).await.is_ok_and(|read| read > 0) {},
                }
            });
        }
    });
    base
}

/// An address of this machine where nobody listens.
pub(super) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub(super) fn config(base: &str) -> StripeConfig {
    StripeConfig {
        api_base: base.to_owned(),
        request_timeout: Duration::from_secs(60),
        ..StripeConfig::new(ApiKey::new(KEY))
    }
}

pub(super) fn stripe(base: &str) -> Stripe {
    Stripe::new(&config(base)).unwrap()
}

pub(super) fn tags() -> Tags {
    Tags {
        installation: "inn-1".to_owned(),
        namespace: "seaview".to_owned(),
        name: "anna".to_owned(),
        uid: "6f1c".to_owned(),
        check_in: jiff::civil::date(2026, 12, 24),
    }
}

pub(super) fn charge() -> Charge {
    Charge {
        tags: tags(),
        attempt: 2,
        amount: 25_900,
        currency: "EUR".to_owned(),
        method: "pm_card_visa".to_owned(),
    }
}

pub(super) fn refund() -> Refund {
    Refund {
        installation: "inn-1".to_owned(),
        uid: "6f1c".to_owned(),
        attempt: 1,
        intent: "pi_1".to_owned(),
        amount: 900,
        because: Because::Cancelled,
    }
}

pub(super) fn look_for(id: Option<&str>) -> LookFor {
    LookFor {
        id: id.map(ToOwned::to_owned),
        tags: tags(),
        attempt: 2,
        since: jiff::Timestamp::from_second(CREATED).unwrap(),
    }
}

/// An intent of [`charge`] as the provider shows it.
pub(super) fn intent(id: &str, status: &str) -> Value {
    json!({
        "id": id, "object": "payment_intent", "amount": 25900, "amount_capturable": 0,
        "amount_received": if status == "succeeded" { 25900 } else { 0 },
        "capture_method": "automatic", "confirmation_method": "automatic", "created": CREATED, "currency": "eur",
        "client_secret": "pi_secret_never_to_be_shown",
        "livemode": false, "payment_method_types": ["card"], "status": status, "last_payment_error": null,
        "metadata": {
            "innkeeper_installation": "inn-1", "innkeeper_namespace": "seaview", "innkeeper_name": "anna",
            "innkeeper_uid": "6f1c", "innkeeper_check_in": "2026-12-24", "innkeeper_step": "charge",
            "innkeeper_attempt": "2",
        },
    })
}

/// The same, made by a fence.
pub(super) fn fence(id: &str, status: &str) -> Value {
    marked(intent(id, status), "innkeeper_fence", "true")
}

pub(super) fn marked(mut intent: Value, key: &str, value: &str) -> Value {
    intent["metadata"][key] = json!(value);
    intent
}

/// A declined intent, as a read shows it.
pub(super) fn declined(id: &str) -> Value {
    let mut intent = intent(id, "requires_payment_method");
    intent["last_payment_error"] = json!({
        "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.",
    });
    intent
}

/// A decline as the answer to a charge.
pub(super) fn decline(intent: &Value) -> Reply {
    let error = json!({
        "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.", "payment_intent": intent,
    });
    Reply::text(402, &json!({ "error": error }).to_string())
}

pub(super) fn refund_of(id: &str, amount: i64, status: &str, created: i64) -> Value {
    json!({
        "id": id, "object": "refund", "amount": amount, "created": created, "currency": "eur", "status": status,
        "payment_intent": "pi_1",
        "metadata": { "innkeeper_uid": "6f1c", "innkeeper_step": "refund", "innkeeper_attempt": "1" },
    })
}

pub(super) fn page(items: &[Value], has_more: bool) -> Reply {
    Reply::json(&json!({ "object": "list", "url": "/v1/list", "has_more": has_more, "data": items }))
}
