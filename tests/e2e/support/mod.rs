//! What the cases share: the cluster, the installation, hotels with their guests, and the node below.

pub mod books;
pub mod crowd;
pub mod door;
pub mod hotel;
pub mod kafka;
pub mod node;
pub mod operator;
pub mod report;
pub mod stream;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::cases::Needs;
use node::Node;
use report::say;

/// The folder of the project: `hack/e2e` begins there. Not the one it was built in: what is built is kept, and clones go.
pub const PROJECT: &str = ".";

/// Innkeeper's own namespace.
pub const SYSTEM: &str = "innkeeper-system";

/// How long anything may take before a case calls it hanging. Generous: it says nothing of how fast it should be.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// The label of every namespace that a case makes.
pub const OURS: &str = "innkeeper.dev/e2e=true";

/// What the README installs.
pub const QUICKSTART: &str = "manifests/overlays/quickstart";
/// The same with the relay.
pub const EVENTS: &str = "manifests/overlays/events";

/// What is installed, and has to be ready.
const WORKLOADS: [&str; 4] = [
    "deployment/innkeeper-operator",
    "deployment/innkeeper-gateway",
    "deployment/innkeeper-issuer",
    "statefulset/innkeeper-payments",
];
/// And with [`EVENTS`].
const RELAY: &str = "statefulset/innkeeper-relay";

fn full_percent(available: Option<f64>, capacity: Option<f64>) -> Option<f64> {
    let (available, capacity) = (available?, capacity.filter(|capacity| *capacity > 0.0)?);
    Some(100.0 - available * 100.0 / capacity)
}

/// A cluster, and what the environment says of it.
pub struct World {
    /// Its administrator.
    pub client: Client,
    /// The same, for kubectl.
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    /// Where a node's ports are reached from here.
    pub address: String,
    has_metrics: bool,
    /// Where a broker can be run beside the cluster.
    pub kafka: Option<kafka::Place>,
    /// A shell on the node, where there is one.
    pub node: Option<Node>,
    /// Another build of the image, to upgrade to.
    pub next_image: String,
    installed: Mutex<bool>,
    /// What of `manifests/overlays` is in force.
    overlay: Mutex<&'static str>,
    /// The case after which the installation did not come up again.
    broken_by: Mutex<Option<&'static str>>,
    evidence: Mutex<BTreeMap<&'static str, String>>,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl World {
    /// Connects to the cluster that the environment names; ends the process with what to do where it names none.
    pub fn open(runtime: &Runtime) -> Self {
        let Some(kubeconfig) = variable("E2E_KUBECONFIG").map(PathBuf::from) else {
            say!(
                "E2E_KUBECONFIG is not set. Name the kubeconfig of a cluster for these tests; see CONTRIBUTING.md."
            );
            std::process::exit(2);
        };
        let kubectl = variable("E2E_KUBECTL").unwrap_or_else(|| "kubectl".to_owned()).into();
        let client = runtime.block_on(async {
            let read = Kubeconfig::read_from(&kubeconfig).unwrap();
            let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap();
            Client::try_from(config).unwrap()
        });
        let mut world = Self {
            client,
            kubeconfig,
            kubectl,
            address: variable("E2E_NODE_ADDRESS").unwrap_or_else(|| "127.0.0.1".to_owned()),
            has_metrics: false,
            kafka: variable("INNKEEPER_KAFKA")
                .zip(variable("E2E_HOST_ADDRESS"))
                .map(|(jars, address)| kafka::Place { jars: jars.into(), address }),
            node: variable("E2E_NODE_SHELL").map(Node::new),
            next_image: variable("E2E_NEXT_IMAGE").unwrap_or_else(|| "innkeeper:next".to_owned()),
            installed: Mutex::new(false),
            overlay: Mutex::new(QUICKSTART),
            broken_by: Mutex::default(),
            evidence: Mutex::default(),
        };
        world.has_metrics = world.try_kubectl(&["get", "apiservice", "v1beta1.metrics.k8s.io"]).is_ok();
        world
    }

    /// Whether this is not there.
    pub fn lacks(&self, needs: Needs) -> bool {
        match needs {
            Needs::Nothing => false,
            Needs::Node => self.node.is_none(),
            Needs::Metrics => !self.has_metrics,
            Needs::Kafka => self.kafka.is_none(),
        }
    }

