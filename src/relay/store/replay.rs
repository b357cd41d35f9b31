//! Puts what the objects say into the queues once more: repeats, with the ids that they had.

use innkeeper_api::Reservation;
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt};

use super::intake::{Queued, put};
use super::{Store, StoreError};
use crate::event::of_fact;
use crate::relay::Wanted;

/// How many objects are read and stored together.
const PAGE: u32 = 200;

/// Why nothing, or not all, is sent again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The objects.
    #[error("the Reservations cannot be read: {0}")]
    Read(#[from] Box<kube::Error>),
    /// There is no such Reservation.
    #[error("there is no such Reservation, or this version cannot read it")]
    NotThere,
}

impl Store {
    /// Puts every fact of all Reservations, of those of one namespace, or of one, into the queues; gives how many.
    pub async fn replay(
        &self,
        client: Client,
        installation: &str,
        wanted: Vec<Wanted>,
        namespace: Option<&str>,
        name: Option<&str>,
    ) -> Result<usize, ReplayError> {
        let api: Api<DeserializeGuard<Reservation>> = match namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        if let Some(name) = name {
            let found = api.get_opt(name).await.map_err(Box::new)?.and_then(|object| object.0.ok());
            let found = found.ok_or(ReplayError::NotThere)?;
            return Ok(self.queue_again(installation, &wanted, vec![found]).await?);
        }
        let (mut params, mut again) = (ListParams::default().limit(PAGE), 0);
        loop {
            let page = api.list(&params).await.map_err(Box::new)?;
            let objects = page.items.into_iter().filter_map(|object| match object.0 {
                Ok(object) => Some(object),
                Err(error) => {
                    tracing::error!(%error, "left out: a Reservation cannot be read");
                    None
                }
            });
            again += self.queue_again(installation, &wanted, objects.collect()).await?;
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(again),
            }
        }
    }

    async fn queue_again(
        &self,
        installation: &str,
        wanted: &[Wanted],
        objects: Vec<Reservation>,
    ) -> Result<usize, StoreError> {
        let (installation, wanted) = (installation.to_owned(), wanted.to_vec());
        self.run(move |store| {
            let mut again = 0;
            for object in &objects {
                let uid = object.uid().unwrap_or_default();
                let history = object.status.as_ref().map(|s| s.history.as_slice()).unwrap_or_default();
                for wanted in wanted.iter().filter(|w| w.serves(object.metadata.namespace.as_deref())) {
                    for fact in history {
                        let event = of_fact(&installation, object, fact);
                        if wanted.wants(&event.kind) {
                            put(store, &wanted.sink, &uid, &Queued::of(&event))?;
                            again += 1;
                        }
                    }
                }
            }
            Ok(again)
        })
        .await
    }
}
