//! The log of calls: what was asked of the API, and what was answered.
//!
//! It is for whoever checks the operator's invariants afterwards. A call that executed is logged in the transaction
//! of its effect. No keys of the account are in it, and no request that looked as if it held a card number.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::books::{Books, to_json};

/// One call of the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its number; rises by one with every call.
    #[serde(default)]
    pub seq: i64,
    /// When it was logged, in seconds since 1970 by the provider's clock.
    #[serde(default)]
    pub time: i64,
    /// `GET` or `POST`.
    pub method: String,
    /// The path, without parameters.
    pub path: String,
    /// The idempotency key of a `POST`.
    pub key: Option<String>,
    /// The parameters, flat: `metadata[k]`, `expand[0]`.
    pub parameters: BTreeMap<String, String>,
    /// The status answered or, if a fault kept the answer from being sent, the one that would have been; none where
    /// the request was never looked at.
    pub status: Option<u16>,
    /// Whether the answer was a stored one.
    pub replayed: bool,
    /// The code (or type) of the error answered.
    pub error: Option<String>,
    /// The id of the object answered, or of the intent in an error.
    pub object: Option<String>,
    /// The fault that met the call.
    pub fault: Option<String>,
    /// The `Request-Id` answered.
    pub request_id: String,
}

/// Logs a call and forgets the oldest above the limit.
pub(crate) fn write(books: &Books<'_>, call: &Call, limit: u32) -> rusqlite::Result<()> {
    let mut call = call.clone();
    call.time = books.now;
    let data = to_json(&call)?;
    books.conn.prepare_cached("INSERT INTO calls (data) VALUES (?1)")?.execute([data])?;
    let oldest = books.conn.last_insert_rowid().saturating_sub(limit.into());
    books.conn.prepare_cached("DELETE FROM calls WHERE seq <= ?1")?.execute([oldest])?;
    Ok(())
}

/// The calls after a number, oldest first.
pub(crate) fn read(books: &Books<'_>, after: i64, limit: u32) -> rusqlite::Result<Vec<Call>> {
    let sql = "SELECT json_set(data, '$.seq', seq) FROM calls WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    books.select(sql, params![after, limit])
}
