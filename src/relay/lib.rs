//! Publishes every fact of a Reservation as a `CloudEvent`: at least once, in order per Reservation, none lost.
//!
//! What is published is read from the objects: nobody writes an event beside a fact, so there is no event without a
//! stored fact, and no fact without its event. [`event`] says what an event looks like, [`sink`] where it can go;
//! [`Relay`] follows the objects, keeps in an SQLite file how far each sink has come with each Reservation, and lets a
//! deleted Reservation go once its last facts are out and filed ([`Filing`]).

mod archiving;
mod courier;
pub mod event;
mod expiry;
mod filing;
mod held_back;
mod intake;
mod relay;
mod release;
pub mod schemas;
pub mod sink;
mod store;
pub mod tail;

pub use archiving::{Archiving, ArchivingError, Standing};
pub use filing::{Filed, Filing, FilingError};
pub use relay::{Relay, RelayError, Route, Wanted, installation_id};
pub use store::{DeadLetter, ReplayError, Store, StoreError};

/// What the relay calls itself in `managedFields`.
pub const MANAGER: &str = "innkeeper-relay";
/// The version of `CloudEvents` that is spoken.
pub const SPEC_VERSION: &str = "1.0";
