//! What is on its way: read by the sinks' couriers, and by those who wait for the last of it.

use std::collections::HashMap;

use rusqlite::{Row, Transaction, params};
use serde_json::json;

use crate::sink::Outgoing;

/// How much waits for a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Events in its queue.
    pub(crate) events: i64,
    /// When the oldest of these facts was stored, in milliseconds since 1970.
    pub(crate) oldest: Option<i64>,
    /// Events that it has refused.
    pub(crate) letters: i64,
}

/// A Reservation by its name, and the UID that it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whom {
    pub(crate) uid: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Whom {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { uid: row.get(0)?, namespace: row.get(1)?, name: row.get(2)? })
    }
}

fn outgoing(row: &Row<'_>) -> rusqlite::Result<Outgoing> {
    Ok(Outgoing {
        seq: row.get(0)?,
        key: row.get(1)?,
        id: row.get(2)?,
        kind: row.get(3)?,
        time: row.get(4)?,
        json: row.get(5)?,
    })
}

/// The next events of a sink, in order, leaving out those of some objects.
pub(crate) fn next(
    store: &Transaction<'_>,
    sink: &str,
    most: usize,
    not_of: &[String],
) -> rusqlite::Result<Vec<Outgoing>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    if not_of.is_empty() {
        let sql = "SELECT seq, uid, id, type, time, event FROM queue WHERE sink = ?1 ORDER BY seq LIMIT ?2";
        return store.prepare_cached(sql)?.query_map(params![sink, most], outgoing)?.collect();
    }
    let sql = "SELECT seq, uid, id, type, time, event FROM queue
               WHERE sink = ?1 AND uid NOT IN (SELECT value FROM json_each(?3)) ORDER BY seq LIMIT ?2";
    let not_of = json!(not_of).to_string();
    store.prepare_cached(sql)?.query_map(params![sink, most, not_of], outgoing)?.collect()
}

/// Takes out of the queue what a sink has taken, and puts what it has refused among the dead letters.
pub(crate) fn settle(
    store: &Transaction<'_>,
    acked: &[i64],
    refused: &[(i64, String)],
    now: i64,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO letters (sink, uid, id, type, time, event, reason, refused)
               SELECT sink, uid, id, type, time, event, ?2, ?3 FROM queue WHERE seq = ?1";
    let mut letter = store.prepare_cached(sql)?;
    let mut gone = store.prepare_cached("DELETE FROM queue WHERE seq = ?1")?;
    for (seq, reason) in refused {
        letter.execute(params![seq, reason, now])?;
        gone.execute([seq])?;
    }
    for seq in acked {
        gone.execute([seq])?;
    }
    Ok(())
}

/// How much waits for each sink that has anything.
pub(crate) fn pending(store: &Transaction<'_>) -> rusqlite::Result<HashMap<String, Pending>> {
    let mut all: HashMap<String, Pending> = HashMap::new();
    let mut queued = store.prepare_cached("SELECT sink, count(*), min(time) FROM queue GROUP BY sink")?;
    let rows = queued.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for row in rows {
        let (sink, events, oldest): (String, i64, Option<i64>) = row?;
        all.insert(sink, Pending { events, oldest, letters: 0 });
    }
    let mut refused = store.prepare_cached("SELECT sink, count(*) FROM letters GROUP BY sink")?;
    for row in refused.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (sink, letters): (String, i64) = row?;
        all.entry(sink).or_default().letters = letters;
    }
    Ok(all)
}

/// Deleted Reservations of which nothing is in a queue any more, and that are filed where they are to be, leaving out some.
pub(crate) fn leaving(
    store: &Transaction<'_>,
    filing: bool,
    most: usize,
    not: &[String],
) -> rusqlite::Result<Vec<Whom>> {
    let sql = "SELECT uid, namespace, name FROM leaving
               WHERE NOT EXISTS (SELECT 1 FROM queue WHERE queue.uid = leaving.uid)
               AND NOT (?1 AND EXISTS (SELECT 1 FROM stays WHERE stays.uid = leaving.uid AND filed < facts))
               AND uid NOT IN (SELECT value FROM json_each(?3)) LIMIT ?2";
    let (most, not) = (i64::try_from(most).unwrap_or(i64::MAX), json!(not).to_string());
    store.prepare_cached(sql)?.query_map(params![filing, most, not], Whom::of)?.collect()
}

/// Finished Reservations of which nothing is in a queue any more, and that have more facts than were filed, leaving
/// out some.
pub(crate) fn to_file(
    store: &Transaction<'_>,
    now: i64,
    most: usize,
    not: &[String],
) -> rusqlite::Result<Vec<Whom>> {
    let sql = "SELECT uid, namespace, name FROM stays WHERE filed < facts AND due <= ?1
               AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.uid = stays.uid)
               AND uid NOT IN (SELECT value FROM json_each(?3)) ORDER BY due LIMIT ?2";
    let (most, not) = (i64::try_from(most).unwrap_or(i64::MAX), json!(not).to_string());
    store.prepare_cached(sql)?.query_map(params![now, most, not], Whom::of)?.collect()
}

/// A Reservation is filed with so many facts.
pub(crate) fn filed(store: &Transaction<'_>, uid: &str, facts: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE stays SET filed = ?2 WHERE uid = ?1";
    store.prepare_cached(sql)?.execute(params![uid, facts]).map(drop)
}

/// Forgets the queues and cursors of sinks that there are no more; gives for each how many events it would have had.
pub(crate) fn keep_only(store: &Transaction<'_>, sinks: &[String]) -> rusqlite::Result<Vec<(String, i64)>> {
    let sinks = json!(sinks).to_string();
    let sql =
        "SELECT sink, count(*) FROM queue WHERE sink NOT IN (SELECT value FROM json_each(?1)) GROUP BY sink";
    let dropped = store
        .prepare(sql)?
        .query_map([&sinks], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for table in ["queue", "cursors", "notices"] {
        let sql = format!("DELETE FROM {table} WHERE sink NOT IN (SELECT value FROM json_each(?1))");
        store.execute(&sql, [&sinks])?;
    }
    Ok(dropped)
}
