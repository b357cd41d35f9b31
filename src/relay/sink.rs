//! Where events go.

pub mod file;
pub mod http;
pub mod signature;

use futures::future::BoxFuture;

/// An event on its way: what a sink needs of it, and its whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place in the sink's queue.
    pub seq: i64,
    /// Its id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The UID of the object that it is about: what has the same goes out in order.
    pub key: String,
    /// When the fact was stored, in milliseconds since 1970.
    pub time: i64,
    /// The event as structured JSON, on one line.
    pub json: String,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The sink has it, durably.
    Acked,
    /// The sink will never take it as it is. It goes to the dead letters, and what follows it goes on.
    Refused(String),
    /// Not this time; tried again. What follows it of the same object waits.
    Failed(String),
    /// Not sent, because one before it of the same object was not taken.
    Held,
}

/// Takes events.
pub trait Sink: Send + Sync {
    /// Whether it can be reached and will take events, asked once at the start: what is wrong is said early and in
    /// words, and delivering is tried all the same.
    fn check(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Delivers events, in order where they have the same key, and says for each what became of it. Whoever calls
    /// waits: there is never more than one call at a time.
    fn deliver<'a>(&'a self, batch: &'a [Outgoing]) -> BoxFuture<'a, Vec<Verdict>>;

    /// How many events it is given at once.
    fn batch(&self) -> usize {
        256
    }
}
