//! Conditions: their types, reasons, and the list they live in.
//!
//! Types and reasons are enums with an `Unknown` variant, so that what a newer version wrote can be read by an
//! older one. The list knows how to set (saying whether anything changed) and nothing about what to set.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A string enum that keeps what it does not know.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident, max $max:literal { $($(#[$vmeta:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// Written by another version of the operator.
            Unknown(String),
        }

        impl $name {
            /// Every value this version knows.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As it is written in the object.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $(stringify!($variant) => Self::$variant,)+
                    _ => Self::Unknown(text),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                match value {
                    $name::Unknown(text) => text,
                    known => known.as_str().to_owned(),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": $max })
            }
        }
    };
}
pub(crate) use open_enum;

open_enum! {
    /// What a condition is about. Each has one owner: `booking::status` for a Reservation, `booking::room` for a Room.
    ConditionType, max 64 {
        /// The stay can be had on these terms at this price.
        Accepted,
        /// The guest's money is with the hotel (or is not collected here).
        Paid,
        /// The nights are in the calendars.
        Allocated,
        /// What was due back has been given back.
        Refunded,
        /// Nothing more will happen by itself.
        Settled,
        /// As declared: confirmed, or cancelled on request.
        Ready,
        /// Room: units may be sold now.
        Available,
        /// Still moving (kstatus). Present only while true.
        Reconciling,
        /// Ended without success, or waits for a person (kstatus). Present only while true.
        Stalled,
    }
}

open_enum! {
    /// Why a condition is as it is.
    Reason, max 64 {
        /// Accepted: the stay can be had.
        Accepted,
        /// Accepted: the dates, units or guests make no stay that can be sold.
        InvalidStay,
        /// Accepted: the price is above `maxTotal`.
        PriceAboveMax,
        /// Accepted: the Room is not being sold.
        SaleStopped,
        /// Accepted: the Room's rules do not allow this stay.
        RestrictionViolated,
        /// Accepted: the deadline passed before it could be decided or paid.
        TimedOut,
        /// Accepted: no Room of this name yet.
        RoomNotFound,
        /// Accepted: the Room is there, and cannot be sold as it is written.
        RoomNotReady,
        /// Accepted: cancelled or deleted before it was decided.
        NotDecided,
        /// Booked once, and what was agreed was lost with the status that somebody wiped; a person must look.
        TermsLost,
        /// Paid: the money is taken.
        Captured,
        /// Paid: nothing is collected here.
        NotCollectedHere,
        /// Paid: the same stay was paid under another UID, and that money is still kept.
        AlreadyCharged,
        /// Paid: the means of payment was refused, for good.
        Declined,
        /// Paid: the provider cannot be reached or refuses our key; tried again.
        ProviderUnavailable,
        /// Still to be done.
        Pending,
        /// Not done, and not to be done.
        NotDue,
        /// Paid: the charge may have been made; being looked up.
        OutcomeUnknown,
        /// Allocated: every night is in the calendars.
        Allocated,
        /// Allocated: held until the deadline.
        Held,
        /// Allocated: at least one night is full.
        OutOfStock,
        /// Allocated: the hold ran out before the money came.
        HoldExpired,
        /// Allocated: nights of a booked stay were taken out of the calendar by hand, and are no longer to be had.
        NightsLost,
        /// Allocated: the nights are free again.
        Released,
        /// Refunded: everything due has gone back.
        Refunded,
        /// Refunded: nothing was due.
        NothingDue,
        /// Refunded: the provider could not give it back; a person must look.
        RefundFailed,
        /// Refunded, Paid: the brake is on; a person must release it.
        MoneyHalted,
        /// Settled: booked.
        Confirmed,
        /// Settled: refused, nothing kept.
        Rejected,
        /// Settled: cancelled on request.
        Cancelled,
        /// Settled: withdrawn by deletion.
        Withdrawn,
        /// Settled: decided against; money and nights are on their way back.
        Rejecting,
        /// Settled: cancellation decided; money and nights are on their way back.
        Cancelling,
        /// Settled: withdrawal decided; money and nights are on their way back.
        Withdrawing,
        /// Settled: not yet.
        InProgress,
        /// Room: can be sold as written.
        Sellable,
        /// Room: the time zone is not known.
        UnknownTimeZone,
        /// Room: the currency is not one that can be charged.
        UnknownCurrency,
        /// Room: units are free tonight or on some night ahead.
        Open,
        /// Room: fewer units than are already sold on some night.
        Oversold,
        /// Room: a calendar has another capacity than the Room says, on some night.
        CalendarOutOfDate,
    }
}

/// Status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Not known.
    Unknown,
}

impl fmt::Display for ConditionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        })
    }
}

/// One condition, as the Kubernetes API conventions describe it; all fields set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it is so.
    pub status: ConditionStatus,
    /// Why, in one CamelCase word.
    pub reason: Reason,
    /// Why, in a sentence that a clerk can act on.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// When the status last changed.
    pub last_transition_time: Timestamp,
    /// The generation of the object that it was judged on.
    #[serde(default)]
    pub observed_generation: i64,
}

