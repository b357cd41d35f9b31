//! The ledger: one SQLite file, one thread that writes it.
//!
//! Requests that wait together share a transaction, each in a savepoint of its own, and are answered only after the
//! commit has reached the disk. So what a caller has seen survives a crash, and an effect and the answer stored
//! under its key are there together or not at all. Nothing outside this module opens the file for writing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::oneshot;

use super::books::{Books, SCHEMA};
use super::calls::{self, Call};
use super::events;
use super::model::{Charge, Intent, Refund};
use super::{charging, refunds};

/// Where a ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Nowhere: it is gone when the server stops.
    Memory,
    /// In this file, which is made when it is not there.
    File(PathBuf),
}

/// Why the ledger could not be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file could not be opened.
    #[error("cannot open the ledger {path}: {reason}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        reason: String,
    },
    /// Another process has it.
    #[error("the ledger {0} is in use by another process; one server at a time can write it")]
    InUse(PathBuf),
    /// It was written by a newer version.
    #[error("the ledger has the format {found}, and this version knows formats up to {known}")]
    Newer {
        /// The format of the file.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// A read or write failed; nothing of it was kept.
    #[error("the ledger failed: {0}")]
    Failed(String),
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Closed,
}

/// The format of the file, raised with every change of `SCHEMA`.
const FORMAT: i64 = 2;
/// The most requests that share one transaction.
const BATCH: usize = 64;

type Reply = Box<dyn FnOnce(Result<(), String>) + Send>;
type Work = Box<dyn FnOnce(&Books<'_>) -> (bool, Reply) + Send>;

enum Job {
    Work(Work),
    Close(oneshot::Sender<()>),
}

/// A handle on an open ledger; clones share it.
#[derive(Clone, Debug)]
pub struct Ledger {
    jobs: mpsc::Sender<Job>,
}

/// An intent with its latest charge and its refunds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The intent.
    pub intent: Intent,
    /// Its latest attempt.
    pub charge: Option<Charge>,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
}

impl Ledger {
    /// Opens or makes the ledger and starts its thread. `settle_after` is how long things that settle by themselves
    /// take.
    pub fn open(location: &Location, settle_after: Duration) -> Result<Self, LedgerError> {
        let (conn, lock) = match location {
            Location::Memory => (Connection::open_in_memory().map_err(failed)?, None),
            Location::File(path) => {
                let lock = lock(path)?;
                (Connection::open(path).map_err(|error| unopened(path, &error))?, Some(lock))
            }
        };
        prepare(&conn)?;
        let (jobs, queue) = mpsc::channel();
        std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || write(conn, lock, &queue, settle_after))
            .map_err(|error| LedgerError::Failed(error.to_string()))?;
        Ok(Self { jobs })
    }

    /// Does some work in a transaction and waits until it is on disk. An error undoes all of it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Books<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (sender, receiver) = oneshot::channel();
        let work: Work = Box::new(move |books| {
            let result = work(books).map_err(failed);
            let fine = result.is_ok();
            let reply: Reply = Box::new(move |committed| {
                let result = match committed {
                    Ok(()) => result,
                    Err(reason) => Err(LedgerError::Failed(reason)),
                };
                // A caller that has gone away has nothing to be told.
                drop(sender.send(result));
            });
            (fine, reply)
        });
        self.jobs.send(Job::Work(work)).map_err(|_| LedgerError::Closed)?;
        receiver.await.map_err(|_| LedgerError::Closed)?
    }

    /// Every intent with its charge and refunds, oldest first.
    pub async fn accounts(&self) -> Result<Vec<Account>, LedgerError> {
        self.run(accounts).await
    }

    /// One intent with its charge and refunds.
    pub async fn account(&self, intent: &str) -> Result<Option<Account>, LedgerError> {
        let id = intent.to_owned();
        self.run(move |books| books.get(&id)?.map(|intent| account(books, intent)).transpose()).await
    }

    /// The calls after number `after` (0 for all that are kept), oldest first, at most `limit`.
    pub async fn calls(&self, after: i64, limit: u32) -> Result<Vec<Call>, LedgerError> {
        self.run(move |books| calls::read(books, after, limit)).await
    }

    /// Whether the ledger can be written now.
    pub async fn check(&self) -> Result<(), LedgerError> {
        self.run(|books| {
            let sql = "INSERT INTO settings (name, value) VALUES ('checked_at', ?1)
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            books.conn.prepare_cached(sql)?.execute([books.now]).map(|_| ())
        })
        .await
    }

    /// Ends the thread after what was asked of it so far, and gives the file free.
    pub async fn close(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.jobs.send(Job::Close(sender)).is_ok() {
            // An error says that it was closed already.
            drop(receiver.await);
        }
    }
}

/// Reads a ledger's accounts without a server, while one may be running.
pub fn read_file(path: &Path) -> Result<Vec<Account>, LedgerError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| unopened(path, &error))?;
    conn.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    match format(&conn)? {
        1..=FORMAT => {}
        0 => {
            return Err(LedgerError::Open { path: path.to_owned(), reason: "it is not a ledger".to_owned() });
        }
        found => return Err(LedgerError::Newer { found, known: FORMAT }),
    }
    let books = Books { conn: &conn, now: 0, settle_after: Duration::ZERO };
    accounts(&books).map_err(failed)
}

