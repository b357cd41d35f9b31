//! Removes contacts whose Reservation is gone.
//!
//! A contact goes only when the API server itself, not a watch, has said that its Reservation is not there or that
//! another has taken its name. Whatever else it answers (not allowed, no answer) leaves the contact where it is. Any
//! number of replicas may do this at once, and any of them may end in the middle: the next round finds what is left.
//!
//! A Reservation that the watch has seen go is looked up at once; what went while nobody watched is found by a list of
//! the Secrets' metadata, at the start and from time to time.

use std::time::Duration;

use aws_lc_rs::rand::fill;
use innkeeper_api::Reservation;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, PartialObjectMeta, Preconditions};
use kube::{Api, Client, ResourceExt};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{LABEL, OF};
use crate::model::{Gone, Model};

/// The time between two rounds; half of it to one and a half, so that replicas do not go round together.
const ROUND: Duration = Duration::from_secs(1800);
/// The first round comes so long after the start at most.
const FIRST: Duration = Duration::from_secs(10);
/// Secrets in one part of the list.
const PART: u32 = 500;
/// How long one call may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How long to wait before what failed is tried again, and how often.
const AGAIN: Duration = Duration::from_secs(2);
const TRIES: u32 = 3;

/// Looks after the contacts of one namespace.
pub(crate) struct Cleaning {
    client: Client,
    secrets: Api<Secret>,
    model: Model,
}

impl Cleaning {
    pub(crate) fn new(client: Client, namespace: &str, model: Model) -> Self {
        Self { secrets: Api::namespaced(client.clone(), namespace), client, model }
    }

    /// Goes on for good.
    pub(crate) async fn run(self, mut gone: UnboundedReceiver<Gone>) {
        let mut wait = within(FIRST);
        loop {
            let round = tokio::time::sleep(wait);
            tokio::pin!(round);
            loop {
                tokio::select! {
                    () = &mut round => break,
                    Some(gone) = gone.recv() => self.see_off(&gone).await,
                }
            }
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "contacts could not be looked through; it is tried again");
            }
            wait = ROUND / 2 + within(ROUND);
        }
    }

    /// Removes the contact of a Reservation that has just gone.
    async fn see_off(&self, gone: &Gone) {
        for attempt in 1..=TRIES {
            match self.look(&gone.uid, &gone.namespace, &gone.name).await {
                Ok(()) => return,
                Err(error) if attempt == TRIES => {
                    tracing::warn!(%error, uid = gone.uid, "a contact is left for the next round");
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Looks at every contact whose Reservation is not among those that the watch has shown.
    async fn round(&self) -> Result<(), kube::Error> {
        let mut part = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1)).limit(PART);
        loop {
            let found = self.secrets.list_metadata(&part).await?;
            for secret in &found.items {
                self.consider(secret).await?;
            }
            match found.metadata.continue_.filter(|next| !next.is_empty()) {
                Some(next) => part = part.continue_token(&next),
                None => return Ok(()),
            }
        }
    }

    async fn consider(&self, secret: &PartialObjectMeta<Secret>) -> Result<(), kube::Error> {
        let note = |key: &str| secret.annotations().get(key).cloned();
        let (uid, Some(namespace), Some(name)) = (secret.name_any(), note(OF[0]), note(OF[1])) else {
            // Whoever made it, it does not say what it belongs to.
            return Ok(());
        };
        if self.model.stay(&namespace, &name).is_some_and(|stay| stay.uid == uid) {
            return Ok(());
        }
        self.look(&uid, &namespace, &name).await
    }

    /// Removes the contact of this UID if the API server says that its Reservation is not there.
    async fn look(&self, uid: &str, namespace: &str, name: &str) -> Result<(), kube::Error> {
        let Some(secret) = timely(self.secrets.get_metadata_opt(uid)).await? else {
            return Ok(());
        };
        // A get without a resourceVersion is answered from what is stored, not from a cache.
        let api: Api<Reservation> = Api::namespaced(self.client.clone(), namespace);
        match timely(api.get_metadata_opt(name)).await? {
            Some(there) if there.metadata.uid.as_deref() == Some(uid) => return Ok(()),
            Some(_) | None => {}
        }
        // This very Secret, should another have been made under its name meanwhile.
        let preconditions = Preconditions { uid: secret.metadata.uid.clone(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match timely(self.secrets.delete(uid, &params)).await {
            Ok(_) => {
                tracing::info!(uid, namespace, name, "the contact of a reservation that is gone was removed");
            }
            // Another replica was faster.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A call that ends in time.
async fn timely<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    let late = |_| kube::Error::Service("the API server did not answer in time".into());
    tokio::time::timeout(WITHIN, call).await.map_err(late)?
}

/// A random part of a span.
fn within(span: Duration) -> Duration {
    let mut byte = [0; 2];
    let _ = fill(&mut byte);
    span.mul_f64(f64::from(u16::from_be_bytes(byte)) / f64::from(u16::MAX))
}
