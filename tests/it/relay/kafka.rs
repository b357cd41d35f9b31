//! A real Apache Kafka broker, and its own console consumer to read what has arrived. Only where `INNKEEPER_KAFKA` names the
//! folder of its jars (`hack/kafka/get`); without it these tests do nothing, and `make test` says that they did not run.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use innkeeper_api::Reason;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::post::{
    hotel, nothing_is_lost_and_nothing_out_of_order, once, reserve_at_the_desk, told, told_of,
};
use super::process::{arguments, files, start};
use crate::support::process::{Process, value};

/// How long a broker may take to be there, or a consumer to have read.
const SLOW: Duration = Duration::from_secs(180);

/// A broker on a folder of its own.
struct Broker {
    jars: PathBuf,
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

fn java(jars: &Path, class: &str) -> Command {
    let mut java = Command::new("java");
    java.args([
        "-Xmx384m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-cp",
        &format!("{}/*", jars.display()),
        class,
    ]);
    java.env_remove("JAVA_TOOL_OPTIONS").stdin(Stdio::null()).kill_on_drop(true);
    java
}

impl Broker {
    /// Starts one; none where there are no jars.
    async fn open() -> Option<Self> {
        let Some(jars) = std::env::var_os("INNKEEPER_KAFKA") else {
            eprintln!("not run: INNKEEPER_KAFKA is not set; hack/kafka/get says what it is");
            return None;
        };
        let (jars, folder) = (PathBuf::from(jars), TempDir::new().unwrap());
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [port, controller] = free.each_ref().map(|l| l.local_addr().unwrap().port());
        drop(free);
        let data = folder.path().join("data");
        let properties = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             log.dirs={}\nnum.partitions=3\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n",
            data.display()
        );
        std::fs::write(folder.path().join("server.properties"), properties).unwrap();
        let mut broker = Self { jars, folder, port, child: None };
        let id = "aW5ua2VlcGVyLXRlc3RzIQ";
        let format = java(&broker.jars, "kafka.tools.StorageTool")
            .args(["format", "-t", id, "-c", &broker.properties()])
            .output()
            .await
            .unwrap();
        assert!(format.status.success(), "{}", String::from_utf8_lossy(&format.stderr));
        broker.start().await;
        Some(broker)
    }

