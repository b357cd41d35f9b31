//! What each field may hold, and which take effect without a restart: the one table that checks and documents them.
//!
//! A rule looks at the value as the file would hold it. Nothing here reads files, resolves names or connects.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::formats::{
    check_broker, check_client_id, check_event_type, check_file, check_finalizer, check_issuer, check_label,
    check_origin, check_page_origin, check_public_url, check_publishable_key, check_receiver, check_scope,
    check_subdomain, check_title, check_topic,
};
use super::{Config, span};
use crate::telemetry;

/// One field's rule.
#[derive(Debug)]
pub(super) struct Field {
    /// Its path, such as `operator.lease.renew`.
    pub(super) path: &'static str,
    /// What it may hold.
    pub(super) rule: Rule,
    /// Whether whoever uses it reads it anew each time; else a change waits for the next start.
    pub(super) live: bool,
}

/// What a value may be. Bounds are inclusive.
#[derive(Debug)]
pub(super) enum Rule {
    Whole { min: u64, max: u64 },
    Span { min: Duration, max: Duration },
    WholeSeconds { min: Duration, max: Duration },
    ObjectName,
    OptionalNamespace,
    Namespaces { most: usize },
    Finalizers { most: usize },
    Origin,
    OptionalOrigin,
    PageOrigins { most: usize },
    EventTypes { most: usize },
    Receivers { most: usize },
    Brokers { most: usize },
    Topic,
    OptionalPublicUrl,
    OptionalIssuer,
    ClientId,
    Title,
    OptionalPublishableKey,
    Scopes { most: usize },
    File,
    OptionalFile,
    YesOrNo,
    Listen,
    LogFormat,
    LogFilter,
}

