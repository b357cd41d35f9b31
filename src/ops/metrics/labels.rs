//! The values that labels may have: each a closed list, so that the number of series is known.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

macro_rules! labels {
    ($($(#[$about:meta])+ $name:ident { $($(#[$meaning:meta])+ $value:ident = $text:literal,)+ })+) => {$(
        $(#[$about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$meaning])+ $value,)+
        }

        impl $name {
            /// Every value there is.
            pub const ALL: &[Self] = &[$(Self::$value),+];

            /// The text of the label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), fmt::Error> {
                self.as_str().encode(encoder)
            }
        }
    )+};
}

labels! {
    /// A controller, named as controller-runtime would: its kind in small letters.
    Controller {
        /// Takes Reservations to their end.
        Reservation = "reservation",
        /// Keeps Rooms' status.
        Room = "room",
        /// Keeps calendars in step with their Rooms.
        RoomCalendar = "roomcalendar",
    }

    /// How a reconcile ended, in controller-runtime's words.
    ReconcileResult {
        /// Done; waits for a change.
        Success = "success",
        /// Done; looks again at a known time.
        RequeueAfter = "requeue_after",
        /// Looks again as soon as it can.
        Requeue = "requeue",
        /// Failed.
        Error = "error",
    }

    /// What only a person can bring on.
    WaitsFor {
        /// The provider could not give money back.
        RefundFailed = "RefundFailed",
        /// A confirmed stay has lost nights that others hold.
        NightsLost = "NightsLost",
        /// What was agreed on a booked stay was lost with its status.
        TermsLost = "TermsLost",
        /// The same stay was paid under another UID.
        AlreadyCharged = "AlreadyCharged",
        /// The brake is on.
        MoneyHalted = "MoneyHalted",
    }

    /// Why money waits until a person has acknowledged it.
    Halted {
        /// Too much would go back that nobody has asked back.
        Outgoing = "outgoing",
        /// The cluster does not know payments that were made.
        Rewound = "rewound",
    }

    /// When a changed field of the configuration takes effect.
    TakesEffect {
        /// At once.
        Now = "now",
        /// At the next start.
        NextStart = "next_start",
    }

    /// How a Reservation ended.
    Outcome {
        /// The nights are theirs.
        Confirmed = "confirmed",
        /// Could not be honoured.
        Rejected = "rejected",
        /// Cancelled by the guest.
        Cancelled = "cancelled",
        /// Withdrawn by the hotel.
        Withdrawn = "withdrawn",
    }

    /// What was asked of the payment provider.
    ProviderOp {
        /// Take the money.
        Charge = "charge",
        /// Find a charge whose answer was lost.
        LookUp = "look_up",
        /// Make sure that a charge can no longer land.
        Fence = "fence",
        /// Cancel an intent.
        Cancel = "cancel",
        /// Give money back.
        Refund = "refund",
        /// List intents.
        List = "list",
        /// Mark what stays with the hotel as settled.
        MarkSettled = "mark_settled",
        /// Make a payment another Reservation's.
        Adopt = "adopt",
    }

    /// What came of a call to the payment provider.
    ProviderOutcome {
        /// Done.
        Ok = "ok",
        /// The guest's means of payment was refused.
        Declined = "declined",
        /// The request itself is wrong.
        Invalid = "invalid",
        /// The key was used before with other parameters.
        Mismatch = "mismatch",
        /// Another request with this key is running.
        InFlight = "in_flight",
        /// No such object.
        NotFound = "not_found",
        /// Too many requests.
        RateLimited = "rate_limited",
        /// Our key is refused.
        Unauthorized = "unauthorized",
        /// The provider failed.
        Server = "server",
        /// No connection; nothing was sent.
        Unreachable = "unreachable",
        /// Sent, and no answer.
        OutcomeUnknown = "outcome_unknown",
    }

    /// What became of a write of a calendar.
    CalendarWrite {
        /// Stored.
        Ok = "ok",
        /// Decided on a version that is no longer the latest.
        Conflict = "conflict",
        /// Refused by the calendar's rules.
        Refused = "refused",
        /// Failed otherwise.
        Error = "error",
    }

    /// Whose status was written.
    StatusKind {
        /// A Reservation's.
        Reservation = "reservation",
        /// A Room's.
        Room = "room",
    }

    /// What became of a write of a status.
    StatusWrite {
        /// Stored.
        Ok = "ok",
        /// Decided on a version that is no longer the latest.
        Conflict = "conflict",
        /// Failed otherwise.
        Error = "error",
    }

    /// Why the gateway turned a request away.
    Shed {
        /// Too many under way.
        InFlight = "in_flight",
        /// All wait too long until they are looked at.
        Overload = "overload",
        /// Too many connections.
        Connections = "connections",
        /// Too many connections that follow a booking.
        Streams = "streams",
        /// Too many from one address.
        Address = "address",
        /// Too many of one guest or partner.
        Identity = "identity",
        /// The API server is down.
        Breaker = "breaker",
        /// What is known is too old.
        Stale = "stale",
    }

    /// What the gateway knows of.
    ModelKind {
        /// Rooms.
        Room = "room",
        /// Months of Rooms.
        RoomCalendar = "roomcalendar",
        /// Reservations.
        Reservation = "reservation",
    }

    /// What became of a changed configuration file.
    ReloadResult {
        /// Valid, and in force.
        Applied = "applied",
        /// Invalid or unreadable; the last good one stays.
        Refused = "refused",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReconcileLabels {
    pub(super) controller: Controller,
    pub(super) result: ReconcileResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ControllerLabel {
    pub(super) controller: Controller,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) code: String,
    pub(super) method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct NameLabel {
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SettledLabels {
    pub(super) outcome: Outcome,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallLabels {
    pub(super) op: ProviderOp,
    pub(super) outcome: ProviderOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OpLabel {
    pub(super) op: ProviderOp,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WaitsForLabel {
    pub(super) reason: WaitsFor,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HaltedLabel {
    pub(super) because: Halted,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CalendarLabel {
    pub(super) result: CalendarWrite,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StatusLabels {
    pub(super) kind: StatusKind,
    pub(super) result: StatusWrite,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReloadLabel {
    pub(super) result: ReloadResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ChangeLabels {
    pub(super) field: &'static str,
    pub(super) takes_effect: TakesEffect,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabels {
    pub(super) version: &'static str,
}
