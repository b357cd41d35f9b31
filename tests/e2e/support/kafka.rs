//! A real Apache Kafka broker beside the cluster, its own console consumer to read it, and the receiver of `examples/` as
//! the hotel that is told. Both are where pods reach this machine.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};

use super::PROJECT;

/// How long a broker may take to be there.
const SLOW: Duration = Duration::from_secs(180);
/// The topic.
pub const TOPIC: &str = "stays";
/// The secret with which the hotel is told.
pub const SECRET: &str = "of-this-test-alone";

/// Where the jars are, and this machine as pods reach it.
#[derive(Clone)]
pub struct Place {
    /// The folder with Kafka's jars.
    pub jars: PathBuf,
    /// An address of this machine that pods reach.
    pub address: String,
}

/// A broker that runs.
pub struct Broker {
    place: Place,
    folder: PathBuf,
    port: u16,
    _child: Child,
    consumer: Option<Child>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn java(jars: &Path, class: &str) -> Command {
    let mut java = Command::new("java");
    let memory = ["-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"];
    java.args(memory).arg(format!("{}/*", jars.display())).arg(class);
    java.env_remove("JAVA_TOOL_OPTIONS").stdin(Stdio::null()).kill_on_drop(true);
    java
}

fn free_port() -> u16 {
    TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

impl Broker {
    /// Starts one with nothing in it, and waits until it answers.
    pub async fn start(place: &Place) -> Self {
        let folder = std::env::temp_dir().join(format!("innkeeper-e2e-kafka-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (port, controller, address) = (free_port(), free_port(), &place.address);
        let properties = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://{address}:{port}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             log.dirs={}\nnum.partitions=3\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n",
            folder.join("data").display()
        );
        let file = folder.join("server.properties");
        std::fs::write(&file, properties).unwrap();
        let mut format = java(&place.jars, "kafka.tools.StorageTool");
        let format =
            format.args(["format", "-t", "aW5ua2VlcGVyLXRlc3RzIQ", "-c"]).arg(&file).output().await.unwrap();
        assert!(format.status.success(), "{}", String::from_utf8_lossy(&format.stderr));
        let log = std::fs::File::create(folder.join("broker.log")).unwrap();
        let mut broker = java(&place.jars, "kafka.Kafka");
        let broker = broker.arg(&file).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut broker = Self { place: place.clone(), folder, port, _child: broker, consumer: None };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(broker.address()).await.is_err() {
            let log = std::fs::read_to_string(broker.folder.join("broker.log")).unwrap_or_default();
            assert!(begun.elapsed() < SLOW, "the broker does not start:\n{log}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        broker.listen();
        broker
    }

    /// Where it is, for pods.
    pub fn address(&self) -> String {
        format!("{}:{}", self.place.address, self.port)
    }

    /// Kafka's own consumer reads the topic from its beginning, for as long as the broker runs: how much comes, and when
    /// nothing more does, nobody knows.
    fn listen(&mut self) {
        let file = |name: &str| std::fs::File::create(self.folder.join(name)).unwrap();
        let mut consumer = java(&self.place.jars, "org.apache.kafka.tools.consumer.ConsoleConsumer");
        consumer.args(["--bootstrap-server", &self.address(), "--topic", TOPIC, "--from-beginning"]);
        // So that the topic is seen soon after it was made.
        consumer.args(["--consumer-property", "metadata.max.age.ms=1000"]);
        let consumer = consumer.stdout(file("read.jsonl")).stderr(file("consumer.log")).spawn().unwrap();
        self.consumer = Some(consumer);
    }

    /// What has been read so far, and what the consumer says of itself where that is nothing.
    pub fn read(&mut self) -> Result<Vec<Value>, String> {
        let text = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let ended = self.consumer.as_mut().and_then(|consumer| consumer.try_wait().unwrap());
        let (read, said) = (text("read.jsonl"), text("consumer.log"));
        if let Some(status) = ended {
            return Err(format!("the consumer has ended: {status}: {said}"));
        }
        // The last line may not be whole yet.
        let whole = read.rfind('\n').map_or("", |end| &read[..end]);
        if whole.is_empty() {
            return Err(format!("nothing was read yet: {said}"));
        }
        whole.lines().map(|line| serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))).collect()
    }
}

/// The receiver of `examples/`, which prints what the hotel is told.
pub struct Told {
    /// Where it is, for pods.
    pub url: String,
    file: PathBuf,
    _child: Child,
}

impl Told {
    /// Starts it, as it is but for the address that it listens on.
    pub fn start(place: &Place) -> Self {
        let port = free_port();
        let file = std::env::temp_dir().join(format!("innkeeper-e2e-told-{}", std::process::id()));
        let script =
            format!("exec(open('{PROJECT}/examples/receiver.py').read().replace('127.0.0.1', '0.0.0.0'))");
        let mut python = Command::new("python3");
        python.args(["-c", &script, &port.to_string()]).env("RECEIVER_SECRET", SECRET).stdin(Stdio::null());
        python.stdout(std::fs::File::create(&file).unwrap()).stderr(Stdio::null()).kill_on_drop(true);
        let child = python.spawn().unwrap();
        Self { url: format!("http://{}:{port}", place.address), file, _child: child }
    }

    /// What it has printed: time, name of the Reservation, type.
    pub fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}
