//! How the producer is set up: what delivery depends on is fixed, the rest can be set in a file.

use std::path::PathBuf;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

/// The settings that make delivery what it is. A file cannot change them.
const FIXED: [(&str, &str); 6] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // Never given up: what is given up alone would be overtaken by what follows it.
    ("message.timeout.ms", "0"),
    ("max.in.flight.requests.per.connection", "5"),
    // As Java's producer spreads keys.
    ("partitioner", "murmur2_random"),
    ("delivery.report.only.error", "false"),
];

/// Other names of these, and what would change them by the way.
const NOT_TO_BE_SET: [&str; 9] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "request.required.acks",
    "delivery.timeout.ms",
    "max.in.flight",
    "message.send.max.retries",
    "retries",
    "enable.gapless.guarantee",
    "transactional.id",
];

/// Where Kafka is and how it is spoken to.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// Brokers to begin with.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// A file of further settings.
    pub properties: Option<PathBuf>,
}

/// Why the settings cannot be used. Values are never shown: there are passwords among them.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// A line is none.
    #[error("{0}, line {1}: give one `name=value` a line")]
    Line(PathBuf, usize),
    /// A setting that delivery depends on.
    #[error("{0}, line {1}: {2} cannot be set: that every event arrives, in order, depends on it")]
    Fixed(PathBuf, usize, String),
    /// librdkafka refuses a setting.
    #[error("librdkafka refuses {0}")]
    Refused(String),
}

impl SettingsError {
    pub(crate) fn of(error: KafkaError) -> Self {
        Self::Refused(match error {
            // Its own words have the value in them.
            KafkaError::ClientConfig(_, _, name, _) => format!("the setting {name}, or its value"),
            other => other.to_string(),
        })
    }
}

impl KafkaConfig {
    pub(crate) fn client(&self) -> Result<ClientConfig, SettingsError> {
        let mut client = ClientConfig::new();
        client.set("client.id", "innkeeper-relay").set("linger.ms", "2");
        if let Some(file) = &self.properties {
            let text =
                std::fs::read_to_string(file).map_err(|e| SettingsError::Unreadable(file.clone(), e))?;
            for (line, number) in text.lines().map(str::trim).zip(1..) {
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let (name, value) =
                    line.split_once('=').ok_or_else(|| SettingsError::Line(file.clone(), number))?;
                let name = name.trim();
                if NOT_TO_BE_SET.contains(&name) || FIXED.iter().any(|(fixed, _)| *fixed == name) {
                    return Err(SettingsError::Fixed(file.clone(), number, name.to_owned()));
                }
                client.set(name, value.trim());
            }
        }
        client.set("bootstrap.servers", self.brokers.join(","));
        for (name, value) in FIXED {
            client.set(name, value);
        }
        Ok(client)
    }
}
