//! The sinks that a configuration asks for.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use innkeeper_kafka::{KafkaConfig, KafkaSink};
use innkeeper_ops::config::{EventMode, Receiver, Relay};
use innkeeper_relay::sink::file::FileSink;
use innkeeper_relay::sink::http::{HttpConfig, HttpSink, Mode};
use innkeeper_relay::sink::signature::Secret;
use innkeeper_relay::{Route, Wanted, schemas};

type Failure = Box<dyn Error + Send + Sync>;

/// The sinks, under their names. Fails with the first that cannot be made, and says what to change.
pub fn routes(config: &Relay) -> Result<Vec<Route>, Failure> {
    let mut routes = Vec::new();
    if let Some(path) = &config.file.path {
        let wanted = wanted("file", "relay.file", &config.file.types, &[])?;
        routes.push(Route { wanted, sink: Arc::new(FileSink::new(path.clone())) });
    }
    for receiver in &config.http {
        let place = format!("relay.http, {}", receiver.name);
        let wanted = wanted(&receiver.name, &place, &receiver.types, &receiver.namespaces)?;
        let sink = http(receiver).map_err(|e| format!("{place}: {e}"))?;
        routes.push(Route { wanted, sink: Arc::new(sink) });
    }
    if !config.kafka.brokers.is_empty() {
        let kafka = KafkaConfig {
            brokers: config.kafka.brokers.clone(),
            topic: config.kafka.topic.clone(),
            properties: config.kafka.properties_file.clone(),
        };
        let wanted = wanted("kafka", "relay.kafka", &config.kafka.types, &[])?;
        let sink = KafkaSink::new(&kafka).map_err(|e| format!("relay.kafka: {e}"))?;
        routes.push(Route { wanted, sink: Arc::new(sink) });
    }
    Ok(routes)
}

/// What goes to a sink. A type that there is not would silently let nothing through.
fn wanted(sink: &str, place: &str, types: &[String], namespaces: &[String]) -> Result<Wanted, Failure> {
    let known: Vec<String> =
        schemas::all().into_iter().map(|(file, _)| file.trim_end_matches(".json").to_owned()).collect();
    for kind in types {
        let one = Wanted { sink: String::new(), types: vec![kind.clone()], namespaces: Vec::new() };
        if !known.iter().any(|known| one.wants(known)) {
            return Err(
                format!("{place}: no type of events is `{kind}`; there are {}", known.join(", ")).into()
            );
        }
    }
    Ok(Wanted { sink: sink.to_owned(), types: types.to_vec(), namespaces: namespaces.to_vec() })
}

fn http(receiver: &Receiver) -> Result<HttpSink, Failure> {
    let secret = receiver.secret_file.as_deref().map(secret).transpose()?;
    let read = |file: &Path| {
        std::fs::read(file).map_err(|e| format!("cannot read the certificates {}: {e}", file.display()))
    };
    Ok(HttpSink::new(HttpConfig {
        url: receiver.url.clone(),
        mode: match receiver.mode {
            EventMode::Structured => Mode::Structured,
            EventMode::Binary => Mode::Binary,
        },
        secret,
        timeout: receiver.timeout,
        roots: receiver.ca_file.as_deref().map(read).transpose()?,
    })?)
}

fn secret(file: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| format!("cannot read the secret {}: {e}", file.display()))?;
    match text.trim() {
        "" => Err(format!("the secret {} is empty", file.display()).into()),
        secret => Ok(Secret::new(secret)),
    }
}
