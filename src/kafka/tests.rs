//! Against librdkafka's mock cluster: real protocol over real sockets, with faults. `tests/it/relay/kafka.rs` has the
//! real broker.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::Value;

use super::*;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("stays", 3, 1).unwrap();
    cluster
}

fn config(cluster: &Cluster) -> KafkaConfig {
    KafkaConfig { brokers: vec![cluster.bootstrap_servers()], topic: "stays".to_owned(), properties: None }
}

fn event(key: &str, number: i64) -> Outgoing {
    Outgoing {
        seq: number,
        id: format!("{key}/{number}"),
        kind: "t".to_owned(),
        key: key.to_owned(),
        time: 0,
        json: serde_json::json!({ "id": format!("{key}/{number}"), "sequence": number }).to_string(),
    }
}

/// What is in the topic, by key, in order; waits until there is as much as expected.
fn read(brokers: &str, expected: usize) -> HashMap<String, Vec<i64>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "reader")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&["stays"]).unwrap();
    let mut read: HashMap<String, Vec<i64>> = HashMap::new();
    let mut partition_of = HashMap::new();
    let begun = std::time::Instant::now();
    let mut count = 0;
    while count < expected {
        assert!(begun.elapsed() < Duration::from_secs(120), "more is to come: {read:?}");
        // It also comes back without a message, as when partitions are given out.
        let Some(message) = consumer.poll(Duration::from_secs(1)) else { continue };
        let message = message.unwrap();
        count += 1;
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        let value: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        assert_eq!(*partition_of.entry(key.clone()).or_insert(message.partition()), message.partition());
        read.entry(key).or_default().push(value["sequence"].as_i64().unwrap());
    }
    read
}

fn batch() -> Vec<Outgoing> {
    (1..=20).flat_map(|number| (0..10).map(move |key| event(&format!("key-{key}"), number))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_acknowledged_and_in_order_for_each_key_also_after_faults() {
    let cluster = cluster();
    let sink = KafkaSink::new(&config(&cluster)).unwrap();
    assert_eq!(sink.check().await, Ok(()));
    let faults = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    ];
    cluster.request_errors(RDKafkaApiKey::Produce, &faults);
    let batch = batch();
    let verdicts = sink.deliver(&batch).await;
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Acked), "{verdicts:?}");
    let brokers = cluster.bootstrap_servers();
    let read = tokio::task::spawn_blocking(move || read(&brokers, 200)).await.unwrap();
    assert_eq!(read.len(), 10);
    for (key, numbers) in read {
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_waited_for() {
    let cluster = cluster();
    let sink = Arc::new(KafkaSink::new(&config(&cluster)).unwrap());
    assert_eq!(sink.check().await, Ok(()));
    cluster.broker_down(1).unwrap();
    let sending = {
        let sink = Arc::clone(&sink);
        tokio::spawn(async move { sink.deliver(&batch()).await })
    };
    // It is told that the broker is away, and nothing is given up.
    while sink.told.last().is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!sending.is_finished());
    cluster.broker_up(1).unwrap();
    let verdicts = sending.await.unwrap();
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Acked), "{verdicts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_is_refused_and_the_others_go_out() {
    let cluster = cluster();
    let sink = KafkaSink::new(&config(&cluster)).unwrap();
    let mut large = event("a", 1);
    large.json = "x".repeat(2_000_000);
    let verdicts = sink.deliver(&[large, event("a", 2)]).await;
    assert!(
        matches!(&verdicts[..], [Verdict::Refused(why), Verdict::Acked] if why.contains("too large")),
        "{verdicts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_refuses_is_told_of_and_nothing_is_lost_by_it() {
    let cluster = cluster();
    let refuses = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.topic_error("stays", refuses).unwrap();
    let sink = KafkaSink::new(&config(&cluster)).unwrap();
    let error = sink.check().await.unwrap_err();
    assert!(error.contains("refuses the topic stays"), "{error}");
    let verdicts = sink.deliver(&[event("a", 1)]).await;
    assert!(matches!(&verdicts[..], [Verdict::Failed(_)]), "{verdicts:?}");
}

#[tokio::test]
async fn nobody_there_is_said_with_who_was_asked() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    drop(socket);
    let config = KafkaConfig { brokers: vec![address.clone()], topic: "stays".to_owned(), properties: None };
    let error = KafkaSink::new(&config).unwrap().check().await.unwrap_err();
    assert!(error.contains(&format!("no broker of {address} answers")), "{error}");
}

#[test]
fn what_delivery_depends_on_cannot_be_set_and_no_value_is_shown() {
    let file = std::env::temp_dir().join(format!("innkeeper-kafka-{}", std::process::id()));
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let config = KafkaConfig {
            brokers: vec!["127.0.0.1:1".to_owned()],
            topic: "stays".to_owned(),
            properties: Some(file.clone()),
        };
        KafkaSink::new(&config).err().map(|error| error.to_string())
    };
    assert_eq!(refused("# who we are\n\nclient.id = desk\nsasl.mechanism=PLAIN\n"), None);
    for (text, says) in [
        ("client.id=x\nacks=1\n", "line 2: acks cannot be set"),
        ("message.timeout.ms=1\n", "line 1: message.timeout.ms cannot be set"),
        ("request.required.acks=1\n", "line 1: request.required.acks cannot be set"),
        ("bootstrap.servers=x\n", "line 1: bootstrap.servers cannot be set"),
        ("sasl.password\n", "line 1: give one `name=value` a line"),
        ("no.such.setting=secret\n", "librdkafka refuses the setting no.such.setting"),
        ("security.protocol=secret\n", "librdkafka refuses the setting security.protocol"),
    ] {
        let error = refused(text).expect(text);
        assert!(error.contains(says) && !error.contains("secret"), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
}
