//! Every step is an event: a real Kafka has it, read by its own consumer, and the hotel is told.

use std::collections::BTreeSet;

use jiff::civil::date;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use super::door::lose_a_race;
use crate::support::door::{Door, GATEWAY, facts};
use crate::support::hotel::Hotel;
use crate::support::kafka::{Broker, SECRET, TOPIC, Told};
use crate::support::operator::PodId;
use crate::support::report::say;
use crate::support::{EVENTS, SYSTEM, World, until};

const RELAY: &str = "statefulset/innkeeper-relay";
const TYPE: &str = "dev.innkeeper.reservation.";
/// Where the overlay mounts the archive's volume, in the relay and in every gateway.
const ARCHIVE: &str = "/srv/innkeeper-archive";
/// So many gateways read it in the end.
const REPLICAS: usize = 4;
const OPENED: &str = "e2e-relay-to-its-sinks";

/// By these names whoever asks for events may know them.
const NAMES: [(&str, &str); 7] = [
    ("requested", "ReserveRequested"),
    ("paid", "PaymentCompleted"),
    ("confirmed", "ReserveCompleted"),
    ("outofstock", "OutOfStock"),
    ("cancelrequested", "CancelRequested"),
    ("refunded", "RefundCompleted"),
    ("cancelled", "CancelCompleted"),
];

/// The three stories by HTTP; what Kafka has of each, and what the hotel was told.
pub async fn told(world: &World) {
    world.installed();
    // Before the first booking, as docs/install.md says: a relay that comes later has all of the past to tell first.
    super::uninstall::delete_reservations(world).await;
    world.change_to(EVENTS);
    // Who books and who decides learn of the relay's finalizer without waiting for the kubelet.
    restart(world, &["deployment/innkeeper-operator", "deployment/innkeeper-gateway"]);
    let place = world.kafka.as_ref().expect("checked before");
    let (mut broker, receiver) = (Broker::start(place).await, Told::start(place));
    let settings = json!({
        "relay": {
            "file": { "path": "/var/lib/innkeeper/events.jsonl" },
            "kafka": { "brokers": [broker.address()], "topic": TOPIC },
            "http": [{ "name": "hotel", "url": receiver.url, "secretFile": "/etc/innkeeper/hotel.secret" }],
        },
        "archive": { "folder": ARCHIVE, "expireAfterFiled": "1s" },
    });
    let data = json!({ "data": { "config.yaml": settings.to_string(), "hotel.secret": SECRET } });
    world.kubectl(&[
        "-n",
        SYSTEM,
        "patch",
        "configmap/innkeeper-relay",
        "--type=merge",
        "-p",
        &data.to_string(),
    ]);
    open_the_network(world).await;
    restart(world, &[RELAY]);

    let (door, hotel) = (Door::open(world).await, Hotel::open(world, "events"));
    hotel.room("double", 2).await;
    hotel.room("suite", 1).await;
    let property = &hotel.namespace;
    let stay = ("double", date(2031, 7, 1), date(2031, 7, 3));
    door.shows_free(property, stay, 2).await;
    let path = door.book(property, stay, "anna").await.location.expect("it is booked");
    let booked = door.settled(&path, "Confirmed").await;
    let path = door.book(property, stay, "ben").await.location.expect("it is booked");
    door.settled(&path, "Confirmed").await;
    assert_eq!(door.post(&format!("{path}/cancellation")).await.status, 202);
    let cancelled = door.settled(&path, "Cancelled").await;
    let race = lose_a_race(&door, property).await;
    let lost = race.decided.iter().find(|one| one["phase"] == "Rejected").expect("somebody lost").clone();

    let mut shown = Vec::new();
    for (story, reservation) in [("booked", &booked), ("cancelled", &cancelled), ("rolled back", &lost)] {
        let told: Vec<String> = facts(reservation).iter().map(|fact| fact.to_lowercase()).collect();
        let read = until(&format!("Kafka has all of what was {story}"), async || {
            let read = of(&broker.read()?, reservation);
            if read == told { Ok(read) } else { Err(format!("{read:?} instead of {told:?}")) }
        })
        .await;
        let heard = until("the hotel was told", async || {
            let name = format!(" {} {TYPE}", reservation["name"].as_str().unwrap());
            let lines = receiver.lines();
            let mut heard = BTreeSet::new();
            let types = lines.iter().filter_map(|line| Some(line.split_once(&name)?.1.to_owned()));
            let heard: Vec<String> = types.filter(|fact| heard.insert(fact.clone())).collect();
            if heard == told { Ok(heard) } else { Err(format!("{heard:?} instead of {told:?}")) }
        })
        .await;
        let named = |fact: &String| {
            NAMES.iter().find(|(ours, _)| ours == fact).map_or(fact.clone(), |n| n.1.to_owned())
        };
        let theirs: Vec<String> = read.iter().map(named).collect();
        say!("  {story}: Kafka has {theirs:?}; the hotel was told {heard:?}");
        shown.push(format!("{story}: {}", theirs.join(" ")));
    }
    world.shows(
        "S6",
        format!("{}; read by Kafka's own consumer, and the hotel was told the same", shown.join("; ")),
    );
    archived(world, &door, &[&cancelled, &lost]).await;
    world.change_to(EVENTS);
    restart(world, &[RELAY]);
    let policies: Api<NetworkPolicy> = Api::namespaced(world.client.clone(), SYSTEM);
    policies.delete(OPENED, &DeleteParams::default()).await.unwrap();
    hotel.close(world);
}

