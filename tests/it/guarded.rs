//! What guards the money: stays that were made anew, the brake, and the sweep of payments that are nobody's.

mod anew;
mod brake;
mod orphans;
mod rewound;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::support::eventually_async;
use crate::support::hotel::{Hotel, INSTALLATION};

/// The installation's `ConfigMap`, as the program makes it at its first start.
async fn install(hotel: &Hotel) {
    let data = BTreeMap::from([("id".to_owned(), "test".to_owned())]);
    let metadata = ObjectMeta { name: Some(INSTALLATION.to_owned()), ..ObjectMeta::default() };
    let wanted = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
    config_maps(hotel).create(&PostParams::default(), &wanted).await.unwrap();
}

fn config_maps(hotel: &Hotel) -> Api<ConfigMap> {
    Api::namespaced(hotel.client.clone(), &hotel.namespace)
}

/// The halt in force, as it is stored.
async fn halt(client: &Client, namespace: &str) -> Option<String> {
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let found = config_maps.get(INSTALLATION).await.unwrap();
    found.annotations().get("innkeeper.dev/money-halted").cloned()
}

/// Waits for a halt, and gives its id.
async fn halted(hotel: &Hotel) -> String {
    let mut id = None;
    let stored = async || {
        id = halt(&hotel.client, &hotel.namespace).await;
        id.is_some()
    };
    assert!(eventually_async(stored).await, "no halt is stored");
    id.unwrap()
}

/// What the message of a halt asks a person to do.
async fn acknowledge(hotel: &Hotel, id: &str) {
    let patch =
        Patch::Merge(json!({ "metadata": { "annotations": { "innkeeper.dev/money-acknowledged": id } } }));
    config_maps(hotel).patch(INSTALLATION, &PatchParams::default(), &patch).await.unwrap();
}

/// Every right, past the policies: as somebody would who strips finalizers.
async fn strip(hotel: &Hotel, name: &str) {
    let none = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    hotel.reservations().patch(name, &PatchParams::default(), &none).await.unwrap();
}
