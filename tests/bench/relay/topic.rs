//! Kafka without a relay: a producer that has nothing else to do, and a consumer that says when something came.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::sync::mpsc;

use crate::Result;

/// Sends these events, each with its key, all of them into the producer's queue at once, with the settings of the relay's
/// sink: how many a second were acknowledged.
pub async fn bare_rate(brokers: &str, topic: &str, events: &[(String, String)]) -> Result<f64> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "2")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "1000000")
        .create()?;
    // The topic and the connection are there before it counts.
    send(&producer, topic, &events[..1]).await?;
    let begun = Instant::now();
    send(&producer, topic, events).await?;
    Ok(events.len() as f64 / begun.elapsed().as_secs_f64())
}

async fn send(producer: &FutureProducer, topic: &str, events: &[(String, String)]) -> Result<()> {
    let mut sent = Vec::with_capacity(events.len());
    for (key, event) in events {
        let record = FutureRecord::to(topic).key(key).payload(event);
        sent.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    for reported in try_join_all(sent).await? {
        reported.map_err(|(error, _)| error)?;
    }
    Ok(())
}

/// A consumer of a topic.
pub struct Arrivals {
    events: mpsc::UnboundedReceiver<(Instant, String)>,
    stop: Arc<AtomicBool>,
}

impl Arrivals {
    /// Begins to read from the beginning, as fast as a consumer can.
    pub fn of(brokers: &str, topic: &str) -> Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "bench")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "true")
            .set("topic.metadata.refresh.interval.ms", "500")
            .set("fetch.wait.max.ms", "5")
            .create()?;
        consumer.subscribe(&[topic])?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, (tell, events)) = (Arc::clone(&stop), mpsc::unbounded_channel());
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
                let came = Instant::now();
                let key = message.key().map(|key| String::from_utf8_lossy(key).into_owned());
                if tell.send((came, key.unwrap_or_default())).is_err() {
                    return;
                }
            }
        });
        Ok(Self { events, stop })
    }

    /// Waits for so many events of one object: when the last of them came.
    pub async fn of_one(&mut self, uid: &str, events: usize) -> Result<Instant> {
        let mut so_far = 0;
        loop {
            let next = tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await;
            let (came, key) =
                next.map_err(|_| format!("nothing came of {uid}"))?.ok_or("the consumer ended")?;
            if key == uid {
                so_far += 1;
            }
            if so_far == events {
                return Ok(came);
            }
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
