//! A relay of one test's own, and what has come out of it.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use innkeeper_api::{Collect, Payment, RELAY_FINALIZER, Reservation};
use innkeeper_ops::config::{Config, ConfigWatch};
use innkeeper_ops::metrics::Metrics;
use innkeeper_ops::probes::Health;
use innkeeper_relay::sink::Sink;
use innkeeper_relay::sink::file::FileSink;
use innkeeper_relay::{Archiving, Filing, Relay, Route, Store, Wanted};
use kube::{Client, ResourceExt};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::hotel::Hotel;
use crate::support::process::value;
use crate::support::schemas::checked;
use crate::support::{PATIENCE, eventually};

/// A hotel whose operator knows that there is a relay.
pub async fn hotel(prefix: &str) -> Hotel {
    let mut hotel = Hotel::open(prefix).await;
    hotel.config.operator.extra_finalizers = vec![RELAY_FINALIZER.to_owned()];
    hotel
}

/// Asks for a stay that the desk collects: nothing is charged, so it is quick.
pub async fn reserve_at_the_desk(hotel: &Hotel, name: &str, room: &str) -> Reservation {
    hotel
        .reserve_with(name, room, |spec| {
            spec.payment = Payment { collect: Collect::AtProperty, method: None, reference: None };
        })
        .await
}

/// How a relay is made.
pub struct Making {
    routes: Vec<Route>,
    filing: Option<Arc<dyn Filing>>,
    archive: Option<PathBuf>,
    client: Client,
}

impl Making {
    /// With no sink yet.
    pub fn of(hotel: &Hotel) -> Self {
        Self { routes: Vec::new(), filing: None, archive: None, client: hotel.client.clone() }
    }

    /// And this sink for some types.
    pub fn only(mut self, name: &str, types: &[&str], sink: impl Sink + 'static) -> Self {
        let types = types.iter().map(|t| (*t).to_owned()).collect();
        let wanted = Wanted { sink: name.to_owned(), types, namespaces: Vec::new() };
        self.routes.push(Route { wanted, sink: Arc::new(sink) });
        self
    }

    /// And this file, for what happens to Reservations.
    pub fn file(self, path: &Path) -> Self {
        self.only("file", &["dev.innkeeper.reservation.*"], FileSink::new(path.to_owned()))
    }

    /// And this archive.
    pub fn filing(mut self, filing: impl Filing + 'static) -> Self {
        self.filing = Some(Arc::new(filing));
        self
    }

    /// And the archive in this folder; what is filed expires at once.
    pub fn archive(mut self, folder: &Path) -> Self {
        self.archive = Some(folder.to_owned());
        self
    }

    /// Starts it, with its state in this folder, and waits until it follows.
    pub async fn start(self, hotel: &Hotel, state: &Path) -> Post {
        let mut config = Config::default();
        config.relay.retry.initial = Duration::from_millis(20);
        config.relay.retry.max = Duration::from_millis(200);
        config.archive.expire_after_filed = Duration::ZERO;
        let (metrics, health) = (Metrics::of_relay("test"), Health::new(Instant::now()));
        let store = Store::open(state).unwrap();
        let archive = self.archive.map(|folder| Archiving::new(&folder, state, metrics.clone()));
        let filing = archive.clone().map(|archive| Arc::new(archive) as Arc<dyn Filing>).or(self.filing);
        let relay = Relay {
            client: self.client,
            config: Arc::new(ConfigWatch::fixed(config)),
            installation: "test".to_owned(),
            namespaces: vec![hotel.namespace.clone()],
            routes: self.routes,
            filing,
            archive,
            store,
            metrics: metrics.clone(),
            health: health.clone(),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(relay.run(stop.clone()));
        let ready = eventually(|| health.missing().is_empty()).await;
        assert!(ready, "it is never ready: {:?}", health.missing());
        Post { metrics, stop, task }
    }
}

/// A relay that runs in this process.
pub struct Post {
    /// What it counts.
    pub metrics: Metrics,
    stop: CancellationToken,
    task: JoinHandle<Result<(), innkeeper_relay::RelayError>>,
}

impl Post {
    /// Asks it to end, and waits until it has.
    pub async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("the relay ends").unwrap().unwrap();
    }

    /// Waits until a metric has this value.
    pub async fn counts(&self, name: &str, labels: &[(&str, &str)], wanted: f64) {
        let there = eventually(|| value(&self.metrics.text(), name, labels) == Some(wanted)).await;
        assert!(there, "{name} {labels:?} never was {wanted}:\n{}", self.metrics.text());
    }
}

/// A folder with room for a relay's state and a file of events.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A state.
    pub fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// The file of events.
    pub fn file(&self) -> PathBuf {
        self.0.path().join("events.jsonl")
    }

    /// The archive, made when this is first asked.
    pub fn archive(&self) -> PathBuf {
        let folder = self.0.path().join("archive");
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The events of the file.
    pub fn events(&self) -> Vec<Value> {
        events(&self.file())
    }

    /// Waits until the events of the file are as asked, and gives them.
    pub async fn until(&self, what: &str, is: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let there = eventually(|| is(&self.events())).await;
        assert!(there, "never {what}: {:#?}", told(&self.events()));
        self.events()
    }
}

/// The events of a file: every whole line is one, as its schema says.
pub fn events(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| checked(serde_json::from_str(line).expect(line))).collect()
}

/// The types that were told of one object, without what all begin with.
pub fn told_of(events: &[Value], name: &str) -> String {
    let of = events.iter().filter(|event| event["subject"] == name);
    of.map(|event| event["type"].as_str().unwrap().rsplit('.').next().unwrap()).collect::<Vec<_>>().join(" ")
}

/// The same for all objects.
pub fn told(events: &[Value]) -> BTreeMap<String, String> {
    let names: HashSet<&str> = events.iter().map(|event| event["subject"].as_str().unwrap()).collect();
    names.into_iter().map(|name| (name.to_owned(), told_of(events, name))).collect()
}

/// Without repeats: the first of each id.
pub fn once(events: &[Value]) -> Vec<Value> {
    let mut seen = HashSet::new();
    events.iter().filter(|event| seen.insert(event["id"].as_str().unwrap().to_owned())).cloned().collect()
}

/// Every fact that is on the objects has come out, in order for each, and nothing else has.
pub async fn nothing_is_lost_and_nothing_out_of_order(hotel: &Hotel, events: &[Value]) {
    let events = once(events);
    for object in hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap().items {
        let uid = object.uid().unwrap();
        let of: Vec<&Value> = events.iter().filter(|event| event["partitionkey"] == uid.as_str()).collect();
        let history = object.status.as_ref().map(|s| s.history.clone()).unwrap_or_default();
        let facts: Vec<Value> =
            history.iter().map(|fact| serde_json::to_value(&fact.fact).unwrap()).collect();
        let told: Vec<Value> = of.iter().map(|event| event["data"]["fact"].clone()).collect();
        assert_eq!(told, facts, "{}", object.name_any());
        for (event, fact) in of.iter().zip(&history) {
            assert_eq!(event["data"]["number"], fact.number);
            assert_eq!(event["time"], fact.time.to_string());
            assert_eq!(event["subject"], object.name_any());
        }
    }
}
