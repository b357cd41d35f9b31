//! The gateway under the rights that the manifests give it: enough for everything it does, and no more.

use std::sync::OnceLock;

use futures::StreamExt;
use innkeeper_api::{FINALIZER, Reservation, Room, RoomCalendar, TRACEPARENT};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, CustomResourceExt};
use serde_json::{Value, json};

use super::front::{ACME, stay};
use super::process::{client, door, files, start};
use crate::support::hotel::Hotel;
use crate::support::process::Process;
use crate::support::rights::{Right, all_but, forbidden, may, until};
use crate::support::{PROJECT, control_plane, run};

const SYSTEM: &str = "innkeeper-system";
const USER: &str = "system:serviceaccount:innkeeper-system:innkeeper-gateway";
const GROUPS: [&str; 2] = ["system:serviceaccounts", "system:authenticated"];

/// Installs the manifests, once.
fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        for folder in ["rbac", "gateway/rights"] {
            let folder = format!("{PROJECT}/manifests/base/{folder}");
            run(control_plane().kubectl().args(["apply", "-k", &folder]));
        }
    });
}

async fn rules(client: &Client) -> Vec<PolicyRule> {
    let cluster: ClusterRole = Api::all(client.clone()).get("innkeeper-gateway").await.unwrap();
    cluster.rules.unwrap()
}

/// Starts a gateway of this hotel as this user.
fn gateway(hotel: &Hotel, user: &str, groups: &[&str]) -> (Process, impl Drop) {
    let (files, mut arguments) = files(hotel);
    let kubeconfig = control_plane().kubeconfig_for(user, groups).unwrap();
    arguments[2] = format!("--kubeconfig={}", kubeconfig.display());
    let process = start(&arguments);
    (process, Kept(files))
}

/// What a process was started with, which must not go before it.
struct Kept<T>(T);

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        let _ = &self.0;
    }
}

/// What has to be there before: a room to book, and one that somebody else has.
async fn prepare(hotel: &Hotel) {
    hotel.room("double", 2).await;
    hotel.room("attic", 1).await;
    hotel.reserve("walk-in", "attic").await;
}

/// Everything that a gateway does: it shows what is free, books, turns down what is sold out, and cancels.
async fn everything(gateway: &Process, namespace: &str) -> [u16; 4] {
    gateway.ready().await;
    let url = door(gateway).await;
    let rooms = format!("{url}/v1/properties/{namespace}/rooms?checkIn=2030-07-01&checkOut=2030-07-03");
    let found = client().get(rooms).send().await.unwrap();
    let book = async |room: &str, key: &str| {
        let request = client().post(format!("{url}/v1/properties/{namespace}/reservations"));
        let request = request.bearer_auth(ACME).header("idempotency-key", key);
        let request = request.header("content-type", "application/json").body(stay(room).to_string());
        request.send().await.unwrap()
    };
    let booked = book("double", "key-of-anna").await;
    let path = booked.headers().get("location").map(|path| path.to_str().unwrap().to_owned());
    let sold_out = book("attic", "key-of-ben").await;
    let path = path.unwrap_or("/v1/reservations/seaside/walk-in".to_owned());
    let cancel = client().post(format!("{url}{path}/cancellation")).bearer_auth(ACME);
    let cancelled = cancel.send().await.unwrap();
    [found, booked, sold_out, cancelled].map(|answer| answer.status().as_u16())
}

/// What is done to a booking before it is asked for.
type Change = fn(&mut Value);

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_in_the_manifests_are_enough_for_everything_and_no_more_than_these() {
    install();
    let hotel = Hotel::open("door-rights").await;
    let rules = rules(&hotel.client).await;
    for rule in &rules {
        let words = [&rule.api_groups, &rule.resources].into_iter().flatten().chain([&rule.verbs]).flatten();
        for word in words {
            let known = [
                "innkeeper.dev",
                "rooms",
                "roomcalendars",
                "reservations",
                "get",
                "list",
                "watch",
                "create",
                "patch",
            ];
            assert!(known.contains(&word.as_str()), "{word} in {rule:?}");
        }
        for verb in &rule.verbs {
            until("the role is seen", async || may(&hotel.client, USER, &hotel.namespace, rule, verb).await)
                .await;
        }
    }
    prepare(&hotel).await;
    let (mut gateway, _files) = gateway(&hotel, USER, &GROUPS);
    assert_eq!(everything(&gateway, &hotel.namespace).await, [200, 201, 409, 202]);
    assert_eq!(gateway.terminate().await, Some(0));
    let log = gateway.log();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("forbidden")).collect();
    assert_eq!(refused, [""; 0]);
}

