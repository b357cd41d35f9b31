//! Where finished Reservations are filed. What files them is elsewhere; the relay only asks, and waits for the answer.

use futures::future::BoxFuture;
use innkeeper_api::Reservation;

/// What became of filing a Reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filed {
    /// It is on the volume, durably.
    Now,
    /// It was there already, as it is now.
    Before,
}

/// Why a Reservation could not be filed. It is tried again; until then the object stays.
#[derive(Debug, thiserror::Error)]
pub enum FilingError {
    /// Nothing is filed now: the archive as a whole cannot be used.
    #[error("{0}")]
    Nothing(String),
    /// It alone is not, or only what goes where it goes; others may be.
    #[error("{text}")]
    NotThis {
        /// In one word.
        reason: &'static str,
        /// In a sentence.
        text: String,
    },
    /// It has not finished after all: money is on its way.
    #[error("it has not finished")]
    NotFinished,
}

/// Files finished Reservations.
pub trait Filing: Send + Sync {
    /// Files a Reservation that has finished and whose facts are all published. Must be right to call again with the
    /// same Reservation, and with one that has more facts than the last time. `Ok` means durable.
    fn file<'a>(&'a self, reservation: &'a Reservation) -> BoxFuture<'a, Result<Filed, FilingError>>;
}
