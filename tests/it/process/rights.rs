//! The operator under the rights that the manifests give it: enough for everything it does, and no more.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures::StreamExt;
use innkeeper_api::{ConditionType, Reason, Reservation};
use innkeeper_payments::sandbox::{ApiKey, Config, Outcome, Server};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::support::hotel::{Hotel, KEY, pay_with};
use crate::support::process::{Files, Process};
use crate::support::rights::{Right, all_but, forbidden, may, until};
use crate::support::{PATIENCE, PROJECT, control_plane, run};

const SYSTEM: &str = "innkeeper-system";
const USER: &str = "system:serviceaccount:innkeeper-system:innkeeper-operator";
const GROUPS: [&str; 2] = ["system:serviceaccounts", "system:authenticated"];

/// Installs the manifests, once.
fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        run(control_plane().kubectl().args(["apply", "-k", &format!("{PROJECT}/manifests/base/rbac")]));
    });
}

/// The rules for hotels, and those for the operator's own namespace.
async fn rules(client: &Client) -> (Vec<PolicyRule>, Vec<PolicyRule>) {
    let cluster: ClusterRole = Api::all(client.clone()).get("innkeeper-operator").await.unwrap();
    let own: Role = Api::namespaced(client.clone(), SYSTEM).get("innkeeper-operator").await.unwrap();
    (cluster.rules.unwrap(), own.rules.unwrap())
}

/// A hotel whose refunds wait until a test says how they end.
async fn hotel(prefix: &str) -> Hotel {
    let mut hotel = Hotel::open(prefix).await;
    let settle_after = Duration::from_secs(24 * 3600);
    let config = Config { settle_after, ..Config::new(ApiKey::parse(KEY).unwrap()) };
    hotel.provider = Server::start(config).await.unwrap();
    hotel
}

/// Everything that an operator does: books, cancels, rolls back, withdraws, tells of a refund that failed, and clears
/// away after a Room.
async fn everything(hotel: &Hotel, home: &str) {
    hotel.room("double", 1).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.reserve("dana", "double").await;
    hotel.settled("dana", Reason::Rejected).await;
    hotel.cancel("anna").await;
    hotel.settled("anna", Reason::Cancelled).await;

    hotel.room("attic", 1).await;
    hotel.reserve("ben", "attic").await;
    hotel.settled("ben", Reason::Confirmed).await;
    hotel.room_until("attic", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 1)).await;
    hotel.delete("ben").await;
    let_go(hotel, home).await;
    hotel.gone("ben").await;
    hotel.room_until("attic", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 0)).await;
    hotel.rooms().delete("attic", &DeleteParams::default()).await.unwrap();
    until("the calendar has gone with its Room", async || {
        let calendars = hotel.calendars().list(&ListParams::default()).await.unwrap();
        !calendars.iter().any(|c| c.spec.room_name == "attic")
    })
    .await;

    hotel.reserve_with("carl", "double", |s| s.payment = pay_with("pm_card_pendingRefund")).await;
    let carl = hotel.settled("carl", Reason::Confirmed).await;
    hotel.cancel("carl").await;
    let intent = carl.status.unwrap().payment.unwrap().id;
    let mut refund = None;
    let begun = Instant::now();
    while refund.is_none() {
        assert!(begun.elapsed() < PATIENCE, "carl's refund is never made");
        let accounts = hotel.accounts().await;
        let account = accounts.into_iter().find(|a| Some(&a.intent.id) == intent.as_ref());
        refund = account.and_then(|account| account.refunds.into_iter().next());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    hotel.provider.provider().settle_refund(&refund.unwrap().id, Outcome::Failed).await.unwrap();
    hotel
        .until("carl", |r: Option<&Reservation>| {
            let status = r.and_then(|r| r.status.as_ref());
            status.and_then(|s| s.conditions.reason(&ConditionType::Refunded)) == Some(&Reason::RefundFailed)
        })
        .await;
    let events: Api<Event> = Api::namespaced(hotel.client.clone(), &hotel.namespace);
    until("somebody is told", async || {
        let events = events.list(&ListParams::default()).await.unwrap();
        events.iter().any(|e| e.reason.as_deref() == Some("RefundFailed"))
    })
    .await;
}

