//! The guests' door: its address, who may come, and what keeps it standing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::site::Site;
use super::{or_default, rules, span};

/// The guests' door: REST for guests and partners, answered from watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Gateway {
    /// Address and port for guests and partners. Port 0 takes a free one. Probes and metrics are at `http.listen`.
    #[serde(deserialize_with = "rules::listen_address")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Namespaces (properties) that are served. Empty means all of them.
    pub watch_namespaces: Vec<String>,
    /// The file that says which partners there are, mounted from a Secret; read again when it changes. Without one
    /// there are no partners.
    pub partners_file: Option<PathBuf>,
    /// Whether rooms and prices are shown to those who do not say who they are.
    pub open_search: bool,
    /// Where guests' browsers reach the gateway, such as `https://book.example.com`; needed for signing in. Cookies are
    /// for https alone (`Secure`, `__Host-`), unless this is `http://localhost` or another address of one's own machine.
    #[serde(rename = "publicURL")]
    pub public_url: Option<String>,
    /// Origins whose pages may call the API from a browser (CORS). Empty means none but the gateway's own.
    pub allowed_origins: Vec<String>,
    /// Where the payment provider's webhooks are passed on to, which come in at `/webhooks/payments`: an origin whose host
    /// has the address of every operator, such as a headless Service. Without one there is no such address.
    pub webhooks_to: Option<String>,
    /// How many proxies stand before the gateway and each add an address to `X-Forwarded-For`. With 0 that header is
    /// not believed, and a guest's address is that of the connection.
    pub proxies: u8,
    /// What is kept of a visit, in a cookie that only the gateway can read and write.
    #[serde(deserialize_with = "or_default")]
    pub session: Session,
    /// Signing in with OpenID Connect (authorization code with PKCE).
    #[serde(deserialize_with = "or_default")]
    pub sign_in: SignIn,
    /// Guests' names and addresses.
    #[serde(deserialize_with = "or_default")]
    pub contacts: Contacts,
    /// How much one request may be.
    #[serde(deserialize_with = "or_default")]
    pub limits: Limits,
    /// How often the same caller may ask.
    #[serde(deserialize_with = "or_default")]
    pub rates: Rates,
    /// What the gateway knows, and how old that may be.
    #[serde(deserialize_with = "or_default")]
    pub model: Model,
    /// What keeps writes from an API server that is down.
    #[serde(deserialize_with = "or_default")]
    pub breaker: WriteBreaker,
    /// The end, on SIGTERM.
    #[serde(deserialize_with = "or_default")]
    pub ending: Ending,
    /// The site in the browser.
    #[serde(deserialize_with = "or_default")]
    pub site: Site,
}

/// What is kept of a visit, in a cookie that only the gateway can read and write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Session {
    /// The file with the keys of the cookies, mounted from a Secret; read again when it changes. One key a line, each
    /// at least 32 random bytes in base64 (`openssl rand -base64 32`). The first one closes cookies, and each of them
    /// opens those that it has closed: to change keys, put the new one first, and take the old one out after `lasts`.
    /// Every replica needs the same ones. Without a file the key is made at the start, for one replica until its end.
    pub keys_file: Option<PathBuf>,
    /// How long a guest stays signed in.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub lasts: Duration,
}

/// Signing in with OpenID Connect (authorization code with PKCE).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SignIn {
    /// The issuer, as its tokens name it; its `/.well-known/openid-configuration` says the rest. Without one guests
    /// cannot sign in. Plain http is only for this machine and for services of the same cluster (`.svc`).
    pub issuer: Option<String>,
    /// What the gateway is called at the issuer. The address to register there is `publicURL` and `/sign-in/callback`.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// The file with the client's secret, mounted from a Secret. Without one the gateway is a public client.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked of the issuer. `profile` and `email` fill in a guest's name and address for them when they book.
    pub scopes: Vec<String>,
    /// The file with the key from which `guestID` is made (with the issuer and its `sub`), mounted from a Secret: at
    /// least 32 random bytes in base64. Never to change: every guest would be another one, and lose their bookings.
    pub guest_key_file: Option<PathBuf>,
    /// Whether guests' browsers reach the issuer through the gateway, which shows its page at `/sign-in/issuer/authorize`:
    /// for the issuer for trying (`innkeeper issuer`) inside a cluster, whose `--browser-url` is then `publicURL` and
    /// `/sign-in/issuer`. Only for an issuer of plain http: one of the world outside has an address of its own.
    pub through_gateway: bool,
    /// The file with the certificates (PEM) that the issuer is trusted by. Without one, those of the system count.
    pub root_ca_file: Option<PathBuf>,
    /// How long one call of the issuer may take.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

