//! `Reservation`: one stay of one guest, and how far it has come.

use jiff::Timestamp;
use jiff::civil::Date;
use kube::core::Duration;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{Conditions, open_enum};
use crate::facts::Fact;
use crate::room::{Flow, unobserved};

/// One stay. Its terms are immutable; only `state` and `ttlAfterFinished` may change.
#[allow(clippy::duplicated_attributes, reason = "columns repeat their parts")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "innkeeper.dev",
    version = "v1alpha1",
    kind = "Reservation",
    namespaced,
    status = "ReservationStatus",
    derive = "PartialEq",
    shortname = "rsv",
    category = "hotel",
    doc = "One stay of one guest. Its terms are immutable; only state and ttlAfterFinished may change.",
    printcolumn(name = "Room", type_ = "string", json_path = ".spec.roomName"),
    printcolumn(name = "Check-In", type_ = "string", json_path = ".spec.checkIn"),
    printcolumn(name = "Check-Out", type_ = "string", json_path = ".spec.checkOut"),
    printcolumn(name = "Units", type_ = "integer", json_path = ".spec.units"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Total",
        type_ = "integer",
        json_path = ".status.quote.total",
        priority = 1,
        description = "Price of the stay, in minor units"
    ),
    printcolumn(name = "Currency", type_ = "string", json_path = ".status.quote.currency", priority = 1),
    printcolumn(
        name = "Paid",
        type_ = "integer",
        json_path = ".status.payment.captured",
        priority = 1,
        description = "Taken from the guest, in minor units"
    ),
    printcolumn(
        name = "Refunded",
        type_ = "integer",
        json_path = ".status.payment.refunded",
        priority = 1,
        description = "Given back, in minor units"
    ),
    printcolumn(
        name = "Payment",
        type_ = "string",
        json_path = ".status.payment.id",
        priority = 1,
        description = "The payment's id at the provider"
    ),
    selectable = ".spec.roomName",
    selectable = ".spec.guestID",
    selectable = ".spec.state"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.checkIn < self.checkOut").message("checkOut must be after checkIn: the night of checkOut is not part of the stay").field_path(".checkOut"),
    validation = Rule::new("self.checkOut - self.checkIn <= duration('1488h')").message("a stay has at most 62 nights: split it into several Reservations").field_path(".checkOut"),
    validation = Rule::new("!has(oldSelf.state) || has(self.state)").message("state cannot be taken away once it is set: delete this Reservation and create a new one to book again").field_path(".state"),
    validation = Rule::new("has(self.maxTotal) == has(oldSelf.maxTotal)").message("a stay's terms cannot be changed: delete this Reservation and create a new one").field_path(".maxTotal")
)]
pub struct ReservationSpec {
    /// The Room wanted, in this namespace.
    #[schemars(length(min = 1, max = 55))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')").message("roomName is the name of a Room: small letters, digits, '-' and '.', such as double-sea-view"),
        validation = Rule::new("self == oldSelf").message("a stay's terms cannot be changed: delete this Reservation and create a new one")
    )]
    pub room_name: String,
    /// Day of arrival, in the Room's time zone.
    #[x_kube(validation = Rule::new("self == oldSelf").message("a stay's terms cannot be changed: delete this Reservation and create a new one"))]
    pub check_in: Date,
    /// Day of departure: the night that begins on it is not part of the stay.
    #[x_kube(validation = Rule::new("self == oldSelf").message("a stay's terms cannot be changed: delete this Reservation and create a new one"))]
    pub check_out: Date,
    /// How many units of the Room.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 200))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("a stay's terms cannot be changed: delete this Reservation and create a new one"))]
    pub units: u32,
    /// Opaque id of the guest; never a name or an e-mail address.
    #[serde(rename = "guestID")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9][A-Za-z0-9._:=+/-]*$')").message("guestID is an opaque id of letters, digits and ._:=+/-; never a name or an e-mail address"),
        validation = Rule::new("self == oldSelf").message("a stay's terms cannot be changed: delete this Reservation and create a new one")
    )]
    pub guest_id: String,
    /// Who comes.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("a stay's terms cannot be changed: delete this Reservation and create a new one"))]
    pub guests: Guests,
    /// Who collects the money, and how.
    #[x_kube(validation = Rule::new("self == oldSelf").message("a stay's terms cannot be changed: delete this Reservation and create a new one"))]
    pub payment: Payment,
    /// Refuse the stay if its price is above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("a stay's terms cannot be changed: delete this Reservation and create a new one"))]
    pub max_total: Option<Money>,
    /// `Cancelled` cancels the stay; it cannot be taken away again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<WantedState>,
    /// How long after it has finished the object is kept, such as `720h`; kept for good where it is left out. The relay
    /// deletes it then, once it can be read back from the archive; where there is no archive it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,6}(h|m|s))+$') && duration(self) >= duration('0s')").message("ttlAfterFinished is a duration such as 720h or 30m"))]
    pub ttl_after_finished: Option<Duration>,
}

