//! What the API takes and answers. Amounts are in minor units; texts beside them are for showing.

use std::borrow::Cow;

use innkeeper_api::{Collect, Guests, Quote, RefundDeadline};
use innkeeper_booking::currency::Currency;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::search::each_night;
use crate::words;

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Amount {
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// In minor units: 12000 is 120.00 EUR, and 12000 KRW.
    #[schema(example = 12000)]
    minor_units: i64,
    /// For showing.
    #[schema(example = "120.00 EUR")]
    text: String,
}

impl Amount {
    pub(crate) fn new(currency: &str, minor_units: i64) -> Self {
        let text = Currency::of(currency)
            .map_or_else(|| format!("{minor_units} {currency}"), |known| known.show(minor_units));
        Self { currency: currency.to_owned(), minor_units, text }
    }
}

/// An amount that a client names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NamedAmount {
    /// ISO 4217, upper case.
    #[schema(min_length = 3, max_length = 3, pattern = "^[A-Z]{3}$", example = "EUR")]
    pub(crate) currency: String,
    /// In minor units.
    #[schema(minimum = 0, maximum = 99_999_999, example = 24000)]
    pub(crate) minor_units: i64,
}

/// The price of a stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Price {
    /// The whole price.
    total: Amount,
    /// What each night costs, for all units together.
    nights: Vec<NightPrice>,
}

/// The price of a night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NightPrice {
    /// The night, by the day on which it begins.
    date: Date,
    /// What it costs.
    price: Amount,
}

/// What comes back on cancelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Policy {
    /// In words, one sentence for each share, in the Room's time.
    text: Vec<String>,
    /// Until when which share comes back, soonest first; nothing after the last.
    deadlines: Vec<Deadline>,
}

/// Until when which share comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deadline {
    /// Up to and including this instant.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    /// Share that comes back, in percent.
    #[schema(minimum = 0, maximum = 100)]
    percent: u32,
}

impl Price {
    pub(crate) fn of(quote: &Quote, to: Date) -> Self {
        let currency = quote.currency.as_str();
        let each = each_night(quote, to)
            .map(|(date, minor_units)| NightPrice { date, price: Amount::new(currency, minor_units) });
        Self { nights: each.collect(), total: Amount::new(currency, quote.total) }
    }
}

impl Policy {
    pub(crate) fn of(deadlines: &[RefundDeadline], zone: &TimeZone) -> Self {
        Self {
            text: words::policy(deadlines, zone),
            deadlines: deadlines.iter().map(|d| Deadline { until: d.until, percent: d.percent }).collect(),
        }
    }
}

/// Who comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Party {
    /// Grown-ups.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 500, default = 1)]
    pub(crate) adults: u32,
    /// Children.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 500, default = 0)]
    pub(crate) children: u32,
}

impl Default for Party {
    fn default() -> Self {
        Self { adults: 1, children: 0 }
    }
}

impl From<Party> for Guests {
    fn from(party: Party) -> Self {
        Self { adults: party.adults, children: party.children }
    }
}

pub(crate) const fn one() -> u32 {
    1
}

/// Reads a date as the API describes it, and as no other: jiff would take a date and time too, and drop the time.
pub(crate) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == *text);
    date.ok_or_else(|| D::Error::custom(format_args!("{text:?} is no date; write one such as 2030-07-01")))
}

/// Who collects the money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum Collecting {
    /// Charged here.
    #[default]
    Online,
    /// The hotel collects at the desk. For partners.
    AtProperty,
    /// The partner has collected. For partners.
    External,
}

impl From<Collecting> for Collect {
    fn from(collecting: Collecting) -> Self {
        match collecting {
            Collecting::Online => Self::Online,
            Collecting::AtProperty => Self::AtProperty,
            Collecting::External => Self::External,
        }
    }
}

impl From<Collect> for Collecting {
    fn from(collect: Collect) -> Self {
        match collect {
            Collect::Online => Self::Online,
            Collect::AtProperty => Self::AtProperty,
            Collect::External => Self::External,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_date_is_a_date_and_nothing_more() {
        let read = |text: &str| day(json!(text));
        assert_eq!(read("2030-07-01").unwrap(), jiff::civil::date(2030, 7, 1));
        for wrong in ["2030-07-01T10:00", "20300701", "+002030-07-01", "2030-7-1", "2030-02-30", "July", ""] {
            let said = read(wrong).unwrap_err().to_string();
            assert!(said.contains("write one such as 2030-07-01"), "{wrong}: {said}");
        }
    }
}
