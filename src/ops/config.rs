//! The configuration file: one typed YAML document, in which every field has a default.
//!
//! The doc comments of the fields below are the reference's text (`docs/configuration.md`), and [`rules`] says
//! what each may hold; so neither can drift. Secrets do not belong here: they are files that this one names.

mod archive;
mod error;
mod formats;
mod gateway;
mod locate;
mod reference;
mod relay;
pub mod rules;
mod site;
pub mod span;
pub mod watch;
mod webhooks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

pub use archive::Archive;
pub use error::{ConfigError, Fault};
pub use gateway::{Contacts, Ending, Gateway, Limits, Model, Rates, Session, SignIn, WriteBreaker};
pub use relay::{EventFile, EventMode, Kafka, Receiver, Relay};
pub use site::Site;
pub use watch::{Change, ConfigWatch};
pub use webhooks::Webhooks;

/// Everything that can be set. An empty file is this type's default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Config {
    /// Which installation this is.
    #[serde(deserialize_with = "or_default")]
    pub installation: Installation,
    /// The controllers.
    #[serde(deserialize_with = "or_default")]
    pub operator: Operator,
    /// The payment provider, as the operator calls it.
    #[serde(deserialize_with = "or_default")]
    pub payments: Payments,
    /// The guests' door: REST for guests and partners, answered from watches.
    #[serde(deserialize_with = "or_default")]
    pub gateway: Gateway,
    /// What publishes every fact of a Reservation as an event. Each of `file`, `http` and `kafka` that is set is a sink
    /// of its own; `docs/events.md` says what goes out.
    #[serde(deserialize_with = "or_default")]
    pub relay: Relay,
    /// The archive of finished Reservations, on a volume that every gateway reads.
    #[serde(deserialize_with = "or_default")]
    pub archive: Archive,
    /// Probes and metrics.
    #[serde(deserialize_with = "or_default")]
    pub http: Http,
    /// Log lines, on standard error.
    #[serde(deserialize_with = "or_default")]
    pub log: Log,
}

/// Which installation this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Installation {
    /// The `ConfigMap`, in the operator's own namespace, that holds the installation's random id. Backups must
    /// keep it: by that id the operator knows its own money at the provider.
    pub config_map: String,
}

/// The controllers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Operator {
    /// How long a Reservation may wait for its Room to exist and for the provider to answer, from its first
    /// stored status. Then it ends.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub accept_within: Duration,
    /// Namespaces to look after. Empty means all of them.
    pub watch_namespaces: Vec<String>,
    /// How many Reservations are worked on at the same time.
    pub workers: u16,
    /// The shortest time between two writes of one Room's status.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub room_status_interval: Duration,
    /// Bytes a second that writes of one `RoomCalendar` may put into etcd, on average. Every write stores the
    /// whole object again, and etcd keeps the old ones until it compacts.
    pub calendar_bytes_per_second: u64,
    /// How often every object is looked at again, changed or not.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub resync: Duration,
    /// Finalizers that every Reservation gets besides the operator's own, in the same patch; whoever they belong
    /// to takes them off. The relay's goes here where it runs.
    pub extra_finalizers: Vec<String>,
    /// The Lease by which one operator is active.
    #[serde(deserialize_with = "or_default")]
    pub lease: Lease,
}

/// The Lease by which one operator is active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Lease {
    /// Name of the Lease.
    pub name: String,
    /// Namespace of the Lease. Without one it is the operator's own.
    pub namespace: Option<String>,
    /// How long after its last renewal another operator may take the Lease.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub duration: Duration,
    /// How often the holder renews the Lease. At most half of `duration`, so that one lost renewal costs nothing.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub renew: Duration,
}

/// The payment provider, as the operator calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Payments {
    /// Where the provider answers: Stripe, or a server that speaks its API, such as `innkeeper payments`.
    pub endpoint: String,
    /// The file that holds the provider's secret key, mounted from a Secret. The key itself never belongs here.
    pub key_file: PathBuf,
    /// How long making a connection may take.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// How long one call may take, connecting included. After it the outcome is unknown and is looked up.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,
    /// How far back payments are read, once after each start, to see under which names money of earlier objects may
    /// still be held: nobody is charged again who paid for the same stay under another UID. At least as long as Rooms
    /// are sold ahead. The provider is asked for one page of every 100 payments made since then.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub look_back: Duration,
    /// What keeps calls from a provider that is down.
    #[serde(deserialize_with = "or_default")]
    pub breaker: Breaker,
    /// How long one Reservation waits between two attempts of a step that failed.
    #[serde(deserialize_with = "or_default")]
    pub backoff: Backoff,
    /// How payments are compared with the Reservations, to find money that no Reservation accounts for.
    #[serde(deserialize_with = "or_default")]
    pub sweep: Sweep,
    /// The provider's webhooks: what is under way at the provider is then looked at when it says so, and not only now and
    /// then.
    #[serde(deserialize_with = "or_default")]
    pub webhooks: Webhooks,
    /// The brake on money that goes out without a guest's asking.
    #[serde(deserialize_with = "or_default")]
    pub brake: Brake,
}

