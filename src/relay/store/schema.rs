//! The tables.

use std::time::Duration;

use rusqlite::Connection;

use super::StoreError;

/// The format of the file, raised with every change of `TABLES`.
const FORMAT: i64 = 1;

const TABLES: &str = "
-- The facts of an object that were put into a sink's queue: eight bytes of each one's hash, in their order.
CREATE TABLE cursors (
    sink TEXT NOT NULL, uid TEXT NOT NULL, facts BLOB NOT NULL,
    PRIMARY KEY (sink, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX cursors_by_uid ON cursors (uid);
-- The notice of a Room that was put into a sink's queue last, by its hash.
CREATE TABLE notices (
    sink TEXT NOT NULL, uid TEXT NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (sink, uid)
) STRICT, WITHOUT ROWID;
-- What a sink has not acknowledged yet.
CREATE TABLE queue (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    sink TEXT NOT NULL, uid TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
    time INTEGER NOT NULL, event TEXT NOT NULL
) STRICT;
CREATE INDEX queue_by_sink ON queue (sink, seq);
CREATE INDEX queue_by_uid ON queue (uid);
-- What a sink has refused.
CREATE TABLE letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    sink TEXT NOT NULL, uid TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
    time INTEGER NOT NULL, event TEXT NOT NULL, reason TEXT NOT NULL, refused INTEGER NOT NULL
) STRICT;
CREATE INDEX letters_by_sink ON letters (sink, seq);
-- Deleted Reservations that nobody but the relay keeps.
CREATE TABLE leaving (
    uid TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- When a Reservation finishes, in milliseconds since 1970; how many facts it has, and how many it had when it was filed.
CREATE TABLE stays (
    uid TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL,
    due INTEGER NOT NULL, facts INTEGER NOT NULL, filed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX stays_to_file ON stays (due) WHERE filed < facts;
";

pub(super) fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A dead letter is nowhere else once its Reservation is gone.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(64);
    match connection.pragma_query_value(None, "user_version", |row| row.get(0))? {
        0 => Ok(connection
            .execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;"))?),
        FORMAT => Ok(()),
        found => Err(StoreError::Newer { found, known: FORMAT }),
    }
}