    fn properties(&self) -> String {
        self.folder.path().join("server.properties").display().to_string()
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it on what is on its disk, and waits until it answers.
    async fn start(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("broker.log"))
            .unwrap();
        let child = java(&self.jars, "kafka.Kafka")
            .arg(self.properties())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(self.address()).await.is_err() {
            let log = std::fs::read_to_string(self.folder.path().join("broker.log")).unwrap_or_default();
            assert!(begun.elapsed() < SLOW, "the broker does not start:\n{log}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends it with a signal, and waits until it has ended.
    async fn end(&mut self, signal: &str) {
        let mut child = self.child.take().unwrap();
        let id = child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        tokio::time::timeout(SLOW, child.wait()).await.expect("the broker ends").unwrap();
    }

    fn consumer(&self, more: &[&str]) -> Command {
        let mut consumer = java(&self.jars, "org.apache.kafka.tools.consumer.ConsoleConsumer");
        consumer.args(["--bootstrap-server", &self.address(), "--topic", "stays"]);
        consumer.args(["--property", "print.key=true"]);
        consumer.args(more).stdout(Stdio::piped()).stderr(Stdio::null());
        consumer
    }

    /// Everything in the topic, as Kafka's own consumer reads it: so many messages.
    async fn read(&self, messages: usize) -> Vec<Value> {
        let count = messages.to_string();
        let reading = self.consumer(&["--from-beginning", "--max-messages", &count]).output();
        let read = tokio::time::timeout(SLOW, reading).await.expect("the consumer reads so many").unwrap();
        parse(&String::from_utf8(read.stdout).unwrap())
    }
}

/// What the consumer printed: the key, a tab, the event.
fn parse(text: &str) -> Vec<Value> {
    let line = |line: &str| {
        let (key, event) = line.split_once('\t').expect(line);
        let event: Value = serde_json::from_str(event).expect(event);
        assert_eq!(event["partitionkey"], key);
        event
    };
    text.lines().map(line).collect()
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
    let Some(broker) = Broker::open().await else { return };
    let hotel = hotel("kafka-told").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    let (mut files, arguments) = files(&hotel).await;
    let only = json!(["dev.innkeeper.reservation.*"]);
    files.set("relay.kafka", json!({ "brokers": [broker.address()], "topic": "stays", "types": only }));
    let mut relay = start(&arguments);
    relay.ready().await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.cancel("anna").await;
    hotel.settled("anna", Reason::Cancelled).await;
    let events = broker.read(6).await;
    assert_eq!(told_of(&events, "anna"), "requested paid confirmed cancelrequested refunded cancelled");
    nothing_is_lost_and_nothing_out_of_order(&hotel, &events).await;
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_stopped_and_killed_in_a_burst_of_a_thousand_bookings_gets_everything_in_order() {
    let Some(mut broker) = Broker::open().await else { return };
    let hotel = hotel("kafka-burst").await;
    let operator = hotel.operator();
    for room in 0..5 {
        hotel.room(&format!("double-{room}"), 200).await;
    }
    let (mut files, arguments) = files(&hotel).await;
    let only = json!(["dev.innkeeper.reservation.*"]);
    files.set("relay.kafka", json!({ "brokers": [broker.address()], "topic": "stays", "types": only }));
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
    let events = broker.read(messages).await;
    let all = once(&events);
    assert_eq!(all.len(), 2000, "{:#?}", told(&events));
    nothing_is_lost_and_nothing_out_of_order(&hotel, &events).await;
    println!("2000 facts of 1000 bookings, {} messages read", events.len());
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_consumers_that_grows_from_one_to_three_applies_each_id_once() {
    let Some(broker) = Broker::open().await else { return };
    let hotel = hotel("kafka-group").await;
    let operator = hotel.operator();
    hotel.room("double", 200).await;
    let (mut files, arguments) = files(&hotel).await;
    let only = json!(["dev.innkeeper.reservation.*"]);
    files.set("relay.kafka", json!({ "brokers": [broker.address()], "topic": "stays", "types": only }));
    let mut relay = start(&arguments);
    relay.ready().await;
    let member = |name: &str| {
        let file = broker.folder.path().join(name);
        let output = std::fs::File::create(&file).unwrap();
        let group = ["--group", "desk", "--consumer-property", "auto.offset.reset=earliest"];
        let child = broker.consumer(&group).stdout(output).spawn().unwrap();
        (file, child)
    };
    let mut members = vec![member("first")];
    for number in 0..30 {
        reserve_at_the_desk(&hotel, &format!("before-{number}"), "double").await;
    }
    published_at_least(&relay, 60.0).await;
    let read = |members: &[(PathBuf, Child)]| -> Vec<Vec<Value>> {
        let whole = |text: String| text.rfind('\n').map_or(String::new(), |end| text[..=end].to_owned());
        members.iter().map(|(file, _)| parse(&whole(std::fs::read_to_string(file).unwrap()))).collect()
    };
    let until = async |members: &[(PathBuf, Child)], what: &str, is: &dyn Fn(&[Vec<Value>]) -> bool| {
        let begun = Instant::now();
        while !is(&read(members)) {
            let counts: Vec<usize> = read(members).iter().map(Vec::len).collect();
            assert!(begun.elapsed() < SLOW, "never {what}: {counts:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    until(&members, "read by the one", &|read| once(&read[0]).len() == 60).await;
    members.push(member("second"));
    members.push(member("third"));
    // Until each has its share, more is booked: what comes goes to whoever has its partition then.
    let mut more = 0;
    let begun = Instant::now();
    while read(&members).iter().any(Vec::is_empty) {
        assert!(begun.elapsed() < SLOW, "one never gets a share");
        reserve_at_the_desk(&hotel, &format!("after-{more}"), "double").await;
        more += 1;
    }
    // And all of it is sent once more.
    let home = [format!("--installed-in={}", hotel.namespace), format!("--in={}", hotel.namespace)];
    let replay = self::arguments(&hotel, &files, &["replay", "--sink=kafka", &home[0], &home[1]]);
    hotel.settled(&format!("after-{}", more - 1), Reason::Confirmed).await;
    let facts = 2 * (30 + more);
    let (code, out, error) =
        crate::support::process::ends(&replay.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(code, Some(0), "{out} {error}");
    until(&members, "read all, and again", &|read| read.iter().map(Vec::len).sum::<usize>() >= facts + 60)
        .await;
    until(&members, "read every fact", &|read| once(&read.concat()).len() >= facts).await;
    // Applied: the first of each id, wherever it arrived. Repeats are known by their ids.
    let read = read(&members);
    let applied = once(&read.concat());
    assert_eq!(applied.len(), facts);
    assert!(read.concat().len() > facts, "the repeats arrived too");
    nothing_is_lost_and_nothing_out_of_order(&hotel, &applied_in_order(&read)).await;
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}

/// What the members applied, in the order of each member. One object's events may have moved from one member to another:
/// then the earlier facts are with the earlier owner.
fn applied_in_order(read: &[Vec<Value>]) -> Vec<Value> {
    let mut all = once(&read.concat());
    all.sort_by_key(|event| event["data"]["number"].as_u64());
    all
}
