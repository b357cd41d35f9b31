//! Everything known about one Reservation at one moment, as one value.

use innkeeper_api::{Reservation, Room};
use jiff::{SignedDuration, Timestamp};

use crate::inventory::{NightsSeen, Stay};
use crate::knowledge::Knowledge;
use crate::provider::{Adoption, Charge, LookFor, Refund, Tags};

/// What the installation is set to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a Reservation may take from its first stored status to being settled.
    pub accept_within: SignedDuration,
    /// Finalizers that every Reservation carries before its money or nights are touched; ours first.
    pub finalizers: Vec<String>,
    /// This installation's id, for the tags at the provider.
    pub installation: String,
}

/// The Room as it is seen.
#[derive(Debug, Clone, Copy)]
pub enum RoomView<'a> {
    /// No Room of this name in this namespace, or one that is being deleted.
    Absent,
    /// There.
    There(&'a Room),
}

/// Everything known.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// The object as last read or as our last write returned it.
    pub reservation: &'a Reservation,
    /// Its Room.
    pub room: RoomView<'a>,
    /// What was learnt in this pass.
    pub known: &'a Knowledge,
    /// What the calendars in the cache show of its nights.
    pub nights: NightsSeen,
    /// The installation's settings.
    pub settings: &'a Settings,
    /// Why no money moves at all, in words, while a person has not said that it may.
    pub halted: Option<&'a str>,
}

/// One thing to be done outside; its answer is learnt and the plan made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Put these finalizers on.
    AddFinalizers(Vec<String>),
    /// Take ours off.
    RemoveFinalizer(String),
    /// Read the Room past the cache.
    ReadRoom,
    /// Read when `state: Cancelled` was recorded.
    ReadCancellation,
    /// Look for payments that other objects of the same name have made.
    FindEarlier(Tags),
    /// Take over one of them.
    Adopt(Adoption),
    /// Take the money.
    Charge(Charge),
    /// Look the charge up.
    Look(LookFor),
    /// See to it that the charge can never land.
    Fence(Charge),
    /// Cancel an intent that is still open.
    CancelIntent(String),
    /// Ask whether money may go out that nobody has asked back; where it may, it is counted.
    AskBrake(Refund),
    /// Give money back.
    Refund(Refund),
    /// Mark at the provider that what is left stays with the hotel.
    MarkSettled {
        /// The intent.
        id: String,
        /// What stays, in minor units.
        kept: i64,
    },
    /// Take the nights.
    Take(Stay),
    /// Release the nights.
    Release(Stay),
}

impl Effect {
    /// Whether it asks the payment provider to change something.
    #[must_use]
    pub const fn is_payment(&self) -> bool {
        matches!(
            self,
            Self::Charge(_)
                | Self::Adopt(_)
                | Self::Fence(_)
                | Self::CancelIntent(_)
                | Self::Refund(_)
                | Self::MarkSettled { .. }
        )
    }
}

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// When something changes.
    OnChange,
    /// At this instant, or when something changes.
    At(Timestamp),
    /// Soon, and less soon each time: something outside failed.
    Retry,
    /// In a while: the provider is at it.
    Poll,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// Write this status, on the resourceVersion it was decided on, and plan again.
    Write(Box<innkeeper_api::ReservationStatus>),
    /// Do this, learn its answer, and plan again.
    Do(Effect),
    /// Nothing now.
    Wait(Wake),
}
