//! Which installation this is: a random value in a `ConfigMap` that backups keep, by which it knows its own money.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use crate::error::OperatorError;

const ID: &str = "id";

/// Where an installation is at home.
#[derive(Debug, Clone)]
pub struct Home {
    /// Its id, the mark of its money at the provider.
    pub installation: String,
    /// The operator's own namespace.
    pub namespace: String,
    /// The `ConfigMap` there that holds the id, and what the brake has to say.
    pub config_map: String,
}

/// Reads the installation's id, or makes one where there is no such `ConfigMap` yet.
pub async fn installation_id(client: &Client, namespace: &str, name: &str) -> Result<String, OperatorError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let place = format!("{namespace}/{name}");
    let failed = |source| OperatorError::Installation { name: place.clone(), source: Box::new(source) };
    let found = match api.get_opt(name).await.map_err(failed)? {
        Some(found) => found,
        None => match api.create(&PostParams::default(), &anew(name)).await {
            Ok(made) => made,
            // Another operator was faster.
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                api.get(name).await.map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        },
    };
    found
        .data
        .and_then(|d| d.get(ID).cloned())
        .filter(|id| !id.is_empty())
        .ok_or(OperatorError::NoInstallationId(place))
}

fn anew(name: &str) -> ConfigMap {
    let labels = BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "innkeeper".to_owned()),
        ("app.kubernetes.io/part-of".to_owned(), "innkeeper".to_owned()),
    ]);
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([(ID.to_owned(), uuid::Uuid::new_v4().to_string())])),
        ..ConfigMap::default()
    }
}