const fn one() -> u32 {
    1
}

/// Who comes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Guests {
    /// Grown-ups.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 500))]
    pub adults: u32,
    /// Children.
    #[serde(default)]
    #[schemars(range(min = 0, max = 500))]
    pub children: u32,
}

impl Default for Guests {
    fn default() -> Self {
        Self { adults: 1, children: 0 }
    }
}

/// Who collects the money, and how.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.collect != 'Online' || has(self.method)").message("payment.method is needed to collect online: the provider's token for the guest's means of payment, such as pm_card_visa").field_path(".method"),
    validation = Rule::new("self.collect == 'Online' || !has(self.method)").message("payment.method is only for collect: Online; leave it out").field_path(".method")
)]
pub struct Payment {
    /// `Online`: charged here. `AtProperty` and `External`: the nights are held and nothing is charged here.
    #[serde(default)]
    pub collect: Collect,
    /// The provider's token for the guest's means of payment, never a card number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]{2,12}_[A-Za-z0-9_]+$')").message("payment.method is a token of the payment provider such as pm_card_visa; never put a card number here"))]
    pub method: Option<String>,
    /// The agency's or the front desk's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9][A-Za-z0-9._:/#-]*$')").message("payment.reference is an id of letters, digits and ._:/#-; never a name or an e-mail address"))]
    pub reference: Option<String>,
}

/// Who collects the money.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collect {
    /// Charged here, through the payment provider.
    #[default]
    Online,
    /// The hotel collects at the desk.
    AtProperty,
    /// An agency has collected.
    External,
}

/// An amount of money.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// ISO 4217, upper case.
    #[schemars(length(min = 3, max = 3))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z]{3}$')").message("currency is an ISO 4217 code in capitals, such as EUR or KRW"))]
    pub currency: String,
    /// In the currency's minor units.
    #[schemars(range(min = 0, max = 99_999_999))]
    pub minor_units: i64,
}

/// `Cancelled` cancels the stay; it cannot be taken away again.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedState {
    /// The stay is to be cancelled.
    Cancelled,
}

open_enum! {
    /// How far a Reservation has come, for people; what decides are the conditions.
    Phase, max 32 {
        /// Waits for its Room.
        Pending,
        /// Accepted; money and nights are being taken.
        InProgress,
        /// Booked.
        Confirmed,
        /// Refused; money and nights are on their way back.
        Rejecting,
        /// Refused; nothing kept.
        Rejected,
        /// Being cancelled; money and nights are on their way back.
        Cancelling,
        /// Cancelled.
        Cancelled,
        /// Being withdrawn; money and nights are on their way back.
        Withdrawing,
        /// Withdrawn by deletion.
        Withdrawn,
    }
}

/// How far a Reservation has come. Written by the operator alone.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ReservationStatus {
    /// Generation of the spec that this was written for; -1 where no controller has looked yet.
    #[serde(default = "unobserved")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// For people; what decides are the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The price and the terms agreed; fixed once written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// By when it must be settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// What was decided when it was given up, and when that counts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentStatus>,
    /// The nights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<Allocation>,
    /// What happened, numbered from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["number"]))]
    pub history: Vec<Fact>,
    /// `Accepted`, `Paid`, `Allocated`, `Refunded`, `Settled`, `Ready`, and while true `Reconciling` or `Stalled`.
    #[serde(default)]
    pub conditions: Conditions,
}

