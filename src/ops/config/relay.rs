//! The relay: where events go, and where it remembers how far they have come.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Backoff, or_default, span};

/// What publishes every fact of a Reservation as an event. Each of `file`, `http` and `kafka` that is set is a sink of
/// its own; `docs/events.md` says what goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Relay {
    /// The folder where it remembers how far each sink has come with each Reservation, and keeps what was refused. It
    /// belongs on a volume; one that is lost costs repeats and dead letters, and no fact.
    pub state: PathBuf,
    /// Namespaces (properties) that are followed. Empty means all of them.
    pub watch_namespaces: Vec<String>,
    /// A file of JSON lines.
    #[serde(deserialize_with = "or_default")]
    pub file: EventFile,
    /// HTTP receivers: how hotels are told. Each has a `name` (how far it has come is kept under it) and a `url`, and may
    /// have a `mode` (`structured`, the default, or `binary`), a `secretFile` (what is sent is signed with the secret in
    /// it), a `caFile` (authorities that are trusted instead of the system's, PEM), a `timeout` (default `10s`), `types`
    /// and `namespaces` (what goes there; all where they are left out).
    pub http: Vec<Receiver>,
    /// Apache Kafka.
    #[serde(deserialize_with = "or_default")]
    pub kafka: Kafka,
    /// How long what was not delivered waits until it is tried again.
    #[serde(deserialize_with = "or_default")]
    pub retry: Backoff,
}

/// A file of JSON lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct EventFile {
    /// The file; made when it is not there, begun anew when it was moved away. Without one there is no such sink.
    pub path: Option<PathBuf>,
    /// Event types that go there, each whole or with a `*` at its end. Empty means all.
    pub types: Vec<String>,
}

/// An HTTP receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Receiver {
    /// Its name: how far it has come is kept under it.
    pub name: String,
    /// Where it listens.
    pub url: String,
    /// How an event is put into a request.
    #[serde(default)]
    pub mode: EventMode,
    /// The file that holds the secret with which requests are signed, mounted from a Secret.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Certificates of the authorities that are trusted instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    #[serde(default = "ten_seconds", with = "span")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// Event types that go there, each whole or with a `*` at its end. Empty means all.
    #[serde(default)]
    pub types: Vec<String>,
    /// Namespaces of which events go there. Empty means all.
    #[serde(default)]
    pub namespaces: Vec<String>,
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// How an event is put into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventMode {
    /// The whole event is the body.
    #[default]
    Structured,
    /// The data are the body, the attributes headers.
    Binary,
}

/// Apache Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Kafka {
    /// Brokers to begin with, each a host and a port. Without any there is no such sink.
    pub brokers: Vec<String>,
    /// The topic; it must be there, or the broker must make it by itself.
    pub topic: String,
    /// A file of further settings of librdkafka, one `name=value` a line, mounted from a Secret: how the relay shows who
    /// it is. What delivery depends on (acknowledgements, idempotence, order) cannot be changed there.
    pub properties_file: Option<PathBuf>,
    /// Event types that go there, each whole or with a `*` at its end. Empty means all.
    pub types: Vec<String>,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            state: PathBuf::from("/var/lib/innkeeper/relay"),
            watch_namespaces: Vec::new(),
            file: EventFile::default(),
            http: Vec::new(),
            kafka: Kafka::default(),
            retry: Backoff { initial: Duration::from_millis(500), max: Duration::from_secs(60) },
        }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Self { brokers: Vec::new(), topic: "innkeeper".to_owned(), properties_file: None, types: Vec::new() }
    }
}