/// Starts a gateway that has all rights but one, lets it do everything, and waits until it says what it lacked.
async fn does_not_do_without(rules: Vec<PolicyRule>, right: Right) {
    let hotel = Hotel::open("door-without").await;
    prepare(&hotel).await;
    let user = format!("gateway-of-{}", hotel.namespace);
    all_but(&hotel.client, &user, &hotel.namespace, &rules, &right).await;
    let (gateway, _files) = gateway(&hotel, &user, &[]);
    let lacks = async {
        // Log lines are JSON, with their quotes escaped.
        let said = gateway.says_like(|line| line.replace('\\', "").contains(&right.words)).await;
        assert!(said.is_some(), "it never said `{}`; it said:\n{}", right.words, gateway.log());
    };
    let without = async {
        let answers = everything(&gateway, &hotel.namespace).await;
        // A watch that was refused is told of a moment after the list that made it ready.
        if right.verb != "watch" {
            let log = gateway.log();
            assert!(
                log.replace('\\', "").contains(&right.words),
                "done without {}: {answers:?}\n{log}",
                right.words
            );
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = lacks => {}
        () = without => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_away_any_one_right_is_noticed_and_said() {
    install();
    let rules = rules(&control_plane().client()).await;
    let rights = Right::all(&rules);
    assert_eq!(rights.len(), 9, "{rights:?}");
    futures::stream::iter(rights)
        .map(|right| does_not_do_without(rules.clone(), right))
        .buffer_unordered(3)
        .collect::<Vec<()>>()
        .await;
}

/// A booking as the gateway makes it, with something changed.
fn booking(spec: &Value, change: impl Fn(&mut Value)) -> Reservation {
    let mut one = json!({
        "apiVersion": "innkeeper.dev/v1alpha1",
        "kind": "Reservation",
        "metadata": { "name": "another", "finalizers": [FINALIZER] },
        "spec": spec,
    });
    change(&mut one);
    serde_json::from_value(one).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_identity_books_as_guests_do_cancels_and_changes_nothing_else() {
    install();
    let hotel = Hotel::open("door-denied").await;
    let client = control_plane().client_for(USER, &GROUPS);
    hotel.room("double", 1).await;
    hotel.reserve("anna", "double").await;
    let ours: Api<Reservation> = Api::namespaced(client.clone(), &hotel.namespace);
    until("the role is seen", async || ours.get("anna").await.is_ok()).await;
    let anna = hotel.reservations().get("anna").await.unwrap();
    let spec = serde_json::to_value(&anna.spec).unwrap();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let label = |one: &mut Value| one["metadata"]["labels"] = json!({ "vip": "yes" });
    // A policy is in force some seconds after it was installed.
    until("the policy is in force", async || ours.create(&dry, &booking(&spec, label)).await.is_err()).await;

    ours.create(&dry, &booking(&spec, |_| {})).await.expect("a booking as the gateway makes it");
    let relayed = |one: &mut Value| one["metadata"]["finalizers"] = json!([FINALIZER, "innkeeper.dev/relay"]);
    ours.create(&dry, &booking(&spec, relayed)).await.expect("and where there is a relay");
    let traced = |one: &mut Value| {
        one["metadata"]["annotations"] =
            json!({ TRACEPARENT: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" });
    };
    ours.create(&dry, &booking(&spec, traced)).await.expect("and in a trace");
    let wrong: [(&str, Change); 10] = [
        ("cancelled from the start", |one| one["spec"]["state"] = json!("Cancelled")),
        ("to expire", |one| one["spec"]["ttlAfterFinished"] = json!("1h")),
        ("without a finalizer", |one| one["metadata"]["finalizers"] = json!([])),
        ("with another finalizer", |one| one["metadata"]["finalizers"] = json!(["innkeeper.dev/other"])),
        ("with more finalizers", |one| {
            one["metadata"]["finalizers"] = json!([FINALIZER, "innkeeper.dev/more"]);
        }),
        ("with an annotation", |one| {
            one["metadata"]["annotations"] = json!({ "innkeeper.dev/retry-refund": "2" });
        }),
        ("in what is no trace", |one| {
            one["metadata"]["annotations"] =
                json!({ TRACEPARENT: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\nx" });
        }),
        ("in a trace and with an annotation", |one| {
            one["metadata"]["annotations"] = json!({
                TRACEPARENT: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "innkeeper.dev/retry-refund": "2",
            });
        }),
        ("with a label", |one| one["metadata"]["labels"] = json!({ "vip": "yes" })),
        ("with an owner", |one| {
            let owner = json!({ "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u" });
            one["metadata"]["ownerReferences"] = json!([owner]);
        }),
    ];
    for (what, change) in wrong {
        let why = forbidden(ours.create(&dry, &booking(&spec, change)).await, what);
        assert!(why.contains("the gateway"), "{what}: {why}");
    }

    // With the operator's finalizer on it, as every one has that a gateway can cancel.
    let finalizer =
        Patch::Merge(json!({ "metadata": { "finalizers": [FINALIZER], "labels": { "a": "b" } } }));
    hotel.reservations().patch("anna", &PatchParams::default(), &finalizer).await.unwrap();
    let dry_patch = PatchParams { dry_run: true, ..PatchParams::default() };
    let cancel = Patch::Merge(json!({ "spec": { "state": "Cancelled" } }));
    ours.patch("anna", &dry_patch, &cancel).await.expect("it cancels");
    for (what, patch) in [
        ("letting it expire", json!({ "spec": { "ttlAfterFinished": "0s" } })),
        (
            "cancelling and letting it expire",
            json!({ "spec": { "state": "Cancelled", "ttlAfterFinished": "0s" } }),
        ),
        ("an annotation", json!({ "metadata": { "annotations": { "innkeeper.dev/retry-refund": "2" } } })),
        ("a label", json!({ "metadata": { "labels": { "vip": "yes" } } })),
        ("taking a label", json!({ "metadata": { "labels": null } })),
        ("taking its finalizers", json!({ "metadata": { "finalizers": null } })),
        ("another finalizer", json!({ "metadata": { "finalizers": [FINALIZER, "innkeeper.dev/more"] } })),
        (
            "an owner",
            json!({ "metadata": { "ownerReferences": [{ "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u" }] } }),
        ),
    ] {
        let why = forbidden(ours.patch("anna", &dry_patch, &Patch::Merge(patch)).await, what);
        assert!(why.contains("the gateway"), "{what}: {why}");
    }

    let status = Patch::Merge(json!({ "status": { "phase": "Confirmed" } }));
    forbidden(ours.patch_status("anna", &dry_patch, &status).await, "writing a status");
    forbidden(ours.replace("anna", &dry, &anna).await, "replacing one");
    forbidden(ours.delete("anna", &DeleteParams::default()).await, "deleting one");
    let all = ListParams::default();
    forbidden(ours.delete_collection(&DeleteParams::default(), &all).await, "deleting many");
    let rooms: Api<Room> = Api::namespaced(client.clone(), &hotel.namespace);
    let units = Patch::Merge(json!({ "spec": { "units": 2 } }));
    forbidden(rooms.patch("double", &dry_patch, &units).await, "writing a Room");
    let calendars: Api<RoomCalendar> = Api::namespaced(client.clone(), &hotel.namespace);
    let holders = Patch::Merge(json!({ "spec": { "nights": [] } }));
    forbidden(calendars.patch("double-2030-07", &dry_patch, &holders).await, "writing a calendar");
    for namespace in [&hotel.namespace, SYSTEM] {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        forbidden(secrets.get("any").await, "reading a Secret");
        forbidden(secrets.list(&all).await, "listing Secrets");
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        forbidden(pods.list(&all).await, "listing pods");
    }
}

#[test]
fn the_policy_names_every_field_of_a_stay_but_its_state() {
    let crd = serde_json::to_value(Reservation::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let fields = schema["properties"]["spec"]["properties"].as_object().unwrap();
    let file = format!("{PROJECT}/manifests/base/gateway/rights/books-and-cancels.yaml");
    let policy = std::fs::read_to_string(file).unwrap();
    assert!(fields.len() > 8, "{fields:?}");
    for field in fields.keys().filter(|field| *field != "state") {
        let named = ["object.spec.", "object.spec.?"].map(|of| format!("{of}{field} == oldObject.spec."));
        assert!(named.iter().any(|named| policy.contains(named)), "the policy lets {field} change");
    }
}
