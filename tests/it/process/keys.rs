//! `innkeeper keys` under the rights that the manifests give it.

use std::collections::BTreeMap;

use innkeeper_gateway::Partners;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::process::ends;
use crate::support::rights::{forbidden, until};
use crate::support::{PROJECT, control_plane, run};

const SYSTEM: &str = "innkeeper-system";
const USER: &str = "system:serviceaccount:innkeeper-system:innkeeper-keys";
const GROUPS: [&str; 2] = ["system:serviceaccounts", "system:authenticated"];
const TRIAL: &str = "innkeeper-gateway-trial-partner";
const PARTNERS: &str = "innkeeper-gateway-partners";

fn secret(name: &str, type_: Option<&str>) -> Secret {
    let account = ("kubernetes.io/service-account.name".to_owned(), "innkeeper-operator".to_owned());
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        annotations: Some(BTreeMap::from([account])),
        ..ObjectMeta::default()
    };
    Secret { metadata, type_: type_.map(ToOwned::to_owned), ..Secret::default() }
}

async fn text(secrets: &Api<Secret>, name: &str, key: &str) -> String {
    let data = secrets.get(name).await.unwrap().data.unwrap();
    String::from_utf8(data[key].0.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_once_of_random_bytes_and_what_is_there_stays() {
    for folder in ["rbac", "keys/rights"] {
        let folder = format!("{PROJECT}/manifests/base/{folder}");
        run(control_plane().kubectl().args(["apply", "-k", &folder]));
    }
    let theirs: Api<Secret> = Api::namespaced(control_plane().client_for(USER, &GROUPS), SYSTEM);
    let secrets: Api<Secret> = Api::namespaced(control_plane().client(), SYSTEM);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    until("the role is seen", async || theirs.create(&dry, &secret(TRIAL, None)).await.is_ok()).await;
    let other = secret("another", None);
    // A policy is in force some seconds after it was installed.
    until("the policy is in force", async || theirs.create(&dry, &other).await.is_err()).await;
    let why = forbidden(theirs.create(&dry, &other).await, "another Secret");
    assert!(why.contains("and no others"), "{why}");
    let token = secret(TRIAL, Some("kubernetes.io/service-account-token"));
    forbidden(theirs.create(&dry, &token).await, "another account's token");
    forbidden(theirs.get(PARTNERS).await, "reading another Secret");
    forbidden(theirs.list(&ListParams::default()).await, "listing Secrets");
    forbidden(theirs.delete(TRIAL, &DeleteParams::default()).await, "deleting one");
    let patch = Patch::Merge(json!({ "stringData": { "token": "known" } }));
    forbidden(theirs.patch(TRIAL, &PatchParams::default(), &patch).await, "changing one");

    let kubeconfig = control_plane().kubeconfig_for(USER, &GROUPS).unwrap();
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    let arguments = ["keys", "--trial-partner", "--namespace", SYSTEM, &kubeconfig];
    let (code, out, said) = ends(&arguments).await;
    assert_eq!((code, said.as_str()), (Some(0), ""), "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("made the Secret")).count(), 4, "{out}");
    let token = text(&secrets, TRIAL, "token").await;
    assert!(token.len() == 64 && !out.contains(&token), "{out}");
    let folder = tempfile::TempDir::new().unwrap();
    let lets_in = async |token: &str| {
        let file = folder.path().join("partners.yaml");
        std::fs::write(&file, text(&secrets, PARTNERS, "partners.yaml").await).unwrap();
        Partners::load(&file).unwrap().with_token(token).is_some()
    };
    assert!(lets_in(&token).await && !lets_in("another").await);

    let keys = async || {
        let cookies = text(&secrets, "innkeeper-gateway-cookies", "cookies.keys").await;
        [cookies, text(&secrets, "innkeeper-gateway-guests", "guests.key").await]
    };
    let made = keys().await;
    // 32 bytes in base64, in a line.
    assert!(made.iter().all(|key| key.len() == 45 && key.ends_with("=\n")) && made[0] != made[1]);

    // Again, and again after half of it was lost: the token that somebody may have is still the one.
    for lost in [None, Some(PARTNERS)] {
        if let Some(lost) = lost {
            secrets.delete(lost, &DeleteParams::default()).await.unwrap();
        }
        let (code, out, said) = ends(&arguments).await;
        assert_eq!((code, said.as_str()), (Some(0), ""), "{out}");
        assert_eq!(text(&secrets, TRIAL, "token").await, token);
        assert!(lets_in(&token).await);
        assert_eq!(keys().await, made);
    }

    // Elsewhere it may do nothing, and says so.
    let (code, _, said) = ends(&["keys", "--namespace", "default", &kubeconfig]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("innkeeper-gateway-cookies") && said.contains("forbidden"), "{said}");
}
