//! The health scripts for Argo CD get into its configuration in both ways that are documented. What they say is tested in
//! `tests/argocd`.

use serde_json::{Value, json};

use crate::support::{PROJECT, control_plane, kubectl_ok, kubectl_with, stderr};

const KEYS: [&str; 2] = [
    "resource.customizations.health.innkeeper.dev_Reservation",
    "resource.customizations.health.innkeeper.dev_Room",
];

/// Argo CD's configuration as it is installed, with a setting that must stay.
fn argocd_cm() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "argocd-cm" },
        "data": { "url": "https://argocd.example.org" },
    })
}

fn assert_configured(config: &Value) {
    assert_eq!(config["data"]["url"], "https://argocd.example.org");
    for key in KEYS {
        assert!(
            config["data"][key].as_str().is_some_and(|script| script.contains("return health")),
            "{config:#}"
        );
    }
}

#[test]
fn the_patch_is_applied_by_hand() {
    let namespace = control_plane().namespace("argocd");
    let created = kubectl_with(&["apply", "-n", &namespace, "-f", "-"], &argocd_cm().to_string());
    assert!(created.status.success(), "{}", stderr(&created));
    let patch = format!("{PROJECT}/manifests/components/argocd/health.yaml");
    kubectl_ok(&["patch", "configmap", "argocd-cm", "-n", &namespace, "--patch-file", &patch]);
    let config = kubectl_ok(&["get", "configmap", "argocd-cm", "-n", &namespace, "-o", "json"]);
    assert_configured(&serde_json::from_str(&config).unwrap());
}

#[test]
fn the_component_is_added_to_a_kustomization() {
    // Kustomize wants relative paths: the component lies beside it.
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("argocd");
    std::fs::create_dir(&component).unwrap();
    for file in ["kustomization.yaml", "health.yaml"] {
        let from = format!("{PROJECT}/manifests/components/argocd/{file}");
        std::fs::copy(from, component.join(file)).unwrap();
    }
    std::fs::write(folder.path().join("argocd-cm.json"), argocd_cm().to_string()).unwrap();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "argocd",
        "resources": ["argocd-cm.json"],
        "components": ["argocd"],
    });
    std::fs::write(folder.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let built = kubectl_ok(&["kustomize", folder.path().to_str().unwrap()]);
    assert_configured(&serde_saphyr::from_str(&built).unwrap());
}
