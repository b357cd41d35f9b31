//! The component that gives Reservations their finalizer at birth: one write less for each.

use std::time::Instant;

use innkeeper_api::{FINALIZER, Reason, Reservation};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::kstatus::Kstatus::Current;
use super::story::Story;
use crate::support::hotel::{Hotel, stay};
use crate::support::{PATIENCE, PROJECT, kubectl_ok, kubectl_with, stderr};

const LABEL: &str = "innkeeper.dev/test-born-with-finalizers";

/// Applies the component, for namespaces that have the label alone: other tests share this control plane.
fn apply_the_component() {
    let built = kubectl_ok(&["kustomize", &format!("{PROJECT}/manifests/components/finalizers")]);
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&built).unwrap();
    let binding = objects.iter_mut().find(|o| o["kind"] == "MutatingAdmissionPolicyBinding").unwrap();
    binding["spec"]["matchResources"] = json!({ "namespaceSelector": { "matchLabels": { LABEL: "true" } } });
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    let applied = kubectl_with(&["apply", "-f", "-"], &list.to_string());
    assert!(applied.status.success(), "{}", stderr(&applied));
}

/// A policy acts some seconds after it was applied.
async fn until_it_acts(hotel: &Hotel) {
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let begun = Instant::now();
    loop {
        let born =
            hotel.reservations().create(&dry_run, &Reservation::new("probe", stay("double"))).await.unwrap();
        if born.metadata.finalizers.is_some() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "the policy never acted");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_is_born_with_its_finalizer_takes_one_write_less() {
    let hotel = Hotel::open("born-with").await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(hotel.client.clone());
    let label = Patch::Merge(json!({ "metadata": { "labels": { LABEL: "true" } } }));
    namespaces.patch(&hotel.namespace, &PatchParams::default(), &label).await.unwrap();
    apply_the_component();
    until_it_acts(&hotel).await;

    let mut story = Story::without_an_operator(hotel).await;
    story.start();
    story.hotel.room("double", 2).await;
    let born = story.hotel.reserve("anna", "double").await;
    assert_eq!(born.metadata.finalizers.as_deref(), Some(&[FINALIZER.to_owned()][..]));
    // Others' finalizers stay, and ours is not added twice.
    for (name, given, has) in [
        ("ben", vec!["example.org/other"], vec!["example.org/other", FINALIZER]),
        ("carl", vec![FINALIZER], vec![FINALIZER]),
    ] {
        let mut wanted = Reservation::new(name, stay("nowhere"));
        wanted.metadata.finalizers = Some(given.into_iter().map(ToOwned::to_owned).collect());
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let born = story.hotel.reservations().create(&dry_run, &wanted).await.unwrap();
        assert_eq!(born.metadata.finalizers.unwrap(), has);
    }
    story.hotel.settled("anna", Reason::Confirmed).await;
    let [anna] = story.end(["anna"]).await;
    anna.went(3, &["InProgress", "Confirmed"], &["Requested", "Paid", "Confirmed"], Current);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_deleted_before_anybody_has_looked_is_let_go() {
    let mut story = Story::without_an_operator(Hotel::open("born-and-gone").await).await;
    let mut early = Reservation::new("early", stay("double"));
    early.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    story.hotel.reservations().create(&PostParams::default(), &early).await.unwrap();
    story.hotel.delete("early").await;
    story.start();
    story.hotel.gone("early").await;
    assert_eq!(story.hotel.accounts().await, []);
    let [early] = story.end(["early"]).await;
    assert_eq!(early.phases(), ["Withdrawn"]);
    assert_eq!(early.facts(), ["Withdrawn"]);
}
