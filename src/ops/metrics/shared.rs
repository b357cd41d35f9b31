//! What every part of Innkeeper counts: its version, its requests to the API server, its configuration.

use axum::http::Method;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::labels::{BuildLabels, ChangeLabels, ReloadLabel, ReloadResult, RequestLabels, TakesEffect};
use super::{Metrics, register};

/// What every part counts.
#[derive(Debug)]
pub(super) struct Shared {
    api_requests: Family<RequestLabels, Counter>,
    pub(super) config_reloads: Family<ReloadLabel, Counter>,
    config_changes: Family<ChangeLabels, Counter>,
    config_in_force: Gauge,
}

impl Shared {
    pub(super) fn new(to: &mut Registry, version: &'static str) -> Self {
        let build = Info::new(BuildLabels { version });
        to.register("innkeeper_build", "The version that is running", build);
        Self {
            api_requests: register(to, "rest_client_requests", "Requests to the Kubernetes API server"),
            config_reloads: register(to, "innkeeper_config_reload", "Configuration files read again"),
            config_changes: register(
                to,
                "innkeeper_config_changes",
                "Fields that a new configuration changed, and whether that takes effect now or at the next start",
            ),
            config_in_force: register(
                to,
                "innkeeper_config_last_reload_successful",
                "Whether the configuration file as it is now is the one in force",
            ),
        }
    }
}

impl Metrics {
    /// The API server answered a request with this status, or there was no answer.
    pub fn api_request(&self, method: &Method, code: Option<u16>) {
        // `<error>` is what client-go writes.
        let code = code.map_or_else(|| "<error>".to_owned(), |code| code.to_string());
        self.0.shared.api_requests.get_or_create(&RequestLabels { code, method: method.to_string() }).inc();
    }

    /// The configuration file has changed and was read.
    pub fn config_reloaded(&self, result: ReloadResult) {
        self.0.shared.config_reloads.get_or_create(&ReloadLabel { result }).inc();
    }

    /// A new configuration has changed this field.
    pub fn config_changed(&self, field: &'static str, needs_restart: bool) {
        let takes_effect = if needs_restart { TakesEffect::NextStart } else { TakesEffect::Now };
        self.0.shared.config_changes.get_or_create(&ChangeLabels { field, takes_effect }).inc();
    }

    /// Whether the file as it is now is the one in force.
    pub fn config_in_force(&self, in_force: bool) {
        self.0.shared.config_in_force.set(i64::from(in_force));
    }
}