/// Guests' names and addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Contacts {
    /// The namespace of nothing else, in which each Reservation's contact is a Secret named by the Reservation's UID.
    /// Without one no contacts are taken.
    pub namespace: Option<String>,
}

/// How much one request may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: u64,
    /// Bytes of a request's line and headers together.
    pub header_bytes: u64,
    /// How long a client may take to send its headers.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub header_timeout: Duration,
    /// How long a connection that is closed waits for what its client is still sending. It is read to no purpose, but
    /// without that the client could lose the last answer.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub close_timeout: Duration,
    /// How long a request may take, until its answer begins.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,
    /// Requests that are worked on at the same time; more are turned away with 503 at once.
    pub in_flight: u32,
    /// Connections that follow a booking live, at the same time.
    pub streams: u32,
    /// Connections at the same time; what comes on more is turned away with 503, and the connection closed.
    pub connections: u32,
    /// How long requests may wait until they are looked at. Where even the shortest wait is longer for a fifth of a
    /// second, a part of the requests is turned away with 503 at once, as large as it takes; those that only read first.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub wait: Duration,
}

/// How often the same caller may ask, on average; a whole minute's worth may come at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Rates {
    /// Requests a minute of one guest or partner.
    pub identity_per_minute: u32,
    /// Requests a minute from one address. Of an IPv6 address its first 64 bits count.
    pub address_per_minute: u32,
}

/// What the gateway knows, and how old that may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Model {
    /// How often a watch is begun anew, and so the longest time without a sign of life of one that is well.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub watch_for: Duration,
    /// Without a sign of life of a watch for so long, the gateway is not ready, and sells nothing. More than
    /// `watchFor`.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub stale_after: Duration,
    /// How long an answer to a write waits until reads show that write.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub own_writes_within: Duration,
}

/// What keeps writes from an API server that is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WriteBreaker {
    /// Failures in a row after which nothing is written for a while.
    pub failures: u16,
    /// How long nothing is written before one write is tried again.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub open_for: Duration,
    /// How long one write may take. After it its outcome is unknown, and the client repeats it with the same key.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub write_timeout: Duration,
}

/// The end, on SIGTERM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Ending {
    /// How long requests are taken after readiness has turned false, until everybody has noticed.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub linger: Duration,
    /// How long requests under way may then take.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub drain: Duration,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8090)),
            watch_namespaces: Vec::new(),
            partners_file: None,
            open_search: true,
            public_url: None,
            allowed_origins: Vec::new(),
            webhooks_to: None,
            proxies: 0,
            session: Session::default(),
            sign_in: SignIn::default(),
            contacts: Contacts::default(),
            limits: Limits::default(),
            rates: Rates::default(),
            model: Model::default(),
            breaker: WriteBreaker::default(),
            ending: Ending::default(),
            site: Site::default(),
        }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self { keys_file: None, lasts: Duration::from_secs(12 * 3600) }
    }
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: "innkeeper".to_owned(),
            client_secret_file: None,
            scopes: ["profile", "email"].map(str::to_owned).to_vec(),
            guest_key_file: None,
            through_gateway: false,
            root_ca_file: None,
            timeout: Duration::from_secs(5),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 * 1024,
            header_bytes: 16 * 1024,
            header_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(15),
            in_flight: 512,
            streams: 4096,
            connections: 8192,
            wait: Duration::from_millis(200),
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self { identity_per_minute: 600, address_per_minute: 1200 }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            watch_for: Duration::from_secs(30),
            stale_after: Duration::from_secs(60),
            own_writes_within: Duration::from_secs(2),
        }
    }
}

impl Default for WriteBreaker {
    fn default() -> Self {
        Self { failures: 5, open_for: Duration::from_secs(5), write_timeout: Duration::from_secs(5) }
    }
}

impl Default for Ending {
    fn default() -> Self {
        Self { linger: Duration::from_secs(5), drain: Duration::from_secs(20) }
    }
}
