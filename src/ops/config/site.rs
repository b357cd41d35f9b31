//! The site in the browser.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The site in the browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Site {
    /// What the site calls itself.
    pub title: String,
    /// Stripe's publishable key (`pk_...`). With it guests pay with Stripe's own form, whose script their browsers load
    /// from js.stripe.com, and no card reaches the gateway. Without it they choose among test cards, which the embedded
    /// provider and Stripe's test mode know.
    pub stripe_publishable_key: Option<String>,
}

impl Default for Site {
    fn default() -> Self {
        Self { title: "Innkeeper".to_owned(), stripe_publishable_key: None }
    }
}
