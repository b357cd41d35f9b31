//! What became of the webhooks that came in.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::Metrics;

/// What became of one: one of the words of whoever takes them, never text that came with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WebhookLabel {
    outcome: &'static str,
}

/// Counted by outcome.
pub(super) type Webhooks = Family<WebhookLabel, Counter>;

impl Metrics {
    /// A webhook of the payment provider came in; `outcome` says what became of it.
    pub fn webhook(&self, outcome: &'static str) {
        self.0.webhooks.get_or_create(&WebhookLabel { outcome }).inc();
    }
}
