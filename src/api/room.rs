//! `Room`: a sellable kind of room, and what is shown of it.

use jiff::civil::Date;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Conditions;

/// What a hotel sells: so many like units, at a price, under its rules.
#[allow(clippy::duplicated_attributes, reason = "columns repeat their parts")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "innkeeper.dev",
    version = "v1alpha1",
    kind = "Room",
    namespaced,
    status = "RoomStatus",
    derive = "PartialEq",
    shortname = "rm",
    category = "hotel",
    doc = "A sellable kind of room: so many like units, at a price, under its rules.",
    printcolumn(name = "Units", type_ = "integer", json_path = ".spec.units"),
    printcolumn(name = "Rate", type_ = "integer", json_path = ".spec.rate.minorUnits", description = "Price per unit and night, in the currency's minor units"),
    printcolumn(name = "Currency", type_ = "string", json_path = ".spec.rate.currency"),
    printcolumn(name = "Free-Tonight", type_ = "integer", json_path = ".status.tonight.free"),
    printcolumn(name = "Fewest-Free", type_ = "integer", json_path = ".status.fewestFree", description = "Fewest units free on any night ahead"),
    printcolumn(name = "Stays-Ahead", type_ = "integer", json_path = ".status.staysAhead"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Available", type_ = "string", json_path = ".status.conditions[?(@.type==\"Available\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Sold-Out-Nights", type_ = "integer", json_path = ".status.soldOutNights", priority = 1),
    printcolumn(name = "Time-Zone", type_ = "string", json_path = ".spec.timeZone", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 55").message("a Room's name has at most 55 characters, because its calendars are named <room>-<year>-<month>")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.units + self.overbooking <= 200").message("units and overbooking together are at most 200: split a bigger house into several Rooms")
)]
pub struct RoomSpec {
    /// How many like units there are.
    #[schemars(range(min = 0, max = 200))]
    pub units: u32,
    /// Price of one unit for one night, where no seasonal rate matches.
    pub rate: Rate,
    /// Seasonal prices; the last that matches a night wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub rates: Vec<SeasonalRate>,
    /// Extra units that a night may be sold beyond those there are.
    #[serde(default)]
    #[schemars(range(min = 0, max = 200))]
    pub overbooking: u32,
    /// Units that cannot be sold for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub out_of_order: Vec<OutOfOrder>,
    /// Whether new stays are taken at all.
    #[serde(default)]
    pub sale: Sale,
    /// What a stay must be like to be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restrictions: Option<Restrictions>,
    /// Whether the money or the nights come first.
    #[serde(default)]
    pub flow: Flow,
    /// What comes back on cancelling; without tiers everything until check-in and nothing after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new("self.all(a, self.all(b, a.hoursBefore <= b.hoursBefore || a.refundPercent >= b.refundPercent))")
        .message("a tier further before check-in must not give back less than one nearer to it"))]
    pub cancellation: Vec<CancellationTier>,
    /// IANA time zone in which nights, check-in and deadlines are meant, such as `Asia/Seoul`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$')").message("timeZone is an IANA name such as Asia/Seoul or Europe/Lisbon"))]
    pub time_zone: String,
    /// When a stay begins on its first day, in the Room's time zone, as `15:00`.
    #[serde(default = "default_check_in_time")]
    #[schemars(length(max = 5))]
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("checkInTime is a time of day from 00:00 to 23:59, such as 15:00"))]
    pub check_in_time: String,
    /// What guests are shown, per language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["language"]))]
    pub display: Vec<Display>,
    /// Most guests in one unit; not limited where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub max_guests: Option<u32>,
}

fn default_check_in_time() -> String {
    "15:00".to_owned()
}

/// A price of one unit for one night.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// ISO 4217, upper case.
    #[schemars(length(min = 3, max = 3))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z]{3}$')").message("currency is an ISO 4217 code in capitals, such as EUR or KRW"))]
    pub currency: String,
    /// In the currency's minor units: 12000 is 120.00 EUR, and 12000 KRW.
    #[schemars(range(min = 0, max = 99_999_999))]
    pub minor_units: i64,
}

