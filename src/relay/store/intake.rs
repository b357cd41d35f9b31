//! From objects into the queues: what is new of an object's history is put into the queue of every sink that wants it, in
//! the same transaction as how far that sink has come with it.

use std::collections::HashSet;

use innkeeper_api::{ConditionStatus, ConditionType, FINALIZER, RELAY_FINALIZER, Reason, Reservation, Room};
use jiff::Timestamp;
use kube::ResourceExt;
use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;

use crate::event::{self, Event};
use crate::relay::Wanted;

/// What became of looking at an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// So many facts were put into queues, for all sinks together.
    New(usize),
    /// It has less than was published, or something else: what was seen may be old, so nothing was done. Look again,
    /// at the object as it is now.
    Doubtful,
    /// Its history went back. So many events were put into queues.
    Rewound(usize),
}

/// How a Reservation was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// By the watch, which may be behind.
    Watched,
    /// Read uncached.
    Fresh,
    /// As it last was before it was gone.
    Last,
}

/// An object's facts by their hashes.
type Hashes = Vec<[u8; 8]>;

/// For whom, and as what.
pub(crate) struct Intake<'a> {
    pub(crate) wanted: &'a [Wanted],
    pub(crate) installation: &'a str,
    pub(crate) now: Timestamp,
    /// Whether finished Reservations are filed.
    pub(crate) filing: bool,
}

impl Intake<'_> {
    /// Takes in what is new of a Reservation.
    pub(crate) fn reservation(
        &self,
        store: &Transaction<'_>,
        seen: Seen,
        reservation: &Reservation,
    ) -> rusqlite::Result<Taken> {
        let uid = reservation.uid().unwrap_or_default();
        let history = reservation.status.as_ref().map(|s| s.history.as_slice()).unwrap_or_default();
        let hashes: Hashes = history.iter().map(event::hash).collect();
        let wanted = self.wanted.iter().filter(|w| w.serves(reservation.metadata.namespace.as_deref()));
        let mut behind = Vec::new();
        for wanted in wanted {
            let before = cursor(store, &wanted.sink, &uid)?;
            let common = before.iter().zip(&hashes).take_while(|(a, b)| a == b).count();
            let forked = common < before.len();
            match seen {
                Seen::Watched if forked => return Ok(Taken::Doubtful),
                // It is gone, and what was published is more than what was seen last.
                Seen::Last if forked => {}
                _ if before.len() == hashes.len() && !forked => {}
                _ => behind.push((wanted, before, common)),
            }
        }
        let (mut new, mut rewound) = (0, false);
        for (wanted, before, common) in behind {
            let put = |event: &Queued| put(store, &wanted.sink, &uid, event);
            if common < before.len() {
                rewound = true;
                let from = u32::try_from(common).unwrap_or(u32::MAX).saturating_add(1);
                let event = event::of_rewinding(self.installation, reservation, &before, from, self.now);
                if wanted.wants(&event.kind) {
                    put(&Queued::of(&event))?;
                    new += 1;
                }
            }
            for fact in &history[common..] {
                let event = event::of_fact(self.installation, reservation, fact);
                if wanted.wants(&event.kind) {
                    put(&Queued::of(&event))?;
                    new += 1;
                }
            }
            set_cursor(store, &wanted.sink, &uid, &hashes)?;
        }
        self.file_and_leave(store, &uid, reservation)?;
        Ok(if rewound { Taken::Rewound(new) } else { Taken::New(new) })
    }

    /// Notes when it is to be filed, and whether nobody but the relay keeps it.
    fn file_and_leave(
        &self,
        store: &Transaction<'_>,
        uid: &str,
        reservation: &Reservation,
    ) -> rusqlite::Result<()> {
        let (namespace, name) = (reservation.namespace().unwrap_or_default(), reservation.name_any());
        let facts = count(reservation);
        if let Some(due) = finishes(reservation).filter(|_| self.filing) {
            let sql =
                "INSERT INTO stays (uid, namespace, name, due, facts, filed) VALUES (?1, ?2, ?3, ?4, ?5, 0)
                       ON CONFLICT (uid) DO UPDATE SET due = excluded.due, facts = excluded.facts
                       WHERE due <> excluded.due OR facts <> excluded.facts";
            store.prepare_cached(sql)?.execute(params![uid, namespace, name, due, facts])?;
        }
        if leaves(reservation) {
            let sql = "INSERT OR IGNORE INTO leaving (uid, namespace, name) VALUES (?1, ?2, ?3)";
            store.prepare_cached(sql)?.execute(params![uid, namespace, name])?;
        }
        Ok(())
    }

    /// Puts what is free of a Room into the queues, in place of what is there of it and has not gone out yet.
    pub(crate) fn room(&self, store: &Transaction<'_>, room: &Room) -> rusqlite::Result<()> {
        let Some(event) = event::of_room(self.installation, room, self.now) else { return Ok(()) };
        let uid = event.data.which.uid.clone();
        let data = serde_json::to_vec(&event.data).unwrap_or_default();
        let hash = event::short(&data);
        let said = "SELECT EXISTS (SELECT 1 FROM notices WHERE sink = ?1 AND uid = ?2 AND hash = ?3)";
        for wanted in self.wanted {
            if !wanted.wants(&event.kind)
                || !wanted.serves(room.metadata.namespace.as_deref())
                || store.prepare_cached(said)?.query_row(params![wanted.sink, uid, hash], |row| row.get(0))?
            {
                continue;
            }
            let sql = "DELETE FROM queue WHERE uid = ?1 AND sink = ?2";
            store.prepare_cached(sql)?.execute(params![uid, wanted.sink])?;
            put(store, &wanted.sink, &uid, &Queued::of(&event))?;
            let sql = "INSERT OR REPLACE INTO notices (sink, uid, hash) VALUES (?1, ?2, ?3)";
            store.prepare_cached(sql)?.execute(params![wanted.sink, uid, hash])?;
        }
        Ok(())
    }
}

