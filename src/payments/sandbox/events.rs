//! Events: what changed at the provider, noted in the transaction that changed it, and who has not been told of it yet.

use rusqlite::params;
use serde_json::{Value, json};

use super::books::{Books, document, to_json};
use super::model::{Intent, IntentStatus, Refund, RefundStatus};
use super::render;

pub(super) const SCHEMA: &str = "
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    data TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER
) STRICT;
CREATE INDEX events_due ON events (due, seq) WHERE due IS NOT NULL;
";

/// As many are kept, the newest.
const KEPT: i64 = 10_000;
/// The longest wait between two attempts, in seconds.
const LONGEST: i64 = 3600;
/// After so long nobody is told any more, as at Stripe.
const GIVEN_UP_AFTER: i64 = 3 * 24 * 3600;

/// An event that is to be told.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) seq: i64,
    pub(crate) body: String,
}

/// What became of an intent, in Stripe's words; nothing where nobody waits for it.
pub(super) fn of_intent(before: Option<&Intent>, now: &Intent) -> Option<&'static str> {
    if before.is_some_and(|before| before.status == now.status) {
        return None;
    }
    match now.status {
        IntentStatus::Succeeded => Some("payment_intent.succeeded"),
        IntentStatus::Canceled => Some("payment_intent.canceled"),
        IntentStatus::Processing => Some("payment_intent.processing"),
        IntentStatus::RequiresPaymentMethod if now.last_payment_error.is_some() => {
            Some("payment_intent.payment_failed")
        }
        _ => None,
    }
}

/// The same of a refund.
pub(super) fn of_refund(before: Option<&Refund>, now: &Refund) -> Option<&'static str> {
    match before {
        None => Some("refund.created"),
        Some(before) if before.status == now.status => None,
        Some(_) if now.status == RefundStatus::Failed => Some("refund.failed"),
        Some(_) => Some("refund.updated"),
    }
}

/// An intent as an event has it.
pub(super) fn intent(intent: &Intent) -> Value {
    render::plain_intent(intent)
}

/// A refund as an event has it.
pub(super) fn refund(refund: &Refund) -> Value {
    json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "failure_reason": refund.failure_reason,
        "metadata": refund.metadata,
        "payment_intent": refund.payment_intent,
        "reason": refund.reason,
        "status": refund.status.as_str(),
    })
}

/// Notes an event.
pub(super) fn note(books: &Books<'_>, kind: &str, object: &Value) -> rusqlite::Result<()> {
    let id = books.fresh_id("evt_")?;
    let event = json!({
        "id": id,
        "object": "event",
        "created": books.now,
        "data": { "object": object },
        "livemode": false,
        "type": kind,
    });
    let sql = "INSERT INTO events (id, data, due) VALUES (?1, ?2, ?3)";
    books.conn.prepare_cached(sql)?.execute(params![id, to_json(&event)?, books.now])?;
    let oldest = books.conn.last_insert_rowid().saturating_sub(KEPT);
    books.conn.prepare_cached("DELETE FROM events WHERE seq <= ?1")?.execute([oldest])?;
    Ok(())
}

/// The newest events, newest first.
pub(crate) fn newest(books: &Books<'_>, limit: u32) -> rusqlite::Result<Vec<Value>> {
    let sql = "SELECT json_set(data, '$.pending_webhooks', due IS NOT NULL, '$.attempts', attempts)
               FROM events ORDER BY seq DESC LIMIT ?1";
    books.conn.prepare_cached(sql)?.query_map([limit], document)?.collect()
}

/// The events that are to be told now, oldest first.
pub(crate) fn due(books: &Books<'_>, limit: u32) -> rusqlite::Result<Vec<Due>> {
    let sql = "SELECT seq, data FROM events WHERE due <= ?1 ORDER BY due, seq LIMIT ?2";
    let read = |row: &rusqlite::Row<'_>| Ok(Due { seq: row.get(0)?, body: row.get(1)? });
    books.conn.prepare_cached(sql)?.query_map(params![books.now, limit], read)?.collect()
}

/// An event was told, or it was not: then it is told again, less and less often, for three days.
pub(crate) fn told(books: &Books<'_>, seq: i64, taken: bool) -> rusqlite::Result<()> {
    let sql = "UPDATE events SET attempts = attempts + 1, due = CASE
                   WHEN ?2 OR ?3 - (data ->> '$.created') > ?4 THEN NULL
                   ELSE ?3 + min(1 << min(attempts, 20), ?5) END
               WHERE seq = ?1";
    let now = books.now;
    books.conn.prepare_cached(sql)?.execute(params![seq, taken, now, GIVEN_UP_AFTER, LONGEST])?;
    Ok(())
}
