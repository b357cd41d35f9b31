//! A real Apache Kafka broker: one node, `KRaft`, on loopback, on a folder of its own, with the jars that `hack/kafka/get`
//! has fetched. It goes when this goes.
#![allow(clippy::missing_panics_doc, reason = "of this crate as a whole it is said that a failure panics")]

use std::fmt::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::control_plane::sure;

/// How long a broker may take to be there, or a consumer to have read.
pub const SLOW: Duration = Duration::from_secs(180);
/// The broker's own password, where it asks for one.
const ITS_OWN: &str = "of-the-broker";

/// A broker on a folder of its own.
pub struct Broker {
    jars: PathBuf,
    folder: TempDir,
    port: u16,
    child: Option<Child>,
    user: Option<(String, String)>,
}

/// A class of Kafka's jars, run by Java.
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

/// How somebody says who they are, as Java's configuration has it.
fn login(user: &str, password: &str) -> String {
    format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{user}\" password=\"{password}\""
    )
}

impl Broker {
    /// Starts one that takes everybody.
    pub async fn open(jars: PathBuf) -> Self {
        Self::start_with(jars, None).await
    }

    /// Starts one that takes nobody but this user with this password (SASL/PLAIN).
    pub async fn for_one(jars: PathBuf, user: &str, password: &str) -> Self {
        Self::start_with(jars, Some((user.to_owned(), password.to_owned()))).await
    }

    async fn start_with(jars: PathBuf, user: Option<(String, String)>) -> Self {
        let folder = sure("make a folder", TempDir::new());
        // Both at once, so that they are not the same.
        let free = [(); 2].map(|()| sure("find a port", TcpListener::bind("127.0.0.1:0")));
        let [port, controller] = free.each_ref().map(|l| l.local_addr().map_or(0, |address| address.port()));
        drop(free);
        let kind = if user.is_some() { "SASL_PLAINTEXT" } else { "PLAINTEXT" };
        let mut properties = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n\
             listeners={kind}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners={kind}://127.0.0.1:{port}\ninter.broker.listener.name={kind}\n\
             listener.security.protocol.map={kind}:{kind},CONTROLLER:PLAINTEXT\n\
             log.dirs={}\nnum.partitions=3\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n",
            folder.path().join("data").display()
        );
        if let Some((user, password)) = &user {
            let login = login("broker", ITS_OWN);
            let _ = write!(
                properties,
                "sasl.enabled.mechanisms=PLAIN\nsasl.mechanism.inter.broker.protocol=PLAIN\n\
                 listener.name.sasl_plaintext.plain.sasl.jaas.config={login} \
                 user_broker=\"{ITS_OWN}\" user_{user}=\"{password}\";\n"
            );
        }
        let mut broker = Self { jars, folder, port, child: None, user };
        sure("write its properties", std::fs::write(broker.properties(), properties));
        let id = "aW5ua2VlcGVyLXRlc3RzIQ";
        let format = java(&broker.jars, "kafka.tools.StorageTool")
            .args(["format", "-t", id, "-c"])
            .arg(broker.properties())
            .output()
            .await;
        let format = sure("run java", format);
        assert!(format.status.success(), "{}", String::from_utf8_lossy(&format.stderr));
        broker.start().await;
        broker
    }

    fn properties(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    /// Its folder, in which there is room for files of a test.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it on what is on its disk, and waits until it answers.
    pub async fn start(&mut self) {
        let log = self.folder.path().join("broker.log");
        let open = std::fs::File::options().create(true).append(true).open(&log);
        let output = sure("open its log", open);
        let errors = sure("open its log", output.try_clone());
        let child =
            java(&self.jars, "kafka.Kafka").arg(self.properties()).stdout(output).stderr(errors).spawn();
        self.child = Some(sure("start java", child));
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(self.address()).await.is_err() {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(begun.elapsed() < SLOW, "the broker does not start:\n{log}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends it with a signal, by its name without SIG, and waits until it has ended.
    pub async fn end(&mut self, signal: &str) {
        let Some(mut child) = self.child.take() else { return };
        let id = child.id().unwrap_or_default().to_string();
        let sent = std::process::Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "the broker gets no signal");
        let ended = tokio::time::timeout(SLOW, child.wait()).await;
        assert!(ended.is_ok(), "the broker does not end");
    }

    /// Kafka's own console consumer of a topic, which prints keys too. Its errors go nowhere.
    #[must_use]
    pub fn consumer(&self, topic: &str, more: &[&str]) -> Command {
        let mut consumer = java(&self.jars, "org.apache.kafka.tools.consumer.ConsoleConsumer");
        consumer.args(["--bootstrap-server", &self.address(), "--topic", topic]);
        consumer.args(["--property", "print.key=true"]);
        if let Some((user, password)) = &self.user {
            let login = format!("sasl.jaas.config={};", login(user, password));
            for property in ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", &login] {
                consumer.args(["--consumer-property", property]);
            }
        }
        consumer.args(more).stdout(Stdio::piped()).stderr(Stdio::null());
        consumer
    }

    /// So many messages of a topic from its beginning, as Kafka's own consumer prints them: a key, a tab, a message.
    pub async fn read(&self, topic: &str, messages: usize) -> String {
        let count = messages.to_string();
        let reading = self.consumer(topic, &["--from-beginning", "--max-messages", &count]).output();
        let read = tokio::time::timeout(SLOW, reading).await;
        let read = sure("run java", sure(&format!("read {messages} messages"), read));
        String::from_utf8_lossy(&read.stdout).into_owned()
    }
}
