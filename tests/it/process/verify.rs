//! `innkeeper verify`, on a hotel in order and on a doctored one, with no operator to help it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use innkeeper_api::Reason;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::control_plane;
use crate::support::hotel::{Hotel, INSTALLATION};
use crate::support::process::{Files, ends};
use crate::support::rights::{Right, all_but};

/// A hotel with every kind of end, whose operator has gone.
async fn hotel(prefix: &str) -> Hotel {
    let hotel = Hotel::open(prefix).await;
    let data = BTreeMap::from([("id".to_owned(), "test".to_owned())]);
    let metadata = ObjectMeta { name: Some(INSTALLATION.to_owned()), ..ObjectMeta::default() };
    let config_maps: Api<ConfigMap> = Api::namespaced(hotel.client.clone(), &hotel.namespace);
    let wanted = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
    config_maps.create(&PostParams::default(), &wanted).await.unwrap();
    hotel.room("double", 3).await;
    hotel.room("suite", 1).await;
    let operator = hotel.operator();
    for (name, room, end) in [
        ("booked", "double", Reason::Confirmed),
        ("cancelled", "double", Reason::Confirmed),
        ("first", "suite", Reason::Confirmed),
        ("sold-out", "suite", Reason::Rejected),
    ] {
        hotel.reserve(name, room).await;
        hotel.settled(name, end).await;
    }
    hotel.cancel("cancelled").await;
    hotel.settled("cancelled", Reason::Cancelled).await;
    operator.stop().await;
    hotel
}

/// Of somebody who may read what it reads, and nothing else.
async fn reader(hotel: &Hotel) -> PathBuf {
    let rule = |group: &str, resource: &str, verbs: &[&str]| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        ..PolicyRule::default()
    };
    let rules = [
        rule("innkeeper.dev", "reservations", &["list", "patch"]),
        rule("innkeeper.dev", "rooms", &["list"]),
        rule("innkeeper.dev", "roomcalendars", &["list"]),
        rule("", "configmaps", &["get"]),
    ];
    let user = format!("reader-of-{}", hotel.namespace);
    let patch = Right::all(&rules).into_iter().find(|right| right.verb == "patch").unwrap();
    all_but(&hotel.client, &user, &hotel.namespace, &rules, &patch).await;
    control_plane().kubeconfig_for(&user, &[]).unwrap()
}

/// Exit code and standard output, for an administrator.
async fn verify(hotel: &Hotel, more: &[&str]) -> (Option<i32>, String) {
    verify_as(control_plane().kubeconfig(), hotel, more).await
}

async fn verify_as(kubeconfig: &Path, hotel: &Hotel, more: &[&str]) -> (Option<i32>, String) {
    let files = Files::of(hotel);
    let config = files.config();
    let mut arguments = vec![
        "verify",
        "--config",
        config.to_str().unwrap(),
        "--kubeconfig",
        kubeconfig.to_str().unwrap(),
        "--namespace",
        &hotel.namespace,
        "--hotel",
        &hotel.namespace,
        "--again-after",
        "0",
    ];
    arguments.extend(more);
    let (code, out, err) = ends(&arguments).await;
    assert!(code.is_some_and(|code| code == 0 || err.contains("do not fit")), "{err}");
    (code, out)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hotel_in_order_is_verified_without_an_operator_and_nothing_is_written() {
    let hotel = hotel("in-order").await;
    let calls = hotel.calls().await.len();
    let (code, out) = verify_as(&reader(&hotel).await, &hotel, &[]).await;
    assert_eq!((code, out.as_str()), (Some(0), "4 Reservations, 4 payments: 0 imbalances\n"));
    let calls = hotel.calls().await.split_off(calls);
    assert!(!calls.is_empty() && calls.iter().all(|c| c.method == "GET"), "{calls:#?}");
    let (code, out) = verify(&hotel, &["-o", "json"]).await;
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, told), (Some(0), json!({ "reservations": 4, "payments": 4, "imbalances": [] })));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_was_doctored_is_told_with_its_name_and_what_to_do() {
    let hotel = hotel("doctored").await;
    let id = |name: &str, accounts: &[innkeeper_payments::sandbox::Account]| {
        let account = accounts.iter().find(|a| a.intent.metadata["innkeeper_name"] == name).unwrap();
        account.intent.id.clone()
    };
    let accounts = hotel.accounts().await;
    // Refunded behind everybody's back.
    hotel.desk().refund_by_hand(&id("booked", &accounts), Some(1_000)).await.unwrap();
    // A guest who has gone by force.
    let none = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    hotel.reservations().patch("first", &PatchParams::default(), &none).await.unwrap();
    hotel.delete("first").await;
    hotel.gone("first").await;
    // A night torn out.
    let mut calendar = hotel.calendars().get("double-2030-07").await.unwrap();
    calendar.spec.nights[1].holders.clear();
    calendar.metadata.managed_fields = None;
    hotel.calendars().replace("double-2030-07", &PostParams::default(), &calendar).await.unwrap();

    let (code, out) = verify(&hotel, &["-o", "json"]).await;
    assert_eq!(code, Some(1));
    let told: Value = serde_json::from_str(&out).unwrap();
    let mut found: Vec<(&str, &str)> = told["imbalances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| (i["about"].as_str().unwrap(), i["name"].as_str().unwrap()))
        .collect();
    found.dedup();
    let first = told["imbalances"].as_array().unwrap().iter().find(|i| i["about"] == "Orphan").unwrap();
    assert!(first["what"].as_str().unwrap().contains(&id("first", &accounts)), "{first}");
    for expected in [("Kept", "booked"), ("Nights", "booked"), ("Orphan", "first")] {
        assert!(found.contains(&expected), "{expected:?} is not in {told:#}");
    }
    // Nights of who has gone are held by a UID that nobody has.
    assert!(found.iter().all(|(about, _)| ["Kept", "Nights", "Orphan"].contains(about)), "{told:#}");
    for imbalance in told["imbalances"].as_array().unwrap() {
        assert_eq!(imbalance["namespace"], hotel.namespace.as_str());
        assert!(imbalance["toDo"].as_str().unwrap().len() > 10, "{imbalance}");
    }
    let (code, out) = verify(&hotel, &[]).await;
    assert_eq!(code, Some(1));
    let mut lines = out.lines();
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(head[..4], ["HOTEL", "NAME", "ABOUT", "WHAT"], "{out}");
    let booked = lines.find(|line| line.contains("booked") && line.contains("Kept")).unwrap();
    let row: Vec<&str> = booked.split_whitespace().take(3).collect();
    assert_eq!(row, [hotel.namespace.as_str(), "booked", "Kept"]);
    assert!(booked.contains("  It is Confirmed, 23000 is kept, and 24000 is due"), "{out}");
    assert!(booked.ends_with("collect it again, or cancel the stay."), "what to do: {out}");
    let imbalances = told["imbalances"].as_array().unwrap().len();
    let sum = format!("3 Reservations, 4 payments: {imbalances} imbalances");
    assert_eq!(out.lines().last(), Some(sum.as_str()));
}
