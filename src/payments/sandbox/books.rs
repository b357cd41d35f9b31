//! Rows of the ledger read and written within one transaction.
//!
//! Each object is one JSON document; the columns that are searched, ordered or constrained are computed from it by
//! SQLite, which so refuses by itself to store a charge with more refunded than captured.

use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::events;
use super::model::{Charge, Intent, Refund};

pub(super) const SCHEMA: &str = "
CREATE TABLE intents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    data TEXT NOT NULL,
    created INTEGER NOT NULL GENERATED ALWAYS AS (data ->> '$.created') VIRTUAL,
    status TEXT NOT NULL GENERATED ALWAYS AS (data ->> '$.status') VIRTUAL,
    settles_at INTEGER GENERATED ALWAYS AS (data ->> '$.settles.at') VIRTUAL,
    CHECK (data ->> '$.amount' > 0
        AND data ->> '$.amount_received' BETWEEN 0 AND data ->> '$.amount')
) STRICT;
CREATE INDEX intents_by_age ON intents (created, seq);
CREATE INDEX intents_to_settle ON intents (settles_at) WHERE settles_at IS NOT NULL;
CREATE TABLE charges (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    data TEXT NOT NULL,
    payment_intent TEXT NOT NULL GENERATED ALWAYS AS (data ->> '$.payment_intent') VIRTUAL,
    CHECK (0 <= data ->> '$.refunded'
        AND data ->> '$.refunded' <= data ->> '$.captured'
        AND data ->> '$.captured' <= data ->> '$.amount')
) STRICT;
CREATE INDEX charges_by_intent ON charges (payment_intent);
CREATE UNIQUE INDEX one_capture_an_intent ON charges (payment_intent) WHERE data ->> '$.captured' > 0;
CREATE TABLE refunds (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    data TEXT NOT NULL,
    created INTEGER NOT NULL GENERATED ALWAYS AS (data ->> '$.created') VIRTUAL,
    payment_intent TEXT NOT NULL GENERATED ALWAYS AS (data ->> '$.payment_intent') VIRTUAL,
    charge TEXT NOT NULL GENERATED ALWAYS AS (data ->> '$.charge') VIRTUAL,
    settles_at INTEGER GENERATED ALWAYS AS (data ->> '$.settles.at') VIRTUAL,
    CHECK (data ->> '$.amount' > 0)
) STRICT;
CREATE INDEX refunds_by_age ON refunds (created, seq);
CREATE INDEX refunds_by_intent ON refunds (payment_intent);
CREATE INDEX refunds_to_settle ON refunds (settles_at) WHERE settles_at IS NOT NULL;
CREATE TABLE keys (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_age ON keys (created);
CREATE TABLE calls (seq INTEGER PRIMARY KEY AUTOINCREMENT, data TEXT NOT NULL) STRICT;
CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// The ledger as one request sees it: a transaction, and the time.
pub(crate) struct Books<'c> {
    pub(crate) conn: &'c Connection,
    /// The provider's time in seconds since 1970.
    pub(crate) now: i64,
    /// How long things that settle by themselves take.
    pub(crate) settle_after: Duration,
}

/// A kind of object with a table of its own.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    const TABLE: &'static str;
    fn id(&self) -> &str;
    /// What became of it, and how an event shows it, where anybody is to be told.
    fn event(&self, _before: Option<&Self>) -> Option<(&'static str, Value)> {
        None
    }
}

impl Stored for Intent {
    const TABLE: &'static str = "intents";
    fn id(&self) -> &str {
        &self.id
    }
    fn event(&self, before: Option<&Self>) -> Option<(&'static str, Value)> {
        Some((events::of_intent(before, self)?, events::intent(self)))
    }
}

impl Stored for Charge {
    const TABLE: &'static str = "charges";
    fn id(&self) -> &str {
        &self.id
    }
}

impl Stored for Refund {
    const TABLE: &'static str = "refunds";
    fn id(&self) -> &str {
        &self.id
    }
    fn event(&self, before: Option<&Self>) -> Option<(&'static str, Value)> {
        Some((events::of_refund(before, self)?, events::refund(self)))
    }
}

impl Books<'_> {
    /// A fresh id: `prefix` and 24 characters that nobody can guess.
    pub(crate) fn fresh_id(&self, prefix: &str) -> rusqlite::Result<String> {
        let random: String =
            self.conn.prepare_cached("SELECT lower(hex(randomblob(12)))")?.query_row([], |row| row.get(0))?;
        Ok(format!("{prefix}{random}"))
    }

    /// Stores a new object, or the new state of one that is there.
    pub(crate) fn save<T: Stored>(&self, object: &T) -> rusqlite::Result<()> {
        let data = to_json(object)?;
        let before = self.get::<T>(object.id())?;
        let sql = format!(
            "INSERT INTO {} (id, data) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            T::TABLE
        );
        self.conn.prepare_cached(&sql)?.execute(params![object.id(), data])?;
        match object.event(before.as_ref()) {
            Some((kind, shown)) => events::note(self, kind, &shown),
            None => Ok(()),
        }
    }

    pub(crate) fn get<T: Stored>(&self, id: &str) -> rusqlite::Result<Option<T>> {
        let sql = format!("SELECT data FROM {} WHERE id = ?1", T::TABLE);
        self.conn.prepare_cached(&sql)?.query_row([id], document).optional()
    }

    /// The refunds of an intent, oldest first.
    pub(crate) fn refunds_of(&self, intent: &str) -> rusqlite::Result<Vec<Refund>> {
        self.select("SELECT data FROM refunds WHERE payment_intent = ?1 ORDER BY seq", [intent])
    }

    /// What should have settled by now.
    pub(crate) fn due<T: Stored>(&self) -> rusqlite::Result<Vec<T>> {
        let sql = format!("SELECT data FROM {} WHERE settles_at <= ?1 ORDER BY settles_at, seq", T::TABLE);
        self.select(&sql, [self.now])
    }

    pub(crate) fn select<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> rusqlite::Result<Vec<T>> {
        self.conn.prepare_cached(sql)?.query_map(params, document)?.collect()
    }

    /// When something that starts now settles.
    pub(crate) fn settles_at(&self) -> i64 {
        self.now.saturating_add(i64::try_from(self.settle_after.as_secs()).unwrap_or(i64::MAX))
    }
}

pub(crate) fn document<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<T> {
    let data: String = row.get(0)?;
    serde_json::from_str(&data)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