/// What has finished is filed, and then expires. Every gateway reads the same on the volume, those that the autoscaler adds
/// included, and whoever answers shows the past stay.
async fn archived(world: &World, door: &Door, finished: &[&Value]) {
    for one in finished {
        let (property, name) = (one["property"].as_str().unwrap(), one["name"].as_str().unwrap());
        let soon = r#"{"spec":{"ttlAfterFinished":"1s"}}"#;
        world.kubectl(&["-n", property, "patch", "rsv", name, "--type=merge", "-p", soon]);
        until("it has expired", async || match world.try_kubectl(&["-n", property, "get", "rsv", name]) {
            Err(said) if said.contains("NotFound") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
    let least = |replicas: usize| {
        let patch = format!(r#"{{"spec":{{"minReplicas":{replicas}}}}}"#);
        world.kubectl(&["-n", SYSTEM, "patch", "hpa", GATEWAY, "--type=merge", "-p", &patch]);
    };
    let before = world.gateways().await;
    least(REPLICAS);
    let gateways = until("gateways were added", async || {
        let ready = world.gateways().await;
        if ready.len() >= REPLICAS { Ok(ready) } else { Err(format!("{} are ready", ready.len())) }
    })
    .await;
    let looks = |pod: &PodId, ask: &str| {
        let command = ["/innkeeper", "archive", ask, "--folder", ARCHIVE, "-o", "json"];
        world.try_kubectl(&[&["-n", SYSTEM, "exec", &pod.name, "-c", "gateway", "--"][..], &command].concat())
    };
    let mut read: Vec<String> = Vec::new();
    for pod in &gateways {
        let verified = looks(pod, "verify");
        assert!(verified.is_ok(), "{}: {verified:?}", pod.name);
        read.push(looks(pod, "list").unwrap());
    }
    assert!(read.iter().all(|one| *one == read[0]), "they read different things: {read:?}");
    for one in finished {
        assert!(read[0].contains(one["name"].as_str().unwrap()), "{one} is not filed: {}", read[0]);
    }
    for one in finished {
        let (property, name) = (one["property"].as_str().unwrap(), one["name"].as_str().unwrap());
        let path = format!("/v1/reservations/{property}/{name}");
        let shown = door.everywhere("My Page shows the past stay", &path, |answer| {
            answer.body["archived"] == true && facts(&answer.body) == facts(one)
        });
        shown.await;
    }
    let added = gateways.difference(&before).count();
    world.shows(
        "S11",
        format!(
            "{} stays filed and verified byte by byte from each of {} gateways, {added} of them added by the autoscaler; the same everywhere",
            read[0].lines().count(),
            gateways.len(),
        ),
    );
    least(2);
}

fn restart(world: &World, workloads: &[&str]) {
    world.kubectl(&[&["-n", SYSTEM, "rollout", "restart"], workloads].concat());
    world.rolled_out();
}

/// What the topic has of one Reservation, in its order, each id once.
fn of(topic: &[Value], reservation: &Value) -> Vec<String> {
    let mut ids = BTreeSet::new();
    let source = format!("/namespaces/{}", reservation["property"].as_str().unwrap());
    topic
        .iter()
        .filter(|event| event["subject"] == reservation["name"])
        .filter(|event| event["source"].as_str().is_some_and(|from| from.ends_with(&source)))
        .filter(|event| ids.insert(event["id"].to_string()))
        .filter_map(|event| Some(event["type"].as_str()?.strip_prefix(TYPE)?.to_owned()))
        .collect()
}

/// As an overlay does that names where events go: here it is not known before which ports these are.
async fn open_the_network(world: &World) {
    let policies: Api<NetworkPolicy> = Api::namespaced(world.client.clone(), SYSTEM);
    let policy = serde_json::from_value(json!({
        "metadata": { "name": OPENED },
        "spec": {
            "podSelector": { "matchLabels": { "app.kubernetes.io/component": "relay" } },
            "policyTypes": ["Egress"],
            "egress": [{}],
        },
    }));
    match policies.create(&PostParams::default(), &policy.unwrap()).await {
        // Of a run that failed.
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
        other => drop(other.unwrap()),
    }
}
