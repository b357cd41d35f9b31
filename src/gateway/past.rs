//! Past stays: the archive, mounted read-only, followed as it grows. A gateway whose archive cannot be read goes on with
//! everything else, and says that past stays are missing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use innkeeper_archive::{ArchiveError, Folder, Library, Record};
use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::metrics::Metrics;

use crate::identity::owners;
use crate::model::views::StayView;

pub(crate) use innkeeper_archive::Place;

/// Nothing has been read yet.
const LOADING: u8 = 0;
/// What there was when it was last looked at is known.
const READ: u8 = 1;
/// It cannot be read.
const AWAY: u8 = 2;

/// The archive, where there is one. Clones share it.
#[derive(Clone)]
pub struct Past(Option<Arc<Shelves>>);

struct Shelves {
    library: Library,
    state: AtomicU8,
}

/// Why past stays are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is still being read for the first time.
    Loading,
    /// It cannot be read.
    Away,
}

/// A part of an owner's past stays.
#[derive(Default)]
pub(crate) struct Page {
    /// Newest first.
    pub(crate) stays: Vec<StayView>,
    /// Behind which place the next part begins.
    pub(crate) next: Option<Place>,
}

impl Past {
    /// The archive in this folder.
    #[must_use]
    pub fn of(folder: Option<&Path>) -> Self {
        Self(folder.map(|folder| {
            let library = Library::new(Folder::new(folder), |guest| owners(guest).collect());
            Arc::new(Shelves { library, state: AtomicU8::new(LOADING) })
        }))
    }

    /// Keeps what is known in step with the archive, for good.
    pub async fn follow(self, config: Arc<ConfigWatch>, metrics: Metrics) {
        let Some(shelves) = self.0 else { return };
        let mut told = None;
        loop {
            let library = shelves.library.clone();
            let read = tokio::task::spawn_blocking(move || library.refresh()).await;
            let wrong = match read {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            let size = shelves.library.shelf();
            shelves.state.store(if wrong.is_none() { READ } else { AWAY }, Ordering::Release);
            metrics.gateway_archive(size.stays, wrong.is_none() && size.damaged == 0);
            let telling = (wrong.clone(), size.damaged);
            if told.as_ref() != Some(&telling) {
                match &wrong {
                    Some(error) => tracing::warn!(error, "past stays cannot be shown"),
                    None => {
                        tracing::info!(stays = size.stays, damaged = size.damaged, "past stays are known");
                    }
                }
                told = Some(telling);
            }
            tokio::time::sleep(config.current().archive.follow_every).await;
        }
    }

    /// Past stays of an owner, newest first, behind a place, without those that `leave_out` says (property, name, UID).
    pub(crate) async fn page(
        &self,
        owner: String,
        after: Option<Place>,
        limit: usize,
        leave_out: impl Fn(&str, &str, u128) -> bool + Send + 'static,
    ) -> Result<Page, Unread> {
        let Some(library) = self.library()? else { return Ok(Page::default()) };
        let page = blocking(move || library.page(&owner, after.as_ref(), limit, leave_out)).await?;
        Ok(Page { stays: page.stays.into_iter().map(view).collect(), next: page.next })
    }

    /// The past stays that had this name, newest first.
    pub(crate) async fn named(&self, property: &str, name: &str) -> Result<Vec<StayView>, Unread> {
        let Some(library) = self.library()? else { return Ok(Vec::new()) };
        let (property, name) = (property.to_owned(), name.to_owned());
        let found = blocking(move || library.named(&property, &name)).await?;
        Ok(found.into_iter().map(view).collect())
    }

    fn library(&self) -> Result<Option<Library>, Unread> {
        let Some(shelves) = &self.0 else { return Ok(None) };
        match shelves.state.load(Ordering::Acquire) {
            LOADING => Err(Unread::Loading),
            AWAY => Err(Unread::Away),
            _ => Ok(Some(shelves.library.clone())),
        }
    }
}

fn view(record: Record) -> StayView {
    StayView::of(record.reservation)
}

/// A volume may take its time, and no other request waits for it.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, Unread> {
    let read = tokio::task::spawn_blocking(read).await;
    let wrong = match read {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(error = wrong, "a past stay cannot be read");
    Err(Unread::Away)
}