fn accounts(books: &Books<'_>) -> rusqlite::Result<Vec<Account>> {
    let intents: Vec<Intent> = books.select("SELECT data FROM intents ORDER BY created, seq", [])?;
    intents.into_iter().map(|intent| account(books, intent)).collect()
}

fn account(books: &Books<'_>, intent: Intent) -> rusqlite::Result<Account> {
    let charge = charging::latest_charge(books, &intent)?;
    let refunds = books.refunds_of(&intent.id)?;
    Ok(Account { intent, charge, refunds })
}

/// Held for as long as the ledger is open: the kernel gives it free when the process dies.
fn lock(path: &Path) -> Result<File, LedgerError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let open = File::options().create(true).truncate(false).write(true).open(&name);
    let file = open.map_err(|error| LedgerError::Open { path: name, reason: error.to_string() })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LedgerError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(LedgerError::Open { path: path.to_owned(), reason: error.to_string() })
        }
    }
}

fn prepare(conn: &Connection) -> Result<(), LedgerError> {
    conn.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    conn.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    // WAL with NORMAL may lose the last commits in a power cut, and with them the memory of a charge.
    conn.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(64);
    match format(conn)? {
        0 => {
            let events = events::SCHEMA;
            let script =
                format!("BEGIN IMMEDIATE; {SCHEMA} {events} PRAGMA user_version = {FORMAT}; COMMIT;");
            conn.execute_batch(&script).map_err(failed)
        }
        // Of the time before there were events.
        1 => {
            let events = events::SCHEMA;
            let script = format!("BEGIN IMMEDIATE; {events} PRAGMA user_version = {FORMAT}; COMMIT;");
            conn.execute_batch(&script).map_err(failed)
        }
        FORMAT => Ok(()),
        found => Err(LedgerError::Newer { found, known: FORMAT }),
    }
}

fn format(conn: &Connection) -> Result<i64, LedgerError> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)
}

/// The thread's work: takes what is waiting, does it in one transaction, answers after the commit.
fn write(conn: Connection, lock: Option<File>, queue: &mpsc::Receiver<Job>, settle_after: Duration) {
    let mut closing = Vec::new();
    while let Ok(first) = queue.recv() {
        let mut batch = Vec::new();
        let waiting = std::iter::once(first).chain(queue.try_iter()).take(BATCH);
        for job in waiting {
            match job {
                Job::Work(work) => batch.push(work),
                Job::Close(done) => {
                    closing.push(done);
                    break;
                }
            }
        }
        transact(&conn, batch, settle_after);
        if !closing.is_empty() {
            break;
        }
    }
    drop((conn, lock));
    for done in closing {
        // Whoever asked for the end may not wait for it.
        let _ = done.send(());
    }
}

fn transact(conn: &Connection, batch: Vec<Work>, settle_after: Duration) {
    let mut replies: Vec<Reply> = Vec::new();
    let result = (|| {
        conn.execute_batch("BEGIN IMMEDIATE")?;
        let now = now(conn)?;
        let books = Books { conn, now, settle_after };
        charging::settle_due(&books)?;
        refunds::settle_due(&books)?;
        for work in batch {
            conn.execute_batch("SAVEPOINT work")?;
            let (fine, reply) = work(&books);
            replies.push(reply);
            conn.execute_batch(if fine { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" })?;
        }
        conn.execute_batch("COMMIT")
    })();
    if let Err(error) = &result {
        tracing::error!(%error, "the ledger could not be written");
        if !conn.is_autocommit()
            && let Err(error) = conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "the ledger's transaction could not be undone");
        }
    }
    // Work that was not reached is dropped with its reply, which its caller sees as a closed ledger.
    for reply in replies {
        reply(match &result {
            Ok(()) => Ok(()),
            Err(error) => Err(error.to_string()),
        });
    }
}

/// The provider's time: the system's, moved by as much as it was told to.
fn now(conn: &Connection) -> rusqlite::Result<i64> {
    let moved: i64 = conn
        .prepare_cached("SELECT coalesce((SELECT value FROM settings WHERE name = 'clock_moved_by'), 0)")?
        .query_row([], |row| row.get(0))?;
    let system = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(system.as_secs()).unwrap_or(i64::MAX).saturating_add(moved))
}

/// Moves the provider's time on for good.
pub(crate) fn move_clock(books: &Books<'_>, seconds: u32) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO settings (name, value) VALUES ('clock_moved_by', ?1)
               ON CONFLICT (name) DO UPDATE SET value = value + excluded.value";
    books.conn.prepare_cached(sql)?.execute([seconds])?;
    Ok(books.now.saturating_add(seconds.into()))
}

#[allow(clippy::needless_pass_by_value, reason = "shaped for map_err")]
fn failed(error: rusqlite::Error) -> LedgerError {
    LedgerError::Failed(error.to_string())
}

fn unopened(path: &Path, error: &rusqlite::Error) -> LedgerError {
    LedgerError::Open { path: path.to_owned(), reason: error.to_string() }
}
