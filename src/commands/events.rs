//! Events about the operator's own pod: what a change of its configuration came to.

use clap::Args;
use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::config::watch::{Change, Reload};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::broadcast::error::RecvError;

/// Which pod this is.
#[derive(Args, Default)]
pub struct PodArgs {
    /// The pod's name, for Events about it; without one there are none
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pod: Option<String>,
    /// The pod's UID, by which `kubectl describe` finds its Events
    #[arg(long, value_name = "UID", env = "POD_UID")]
    pod_uid: Option<String>,
}

impl PodArgs {
    /// The pod as an Event names it.
    pub fn reference(self, namespace: &str) -> Option<ObjectReference> {
        Some(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(self.pod?),
            namespace: Some(namespace.to_owned()),
            uid: self.pod_uid,
            ..ObjectReference::default()
        })
    }
}

/// Publishes an Event about the pod for every change of the configuration, as long as there may be any.
pub async fn tell_of_reloads(config: &ConfigWatch, client: Client, pod: ObjectReference) {
    let reporter = Reporter { controller: "innkeeper".into(), instance: pod.name.clone() };
    let recorder = Recorder::new(client, reporter);
    let mut reloads = config.reloads();
    loop {
        let reload = match reloads.recv().await {
            Ok(reload) => reload,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "no Events tell of some changes of the configuration");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        for event in events(&reload) {
            // The log and a metric say the same; an Event that could not be written loses nothing.
            if let Err(error) = recorder.publish(&event, &pod).await {
                tracing::warn!(%error, "an Event could not be published");
            }
        }
    }
}

/// What to tell: what is in force now, what waits, what was refused.
fn events(reload: &Reload) -> Vec<Event> {
    match reload {
        Reload::Refused(error) => {
            vec![event(
                EventType::Warning,
                "ConfigRefused",
                &format!("the last good configuration stays: {error}"),
            )]
        }
        Reload::Applied(changes) => {
            let named = |needs_restart| {
                let of = |change: &&Change| change.needs_restart == needs_restart;
                changes.iter().filter(of).map(|change| change.field).collect::<Vec<_>>().join(", ")
            };
            let (now, later) = (named(false), named(true));
            let mut events = Vec::new();
            if !now.is_empty() {
                events.push(event(EventType::Normal, "ConfigReloaded", &format!("in force now: {now}")));
            }
            if !later.is_empty() {
                let note = format!("waits for the next start: {later}");
                events.push(event(EventType::Warning, "ConfigNeedsRestart", &note));
            }
            if changes.is_empty() {
                // Good again, and the same as before.
                let note = "the configuration is the one in force";
                events.push(event(EventType::Normal, "ConfigReloaded", note));
            }
            events
        }
    }
}

fn event(type_: EventType, reason: &str, note: &str) -> Event {
    // The API server refuses a longer one.
    let note = note.char_indices().take_while(|(at, c)| at + c.len_utf8() <= 1024).map(|(_, c)| c).collect();
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Configuring".to_owned(),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(reload: &Reload) -> Vec<(String, String)> {
        events(reload).into_iter().map(|e| (e.reason, e.note.unwrap())).collect()
    }

    fn pair(reason: &str, note: &str) -> (String, String) {
        (reason.to_owned(), note.to_owned())
    }

    #[test]
    fn what_is_in_force_and_what_waits_are_told_apart() {
        let changes = vec![
            Change { field: "operator.resync", needs_restart: false },
            Change { field: "operator.workers", needs_restart: true },
            Change { field: "log.filter", needs_restart: false },
        ];
        assert_eq!(
            told(&Reload::Applied(changes)),
            [
                pair("ConfigReloaded", "in force now: operator.resync, log.filter"),
                pair("ConfigNeedsRestart", "waits for the next start: operator.workers"),
            ]
        );
        assert_eq!(
            told(&Reload::Applied(vec![])),
            [pair("ConfigReloaded", "the configuration is the one in force")]
        );
    }

    #[test]
    fn a_note_is_never_longer_than_the_api_server_takes() {
        let event = event(EventType::Normal, "ConfigReloaded", &"\u{e9}".repeat(2000));
        assert_eq!(event.note.unwrap().len(), 1024);
    }

    #[test]
    fn without_a_name_there_is_no_pod_to_tell_of() {
        assert_eq!(PodArgs::default().reference("innkeeper-system"), None);
    }
}
