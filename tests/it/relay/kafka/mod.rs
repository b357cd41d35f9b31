//! A real Apache Kafka broker, and its own console consumer to read what has arrived. Only where `INNKEEPER_KAFKA` names the
//! folder of its jars (`hack/kafka/get`); without it these tests do nothing, and `make test` says that they did not run.

mod group;

use std::time::{Duration, Instant};

use innkeeper_api::Reason;
use innkeeper_testbed::kafka::{Broker, SLOW};
use serde_json::{Value, json};

use super::post::{
    hotel, nothing_is_lost_and_nothing_out_of_order, once, reserve_at_the_desk, told, told_of,
};
use super::process::{files, start};
use crate::support::process::{Files, Process, value};
use crate::support::schemas::checked;

/// The topic.
const TOPIC: &str = "stays";

/// Where Kafka's jars are; nowhere where nobody has fetched them.
fn jars() -> Option<std::path::PathBuf> {
    let jars = std::env::var_os("INNKEEPER_KAFKA");
    if jars.is_none() {
        eprintln!("not run: INNKEEPER_KAFKA is not set; hack/kafka/get says what it is");
    }
    jars.map(Into::into)
}

async fn broker() -> Option<Broker> {
    match jars() {
        Some(jars) => Some(Broker::open(jars).await),
        None => None,
    }
}

/// Has what happens to Reservations published there.
fn publish_to(files: &mut Files, broker: &Broker, more: &Value) {
    let only = json!(["dev.innkeeper.reservation.*"]);
    let mut kafka = json!({ "brokers": [broker.address()], "topic": TOPIC, "types": only });
    kafka.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    files.set("relay.kafka", kafka);
}

/// Everything in the topic, as Kafka's own consumer reads it: so many messages.
async fn read(broker: &Broker, messages: usize) -> Vec<Value> {
    let line = |line: &str| {
        let (key, event) = line.split_once('\t').expect(line);
        let event: Value = serde_json::from_str(event).expect(event);
        assert_eq!(event["partitionkey"], key);
        checked(event)
    };
    let read: Vec<Value> = broker.read(TOPIC, messages).await.lines().map(line).collect();
    assert_eq!(read.len(), messages, "{:#?}", told(&read));
    read
}

async fn published(relay: &Process) -> f64 {
    let text = relay.metrics().await;
    value(&text, "innkeeper_relay_published_total", &[("sink", "kafka")]).unwrap_or(0.0)
}

/// Waits until so many events were acknowledged, and none waits.
async fn published_at_least(relay: &Process, count: f64) -> usize {
    let begun = Instant::now();
    loop {
        let text = relay.metrics().await;
        let of = |name: &str| value(&text, name, &[("sink", "kafka")]).unwrap_or(0.0);
        let published = of("innkeeper_relay_published_total");
        if published >= count {
            return format!("{published}").parse().unwrap();
        }
        assert!(begun.elapsed() < SLOW, "{published} of {count} were published\n{}", relay.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stories_arrive_at_the_broker_and_its_own_consumer_reads_them() {
    let Some(broker) = broker().await else { return };
    let hotel = hotel("kafka-told").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    let (mut files, arguments) = files(&hotel).await;
    publish_to(&mut files, &broker, &json!({}));
    let mut relay = start(&arguments);
    relay.ready().await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.cancel("anna").await;
    hotel.settled("anna", Reason::Cancelled).await;
    let events = read(&broker, 6).await;
    assert_eq!(told_of(&events, "anna"), "requested paid confirmed cancelrequested refunded cancelled");
    nothing_is_lost_and_nothing_out_of_order(&hotel, &events).await;
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_stopped_and_killed_in_a_burst_of_a_thousand_bookings_gets_everything_in_order() {
    let Some(mut broker) = broker().await else { return };
    let hotel = hotel("kafka-burst").await;
    let operator = hotel.operator();
    for room in 0..5 {
        hotel.room(&format!("double-{room}"), 200).await;
    }
    let (mut files, arguments) = files(&hotel).await;
    publish_to(&mut files, &broker, &json!({}));
    let mut relay = start(&arguments);
    relay.ready().await;
    let burst = async {
        let booked = (0..1000).map(|number| {
            let hotel = &hotel;
            async move {
                let room = format!("double-{}", number % 5);
                reserve_at_the_desk(hotel, &format!("guest-{number}"), &room).await;
            }
        });
        let mut booked = futures::stream::StreamExt::buffer_unordered(futures::stream::iter(booked), 16);
        while futures::StreamExt::next(&mut booked).await.is_some() {}
    };
    let trouble = async {
        published_at_least(&relay, 200.0).await;
        broker.end("TERM").await;
        broker.start().await;
        let so_far = published(&relay).await;
        published_at_least(&relay, so_far + 300.0).await;
        broker.end("KILL").await;
        broker.start().await;
    };
    tokio::join!(burst, trouble);
    let messages = published_at_least(&relay, 2000.0).await;
    let events = read(&broker, messages).await;
    let all = once(&events);
    assert_eq!(all.len(), 2000, "{:#?}", told(&events));
    nothing_is_lost_and_nothing_out_of_order(&hotel, &events).await;
    println!("2000 facts of 1000 bookings, {} messages read", events.len());
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_asks_for_a_password_gets_everything_with_it_and_says_what_is_wrong_without() {
    let Some(jars) = jars() else { return };
    let broker = Broker::for_one(jars, "relay", "of-the-relay").await;
    let hotel = hotel("kafka-password").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    let (mut files, arguments) = files(&hotel).await;
    let properties = files.path("kafka.properties");
    let with = |password: &str| {
        let text = format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=relay\nsasl.password={password}\n"
        );
        std::fs::write(&properties, text).unwrap();
    };
    with("a-wrong-one");
    publish_to(&mut files, &broker, &json!({ "propertiesFile": properties }));
    let mut relay = start(&arguments);
    relay.ready().await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    relay.says("Authentication failed").await;
    relay.says("no broker of").await;
    assert!(!relay.log().contains("a-wrong-one"), "the password is in the log");
    assert_eq!(published(&relay).await.total_cmp(&0.0), std::cmp::Ordering::Equal);
    assert_eq!(relay.terminate().await, Some(0));

    with("of-the-relay");
    let mut relay = start(&arguments);
    relay.ready().await;
    let events = read(&broker, 3).await;
    assert_eq!(told_of(&events, "anna"), "requested paid confirmed");
    nothing_is_lost_and_nothing_out_of_order(&hotel, &events).await;
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}