/// A rule that a configuration breaks.
#[derive(Debug)]
pub(super) struct Broken {
    /// The fields it is about; where several together break it, any of them may be changed.
    pub(super) fields: Vec<String>,
    /// What is wrong and what to change.
    pub(super) reason: String,
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

const fn at_start(path: &'static str, rule: Rule) -> Field {
    Field { path, rule, live: false }
}

const fn live(path: &'static str, rule: Rule) -> Field {
    Field { path, rule, live: true }
}

/// Every field, in the order of the reference. A field becomes `live` when its reader takes it from the current
/// configuration at each use, never before.
pub(super) const FIELDS: &[Field] = &[
    at_start("installation.configMap", Rule::ObjectName),
    live("operator.acceptWithin", Rule::Span { min: SECOND, max: HOUR.saturating_mul(24) }),
    at_start("operator.watchNamespaces", Rule::Namespaces { most: 100 }),
    at_start("operator.workers", Rule::Whole { min: 1, max: 1024 }),
    live("operator.roomStatusInterval", Rule::Span { min: MILLISECOND.saturating_mul(100), max: HOUR }),
    live("operator.calendarBytesPerSecond", Rule::Whole { min: 10_000, max: 50_000_000 }),
    live("operator.resync", Rule::Span { min: SECOND.saturating_mul(10), max: HOUR.saturating_mul(24) }),
    live("operator.extraFinalizers", Rule::Finalizers { most: 8 }),
    at_start("operator.lease.name", Rule::ObjectName),
    at_start("operator.lease.namespace", Rule::OptionalNamespace),
    at_start("operator.lease.duration", Rule::WholeSeconds { min: SECOND.saturating_mul(2), max: HOUR }),
    at_start("operator.lease.renew", Rule::WholeSeconds { min: SECOND, max: HOUR }),
    at_start("payments.endpoint", Rule::Origin),
    at_start("payments.keyFile", Rule::File),
    at_start("payments.connectTimeout", Rule::Span { min: MILLISECOND.saturating_mul(100), max: MINUTE }),
    at_start("payments.requestTimeout", Rule::Span { min: SECOND, max: MINUTE.saturating_mul(5) }),
    live(
        "payments.lookBack",
        Rule::Span { min: HOUR.saturating_mul(24), max: HOUR.saturating_mul(24 * 1500) },
    ),
    at_start("payments.breaker.failures", Rule::Whole { min: 1, max: 1000 }),
    at_start("payments.breaker.openFor", Rule::Span { min: MILLISECOND.saturating_mul(100), max: HOUR }),
    live("payments.backoff.initial", Rule::Span { min: MILLISECOND.saturating_mul(100), max: HOUR }),
    live("payments.backoff.max", Rule::Span { min: MILLISECOND.saturating_mul(100), max: HOUR }),
    live("payments.sweep.every", Rule::Span { min: MINUTE, max: HOUR.saturating_mul(24 * 7) }),
    live(
        "payments.sweep.back",
        Rule::Span { min: HOUR.saturating_mul(2), max: HOUR.saturating_mul(24 * 800) },
    ),
    at_start("payments.webhooks.secretFile", Rule::OptionalFile),
    at_start("payments.webhooks.listen", Rule::Listen),
    live("payments.brake.unaskedPerDay", Rule::Whole { min: 0, max: 1_000_000 }),
    at_start("gateway.listen", Rule::Listen),
    at_start("gateway.watchNamespaces", Rule::Namespaces { most: 100 }),
    at_start("gateway.partnersFile", Rule::OptionalFile),
    live("gateway.openSearch", Rule::YesOrNo),
    at_start("gateway.publicURL", Rule::OptionalPublicUrl),
    at_start("gateway.allowedOrigins", Rule::PageOrigins { most: 100 }),
    at_start("gateway.webhooksTo", Rule::OptionalOrigin),
    live("gateway.proxies", Rule::Whole { min: 0, max: 8 }),
    at_start("gateway.session.keysFile", Rule::OptionalFile),
    live("gateway.session.lasts", Rule::Span { min: MINUTE, max: HOUR.saturating_mul(24 * 30) }),
    at_start("gateway.signIn.issuer", Rule::OptionalIssuer),
    at_start("gateway.signIn.clientID", Rule::ClientId),
    at_start("gateway.signIn.clientSecretFile", Rule::OptionalFile),
    at_start("gateway.signIn.scopes", Rule::Scopes { most: 16 }),
    at_start("gateway.signIn.guestKeyFile", Rule::OptionalFile),
    at_start("gateway.signIn.throughGateway", Rule::YesOrNo),
    at_start("gateway.signIn.rootCaFile", Rule::OptionalFile),
    at_start("gateway.signIn.timeout", Rule::Span { min: MILLISECOND.saturating_mul(100), max: MINUTE }),
    at_start("gateway.contacts.namespace", Rule::OptionalNamespace),
    live("gateway.limits.bodyBytes", Rule::Whole { min: 1024, max: 1_048_576 }),
    at_start("gateway.limits.headerBytes", Rule::Whole { min: 8192, max: 1_048_576 }),
    at_start("gateway.limits.headerTimeout", Rule::Span { min: SECOND, max: MINUTE }),
    at_start("gateway.limits.closeTimeout", Rule::Span { min: MILLISECOND, max: MINUTE }),
    live("gateway.limits.requestTimeout", Rule::Span { min: SECOND, max: MINUTE.saturating_mul(5) }),
    at_start("gateway.limits.inFlight", Rule::Whole { min: 1, max: 100_000 }),
    at_start("gateway.limits.streams", Rule::Whole { min: 1, max: 100_000 }),
    at_start("gateway.limits.connections", Rule::Whole { min: 1, max: 100_000 }),
    live("gateway.limits.wait", Rule::Span { min: MILLISECOND, max: MINUTE }),
    at_start("gateway.rates.identityPerMinute", Rule::Whole { min: 1, max: 1_000_000 }),
    at_start("gateway.rates.addressPerMinute", Rule::Whole { min: 1, max: 1_000_000 }),
    at_start("gateway.model.watchFor", Rule::WholeSeconds { min: SECOND, max: MINUTE.saturating_mul(4) }),
    live("gateway.model.staleAfter", Rule::Span { min: SECOND, max: HOUR }),
    live("gateway.model.ownWritesWithin", Rule::Span { min: MILLISECOND, max: MINUTE }),
    at_start("gateway.breaker.failures", Rule::Whole { min: 1, max: 1000 }),
    at_start("gateway.breaker.openFor", Rule::Span { min: MILLISECOND.saturating_mul(100), max: HOUR }),
    live("gateway.breaker.writeTimeout", Rule::Span { min: MILLISECOND.saturating_mul(100), max: MINUTE }),
    at_start("gateway.ending.linger", Rule::Span { min: MILLISECOND, max: MINUTE }),
    at_start("gateway.ending.drain", Rule::Span { min: MILLISECOND, max: MINUTE.saturating_mul(5) }),
    live("gateway.site.title", Rule::Title),
    live("gateway.site.stripePublishableKey", Rule::OptionalPublishableKey),
    at_start("relay.state", Rule::File),
    at_start("relay.watchNamespaces", Rule::Namespaces { most: 100 }),
    at_start("relay.http", Rule::Receivers { most: 32 }),
    at_start("relay.file.path", Rule::OptionalFile),
    at_start("relay.file.types", Rule::EventTypes { most: 32 }),
    at_start("relay.kafka.brokers", Rule::Brokers { most: 32 }),
    at_start("relay.kafka.topic", Rule::Topic),
    at_start("relay.kafka.propertiesFile", Rule::OptionalFile),
    at_start("relay.kafka.types", Rule::EventTypes { most: 32 }),
    live("relay.retry.initial", Rule::Span { min: MILLISECOND.saturating_mul(10), max: HOUR }),
    live("relay.retry.max", Rule::Span { min: MILLISECOND.saturating_mul(10), max: HOUR.saturating_mul(24) }),
    at_start("archive.folder", Rule::OptionalFile),
    live("archive.followEvery", Rule::Span { min: MILLISECOND.saturating_mul(100), max: MINUTE }),
    live("archive.expireAfterFiled", Rule::Span { min: Duration::ZERO, max: HOUR.saturating_mul(24 * 365) }),
    at_start("http.listen", Rule::Listen),
    at_start("log.format", Rule::LogFormat),
    live("log.filter", Rule::LogFilter),
];

/// Every rule that `config` breaks, in the order of the reference; empty where it is right.
pub(super) fn check(config: &Config) -> Vec<Broken> {
    let values = as_values(config);
    let mut broken = Vec::new();
    for field in FIELDS {
        for (item, reason) in field.rule.check(value_at(&values, field.path)) {
            broken.push(Broken { fields: vec![format!("{}{item}", field.path)], reason });
        }
    }
    if broken.is_empty() {
        broken.extend(check_together(config));
    }
    broken
}

/// Rules about two fields at once; only looked at once each is right by itself.
fn check_together(config: &Config) -> impl Iterator<Item = Broken> {
    let (lease, payments, model) = (&config.operator.lease, &config.payments, &config.gateway.model);
    let retry = &config.relay.retry;
    let gateway = &config.gateway;
    let signs_in = gateway.sign_in.issuer.is_some();
    let needed = |missing: bool, field: &'static str, what: &str| {
        let reason = format!("guests who sign in at an issuer need {what}; give {field}, or no issuer");
        (signs_in && missing, [field, "gateway.signIn.issuer"], reason)
    };
    let pairs = [
        (
            retry.initial > retry.max,
            ["relay.retry.initial", "relay.retry.max"],
            format!(
                "the first wait of {} is longer than the longest of {}; let initial be at most max",
                span::format(retry.initial),
                span::format(retry.max)
            ),
        ),
        (
            lease.renew * 2 > lease.duration,
            ["operator.lease.renew", "operator.lease.duration"],
            format!(
                "the Lease would be renewed every {} and last {}; let it last at least twice as long as it takes to the next renewal",
                span::format(lease.renew),
                span::format(lease.duration)
            ),
        ),
        (
            payments.connect_timeout > payments.request_timeout,
            ["payments.connectTimeout", "payments.requestTimeout"],
            format!(
                "connecting may take {} but a whole call only {}; let connectTimeout be at most requestTimeout",
                span::format(payments.connect_timeout),
                span::format(payments.request_timeout)
            ),
        ),
        (
            payments.backoff.initial > payments.backoff.max,
            ["payments.backoff.initial", "payments.backoff.max"],
            format!(
                "the first wait of {} is longer than the longest of {}; let initial be at most max",
                span::format(payments.backoff.initial),
                span::format(payments.backoff.max)
            ),
        ),
        (
            model.stale_after <= model.watch_for,
            ["gateway.model.staleAfter", "gateway.model.watchFor"],
            format!(
                "a watch that is well may be silent for {}, and would count as lost after {}; let staleAfter be more than watchFor",
                span::format(model.watch_for),
                span::format(model.stale_after)
            ),
        ),
        (
            gateway.sign_in.through_gateway
                && !gateway.sign_in.issuer.as_deref().is_some_and(|issuer| issuer.starts_with("http://")),
            ["gateway.signIn.throughGateway", "gateway.signIn.issuer"],
            "only an issuer of this machine or of the cluster (http://) is shown by the gateway; leave throughGateway out"
                .to_owned(),
        ),
        needed(gateway.public_url.is_none(), "gateway.publicURL", "an address to come back to"),
        needed(
            gateway.session.keys_file.is_none(),
            "gateway.session.keysFile",
            "cookies that every replica can read",
        ),
        needed(
            gateway.sign_in.guest_key_file.is_none(),
            "gateway.signIn.guestKeyFile",
            "an id that stays the same",
        ),
    ];
    pairs
        .into_iter()
        .filter(|(wrong, ..)| *wrong)
        .map(|(_, fields, reason)| Broken { fields: fields.map(str::to_owned).to_vec(), reason })
}