impl Default for ReservationStatus {
    fn default() -> Self {
        Self {
            observed_generation: unobserved(),
            phase: None,
            quote: None,
            deadline: None,
            decision: None,
            payment: None,
            allocation: None,
            history: Vec::new(),
            conditions: Conditions::default(),
        }
    }
}

/// The price and the terms of a stay, as they were when it was accepted. All amounts in minor units.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// ISO 4217, upper case.
    #[schemars(length(min = 3, max = 3))]
    pub currency: String,
    /// The whole price.
    #[schemars(range(min = 0))]
    pub total: i64,
    /// What is collected online: the total, or 0 where somebody else collects.
    #[schemars(range(min = 0))]
    pub collect_online: i64,
    /// Whether the money or the nights come first, as the Room said.
    #[serde(default)]
    pub flow: Flow,
    /// What the total is made of.
    #[schemars(length(max = 62), extend("x-kubernetes-list-type" = "atomic"))]
    pub lines: Vec<QuoteLine>,
    /// Until when which share comes back on cancelling, soonest first; nothing after the last.
    #[schemars(length(max = 9), extend("x-kubernetes-list-type" = "atomic"))]
    pub refund_deadlines: Vec<RefundDeadline>,
    /// When the stay begins.
    pub check_in_at: Timestamp,
    /// End of the day of check-out: when the stay is finished.
    pub finished_at: Timestamp,
    /// UID of the Room quoted.
    #[serde(rename = "roomUID")]
    #[schemars(length(max = 36))]
    pub room_uid: String,
    /// Generation of the Room quoted.
    pub room_generation: i64,
}

/// A part of the price.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct QuoteLine {
    /// What it is for.
    pub kind: LineKind,
    /// First night.
    pub from: Date,
    /// How many nights.
    #[schemars(range(min = 1, max = 62))]
    pub nights: i32,
    /// Price of all units for one night of it, in minor units.
    #[schemars(range(min = 0))]
    pub minor_units: i64,
}

open_enum! {
    /// What a line of the quote is for. Taxes and fees can join later.
    LineKind, max 32 {
        /// Nights at one price.
        Nights,
    }
}

/// Until when which share comes back.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RefundDeadline {
    /// Up to and including this instant.
    pub until: Timestamp,
    /// Share that comes back, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub percent: u32,
}

/// What was decided when a Reservation was given up. Its kind is the reason of `Settled`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The instant that counts: of cancelling or deleting, as the API server recorded it; of refusing, as decided.
    pub at: Timestamp,
    /// Share of the money that comes back, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub refund_percent: u32,
}

/// The money of a Reservation, in minor units of the quote's currency.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PaymentStatus {
    /// The payment's id at the provider, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub id: Option<String>,
    /// Taken from the guest.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub captured: i64,
    /// Given back.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub refunded: i64,
    /// Stays with the hotel although the stay was given up.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub kept: i64,
    /// Number of the charge's attempt; stored before the charge is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub attempt: Option<u32>,
    /// When that attempt was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_at: Option<Timestamp>,
    /// Number of the refund's attempt; stored before the refund is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub refund_attempt: Option<u32>,
    /// When the provider is next asked, where that was put off for this Reservation's own sake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
}

/// Where the nights of a Reservation are held.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Allocation {
    /// UID of the Room whose calendars hold them.
    #[serde(rename = "roomUID")]
    #[schemars(length(max = 36))]
    pub room_uid: String,
    /// Units held in every night.
    #[schemars(range(min = 1, max = 200))]
    pub units: u32,
    /// The calendars.
    #[schemars(length(max = 4), inner(length(max = 63)), extend("x-kubernetes-list-type" = "atomic"))]
    pub calendars: Vec<String>,
}
