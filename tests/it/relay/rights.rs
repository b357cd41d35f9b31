//! The relay under the rights that the manifests give it: enough for what it does, and its policies refuse the rest.

use std::time::{Duration, Instant};

use innkeeper_api::{Reason, Reservation};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::post::{Folder, Making, hotel, told_of};
use crate::support::{PATIENCE, PROJECT, control_plane, kubectl_ok, kubectl_with, stderr};

const USER: &str = "system:serviceaccount:innkeeper-system:innkeeper-relay";
const GROUPS: [&str; 2] = ["system:serviceaccounts", "system:authenticated"];

/// Applies rights and policies, and nothing that runs.
pub fn install() {
    kubectl_ok(&["apply", "-f", &format!("{PROJECT}/manifests/base/rbac/namespace.yaml")]);
    let built = kubectl_ok(&["kustomize", &format!("{PROJECT}/manifests/base/relay")]);
    let objects: Vec<Value> = serde_saphyr::from_multiple(&built).unwrap();
    let runs =
        |object: &Value| matches!(object["kind"].as_str(), Some("StatefulSet" | "Service" | "NetworkPolicy"));
    let objects: Vec<Value> = objects.into_iter().filter(|object| !runs(object)).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    let applied = kubectl_with(&["apply", "-f", "-"], &list.to_string());
    assert!(applied.status.success(), "{}", stderr(&applied));
}

/// A client with the relay's rights.
pub fn client() -> Client {
    control_plane().client_for(USER, &GROUPS)
}

/// What a write was refused with. A policy acts some seconds after it was applied: until then a dry run passes.
async fn refused(reservations: &Api<Reservation>, patch: Value, says: &str) {
    let dry_run = PatchParams { dry_run: true, ..PatchParams::default() };
    let begun = Instant::now();
    loop {
        match reservations.patch("anna", &dry_run, &Patch::Merge(&patch)).await {
            Err(kube::Error::Api(status)) => {
                assert!(status.message.contains(says), "{}", status.message);
                return;
            }
            Ok(_) => assert!(begun.elapsed() < PATIENCE, "never refused: {patch}"),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_may_take_its_finalizer_off_and_change_nothing_else() {
    install();
    let mut hotel = hotel("relay-rights").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;

    let client = client();
    let reservations: Api<Reservation> = Api::namespaced(client.clone(), &hotel.namespace);
    for (patch, says) in [
        (json!({ "spec": { "state": "Cancelled" } }), "never writes spec"),
        (
            json!({ "metadata": { "finalizers": ["innkeeper.dev/relay"] } }),
            "takes no finalizer off but its own",
        ),
        (
            json!({ "metadata": { "annotations": { "innkeeper.dev/retry-refund": "2" } } }),
            "labels and annotations",
        ),
    ] {
        refused(&reservations, patch, says).await;
    }
    let more = json!({ "metadata": { "finalizers": ["innkeeper.dev/settle", "innkeeper.dev/relay", "a.example/b"] } });
    refused(&reservations, more, "puts no finalizer on").await;
    let status = Patch::Merge(json!({ "status": { "history": [] } }));
    let forbidden = reservations.patch_status("anna", &PatchParams::default(), &status).await.unwrap_err();
    assert!(forbidden.to_string().contains("forbidden"), "{forbidden}");
    let ben = Reservation::new("ben", crate::support::hotel::stay("double"));
    let made = reservations.create(&PostParams::default(), &ben).await;
    assert!(made.unwrap_err().to_string().contains("forbidden"));
    let dry_run = DeleteParams { dry_run: true, ..DeleteParams::default() };
    let kept = reservations.delete("anna", &dry_run).await.unwrap_err();
    assert!(kept.to_string().contains("only what has ended"), "{kept}");

    // And with these rights it does everything that it has to.
    let administrator = std::mem::replace(&mut hotel.client, client);
    let making = Making::of(&hotel);
    hotel.client = administrator;
    let folder = Folder::new();
    let relay = making.file(&folder.file()).start(&hotel, &folder.state()).await;
    hotel.delete("anna").await;
    hotel.gone("anna").await;
    assert_eq!(told_of(&folder.events(), "anna"), "requested paid confirmed refunded withdrawn");
    relay.stop().await;
    operator.stop().await;
}
