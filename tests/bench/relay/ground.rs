//! Namespaces with as many Reservations as wanted, and relays that publish them.
//!
//! The Reservations are one real booking's bytes, as the API server stored them, under other names, put into etcd past the
//! API server: creating a hundred thousand through it would take an hour. What reads them is as it is.

use innkeeper_api::Reservation;
use innkeeper_testbed::kafka::Broker;
use serde_json::{Value, json};

use crate::Result;
use crate::bare::Writes;
use crate::bed::{Bed, wish};
use crate::program::Program;
use crate::watching::Watching;

/// Facts that a booking has: requested, paid, confirmed.
pub const FACTS_OF_ONE: usize = 3;
/// How many are put into etcd together.
const TOGETHER: usize = 2000;

/// A broker, and a booking to make others from.
pub struct Ground<'a> {
    /// What it stands on.
    pub bed: &'a Bed,
    /// Where the broker listens.
    pub address: String,
    /// The two statuses that the operator wrote.
    pub writes: Writes,
    pattern: Value,
    home: String,
}

/// A running relay.
pub struct Sender(Program);

impl Sender {
    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Events that the broker has acknowledged.
    pub async fn published(&self) -> Result<f64> {
        Ok(self.0.metrics().await?.sum("innkeeper_relay_published_total", &[("sink", "kafka")]))
    }

    /// Waits until it follows.
    pub async fn is_ready(&self) -> Result<()> {
        self.0.is_ready().await
    }

    /// Asks it to end, and waits until it has.
    pub async fn ends(self) -> Result<()> {
        self.0.ends().await
    }
}

impl<'a> Ground<'a> {
    /// With one Reservation that an operator has confirmed.
    pub async fn make(bed: &'a Bed, broker: &Broker) -> Result<Self> {
        let hotel = bed.hotel("pattern");
        let operator = hotel.operator().await?;
        hotel.room("double").await?;
        let mut watching = Watching::start(&hotel.reservations()).await?;
        let booking = watching.book(&hotel.reservations(), &wish("pattern", "double", 0, true)).await?;
        operator.ends().await?;
        let stored = bed.control_plane.stored(&key(&hotel.namespace, "pattern"));
        let pattern: Value = serde_json::from_slice(&stored.ok_or("the booking is not in etcd")?)?;
        let facts = pattern["status"]["history"].as_array().map_or(0, Vec::len);
        if facts != FACTS_OF_ONE {
            return Err(format!("a booking has {facts} facts, and should have {FACTS_OF_ONE}").into());
        }
        Ok(Self { bed, address: broker.address(), writes: booking.writes()?, pattern, home: hotel.namespace })
    }

    /// A namespace with nothing in it.
    pub fn empty(&self) -> String {
        self.bed.hotel("empty").namespace
    }

    /// A new namespace with so many Reservations.
    pub fn fill(&self, prefix: &str, count: usize) -> Result<String> {
        let namespace = self.bed.hotel(prefix).namespace;
        let all: Vec<usize> = (0..count).collect();
        for some in all.chunks(TOGETHER) {
            let objects: Vec<_> = some
                .iter()
                .map(|number| {
                    let object = self.object(&namespace, *number);
                    (key(&namespace, &name(*number)), object.to_string().into_bytes())
                })
                .collect();
            self.bed.control_plane.store(&objects);
        }
        let last = self.bed.control_plane.stored(&key(&namespace, &name(count.saturating_sub(1))));
        last.map(|_| namespace).ok_or_else(|| "the Reservations are not in etcd".into())
    }

    fn object(&self, namespace: &str, number: usize) -> Value {
        let mut object = self.pattern.clone();
        object["metadata"]["name"] = json!(name(number));
        object["metadata"]["namespace"] = json!(namespace);
        object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{number:012x}"));
        object["spec"]["guestID"] = json!(format!("bench:{}", number / 4));
        object["status"]["payment"]["id"] = json!(format!("pi_{number:024x}"));
        object
    }

    /// One of them, as a client reads it.
    pub fn reservation(&self, namespace: &str, number: usize) -> Result<Reservation> {
        Ok(serde_json::from_value(self.object(namespace, number))?)
    }

    /// What a relay publishes of them: key and event.
    pub fn events(&self, namespace: &str, count: usize) -> Result<Vec<(String, String)>> {
        let mut all = Vec::with_capacity(count * FACTS_OF_ONE);
        for number in 0..count {
            let reservation = self.reservation(namespace, number)?;
            for fact in reservation.status.iter().flat_map(|status| &status.history) {
                let event = innkeeper_relay::event::of_fact("bench", &reservation, fact);
                all.push((event.partitionkey.clone(), serde_json::to_string(&event)?));
            }
        }
        Ok(all)
    }

    /// Starts a relay for a namespace that knows nothing yet and publishes to this topic.
    pub async fn relay(&self, namespace: &str, topic: &str) -> Result<Sender> {
        relay(self.bed, &self.address, &self.home, namespace, topic).await
    }

    /// The same, that goes on where the last one for the topic was.
    pub async fn relay_again(&self, namespace: &str, topic: &str) -> Result<Sender> {
        self.relay(namespace, topic).await
    }

    /// The size of what a relay remembers.
    pub fn state_bytes(&self, topic: &str) -> Result<u64> {
        Ok(std::fs::metadata(self.bed.path(&format!("state-{topic}")).join("relay.db"))?.len())
    }
}

/// Starts a relay; `home` is where the installation's id is. What it remembers is kept under the topic's name.
pub async fn relay(bed: &Bed, broker: &str, home: &str, namespace: &str, topic: &str) -> Result<Sender> {
    let config = bed.path(&format!("relay-{topic}.yaml"));
    let settings = json!({
        "relay": {
            "state": bed.path(&format!("state-{topic}")),
            "watchNamespaces": [namespace],
            "kafka": { "brokers": [broker], "topic": topic, "types": ["dev.innkeeper.reservation.*"] },
        },
        "http": { "listen": "127.0.0.1:0" },
    });
    std::fs::write(&config, settings.to_string())?;
    let arguments = [
        "relay".to_owned(),
        format!("--config={}", config.display()),
        format!("--kubeconfig={}", bed.control_plane.kubeconfig().display()),
        format!("--namespace={home}"),
    ];
    Ok(Sender(bed.program(&arguments, &format!("relay-{topic}.log")).await?))
}

fn name(number: usize) -> String {
    format!("stay-{number}")
}

/// Where the API server keeps a Reservation.
fn key(namespace: &str, name: &str) -> String {
    format!("/registry/innkeeper.dev/reservations/{namespace}/{name}")
}