/// What the field with this path may hold, for messages.
pub(super) fn expected(path: &str) -> String {
    let field = FIELDS.iter().find(|field| field.path == path);
    field.map_or_else(|| "fields, each with its value".to_owned(), |field| field.rule.to_string())
}

/// The configuration as the file would hold it.
pub(super) fn as_values(config: &Config) -> Value {
    // Serializing plain structs with text keys cannot fail.
    serde_json::to_value(config).unwrap_or_default()
}

/// The value of the field with this path.
pub(super) fn value_at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(values, |value, step| &value[step])
}

/// Reads an address with its port.
pub(super) fn listen_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        serde::de::Error::custom(format!(
            "`{text}` is no address with a port; write one like 0.0.0.0:8080 or [::]:8080"
        ))
    })
}

impl Rule {
    /// What is wrong with a value: for which item of a list (`[1]`, else nothing), and why.
    fn check(&self, value: &Value) -> Vec<(String, String)> {
        let text = value.as_str().unwrap_or_default();
        let verdict = match self {
            Self::Namespaces { most } => return check_list(value, *most, check_label),
            Self::Finalizers { most } => return check_list(value, *most, check_finalizer),
            Self::Whole { min, max } => match value.as_u64() {
                Some(number) if (*min..=*max).contains(&number) => Ok(()),
                _ => Err(format!("{value} is out of range; give {self}")),
            },
            Self::Span { min, max } => self.check_span(text, *min, *max),
            Self::WholeSeconds { min, max } => self.check_span(text, *min, *max).and_then(|()| {
                if text.ends_with("ms") {
                    Err(format!("{text} is no whole number of seconds"))
                } else {
                    Ok(())
                }
            }),
            Self::OptionalNamespace
            | Self::OptionalFile
            | Self::OptionalOrigin
            | Self::OptionalPublicUrl
            | Self::OptionalIssuer
            | Self::OptionalPublishableKey
                if value.is_null() =>
            {
                Ok(())
            }
            Self::OptionalOrigin if text.starts_with("https:") => {
                Err(format!("{text} cannot be reached; give {self}"))
            }
            Self::OptionalNamespace => check_label(text),
            Self::ObjectName => check_subdomain(text),
            Self::Origin | Self::OptionalOrigin => check_origin(text),
            Self::PageOrigins { most } => return check_list(value, *most, check_page_origin),
            Self::EventTypes { most } => return check_list(value, *most, check_event_type),
            Self::Brokers { most } => return check_list(value, *most, check_broker),
            Self::Receivers { most } => return check_receivers(value, *most),
            Self::Topic => check_topic(text),
            Self::OptionalPublicUrl => check_public_url(text),
            Self::OptionalIssuer => check_issuer(text),
            Self::ClientId => check_client_id(text),
            Self::Title => check_title(text),
            Self::OptionalPublishableKey => check_publishable_key(text),
            Self::Scopes { most } => return check_list(value, *most, check_scope),
            Self::File | Self::OptionalFile => check_file(text),
            Self::LogFilter => telemetry::check_filter(text),
            // Their types allow nothing wrong.
            Self::Listen | Self::LogFormat | Self::YesOrNo => Ok(()),
        };
        verdict.err().map(|reason| (String::new(), reason)).into_iter().collect()
    }