    /// `kubectl` on this cluster.
    pub fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments).current_dir(PROJECT);
        command.env_remove("KUBECONFIG").stdin(Stdio::null());
        command
    }

    /// Runs `kubectl`: whether it succeeded, and what it printed.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.kubectl_command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Runs `kubectl`, which must succeed.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).unwrap_or_else(|said| panic!("kubectl {}: {said}", arguments.join(" ")))
    }

    /// Shows a command as one would type it, and what it prints.
    pub fn show(&self, arguments: &[&str]) -> String {
        say!("  $ kubectl {}", arguments.join(" "));
        let printed = self.kubectl(arguments);
        for line in printed.lines() {
            say!("    {line}");
        }
        printed
    }

    /// Installs the quickstart unless that was done, and waits until all of it is ready.
    pub fn installed(&self) {
        let mut installed = self.installed.lock().unwrap();
        if !*installed {
            self.show(&["apply", "-k", self.overlay(), "-o", "name"]);
            self.rolled_out();
            *installed = true;
        }
    }

    /// What of `manifests/overlays` is in force.
    pub fn overlay(&self) -> &'static str {
        *self.overlay.lock().unwrap()
    }

    /// Puts another overlay in force, and waits until all of it is ready.
    pub fn change_to(&self, overlay: &'static str) {
        *self.overlay.lock().unwrap() = overlay;
        self.kubectl(&["apply", "-k", overlay]);
        self.rolled_out();
    }

    /// The line of evidence for one of the [`report::DEMANDS`].
    pub fn shows(&self, demand: &'static str, evidence: String) {
        say!("  {demand}: {evidence}");
        self.evidence.lock().unwrap().insert(demand, evidence);
    }

    /// Whether there is evidence for it.
    pub fn shown(&self, demand: &str) -> bool {
        self.evidence.lock().unwrap().contains_key(demand)
    }

    /// A line for each demand, in their order; what was not shown says so.
    pub fn evidence(&self) -> Vec<String> {
        let shown = self.evidence.lock().unwrap();
        let line = |(demand, what): &(&'static str, &str)| {
            let seen = shown.get(demand).map_or("NOT SHOWN", String::as_str);
            format!("{demand:<4}{what}: {seen}")
        };
        report::DEMANDS.iter().map(line).collect()
    }

    /// Nothing is installed any more.
    pub fn uninstalled(&self) {
        *self.installed.lock().unwrap() = false;
        *self.overlay.lock().unwrap() = QUICKSTART;
    }

    /// Waits until every workload of Innkeeper's is as declared, and ready.
    pub fn rolled_out(&self) {
        if let Err(said) = self.try_rolled_out() {
            panic!("{said}");
        }
    }

    fn try_rolled_out(&self) -> Result<(), String> {
        let limit = format!("--timeout={}s", PATIENCE.as_secs());
        let relay = (self.overlay() == EVENTS).then_some(RELAY);
        for workload in WORKLOADS.into_iter().chain(relay) {
            self.try_kubectl(&["-n", SYSTEM, "rollout", "status", workload, &limit])?;
        }
        Ok(())
    }

    /// After a case that failed: whether the others have anything to be played on. They take an hour to say that they
    /// have not.
    pub fn look_whether_broken_by(&self, case: &'static str) {
        if *self.installed.lock().unwrap()
            && let Err(said) = self.try_rolled_out()
        {
            say!("  the installation does not come up again: {said}");
            *self.broken_by.lock().unwrap() = Some(case);
        }
    }

    /// The case that left nothing to play others on.
    pub fn broken_by(&self) -> Option<&'static str> {
        *self.broken_by.lock().unwrap()
    }

    /// Says of each node whose disk is so full that its kubelet removes images: those that no container has at the
    /// moment, but that a case needs soon, and on some nodes the one below every pod.
    pub fn look_at_disks(&self) {
        let nodes = self.kubectl(&["get", "nodes", "-o", "name"]);
        for node in nodes.lines().filter_map(|line| line.strip_prefix("node/")) {
            let ask = |what: &str| {
                let answer =
                    self.try_kubectl(&["get", "--raw", &format!("/api/v1/nodes/{node}/proxy/{what}")]);
                answer.ok().and_then(|text| serde_json::from_str::<Value>(&text).ok()).unwrap_or_default()
            };
            let disk = &ask("stats/summary")["node"]["runtime"]["imageFs"];
            let kubelet = &ask("configz")["kubeletconfig"];
            let full = full_percent(disk["availableBytes"].as_f64(), disk["capacityBytes"].as_f64());
            let limit = kubelet["imageGCHighThresholdPercent"].as_f64().unwrap_or(85.0);
            if let Some(full) = full.filter(|full| *full >= limit) {
                say!(
                    "node {node}: its disk is {full:.0}% full. From {limit:.0}% on its kubelet removes images every few minutes, \
                     so that pods may not start again, and cases fail. Make room on it first."
                );
            }
        }
    }

    /// What somebody would look at first after a case has failed.
    pub fn show_what_went_on(&self) {
        let looks: &[&[&str]] = &[
            &["-n", SYSTEM, "get", "pods,pvc,lease,hpa,pdb", "-o", "wide"],
            &["get", "rooms,reservations", "-A"],
            &["get", "events", "-A", "--sort-by=.lastTimestamp"],
            &["-n", SYSTEM, "logs", "-l", "app.kubernetes.io/component=operator", "--tail=25", "--prefix"],
            &["-n", SYSTEM, "logs", "-l", "app.kubernetes.io/component=payments", "--tail=15", "--prefix"],
            &["-n", SYSTEM, "logs", "-l", "app.kubernetes.io/component=gateway", "--tail=15", "--prefix"],
            &["-n", SYSTEM, "logs", "-l", "app.kubernetes.io/component=relay", "--tail=15", "--prefix"],
            &["-n", SYSTEM, "logs", "-l", "app.kubernetes.io/component=keys", "--tail=15", "--prefix"],
            // Last, because a log may be cut: why pods do not start stands here alone.
            &["-n", SYSTEM, "get", "events", "--field-selector=type=Warning", "--sort-by=.lastTimestamp"],
        ];
        for look in looks.iter().copied() {
            say!("  $ kubectl {}", look.join(" "));
            let printed = self.try_kubectl(look).unwrap_or_else(|said| said);
            let lines: Vec<&str> = printed.lines().collect();
            for line in &lines[lines.len().saturating_sub(40)..] {
                say!("    {line}");
            }
        }
    }
}

/// Asks again until it is so; panics with the last answer when patience ends.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(why) => {
                assert!(begun.elapsed() < PATIENCE, "it never came to this: {what}; {why}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
