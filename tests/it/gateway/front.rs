//! A gateway of one test's own, and what its clients send.

use std::sync::Arc;
use std::time::Instant;

use innkeeper_gateway::{Gateway, Guests, Partners};
use innkeeper_ops::config::{Config, ConfigWatch};
use innkeeper_ops::metrics::Metrics;
use innkeeper_ops::probes::Health;
use kube::Client;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::hotel::Hotel;
use crate::support::{PATIENCE, eventually};

/// A partner that may do everything in the hotel of the test.
pub const ACME: &str = "token-of-acme";
/// Another that may, too.
pub const RIVAL: &str = "token-of-rival";
/// One that may do everything elsewhere.
pub const ELSEWHERE: &str = "token-of-elsewhere";
/// One that may only look.
pub const LOOKER: &str = "token-of-looker";

/// SHA-256 of the tokens above.
const HASHES: [(&str, &str); 4] = [
    ("acme", "80f196a8c8fcbdecce7c3c1d44bcd50539617f29e98e5162ca24f75c693e1936"),
    ("rival", "2a745c00e7ccd079979b1e03b478d91bcacffee9cdf15b88e8c172ad2a7ba28c"),
    ("elsewhere", "4fdba36c4879ce37f9afbe47e922f047f3937078e365b0ed69e4638b4d05042d"),
    ("looker", "5004b2b52831f893a0eecfa182b47bbd57b9ffd068e88ef7930af95bcdab27e5"),
];

/// A gateway that runs in this process.
pub struct Front {
    /// Its address.
    pub url: String,
    /// The property of the test.
    pub property: String,
    /// What it counts.
    pub metrics: Metrics,
    /// Its readiness.
    pub health: Health,
    http: reqwest::Client,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body, where that is JSON.
    pub body: Value,
    /// Its body, as it came.
    pub text: String,
}

/// The text of a partners file for one property.
pub fn partners(property: &str) -> String {
    let entry = |(name, hash): &(&str, &str)| {
        let scopes =
            if *name == "looker" { json!(["search"]) } else { json!(["search", "book", "read", "cancel"]) };
        let properties = if *name == "elsewhere" { "elsewhere" } else { property };
        json!({ "name": name, "tokenHashes": [hash], "scopes": scopes, "properties": [properties] })
    };
    json!({ "partners": HASHES.iter().map(entry).collect::<Vec<_>>() }).to_string()
}

/// The configuration of a test's gateway: short times where something is waited for.
pub fn config(hotel: &Hotel) -> Config {
    let mut config = Config::default();
    config.gateway.watch_namespaces = vec![hotel.namespace.clone()];
    config.gateway.ending.linger = std::time::Duration::from_millis(1);
    // Nobody may be turned away because a machine is slow or fast, unless the test is about that.
    config.gateway.rates.address_per_minute = 1_000_000;
    config.gateway.rates.identity_per_minute = 1_000_000;
    config.gateway.model.own_writes_within = PATIENCE;
    config.gateway.breaker.write_timeout = PATIENCE;
    config.gateway.limits.request_timeout = PATIENCE;
    config.gateway.limits.wait = PATIENCE;
    config.gateway.limits.close_timeout = PATIENCE;
    config
}

impl Front {
    /// Opens a gateway for a hotel, and waits until it is ready.
    pub async fn open(hotel: &Hotel) -> Self {
        let front = Self::start(hotel, config(hotel), hotel.client.clone()).await;
        front.ready().await;
        front
    }

    /// The same with another configuration and another client of the API server, without waiting.
    pub async fn start(hotel: &Hotel, config: Config, client: Client) -> Self {
        Self::start_at(hotel, config, client, jiff::Timestamp::now).await
    }