/// The brake on money that goes out without a guest's asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Brake {
    /// How many payments may go back within a day because their Reservations were deleted or are not there; guests'
    /// own cancellations and what was sold out do not count. Above it they wait until a person has acknowledged it.
    pub unasked_per_day: u32,
}

/// How payments are compared with the Reservations, to find money that no Reservation accounts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Sweep {
    /// How often. The provider is asked for one page of every 100 payments made since `back`.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub every: Duration,
    /// How far back payments are looked at, by when they were made.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub back: Duration,
}

/// What keeps calls from a provider that is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Breaker {
    /// Failures in a row, of the provider as a whole, after which no call is made for a while.
    pub failures: u16,
    /// How long no call is made before one is tried again.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub open_for: Duration,
}

/// How long one Reservation waits between two attempts of a step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Backoff {
    /// The first wait; every further one is about twice as long.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub initial: Duration,
    /// The longest wait.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub max: Duration,
}

/// Probes and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Http {
    /// Address and port of `/livez`, `/readyz` and `/metrics`. Port 0 takes a free one.
    #[serde(deserialize_with = "rules::listen_address")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

/// Log lines, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Log {
    /// How lines look: `human` for eyes, `json` for collectors, `auto` for `human` on a terminal and `json` elsewhere.
    pub format: LogFormat,
    /// What is logged, as `tracing` filters say it: a level, or levels by target. The variable `RUST_LOG` goes first.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For eyes.
    Human,
    /// One JSON object a line.
    Json,
}

impl Default for Installation {
    fn default() -> Self {
        Self { config_map: "innkeeper-installation".to_owned() }
    }
}

impl Default for Operator {
    fn default() -> Self {
        Self {
            accept_within: Duration::from_secs(3600),
            watch_namespaces: Vec::new(),
            workers: 64,
            room_status_interval: Duration::from_secs(1),
            calendar_bytes_per_second: 500_000,
            resync: Duration::from_secs(600),
            extra_finalizers: Vec::new(),
            lease: Lease::default(),
        }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            name: "innkeeper-operator".to_owned(),
            namespace: None,
            duration: Duration::from_secs(15),
            renew: Duration::from_secs(5),
        }
    }
}

impl Default for Payments {
    fn default() -> Self {
        Self {
            endpoint: "https://api.stripe.com".to_owned(),
            key_file: PathBuf::from("/etc/innkeeper/payments/key"),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            breaker: Breaker::default(),
            backoff: Backoff::default(),
            sweep: Sweep::default(),
            webhooks: Webhooks::default(),
            look_back: Duration::from_secs(550 * 24 * 3600),
            brake: Brake::default(),
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, open_for: Duration::from_secs(10) }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), max: Duration::from_secs(300) }
    }
}

impl Default for Brake {
    fn default() -> Self {
        Self { unasked_per_day: 20 }
    }
}

impl Default for Sweep {
    fn default() -> Self {
        Self { every: Duration::from_secs(3600), back: Duration::from_secs(90 * 24 * 3600) }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 8080)) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".to_owned() }
    }
}

impl Config {
    /// Reads a configuration file's text. Fails with the first syntax or type error, or with every value that is
    /// out of its range; each with its line, its column and what to change.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let options = serde_saphyr::options! { with_snippet: false };
        let config: Option<Self> = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| ConfigError::invalid(vec![locate::Places::of(text).unread(&error, text)]))?;
        let config = config.unwrap_or_default();
        let faults = rules::check(&config);
        if faults.is_empty() {
            return Ok(config);
        }
        let places = locate::Places::of(text);
        Err(ConfigError::invalid(faults.into_iter().map(|broken| places.fault(broken, text)).collect()))
    }

    /// Reads the file at `path`. Fails as [`Config::parse`] does, with the file named, or because the file cannot
    /// be read.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(path, &error))?;
        Self::parse(&text).map_err(|error| error.of_file(path))
    }

    /// The reference of every field, in Markdown: `docs/configuration.md`.
    #[must_use]
    pub fn reference() -> String {
        reference::markdown()
    }
}

/// A section whose fields are all commented out is null to YAML; it means the defaults all the same.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
