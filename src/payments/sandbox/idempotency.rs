//! Idempotency keys: the first answer of a request that began to execute is kept and given again.
//!
//! As with Stripe, a key belongs to the account, failures are kept like successes, what was refused before it began
//! is not kept, and a key is forgotten after a day of the provider's clock.

use rusqlite::{OptionalExtension, params};

use super::books::Books;

/// How long a key is remembered, in seconds.
pub const LIFETIME: i64 = 24 * 60 * 60;

/// What is known about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// It has not been used, or was forgotten.
    Unused,
    /// It was used for another request.
    Other,
    /// It was used for this request, with this answer.
    Known(StoredAnswer),
}

/// An answer kept under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredAnswer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The `Request-Id` of the request that was answered so first.
    pub(crate) request_id: String,
}

/// Looks a key up for a request, given as text that is the same only for the same request.
pub(crate) fn look(books: &Books<'_>, key: &str, request: &str) -> rusqlite::Result<Key> {
    let found = books
        .conn
        .prepare_cached("SELECT request, status, body, request_id FROM keys WHERE key = ?1 AND created > ?2")?
        .query_row(params![key, books.now - LIFETIME], |row| {
            let answer = StoredAnswer { status: row.get(1)?, body: row.get(2)?, request_id: row.get(3)? };
            Ok((row.get::<_, String>(0)?, answer))
        })
        .optional()?;
    Ok(match found {
        None => Key::Unused,
        Some((first, answer)) if first == request => Key::Known(answer),
        Some(_) => Key::Other,
    })
}

/// Keeps an answer; forgets those whose time is over.
pub(crate) fn keep(
    books: &Books<'_>,
    key: &str,
    request: &str,
    answer: &StoredAnswer,
) -> rusqlite::Result<()> {
    books.conn.prepare_cached("DELETE FROM keys WHERE created <= ?1")?.execute([books.now - LIFETIME])?;
    books
        .conn
        .prepare_cached(
            "INSERT INTO keys (key, request, status, body, request_id, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![key, request, answer.status, answer.body, answer.request_id, books.now])?;
    Ok(())
}