/// What nobody has asked back waits for a person here, who lets it go.
async fn let_go(hotel: &Hotel, home: &str) {
    let config_maps: Api<ConfigMap> = Api::namespaced(hotel.client.clone(), home);
    let mut id = None;
    let begun = Instant::now();
    while id.is_none() {
        assert!(begun.elapsed() < PATIENCE, "money is never halted");
        let found = config_maps.get_opt("innkeeper-installation").await.unwrap();
        id = found.and_then(|found| found.annotations().get("innkeeper.dev/money-halted").cloned());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let word = json!({ "metadata": { "annotations": { "innkeeper.dev/money-acknowledged": id } } });
    let word = Patch::Merge(word);
    config_maps.patch("innkeeper-installation", &PatchParams::default(), &word).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_in_the_manifests_are_enough_for_everything_and_no_more_than_these() {
    install();
    let hotel = hotel("rights").await;
    let (hotels, own) = rules(&hotel.client).await;
    for rule in hotels.iter().chain(&own) {
        let lists = [&rule.api_groups, &rule.resources, &rule.resource_names];
        let words = lists.into_iter().flatten().chain([&rule.verbs]).flatten();
        for word in words {
            let forbidden = ["*", "secrets", "pods", "escalate", "bind", "impersonate", "deletecollection"];
            assert!(!forbidden.contains(&word.as_str()) && !word.contains('*'), "{word} in {rule:?}");
        }
    }
    for rule in &hotels {
        for verb in &rule.verbs {
            until("the role is seen", async || may(&hotel.client, USER, &hotel.namespace, rule, verb).await)
                .await;
        }
    }

    let kubeconfig = control_plane().kubeconfig_for(USER, &GROUPS).unwrap();
    let mut files = Files::of(&hotel).with_kubeconfig(&kubeconfig).with_namespace(SYSTEM);
    files.set("operator.resync", json!("10s"));
    files.set("payments.brake", json!({ "unaskedPerDay": 0 }));
    let mut operator = files.operator();
    operator.leads().await;
    everything(&hotel, SYSTEM).await;
    assert_eq!(operator.terminate().await, Some(0));
    let log = operator.log();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("forbidden")).collect();
    assert_eq!(refused, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_identity_writes_no_spec_deletes_nothing_of_a_guest_and_reads_no_secret() {
    install();
    let hotel = hotel("denied").await;
    let client = control_plane().client_for(USER, &GROUPS);
    hotel.reserve("anna", "nowhere").await;
    let reservations: Api<Reservation> = Api::namespaced(client.clone(), &hotel.namespace);
    until("the role is seen", async || reservations.get("anna").await.is_ok()).await;
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let spec = Patch::Merge(json!({ "spec": { "state": "Cancelled" } }));
    // A policy is in force some seconds after it was installed.
    until("spec cannot be written", async || reservations.patch("anna", &dry, &spec).await.is_err()).await;
    let why = forbidden(reservations.patch("anna", &dry, &spec).await, "writing spec");
    assert!(why.contains("never writes spec"), "{why}");
    let finalizers = Patch::Merge(json!({ "metadata": { "finalizers": ["innkeeper.dev/settle"] } }));
    reservations.patch("anna", &dry, &finalizers).await.expect("the finalizer can be written");

    let one = hotel.reservations().get("anna").await.unwrap();
    let another = Reservation::new("another", one.spec.clone());
    forbidden(reservations.create(&PostParams::default(), &another).await, "making a Reservation");
    forbidden(reservations.replace("anna", &PostParams::default(), &one).await, "replacing one");
    forbidden(reservations.delete("anna", &DeleteParams::default()).await, "deleting one");
    let many = reservations.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
    forbidden(many, "deleting many");
    let rooms: Api<innkeeper_api::Room> = Api::namespaced(client.clone(), &hotel.namespace);
    hotel.room("double", 1).await;
    let units = Patch::Merge(json!({ "spec": { "units": 2 } }));
    forbidden(rooms.patch("double", &dry, &units).await, "writing a Room");
    forbidden(rooms.delete("double", &DeleteParams::default()).await, "deleting a Room");
    for namespace in [&hotel.namespace, SYSTEM] {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        forbidden(secrets.get("any").await, "reading a Secret");
        forbidden(secrets.list(&ListParams::default()).await, "listing Secrets");
    }
    let namespaces: Api<Namespace> = Api::all(client);
    forbidden(namespaces.list(&ListParams::default()).await, "listing namespaces");
}

/// Starts an operator that has all rights but one, lets it do everything, and waits until it says what it lacked.
async fn does_not_do_without(rules: Vec<PolicyRule>, right: Right) {
    let hotel = hotel("without").await;
    let (client, namespace) = (&hotel.client, &hotel.namespace);
    let user = format!("operator-of-{namespace}");
    all_but(client, &user, namespace, &rules, &right).await;

    let kubeconfig = control_plane().kubeconfig_for(&user, &[]).unwrap();
    let mut files = Files::of(&hotel).with_kubeconfig(&kubeconfig);
    files.set("payments.brake", json!({ "unaskedPerDay": 0 }));
    let operator = files.operator();
    tokio::select! {
        () = lacks(&operator, &right.words) => {}
        () = everything(&hotel, namespace) => panic!("everything was done without this: {}", right.words),
    }
}

async fn lacks(operator: &Process, words: &str) {
    // Log lines are JSON, with their quotes escaped.
    let said = operator.says_like(|line| line.replace('\\', "").contains(words)).await;
    assert!(said.is_some(), "it never said `{words}`; it said:\n{}", operator.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_away_any_one_right_is_noticed_and_said() {
    install();
    let client = control_plane().client();
    let (hotels, own) = rules(&client).await;
    let all = [hotels, own].concat();
    let mut rights = Right::all(&all);
    // For an Event that is repeated within minutes, which the one story that has an Event cannot show.
    rights.retain(|right| (right.resource.as_str(), right.verb.as_str()) != ("events", "patch"));
    assert!(rights.len() > 15, "{rights:?}");
    futures::stream::iter(rights)
        .map(|right| does_not_do_without(all.clone(), right))
        .buffer_unordered(6)
        .collect::<Vec<()>>()
        .await;
}