    /// The same with another clock.
    pub async fn start_at(
        hotel: &Hotel,
        config: Config,
        client: Client,
        clock: impl Fn() -> jiff::Timestamp + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, hotel, config, client, clock)
    }

    /// The same where it listens already.
    pub fn start_on(
        listener: TcpListener,
        hotel: &Hotel,
        config: Config,
        client: Client,
        clock: impl Fn() -> jiff::Timestamp + Send + Sync + 'static,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("partners.yaml");
        std::fs::write(&file, partners(&hotel.namespace)).unwrap();
        let (metrics, health) = (Metrics::of_gateway("test"), Health::new(Instant::now()));
        let guests = Guests::load(&config.gateway).unwrap();
        let gateway = Gateway {
            client,
            config: Arc::new(ConfigWatch::fixed(config)),
            partners: Partners::load(&file).unwrap(),
            guests,
            clock: Arc::new(clock),
            metrics: metrics.clone(),
            health: health.clone(),
        };
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let task = tokio::spawn(gateway.run(listener, stop.clone()));
        let task = Some(task);
        Self { metrics, health, stop, task, ..Self::at(&url, &hotel.namespace) }
    }

    /// One that runs elsewhere, at this address.
    pub fn at(url: &str, property: &str) -> Self {
        Self {
            url: url.to_owned(),
            property: property.to_owned(),
            metrics: Metrics::of_gateway("elsewhere"),
            health: Health::new(Instant::now()),
            http: reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap(),
            stop: CancellationToken::new(),
            task: None,
        }
    }

    /// Waits until it is ready.
    pub async fn ready(&self) {
        let ready = eventually(|| self.health.missing().is_empty()).await;
        assert!(ready, "it is never ready: {:?}", self.health.missing());
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(self) {
        self.stop.cancel();
        let task = self.task.expect("it runs in this process");
        tokio::time::timeout(PATIENCE, task).await.expect("the gateway ends").unwrap();
    }

    /// A request, to be added to.
    pub fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    /// Sends a request, and reads its answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    /// Reads an address.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.request(Method::GET, path, token)).await
    }

    /// Sends to an address.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.send(json_in(self.request(Method::POST, path, token), body)).await
    }

    /// Books with a key.
    pub async fn book(&self, token: &str, key: &str, body: &Value) -> Answer {
        self.send(self.booking(token, key, body)).await
    }

    /// A booking that is not yet sent.
    pub fn booking(&self, token: &str, key: &str, body: &Value) -> reqwest::RequestBuilder {
        let path = format!("/v1/properties/{}/reservations", self.property);
        json_in(self.request(Method::POST, &path, token).header("idempotency-key", key), body)
    }

    /// Looks for two nights from the first of July, for one guest.
    pub async fn search(&self, token: &str) -> Answer {
        let dates = "checkIn=2030-07-01&checkOut=2030-07-03";
        self.get(&format!("/v1/properties/{}/rooms?{dates}", self.property), token).await
    }

    /// What a search says of one Room.
    pub async fn offer(&self, room: &str) -> Value {
        let found = self.search("").await;
        assert_eq!(found.status, 200, "{found:?}");
        let rooms = found.body["rooms"].as_array().unwrap();
        rooms.iter().find(|offer| offer["room"] == room).cloned().unwrap_or(Value::Null)
    }

    /// Waits until an address answers as asked, and gives the answer.
    pub async fn until(&self, path: &str, token: &str, is: impl Fn(&Answer) -> bool) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.get(path, token).await;
            if is(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} never came to it: {answer:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Waits until a reservation has settled, and gives it.
    pub async fn settled(&self, path: &str, token: &str) -> Value {
        self.until(path, token, |answer| answer.body["settled"] == true).await.body
    }
}

impl Answer {
    /// Reads an answer to its end.
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { status, headers, body, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// One of its headers.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Its problem's type, where it is a problem of its own status.
    pub fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status.as_u16(), "{self:?}");
        for field in ["title", "detail"] {
            assert!(self.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {self:?}");
        }
        self.body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap()
    }
}

fn json_in(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

/// Two nights from the first of July, paid with a good card.
pub fn stay(room: &str) -> Value {
    json!({
        "room": room,
        "checkIn": "2030-07-01",
        "checkOut": "2030-07-03",
        "guestID": "anna",
        "payment": { "method": "pm_card_visa" },
    })
}
