//! What the relay remembers: how far each sink has come with each Reservation, what is on its way to it, what it has
//! refused. One SQLite file.
//!
//! It holds nothing that could not be made again from the objects, but for the dead letters: a relay that has lost its
//! volume sends everything again, with the same ids, and loses nothing.

pub(crate) mod intake;
mod letters;
pub(crate) mod queue;
mod replay;
mod schema;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use letters::DeadLetter;
pub(crate) use queue::Pending;
pub use replay::ReplayError;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("cannot open the relay's state {path}: {reason}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another relay has it.
    #[error("the relay's state {0} is in use by another relay: one volume, one relay")]
    InUse(PathBuf),
    /// It was written by a later version.
    #[error(
        "the relay's state has format {found}, and this version knows {known}: use the version that wrote it, or a newer one"
    )]
    Newer {
        /// The format found.
        found: i64,
        /// The latest format known.
        known: i64,
    },
    /// Reading or writing it failed.
    #[error("the relay's state cannot be read or written: {0}")]
    Failed(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The open file. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    connection: Mutex<Connection>,
    /// Held for as long as a relay runs: the kernel gives it free when the process dies.
    _lock: Option<File>,
}

impl Store {
    /// Opens or makes the file in this folder, for the one relay that may use it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("relay.db");
        std::fs::create_dir_all(folder)
            .map_err(|e| StoreError::Open { path: folder.to_owned(), reason: e.to_string() })?;
        let lock = lock(&path)?;
        Self::connect(&path, Some(lock))
    }

    /// Opens the file beside a relay that may be running, to look into it or to have something sent again.
    pub fn beside(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("relay.db");
        if !path.is_file() {
            let reason = "there is none; is this the folder of `relay.state`?".to_owned();
            return Err(StoreError::Open { path, reason });
        }
        Self::connect(&path, None)
    }

    fn connect(path: &Path, lock: Option<File>) -> Result<Self, StoreError> {
        let connection = Connection::open(path)
            .map_err(|e| StoreError::Open { path: path.to_owned(), reason: e.to_string() })?;
        schema::prepare(&connection)?;
        Ok(Self(Arc::new(Inner { connection: Mutex::new(connection), _lock: lock })))
    }

    /// Does some work in a transaction, and waits until it is on disk. An error undoes all of it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            let mut connection = inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        done.await.map_err(|e| StoreError::Failed(e.to_string()))?
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.with_extension("lock");
    let open = File::options().create(true).truncate(false).write(true).open(&name);
    let file = open.map_err(|e| StoreError::Open { path: name, reason: e.to_string() })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => {
            Err(StoreError::Open { path: path.to_owned(), reason: e.to_string() })
        }
    }
}

#[cfg(test)]
mod tests;
