//! Has finished Reservations filed, and lets deleted ones go: once nothing of them is in a queue, everything they say is
//! out, and they are filed where there is an archive.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_api::{RELAY_FINALIZER, Reservation};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::MANAGER;
use crate::filing::Filing;
use crate::relay::Shared;
use crate::store::intake::{count, is_out, leaves, let_go};
use crate::store::queue::{self, Whom};

/// How often it is looked for what is due by the clock alone.
const LOOK: Duration = Duration::from_secs(1);
/// How many are read together.
const AT_ONCE: i64 = 200;

pub(crate) struct Releaser {
    shared: Arc<Shared>,
}

impl Releaser {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Works until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut failures: u32 = 0;
        while !stop.is_cancelled() {
            let filed = self.file().await;
            match filed.and(self.release().await) {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(error, "finished Reservations wait; it is tried again");
                }
            }
            let retry = &self.shared.config.current().relay.retry;
            let factor = 2u32.saturating_pow(failures.min(20));
            let patience =
                if failures == 0 { LOOK } else { retry.initial.saturating_mul(factor).min(retry.max) };
            tokio::select! {
                () = self.shared.out.notified(), if failures == 0 => {}
                () = tokio::time::sleep(patience) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Has those filed that are due.
    async fn file(&self) -> Result<(), String> {
        let Some(filing) = self.shared.filing.clone() else { return Ok(()) };
        let now = Timestamp::now().as_millisecond();
        let due =
            self.shared.store.run(move |store| queue::to_file(store, now, AT_ONCE)).await.map_err(text)?;
        let mut wrong = Ok(());
        for whom in due {
            // One that cannot be filed keeps itself, and nobody else.
            if let Err(error) = self.file_one(filing.as_ref(), &whom).await {
                wrong = Err(format!("{}/{} cannot be filed: {error}", whom.namespace, whom.name));
            }
        }
        wrong
    }

    async fn file_one(&self, filing: &dyn Filing, whom: &Whom) -> Result<(), String> {
        let Some(reservation) = self.read(whom).await? else { return Ok(()) };
        if !self.out(&reservation).await? {
            // The watch will show what is new of it.
            return Ok(());
        }
        filing.file(&reservation).await.map_err(text)?;
        self.shared.metrics.relay_filed();
        let facts = count(&reservation);
        let uid = reservation.uid().unwrap_or_default();
        self.shared.store.run(move |store| queue::filed(store, &uid, facts)).await.map_err(text)
    }

    /// Lets those go of whom everything is out and filed.
    async fn release(&self) -> Result<(), String> {
        let filing = self.shared.filing.is_some();
        let leaving = self.shared.store.run(move |store| queue::leaving(store, filing, AT_ONCE)).await;
        let mut wrong = Ok(());
        for whom in leaving.map_err(text)? {
            if let Err(error) = self.release_one(&whom).await {
                wrong = Err(format!("{}/{} cannot be let go: {error}", whom.namespace, whom.name));
            }
        }
        wrong
    }

    async fn release_one(&self, whom: &Whom) -> Result<(), String> {
        let Some(reservation) = self.read(whom).await? else { return Ok(()) };
        if leaves(&reservation) && self.out(&reservation).await? {
            self.let_go(whom, &reservation).await?;
        }
        Ok(())
    }

    async fn let_go(&self, whom: &Whom, reservation: &Reservation) -> Result<(), String> {
        let rest: Vec<&String> = reservation.finalizers().iter().filter(|f| *f != RELAY_FINALIZER).collect();
        let patch = json!({ "metadata": {
            "uid": reservation.metadata.uid,
            "resourceVersion": reservation.metadata.resource_version,
            "finalizers": rest,
        }});
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match self.api(&whom.namespace).patch_metadata(&whom.name, &params, &Patch::Merge(patch)).await {
            Ok(_) => {
                tracing::debug!(namespace = whom.namespace, name = whom.name, "let go");
                self.shared.metrics.relay_released();
                self.done_with(whom).await
            }
            Err(kube::Error::Api(status)) if status.code == 404 => self.done_with(whom).await,
            // Somebody was faster: looked at again.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(text(error)),
        }
    }

    /// The Reservation as it is now; one that is gone needs not be let go.
    async fn read(&self, whom: &Whom) -> Result<Option<Arc<Reservation>>, String> {
        let found = self.api(&whom.namespace).get_opt(&whom.name).await.map_err(text)?;
        match found.filter(|found| found.uid().as_deref() == Some(&whom.uid)) {
            Some(found) => Ok(Some(Arc::new(found))),
            None => self.done_with(whom).await.map(|()| None),
        }
    }

    async fn out(&self, reservation: &Arc<Reservation>) -> Result<bool, String> {
        let (shared, object) = (Arc::clone(&self.shared), Arc::clone(reservation));
        self.shared.store.run(move |store| is_out(store, &shared.wanted, &object)).await.map_err(text)
    }

    async fn done_with(&self, whom: &Whom) -> Result<(), String> {
        let uid = whom.uid.clone();
        self.shared.store.run(move |store| let_go(store, &uid)).await.map_err(text)
    }

    fn api(&self, namespace: &str) -> Api<Reservation> {
        Api::namespaced(self.shared.client.clone(), namespace)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