/// A price for a season, in the currency of the Room's rate.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.from < self.to").message("a season ends after it begins: `to` is the first night that is not part of it"))]
pub struct SeasonalRate {
    /// First night.
    pub from: Date,
    /// First night after it.
    pub to: Date,
    /// Only nights that begin on these days; every day where it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7), extend("x-kubernetes-list-type" = "set"))]
    pub weekdays: Vec<Weekday>,
    /// Price of one unit for one night, in minor units.
    #[schemars(range(min = 0, max = 99_999_999))]
    pub minor_units: i64,
}

/// A day of the week.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Units that cannot be sold for a while.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.from < self.to").message("out of order ends after it begins: `to` is the first night that can be sold again"))]
pub struct OutOfOrder {
    /// First night.
    pub from: Date,
    /// First night that can be sold again.
    pub to: Date,
    /// How many units.
    #[schemars(range(min = 1, max = 200))]
    pub units: u32,
    /// Why, for the front desk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reason: Option<String>,
}

/// Whether new stays are taken.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sale {
    /// Yes.
    #[default]
    Open,
    /// No; stays already booked are not touched.
    Stopped,
}

/// Whether the money or the nights come first.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Charge, then take the nights; who finds a night full is refunded.
    #[default]
    PayFirst,
    /// Take the nights under a hold until the Reservation's deadline, then charge; who finds a night full is not charged.
    HoldFirst,
}

/// What a stay must be like to be taken.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.minNights) || !has(self.maxNights) || self.minNights <= self.maxNights").message("minNights is at most maxNights"),
    validation = Rule::new("!has(self.minDaysAhead) || !has(self.maxDaysAhead) || self.minDaysAhead <= self.maxDaysAhead").message("minDaysAhead is at most maxDaysAhead")
)]
pub struct Restrictions {
    /// Fewest nights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 62))]
    pub min_nights: Option<i32>,
    /// Most nights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 62))]
    pub max_nights: Option<i32>,
    /// Fewest days from today (in the Room's zone) to arrival; 0 is today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub min_days_ahead: Option<i32>,
    /// Most days from today (in the Room's zone) to arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_days_ahead: Option<i32>,
}

/// What comes back when a stay is cancelled at least so long before check-in.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CancellationTier {
    /// Hours before check-in until which this holds; 0 is check-in itself.
    #[schemars(range(min = 0, max = 8784))]
    pub hours_before: u32,
    /// Share of the price that comes back, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub refund_percent: u32,
}

/// What guests are shown in one language.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Display {
    /// BCP 47 language, such as `en` or `ko`.
    #[schemars(length(min = 2, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$')").message("language is a BCP 47 tag such as en, ko or pt-BR"))]
    pub language: String,
    /// One line.
    #[schemars(length(min = 1, max = 128))]
    pub title: String,
    /// A paragraph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
}

/// What is shown of a Room; written at most once a second.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RoomStatus {
    /// Generation of the spec that this was written for; -1 where no controller has looked yet.
    #[serde(default = "unobserved")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// `Ready` and `Available`.
    #[serde(default)]
    pub conditions: Conditions,
    /// The night that begins today in the Room's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tonight: Option<Tonight>,
    /// Fewest units free on any night ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 200))]
    pub fewest_free: Option<u32>,
    /// Nights ahead with no unit free.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub sold_out_nights: u32,
    /// Reservations that hold a night from today on.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub stays_ahead: u32,
    /// The next nights with anything sold, ascending, at most 31 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 31), extend("x-kubernetes-list-type" = "atomic"))]
    pub nights: Vec<NightStatus>,
}

/// The status default of the CRDs: nobody has looked yet (kstatus reads it as in progress).
pub(crate) const fn unobserved() -> i64 {
    -1
}

impl Default for RoomStatus {
    fn default() -> Self {
        Self {
            observed_generation: unobserved(),
            conditions: Conditions::default(),
            tonight: None,
            fewest_free: None,
            sold_out_nights: 0,
            stays_ahead: 0,
            nights: Vec::new(),
        }
    }
}

/// The night that begins today.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Tonight {
    /// Today, in the Room's zone.
    pub date: Date,
    /// Units sold.
    #[schemars(range(min = 0, max = 200))]
    pub sold: u32,
    /// Units free.
    #[schemars(range(min = 0, max = 200))]
    pub free: u32,
}

/// One night with something sold.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NightStatus {
    /// The night, by the day on which it begins.
    pub date: Date,
    /// Units sold.
    #[schemars(range(min = 0, max = 200))]
    pub sold: u32,
    /// Units free.
    #[schemars(range(min = 0, max = 200))]
    pub free: u32,
}
