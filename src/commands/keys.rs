//! `innkeeper keys`: makes the Secrets that an installation needs and nobody should have to think of. Each is made once,
//! of random bytes, and never changed: what is there stays as it is, whoever made it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::Outcome;
use super::operator::kube_config;

/// The Secret with the token of the partner that comes with an installation for trying.
const TRIAL: &str = "innkeeper-gateway-trial-partner";
/// Its key in that Secret.
const TOKEN: &str = "token";
/// The Secret with the file of `gateway.partnersFile`.
const PARTNERS: &str = "innkeeper-gateway-partners";
/// Secrets with one key each, by which the gateway closes cookies and makes guests' ids. The first may be changed, the
/// second never: so there are two.
const KEYS: [(&str, &str); 2] =
    [("innkeeper-gateway-cookies", "cookies.keys"), ("innkeeper-gateway-guests", "guests.key")];
/// How many random bytes are a token or a key.
const BYTES: usize = 32;

/// How keys are made.
#[derive(Args)]
pub struct KeysArgs {
    /// Kubeconfig of the cluster; without one the pod's own service account
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The namespace of the Secrets; without it the pod's, or the kubeconfig's
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: Option<String>,
    /// Make a partner for trying, who may do everything everywhere, and keep its token in a Secret
    #[arg(long)]
    trial_partner: bool,
}

/// Makes what is not there yet, and says what it did; never a value.
pub async fn run(args: KeysArgs) -> Outcome {
    let client = Client::try_from(kube_config(args.kubeconfig.as_deref()).await?)?;
    let namespace = args.namespace.unwrap_or_else(|| client.default_namespace().to_owned());
    let secrets = Secrets { api: Api::namespaced(client, &namespace) };
    for (name, key) in KEYS {
        let value = format!("{}\n", STANDARD.encode(random()?));
        secrets.make(name, key, value).await?;
    }
    let partners = if args.trial_partner {
        let token = secrets.kept(TRIAL, TOKEN, hexadecimal(&random()?)).await?;
        json!([{ "name": "trial", "tokenHashes": [sha256(&token)], "scopes": ["search", "book", "read", "cancel"] }])
    } else {
        json!([])
    };
    let file = format!("{:#}\n", json!({ "partners": partners }));
    secrets.make(PARTNERS, "partners.yaml", file).await?;
    Ok(())
}

struct Secrets {
    api: Api<Secret>,
}

impl Secrets {
    /// Makes one, unless it is there. Whether it was made.
    async fn make(&self, name: &str, key: &str, value: String) -> Result<bool, String> {
        let label = |key: &str, value: &str| (format!("app.kubernetes.io/{key}"), value.to_owned());
        let labels = [
            label("name", "innkeeper"),
            label("instance", "innkeeper"),
            label("version", env!("CARGO_PKG_VERSION")),
            label("component", "gateway"),
            label("part-of", "innkeeper"),
            label("managed-by", "innkeeper"),
        ];
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from(labels)),
            ..ObjectMeta::default()
        };
        let secret = Secret {
            metadata,
            string_data: Some(BTreeMap::from([(key.to_owned(), value)])),
            ..Secret::default()
        };
        match self.api.create(&PostParams::default(), &secret).await {
            Ok(_) => {
                println!("made the Secret {name}");
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                println!("the Secret {name} is there and stays as it is");
                Ok(false)
            }
            Err(error) => Err(format!("cannot make the Secret {name}: {error}")),
        }
    }

    /// Makes one, unless it is there; gives the value that it has then.
    async fn kept(&self, name: &str, key: &str, value: String) -> Result<String, String> {
        if self.make(name, key, value.clone()).await? {
            return Ok(value);
        }
        let there = self.api.get(name).await.map_err(|e| format!("cannot read the Secret {name}: {e}"))?;
        let data = there.data.and_then(|mut data| data.remove(key));
        let ByteString(bytes) = data.ok_or_else(|| format!("the Secret {name} has no `{key}`"))?;
        String::from_utf8(bytes).map_err(|_| format!("`{key}` of the Secret {name} is not text"))
    }
}

fn random() -> Result<[u8; BYTES], String> {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).map_err(|_| "the system gives no random bytes".to_owned())?;
    Ok(bytes)
}

/// The SHA-256 of a text, as a partners file has it.
fn sha256(text: &str) -> String {
    hexadecimal(digest(&SHA256, text.as_bytes()).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
