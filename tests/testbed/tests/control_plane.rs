//! The control plane is a real one, and can be used as the tests of the project use it.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use innkeeper_testbed::{ControlPlane, Error, Options, shared};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    }
}

async fn who_am_i(client: Client) -> (String, Vec<String>) {
    let request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header("content-type", "application/json")
        .body(br#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#.to_vec())
        .unwrap();
    let answer: serde_json::Value = client.request(request).await.unwrap();
    let user = &answer["status"]["userInfo"];
    let groups = user["groups"].as_array().unwrap().iter().map(|g| g.as_str().unwrap().to_owned()).collect();
    (user["username"].as_str().unwrap().to_owned(), groups)
}

#[tokio::test]
async fn every_test_has_a_namespace_of_its_own() {
    let (one, other) = (shared().namespace("inn"), shared().namespace("inn"));
    assert_ne!(one, other);
    assert!(one.starts_with("inn-"), "{one}");
    let namespaces: Api<Namespace> = Api::all(shared().client());
    assert_eq!(namespaces.get(&one).await.unwrap().name_any(), one);
}

// Three runtimes of different kinds, one control plane: nothing of the first may be needed by the others.
#[tokio::test]
async fn a_client_works_in_a_runtime_of_one_thread() {
    shared().client().apiserver_version().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_works_in_a_runtime_of_several_threads() {
    shared().client().apiserver_version().await.unwrap();
}

#[test]
fn what_is_not_async_works_without_a_runtime() {
    let namespace = shared().namespace("plain");
    let status = shared().kubectl().args(["get", "configmaps", "-n", &namespace]).output().unwrap();
    assert!(status.status.success(), "{status:?}");
}

#[tokio::test]
async fn a_user_has_the_name_and_groups_asked_for_and_no_rights() {
    let client = shared().client_for("clerk", &["front-desk", "night-shift"]);
    // First, so that the refusal below is known to be RBAC's and not a client that does not work.
    let (user, groups) = who_am_i(client.clone()).await;
    assert_eq!(user, "clerk");
    assert_eq!(groups, ["front-desk", "night-shift", "system:authenticated"]);

    let secrets: Api<Secret> = Api::namespaced(client, "default");
    let refused = secrets.get("any").await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
}

#[test]
fn a_kubeconfig_for_a_user_makes_kubectl_that_user() {
    let kubeconfig = shared().kubeconfig_for("clerk", &["front-desk"]).unwrap();
    let output = shared().kubectl().env("KUBECONFIG", kubeconfig).args(["auth", "whoami"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("clerk") && said.contains("front-desk"), "{output:?}");
}

#[tokio::test]
async fn nobody_is_let_in_without_a_certificate() {
    let mut config = kube::Config::new(server_url().parse().unwrap());
    config.accept_invalid_certs = true;
    let refused = Client::try_from(config).unwrap().apiserver_version().await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 401), "{refused}");
}

fn server_url() -> String {
    let config = std::fs::read_to_string(shared().kubeconfig()).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned()
}

#[test]
fn kubectl_never_sees_the_users_own_cluster() {
    let command = shared().kubectl();
    let environment: Vec<_> = command.get_envs().collect();
    let value = |name: &str| environment.iter().find(|(n, _)| *n == name).and_then(|(_, v)| *v);
    assert_eq!(value("KUBECONFIG"), Some(shared().kubeconfig().as_os_str()));
    assert!(value("HOME").is_some_and(|home| std::path::Path::new(home).starts_with(shared().folder())));
}

#[test]
fn both_kinds_of_admission_policy_are_served() {
    let output = shared()
        .kubectl()
        .args(["api-resources", "--api-group=admissionregistration.k8s.io"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let served = |kind: &str| {
        said.lines().any(|l| l.contains("admissionregistration.k8s.io/v1 ") && l.ends_with(kind))
    };
    assert!(served("ValidatingAdmissionPolicy"), "{said}");
    assert!(served("MutatingAdmissionPolicy"), "{said}");
}

/// Tests that count writes or cut connections have a control plane of their own.
#[tokio::test]
async fn writes_are_counted_and_survive_a_restart_of_the_api_server() {
    let control_plane = ControlPlane::start(Options::default()).unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(control_plane.client(), "default");

    let before = control_plane.etcd_revision();
    let mut counted = before;
    for n in 0..10 {
        let made = maps.create(&PostParams::default(), &config_map(&format!("map-{n}"))).await.unwrap();
        // The revision of its own write stands between the two, however much the API server writes of itself meanwhile:
        // after its start that is more than one can say.
        let version: i64 = made.resource_version().unwrap().parse().unwrap();
        let now = control_plane.etcd_revision();
        assert!((counted + 1..=now).contains(&version), "{version} is not from {counted} to {now}");
        counted = now;
    }
    assert!(counted >= before + 10);

    let pid = control_plane.pid("kube-apiserver");
    control_plane.restart_apiserver().unwrap();
    assert_ne!(control_plane.pid("kube-apiserver"), pid);
    assert_eq!(maps.get("map-9").await.unwrap().name_any(), "map-9");
    assert!(control_plane.etcd_revision() >= before + 10);
}

/// Every attempt is given this taken port, because the last flag counts; a port that was only taken for a moment is
/// passed over in the same way, with another one.
#[test]
fn a_port_that_somebody_took_in_the_meantime_is_not_taken_for_a_broken_server() {
    let somebody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = somebody.local_addr().unwrap().port();
    let options =
        Options { apiserver_arguments: vec![format!("--secure-port={port}")], ..Options::default() };
    let error = ControlPlane::start(options).unwrap_err();
    assert!(matches!(error, Error::NoFreePort { name: "kube-apiserver" }), "{error}");
}
