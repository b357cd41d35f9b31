//! The archive: where it is, and how it is used.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::span;

/// The archive of finished Reservations, on a volume that every gateway reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Archive {
    /// Its folder, on the volume that is mounted. Without one no past stays are shown.
    pub folder: Option<PathBuf>,
    /// How often a gateway looks for what was filed.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub follow_every: Duration,
    /// How long a Reservation stays after it was filed, at least, before the relay lets it expire (`ttlAfterFinished`):
    /// every gateway has then taken in that it is in the archive.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub expire_after_filed: Duration,
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            folder: None,
            follow_every: Duration::from_secs(2),
            expire_after_filed: Duration::from_secs(30),
        }
    }
}