    fn check_span(&self, text: &str, min: Duration, max: Duration) -> Result<(), String> {
        match span::parse(text) {
            Ok(value) if (min..=max).contains(&value) => Ok(()),
            _ => Err(format!("{text} is out of range; give {self}")),
        }
    }
}

/// What may be given, for messages and for the reference.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Span { min, max } => {
                write!(f, "a span of time from {} to {}", span::format(*min), span::format(*max))
            }
            Self::WholeSeconds { min, max } => {
                write!(f, "whole seconds from {} to {}", span::format(*min), span::format(*max))
            }
            Self::ObjectName => f.write_str("the name of an object"),
            Self::OptionalNamespace => f.write_str("the name of a namespace, or nothing"),
            Self::Namespaces { most } => write!(f, "a list of at most {most} names of namespaces"),
            Self::Finalizers { most } => {
                write!(f, "a list of at most {most} finalizers, like example.com/name")
            }
            Self::Origin => f.write_str("`http://` or `https://`, a host, perhaps a port"),
            Self::OptionalOrigin => f.write_str("`http://`, a host, perhaps a port, or nothing"),
            Self::PageOrigins { most } => {
                write!(f, "a list of at most {most} origins, like https://booking.example.com")
            }
            Self::EventTypes { most } => {
                write!(
                    f,
                    "a list of at most {most} types, like dev.innkeeper.reservation.confirmed or dev.innkeeper.reservation.*"
                )
            }
            Self::Receivers { most } => {
                write!(f, "a list of at most {most} receivers, each with a name of its own and a url")
            }
            Self::Brokers { most } => write!(f, "a list of at most {most} hosts with ports, like kafka:9092"),
            Self::Topic => f.write_str("at most 249 letters, digits, `.`, `_` and `-`"),
            Self::OptionalPublicUrl => f.write_str(
                "an origin, like https://book.example.com, or one of this machine with http, or nothing",
            ),
            Self::OptionalIssuer => {
                f.write_str("an issuer's address, like https://accounts.example.com, or nothing")
            }
            Self::ClientId => f.write_str("at most 256 visible characters"),
            Self::Title => f.write_str("at most 60 characters in one line"),
            Self::OptionalPublishableKey => f.write_str("a key that begins with `pk_`, or nothing"),
            Self::Scopes { most } => write!(f, "a list of at most {most} scopes"),
            Self::File => f.write_str("the path of a file"),
            Self::OptionalFile => f.write_str("the path of a file, or nothing"),
            Self::YesOrNo => f.write_str("`true` or `false`"),
            Self::Listen => f.write_str("an IP address and a port"),
            Self::LogFormat => f.write_str("`auto`, `human` or `json`"),
            Self::LogFilter => f.write_str("a level, or pairs like `kube=warn`, separated by commas"),
        }
    }
}

