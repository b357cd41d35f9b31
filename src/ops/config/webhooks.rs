//! The provider's webhooks, as the operator takes them.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// The provider's webhooks: what is under way at the provider is then looked at when it says so, and not only now and
/// then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Webhooks {
    /// The file that holds the secret which the provider signs its webhooks with, mounted from a Secret; several, one a
    /// line, while it is being changed. Without one no webhooks are taken.
    pub secret_file: Option<PathBuf>,
    /// Address and port where webhooks are taken, at `/webhooks/payments`. Port 0 takes a free one.
    #[serde(deserialize_with = "rules::listen_address")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { secret_file: None, listen: SocketAddr::from(([0, 0, 0, 0], 8092)) }
    }
}
