//! What the pods may do.

use std::process::Stdio;

use kube::api::ListParams;
use serde_json::{Value, json};

use crate::support::report::say;
use crate::support::{SYSTEM, World};

/// As declared: Pod Security lets them run and refuses others; no secret is in an environment.
pub async fn pods(world: &World) {
    world.installed();
    let pods: Value =
        serde_json::from_str(&world.kubectl(&["-n", SYSTEM, "get", "pods", "-o", "json"])).unwrap();
    let pods = pods["items"].as_array().unwrap().clone();
    let of_part = |part: &str| {
        let is = |pod: &&Value| pod["metadata"]["labels"]["app.kubernetes.io/component"] == part;
        pods.iter().filter(is).count()
    };
    let parts = ["operator", "payments", "issuer", "gateway"].map(of_part);
    assert!(parts[..3] == [2, 1, 1] && parts[3] >= 2, "operators, providers, issuers, gateways: {parts:?}");
    for pod in &pods {
        let name = pod["metadata"]["name"].as_str().unwrap();
        for container in pod["spec"]["containers"].as_array().unwrap() {
            let environment = container["env"].as_array().cloned().unwrap_or_default();
            let secret = environment.iter().any(|e| !e["valueFrom"]["secretKeyRef"].is_null());
            assert!(!secret && container["envFrom"].is_null(), "{name} has a secret in its environment");
            for what in ["requests", "limits"] {
                for of in ["cpu", "memory"] {
                    assert!(container["resources"][what][of].is_string(), "{name} has no {what} for {of}");
                }
            }
        }
    }
    let harmful = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "harmful", "namespace": SYSTEM },
        "spec": { "containers": [{ "name": "c", "image": "x", "securityContext": { "privileged": true } }] },
    });
    let mut command = world.kubectl_command(&["create", "--dry-run=server", "-f", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), &harmful).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("violates PodSecurity \"restricted"), "{said}");
    // Not even a warning for what is ours.
    for pod in &pods {
        let of = pod["metadata"]["ownerReferences"][0]["kind"].as_str().unwrap_or_default();
        assert!(["ReplicaSet", "StatefulSet", "Job"].contains(&of), "{of}");
    }
    let label = format!("namespace/{SYSTEM}");
    let strict = "pod-security.kubernetes.io/enforce=restricted";
    let output = world
        .kubectl_command(&["label", "--dry-run=server", "--overwrite", &label, strict])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("Warning"), "{said}");
    say!(
        "  {} pods run as `restricted` asks; a privileged one is refused; none has a secret in its environment",
        pods.len()
    );
}

/// As the kernel has it.
pub async fn processes(world: &World) {
    world.installed();
    let node = world.node.as_ref().expect("checked before");
    let mut pods: Vec<(String, String)> =
        world.operators().await.into_iter().map(|pod| (pod.name, pod.uid)).collect();
    pods.extend(world.gateways().await.into_iter().map(|pod| (pod.name, pod.uid)));
    let issuers = ListParams::default().labels("app.kubernetes.io/component=issuer");
    let issuers = world.pods().list(&issuers).await.unwrap().items.into_iter().map(|pod| pod.metadata);
    pods.extend(issuers.map(|pod| (pod.name.unwrap(), pod.uid.unwrap())));
    let payments = world.pods().get("innkeeper-payments-0").await.unwrap().metadata;
    pods.push((payments.name.unwrap(), payments.uid.unwrap()));
    for (name, uid) in pods {
        let process = node.process(&uid).unwrap_or_else(|| panic!("{name} has a process"));
        let seen =
            ["Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"].map(|field| node.status(&process, field));
        let nothing = "0000000000000000";
        let expected = ["65532\t65532\t65532\t65532", nothing, nothing, "1", "2"];
        assert_eq!(seen, expected, "{name}: Uid, CapEff, CapBnd, NoNewPrivs, Seccomp (2: a filter)");
        let mounts = node.run(&format!("grep ' / ' /proc/{process}/mounts"));
        let options = mounts.split_whitespace().nth(3).unwrap_or_default();
        assert!(options.split(',').any(|option| option == "ro"), "{name}: its root can be written: {mounts}");
        let environment = node.run(&format!("tr '\\0' '\\n' </proc/{process}/environ"));
        assert!(!environment.contains("sk_test_"), "{name} has the key in its environment");
        say!("  {name}: uid 65532, no capability, no new privileges, a seccomp filter, a read-only root");
    }
}