/// How many facts a Reservation has.
pub(crate) fn count(reservation: &Reservation) -> i64 {
    let facts = reservation.status.as_ref().map_or(0, |status| status.history.len());
    i64::try_from(facts).unwrap_or(i64::MAX)
}

/// When a Reservation finishes, in milliseconds since 1970: 0 for one that has ended; none while it moves.
fn finishes(reservation: &Reservation) -> Option<i64> {
    let status = reservation.status.as_ref()?;
    let settled = status.conditions.get(&ConditionType::Settled)?;
    match (&settled.status, &settled.reason) {
        (ConditionStatus::True, Reason::Confirmed) => {
            status.quote.as_ref().map(|quote| quote.finished_at.as_millisecond())
        }
        (ConditionStatus::True, _) => Some(0),
        _ => None,
    }
}

/// Whether it is deleted and the operator is done with it: nothing is added to its history any more.
pub(crate) fn leaves(reservation: &Reservation) -> bool {
    let has = |wanted: &str| reservation.finalizers().iter().any(|f| f == wanted);
    reservation.metadata.deletion_timestamp.is_some() && has(RELAY_FINALIZER) && !has(FINALIZER)
}

/// An object is gone: what is in the queues still goes out, and nothing else is remembered.
pub(crate) fn forget(store: &Transaction<'_>, uid: &str) -> rusqlite::Result<()> {
    for table in ["cursors", "leaving", "stays"] {
        store.prepare_cached(&format!("DELETE FROM {table} WHERE uid = ?1"))?.execute([uid])?;
    }
    Ok(())
}

/// It needs not be let go any more. What was told of it is remembered until the watch says that it is gone: its last
/// versions are still to come, and would be told anew.
pub(crate) fn let_go(store: &Transaction<'_>, uid: &str) -> rusqlite::Result<()> {
    store.prepare_cached("DELETE FROM leaving WHERE uid = ?1")?.execute([uid])?;
    Ok(())
}

/// Forgets what is not there any more, after a list of everything.
pub(crate) fn forget_all_but(store: &Transaction<'_>, there: &HashSet<String>) -> rusqlite::Result<usize> {
    let known: Vec<String> = store
        .prepare(
            "SELECT DISTINCT uid FROM cursors UNION SELECT uid FROM leaving UNION SELECT uid FROM stays",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let gone: Vec<_> = known.into_iter().filter(|uid| !there.contains(uid)).collect();
    for uid in &gone {
        forget(store, uid)?;
    }
    Ok(gone.len())
}

/// Whether every sink has come as far with a Reservation as its history goes.
pub(crate) fn is_out(
    store: &Transaction<'_>,
    wanted: &[Wanted],
    reservation: &Reservation,
) -> rusqlite::Result<bool> {
    let uid = reservation.uid().unwrap_or_default();
    let history = reservation.status.as_ref().map(|s| s.history.as_slice()).unwrap_or_default();
    let hashes: Hashes = history.iter().map(event::hash).collect();
    let queued = "SELECT EXISTS (SELECT 1 FROM queue WHERE uid = ?1)";
    if store.prepare_cached(queued)?.query_row([&uid], |row| row.get(0))? {
        return Ok(false);
    }
    for wanted in wanted.iter().filter(|w| w.serves(reservation.metadata.namespace.as_deref())) {
        if cursor(store, &wanted.sink, &uid)? != hashes {
            return Ok(false);
        }
    }
    Ok(true)
}

fn cursor(store: &Transaction<'_>, sink: &str, uid: &str) -> rusqlite::Result<Hashes> {
    let sql = "SELECT facts FROM cursors WHERE sink = ?1 AND uid = ?2";
    let facts: Option<Vec<u8>> =
        store.prepare_cached(sql)?.query_row([sink, uid], |row| row.get(0)).optional()?;
    Ok(facts.unwrap_or_default().as_chunks::<8>().0.to_vec())
}

fn set_cursor(store: &Transaction<'_>, sink: &str, uid: &str, facts: &Hashes) -> rusqlite::Result<()> {
    let sql = "INSERT INTO cursors (sink, uid, facts) VALUES (?1, ?2, ?3)
               ON CONFLICT (sink, uid) DO UPDATE SET facts = excluded.facts";
    store.prepare_cached(sql)?.execute(params![sink, uid, facts.as_flattened()]).map(drop)
}

/// An event as it is put into a queue.
pub(crate) struct Queued {
    id: String,
    kind: String,
    time: i64,
    json: String,
}

impl Queued {
    pub(crate) fn of<D: Serialize>(event: &Event<D>) -> Self {
        Self {
            id: event.id.clone(),
            kind: event.kind.clone(),
            time: event.time.as_millisecond(),
            // Plain structs with text keys always have a text.
            json: serde_json::to_string(event).unwrap_or_default(),
        }
    }
}

/// Puts an event at the end of a sink's queue.
pub(crate) fn put(store: &Transaction<'_>, sink: &str, uid: &str, event: &Queued) -> rusqlite::Result<()> {
    let sql = "INSERT INTO queue (sink, uid, id, type, time, event) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![sink, uid, event.id, event.kind, event.time, event.json];
    store.prepare_cached(sql)?.execute(values).map(drop)
}
