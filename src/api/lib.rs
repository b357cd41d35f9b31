//! The custom resources of `innkeeper.dev/v1alpha1`: types, validation rules, columns, conditions, money, stays.
//!
//! What the API server stores and what it refuses by itself. No client, no clock, no I/O: this crate knows only
//! kube's derive. What is decided about these objects is in `innkeeper-booking`.

mod calendar;
mod conditions;
mod crds;
mod facts;
mod month;
mod reference;
mod reservation;
mod room;
mod trace;

pub use calendar::{Night, RoomCalendar, RoomCalendarFields, UID_LABEL, holder_entries, uid_of_holder};
pub use conditions::{Condition, ConditionStatus, ConditionType, Conditions, Reason};
pub use crds::{crds, crds_yaml};
pub use facts::{Fact, FactKind};
pub use month::{Month, nights};
pub use reference::reference;
pub use reservation::{
    Allocation, Collect, Decision, Guests, LineKind, Money, Payment, PaymentStatus, Phase, Quote, QuoteLine,
    RefundDeadline, Reservation, ReservationSpec, ReservationStatus, WantedState,
};
pub use room::{
    CancellationTier, Display, Flow, NightStatus, OutOfOrder, Rate, Restrictions, Room, RoomSpec, RoomStatus,
    Sale, SeasonalRate, Tonight, Weekday,
};
pub use trace::{TRACEPARENT, TraceParent};

/// API group of every kind.
pub const GROUP: &str = "innkeeper.dev";
/// The one version served.
pub const VERSION: &str = "v1alpha1";
/// Keeps a Reservation until its money and its nights are settled.
pub const FINALIZER: &str = "innkeeper.dev/settle";
/// Keeps a Reservation until its last facts are published, and filed where there is an archive.
pub const RELAY_FINALIZER: &str = "innkeeper.dev/relay";

/// Annotation of a Reservation by which a person has a refund that failed tried again. Its value is the number of the
/// attempt that it allows, one more than the one that failed: so it allows one attempt, however often it is applied.
pub const RETRY_REFUND: &str = "innkeeper.dev/retry-refund";

/// Annotation of a Reservation by which a person says whose the money is that the provider still holds under its name
/// from another object: `adopt` makes it this stay's, `charge-anew` leaves it alone and charges.
pub const ALREADY_CHARGED: &str = "innkeeper.dev/already-charged";

/// What the operator calls itself in `managedFields`.
pub const OPERATOR_MANAGER: &str = "innkeeper";
/// Longest stay in nights: two calendar months of the longest kind.
pub const MAX_NIGHTS: i32 = 62;
/// Most units (with overbooking) of one Room, and so most holders of one night.
pub const MAX_UNITS: u32 = 200;
