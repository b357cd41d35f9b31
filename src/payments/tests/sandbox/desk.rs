//! A running provider and a plain client for it.

use std::time::Duration;

use innkeeper_payments::sandbox::{ApiKey, Config, Location, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The key of every provider in these tests.
pub const KEY: &str = "sk_test_000000000000";

/// A provider on a free port.
pub struct Desk {
    pub server: Server,
    pub client: Client,
}

/// Sends form-encoded requests with the key.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

/// An answer, read.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Desk {
    pub async fn open() -> Self {
        Self::with(config()).await
    }

    pub async fn on(path: &std::path::Path) -> Self {
        Self::with(Config { ledger: Location::File(path.to_owned()), ..config() }).await
    }

    pub async fn with(config: Config) -> Self {
        let server = Server::start(config).await.unwrap();
        let client = Client::new(&server.url());
        Self { server, client }
    }
}

impl Desk {
    /// Waits until a fault has struck this many times.
    pub async fn struck(&self, times: u32) {
        let mut activity = self.server.provider().activity();
        while self.server.provider().faults().iter().map(|fault| fault.hits).sum::<u32>() < times {
            activity.changed().await.unwrap();
        }
    }
}

/// In memory, on a free port; nothing settles by itself before an hour has been let pass.
pub fn config() -> Config {
    Config { settle_after: Duration::from_secs(3600), ..Config::new(ApiKey::parse(KEY).unwrap()) }
}

impl Client {
    pub fn new(base: &str) -> Self {
        // A connection each: a fault that closes one must not be seen by the next request.
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap();
        Self { base: base.to_owned(), http }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(KEY)
    }

    pub async fn try_post(&self, path: &str, key: &str, params: &[(&str, &str)]) -> reqwest::Result<Reply> {
        let mut request = self
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encode(params));
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        read(request).await
    }

    /// Posts with an idempotency key, or without one where it is empty.
    pub async fn post(&self, path: &str, key: &str, params: &[(&str, &str)]) -> Reply {
        self.try_post(path, key, params).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Reply {
        read(self.request(Method::GET, path)).await.unwrap()
    }

    /// Posts JSON to `/sandbox`.
    pub async fn admin(&self, path: &str, body: &Value) -> Reply {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        read(request.body(body.to_string())).await.unwrap()
    }

    /// Switches a fault on.
    pub async fn fault(&self, matches: Value, fault: Value) {
        let reply = self.admin("/sandbox/faults", &json!({ "match": matches, "fault": fault })).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// Charges 120.00 EUR to a method.
    pub async fn charge(&self, key: &str, method: &str) -> Reply {
        self.post("/v1/payment_intents", key, &charge(method)).await
    }
}

/// The parameters of a charge of 120.00 EUR.
pub fn charge(method: &str) -> [(&str, &str); 7] {
    [
        ("amount", "12000"),
        ("currency", "eur"),
        ("payment_method", method),
        ("payment_method_types[0]", "card"),
        ("confirm", "true"),
        ("error_on_requires_action", "true"),
        ("metadata[innkeeper_name]", "smith"),
    ]
}

pub fn encode(params: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.timeout(Duration::from_secs(30)).send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or_default();
    Ok(Reply { status: status.as_u16(), headers, text, body })
}

impl Reply {
    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn replayed(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    pub fn error(&self) -> &Value {
        &self.body["error"]
    }

    /// Status, type and code of an error, for comparing.
    pub fn refusal(&self) -> (u16, &str, &str) {
        let text = |field: &str| self.error()[field].as_str().unwrap_or_default();
        (self.status, text("type"), text("code"))
    }

    pub fn ok(self) -> Self {
        assert_eq!(self.status, StatusCode::OK.as_u16(), "{}", self.text);
        self
    }
}