/// What is wrong with receivers: each by itself, and names that are there twice.
fn check_receivers(value: &Value, most: usize) -> Vec<(String, String)> {
    let receivers: &[Value] = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if receivers.len() > most {
        return vec![(
            String::new(),
            format!("{} receivers are too many; give at most {most}", receivers.len()),
        )];
    }
    let mut broken = Vec::new();
    for (at, receiver) in receivers.iter().enumerate() {
        let name = &receiver["name"];
        if receivers[..at].iter().any(|other| other["name"] == *name) {
            broken.push((
                format!("[{at}].name"),
                format!("{name} is there twice; give each receiver a name of its own"),
            ));
        }
        let faults = check_receiver(receiver).into_iter().chain(receiver_lists(receiver));
        broken.extend(faults.map(|(field, reason)| (format!("[{at}].{field}"), reason)));
    }
    broken
}

fn receiver_lists(receiver: &Value) -> Vec<(String, String)> {
    let types = Rule::EventTypes { most: 32 }.check(&receiver["types"]);
    let namespaces = Rule::Namespaces { most: 100 }.check(&receiver["namespaces"]);
    let timeout = Rule::Span { min: MILLISECOND.saturating_mul(100), max: MINUTE.saturating_mul(5) };
    let timeout = timeout.check(&receiver["timeout"]);
    let named =
        |name: &'static str| move |(item, reason): (String, String)| (format!("{name}{item}"), reason);
    let types = types.into_iter().map(named("types"));
    let namespaces = namespaces.into_iter().map(named("namespaces"));
    types.chain(namespaces).chain(timeout.into_iter().map(named("timeout"))).collect()
}

fn check_list(value: &Value, most: usize, item: fn(&str) -> Result<(), String>) -> Vec<(String, String)> {
    let items: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if items.len() > most {
        return vec![(String::new(), format!("{} entries are too many; give at most {most}", items.len()))];
    }
    let twice = |index: usize, text: &str| {
        if items[..index].contains(&text) {
            Err(format!("`{text}` is there twice; give it once"))
        } else {
            Ok(())
        }
    };
    items
        .iter()
        .enumerate()
        .filter_map(|(index, text)| {
            let reason = item(text).and_then(|()| twice(index, text)).err()?;
            Some((format!("[{index}]"), reason))
        })
        .collect()
}