/// Longest message, in characters; a longer one is cut where it is set.
const MESSAGE_MAX: usize = 1024;

/// The list of conditions, one of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Conditions(pub Vec<Condition>);

impl JsonSchema for Conditions {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Conditions".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let item = generator.subschema_for::<Condition>();
        schemars::json_schema!({
            "type": "array",
            "maxItems": 16,
            "items": item,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        })
    }
}

impl Conditions {
    /// The condition of a type.
    #[must_use]
    pub fn get(&self, type_: &ConditionType) -> Option<&Condition> {
        self.0.iter().find(|c| c.type_ == *type_)
    }

    /// Whether the condition of a type is there with this status and reason.
    #[must_use]
    pub fn is(&self, type_: &ConditionType, status: ConditionStatus, reason: &Reason) -> bool {
        self.get(type_).is_some_and(|c| c.status == status && c.reason == *reason)
    }

    /// The reason of a type's condition.
    #[must_use]
    pub fn reason(&self, type_: &ConditionType) -> Option<&Reason> {
        self.get(type_).map(|c| &c.reason)
    }

    /// Sets one; `lastTransitionTime` moves only when the status does. Says whether anything changed. Whatever order
    /// they are set in, they are listed in that of [`ConditionType::ALL`], those of another version last: a reader finds
    /// them where they always are.
    pub fn set(
        &mut self,
        type_: ConditionType,
        status: ConditionStatus,
        reason: Reason,
        message: &str,
        now: Timestamp,
    ) -> bool {
        let message: String = message.chars().take(MESSAGE_MAX).collect();
        let Some(existing) = self.0.iter_mut().find(|c| c.type_ == type_) else {
            self.0.push(Condition {
                type_,
                status,
                reason,
                message,
                last_transition_time: now,
                observed_generation: 0,
            });
            self.0.sort_by_key(|c| rank(&c.type_));
            return true;
        };
        if existing.status == status && existing.reason == reason && existing.message == message {
            return false;
        }
        if existing.status != status {
            existing.last_transition_time = now;
        }
        existing.status = status;
        existing.reason = reason;
        existing.message = message;
        true
    }

    /// Takes one away. Says whether it was there.
    pub fn remove(&mut self, type_: &ConditionType) -> bool {
        let before = self.0.len();
        self.0.retain(|c| c.type_ != *type_);
        self.0.len() != before
    }

    /// Stamps every condition with the generation it now holds for.
    pub fn observe(&mut self, generation: i64) {
        for condition in &mut self.0 {
            condition.observed_generation = generation;
        }
    }
}

/// Where a type stands in the list.
fn rank(type_: &ConditionType) -> usize {
    ConditionType::ALL.iter().position(|known| known == type_).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_moves_only_when_the_status_does() {
        let mut list = Conditions::default();
        let (paid, pending) = (ConditionType::Paid, Reason::Pending);
        assert!(list.set(paid.clone(), ConditionStatus::False, pending.clone(), "charging", at(1)));
        assert!(!list.set(paid.clone(), ConditionStatus::False, pending, "charging", at(2)));
        assert!(list.set(paid.clone(), ConditionStatus::False, Reason::Declined, "no", at(3)));
        assert_eq!(list.get(&paid).unwrap().last_transition_time, at(1));
        assert!(list.set(paid.clone(), ConditionStatus::True, Reason::Captured, "yes", at(4)));
        assert_eq!(list.get(&paid).unwrap().last_transition_time, at(4));
    }

    #[test]
    fn conditions_are_listed_in_one_order_whatever_order_they_are_set_in() {
        let mut list = Conditions::default();
        let foreign = ConditionType::Unknown("FromTheFuture".into());
        for type_ in [foreign.clone()].iter().chain(ConditionType::ALL.iter().rev()) {
            list.set(type_.clone(), ConditionStatus::True, Reason::Pending, "so", at(1));
        }
        let listed: Vec<_> = list.0.iter().map(|c| c.type_.clone()).collect();
        assert_eq!(listed, [ConditionType::ALL, &[foreign]].concat());
        list.remove(&ConditionType::Paid);
        list.set(ConditionType::Paid, ConditionStatus::True, Reason::Captured, "yes", at(2));
        assert_eq!(list.0[1].type_, ConditionType::Paid, "put back where it was");
    }

    #[test]
    fn a_reason_of_another_version_survives_being_read_and_written() {
        let json = r#""FromTheFuture""#;
        let reason: Reason = serde_json::from_str(json).unwrap();
        assert_eq!(reason, Reason::Unknown("FromTheFuture".into()));
        assert_eq!(serde_json::to_string(&reason).unwrap(), json);
    }

    #[test]
    fn every_reason_reads_back_as_itself() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from(reason.as_str().to_owned()), *reason);
        }
    }

    #[test]
    fn an_overlong_message_is_cut_to_what_the_schema_allows() {
        let mut list = Conditions::default();
        list.set(ConditionType::Paid, ConditionStatus::False, Reason::Declined, &"é".repeat(3000), at(1));
        assert_eq!(list.get(&ConditionType::Paid).unwrap().message.chars().count(), MESSAGE_MAX);
    }
}
