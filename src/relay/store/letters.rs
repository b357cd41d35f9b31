//! Dead letters: events that a sink has refused. They stay until somebody has them sent again or throws them away.

use rusqlite::params;

use super::{Store, StoreError};

/// An event that a sink has refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number.
    pub number: i64,
    /// The sink.
    pub sink: String,
    /// The event's id.
    pub id: String,
    /// The event's type.
    pub kind: String,
    /// What the sink said.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub refused: i64,
    /// The event.
    pub event: String,
}

impl Store {
    /// The dead letters of a sink, or of all; oldest first.
    pub async fn dead_letters(&self, sink: Option<&str>) -> Result<Vec<DeadLetter>, StoreError> {
        let sink = sink.map(ToOwned::to_owned);
        self.run(move |store| {
            let sql = "SELECT seq, sink, id, type, reason, refused, event FROM letters
                       WHERE ?1 IS NULL OR sink = ?1 ORDER BY seq";
            let mut select = store.prepare_cached(sql)?;
            let letters = select.query_map([sink], |row| {
                Ok(DeadLetter {
                    number: row.get(0)?,
                    sink: row.get(1)?,
                    id: row.get(2)?,
                    kind: row.get(3)?,
                    reason: row.get(4)?,
                    refused: row.get(5)?,
                    event: row.get(6)?,
                })
            })?;
            letters.collect()
        })
        .await
    }

    /// Puts the dead letters of a sink, or of all, back into their queues, oldest first; gives how many. A relay that
    /// runs notices by itself.
    pub async fn send_again(&self, sink: Option<&str>) -> Result<usize, StoreError> {
        let sink = sink.map(ToOwned::to_owned);
        self.run(move |store| {
            let sql = "INSERT INTO queue (sink, uid, id, type, time, event)
                       SELECT sink, uid, id, type, time, event FROM letters
                       WHERE ?1 IS NULL OR sink = ?1 ORDER BY seq";
            store.execute(sql, params![sink])?;
            store.execute("DELETE FROM letters WHERE ?1 IS NULL OR sink = ?1", params![sink])
        })
        .await
    }

    /// The sinks that there are, as the relay that ran last had them.
    pub async fn sinks(&self) -> Result<Vec<String>, StoreError> {
        self.run(|store| {
            let sql = "SELECT DISTINCT sink FROM cursors UNION SELECT sink FROM queue UNION SELECT sink FROM letters";
            let mut select = store.prepare(sql)?;
            select.query_map([], |row| row.get(0))?.collect()
        })
        .await
    }
}
