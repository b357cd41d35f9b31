//! The relay's way to Apache Kafka: an idempotent producer that waits for all replicas.
//!
//! The key is the object's UID, so that events of one object are in one partition, in order. A batch is acknowledged
//! only by the broker's delivery reports; librdkafka repeats what was lost on the way, without disorder and without
//! doubles, for as long as it takes.

mod context;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use innkeeper_relay::sink::{Outgoing, Sink, Verdict};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};

use context::Told;
pub use settings::{KafkaConfig, SettingsError};

/// How long the broker is asked at the start.
const ASKING: Duration = Duration::from_secs(10);
/// How many events are on their way at once. With the longest event it bounds the memory that an outage takes.
const AT_ONCE: usize = 1000;

/// The topic, and a producer for it.
pub struct KafkaSink {
    producer: FutureProducer<Told>,
    told: Told,
    topic: String,
    brokers: String,
}

impl KafkaSink {
    /// Fails where the settings cannot be used, and says which. Nothing is connected to yet.
    pub fn new(config: &KafkaConfig) -> Result<Self, SettingsError> {
        let told = Told::default();
        let producer = config.client()?.create_with_context(told.clone()).map_err(SettingsError::of)?;
        Ok(Self { producer, told, topic: config.topic.clone(), brokers: config.brokers.join(",") })
    }

    /// Puts an event into the producer's queue, which holds more than a batch.
    fn send(&self, event: &Outgoing) -> Result<DeliveryFuture, KafkaError> {
        let headers = OwnedHeaders::new().insert(Header {
            key: "content-type",
            value: Some("application/cloudevents+json; charset=utf-8"),
        });
        let record = FutureRecord::to(&self.topic).key(&event.key).payload(&event.json).headers(headers);
        self.producer.send_result(record).map_err(|(error, _)| error)
    }
}

/// Waits for the broker's report.
async fn reported(sent: Result<DeliveryFuture, KafkaError>) -> Verdict {
    match sent {
        Err(error) => judge(&error),
        Ok(report) => match report.await {
            Ok(Ok(_)) => Verdict::Acked,
            Ok(Err((error, _))) => judge(&error),
            Err(_) => Verdict::Failed("the producer has ended".to_owned()),
        },
    }
}

/// What only this event is to blame for is refused; everything else may pass.
fn judge(error: &KafkaError) -> Verdict {
    match error.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::InvalidRecord) => {
            Verdict::Refused(error.to_string())
        }
        _ => Verdict::Failed(error.to_string()),
    }
}

impl Sink for KafkaSink {
    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        async move {
            let (producer, topic) = (self.producer.clone(), self.topic.clone());
            let asked = tokio::task::spawn_blocking(move || {
                let metadata = producer.client().fetch_metadata(Some(&topic), ASKING)?;
                let error = metadata.topics().iter().find_map(rdkafka::metadata::MetadataTopic::error);
                Ok::<_, KafkaError>(error.map(Code::from))
            });
            match asked.await.map_err(|e| e.to_string())? {
                Ok(None | Some(Code::LeaderNotAvailable)) => Ok(()),
                Ok(Some(Code::UnknownTopicOrPartition)) => {
                    Err(format!("there is no topic {} yet", self.topic))
                }
                Ok(Some(error)) => Err(format!("the broker refuses the topic {}: {error}", self.topic)),
                Err(error) => {
                    let why = self.told.last().unwrap_or_else(|| error.to_string());
                    Err(format!("no broker of {} answers: {why}", self.brokers))
                }
            }
        }
        .boxed()
    }

    fn deliver<'a>(&'a self, batch: &'a [Outgoing]) -> BoxFuture<'a, Vec<Verdict>> {
        // All are in the producer's queue, in their order, before anybody waits.
        let sent: Vec<_> = batch.iter().map(|event| self.send(event)).collect();
        async move {
            let mut verdicts = Vec::with_capacity(sent.len());
            for sent in sent {
                verdicts.push(reported(sent).await);
            }
            verdicts
        }
        .boxed()
    }

    fn batch(&self) -> usize {
        AT_ONCE
    }
}

impl Drop for KafkaSink {
    /// What is still on its way is in the relay's queue too, and is sent again by the next one.
    fn drop(&mut self) {
        self.producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
    }
}

/// For the context, which clones share.
type Shared<T> = Arc<std::sync::Mutex<T>>;

#[cfg(test)]
mod tests;
