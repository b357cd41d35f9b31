//! `manifests/components/webhooks`: the embedded provider finds the gateway, the gateway finds every operator, and nobody else
//! does.

use innkeeper_ops::config::Config;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{PROJECT, kubectl_ok};

/// The quickstart with these components, as somebody's overlay puts them together.
fn built(components: &[&str]) -> Vec<Value> {
    let folder = TempDir::new().unwrap();
    let depth = folder.path().canonicalize().unwrap().components().count() - 1;
    let manifests = format!("{}{}/manifests", "../".repeat(depth), PROJECT.trim_start_matches('/'));
    let components: Vec<String> =
        components.iter().map(|name| format!("{manifests}/components/{name}")).collect();
    let overlay = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [format!("{manifests}/overlays/quickstart")],
        "components": components,
    });
    std::fs::write(folder.path().join("kustomization.yaml"), overlay.to_string()).unwrap();
    serde_saphyr::from_multiple(&kubectl_ok(&["kustomize", folder.path().to_str().unwrap()])).unwrap()
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

fn container(object: &Value) -> &Value {
    &object["spec"]["template"]["spec"]["containers"][0]
}

fn arguments(objects: &[Value]) -> Vec<String> {
    let payments = find(objects, "StatefulSet", "innkeeper-payments");
    serde_json::from_value(container(payments)["args"].clone()).unwrap()
}

#[test]
fn the_provider_reaches_the_door_and_the_door_every_operator() {
    let (plain, objects) = (built(&[]), built(&["webhooks"]));
    // A headless Service, to the port at which operators take them when nothing else is said.
    let service = find(&objects, "Service", "innkeeper-operator-webhooks");
    let port = Config::default().payments.webhooks.listen.port();
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(service["spec"]["ports"][0]["port"], port);
    let operator = find(&objects, "Deployment", "innkeeper-operator");
    let named = container(operator)["ports"].as_array().unwrap();
    let named = named.iter().find(|named| named["name"] == service["spec"]["ports"][0]["targetPort"]);
    assert_eq!(named.unwrap()["containerPort"], port);
    let labels = &operator["spec"]["template"]["metadata"]["labels"];
    for (label, value) in service["spec"]["selector"].as_object().unwrap() {
        assert_eq!(&labels[label], value, "{label}");
    }
    // The provider has what it had, and two arguments more.
    let (before, with) = (arguments(&plain), arguments(&objects));
    let more = with.strip_prefix(before.as_slice()).expect("the same, and more");
    let [url_name, url, file_name, file] = more else { panic!("{more:?}") };
    assert_eq!((url_name.as_str(), file_name.as_str()), ("--webhook-url", "--webhook-secret-file"));
    assert_eq!(url, "http://innkeeper-gateway.innkeeper-system.svc/webhooks/payments");
    assert_eq!(find(&objects, "Service", "innkeeper-gateway")["spec"]["ports"][0]["port"], 80);
    // Both have the secret where they look for it.
    let (folder, key) = file.rsplit_once('/').unwrap();
    assert!(find(&objects, "Secret", "innkeeper-webhooks")["data"][key].is_string());
    for object in [operator, find(&objects, "StatefulSet", "innkeeper-payments")] {
        let mounts = container(object)["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["mountPath"] == folder).unwrap();
        let volumes = object["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        assert_eq!(volume["secret"]["secretName"], "innkeeper-webhooks");
    }
    // And the network lets them, and nobody else.
    for (policy, direction, side, whom, port) in [
        ("innkeeper-payments-to-gateway", "egress", "to", "gateway", 8090),
        ("innkeeper-gateway-to-operator", "egress", "to", "operator", port),
        ("innkeeper-operator-webhooks", "ingress", "from", "gateway", port),
    ] {
        let rule = &find(&objects, "NetworkPolicy", policy)["spec"][direction][0];
        let peers = rule[side].as_array().unwrap();
        assert_eq!(peers.len(), 1, "{policy}");
        assert_eq!(peers[0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"], whom, "{policy}");
        assert_eq!(rule["ports"], json!([{ "protocol": "TCP", "port": port }]), "{policy}");
    }
}
