//! Prices: what each night costs, and what a stay comes to.

use innkeeper_api::{LineKind, QuoteLine, RoomSpec, SeasonalRate, Weekday, nights};
use jiff::civil::Date;

use crate::currency::{Currency, MAX_AMOUNT};

/// The price of a stay, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Nights at one price each, in order.
    pub lines: Vec<QuoteLine>,
    /// The sum, rounded half up to what can be charged and refunded.
    pub total: i64,
}

/// Price of one unit for one night: the last seasonal rate that matches, else the Room's rate.
#[must_use]
pub fn nightly(spec: &RoomSpec, night: Date) -> i64 {
    spec.rates.iter().rev().find(|r| matches(r, night)).map_or(spec.rate.minor_units, |r| r.minor_units)
}

fn matches(rate: &SeasonalRate, night: Date) -> bool {
    let day = weekday(night);
    rate.from <= night && night < rate.to && (rate.weekdays.is_empty() || rate.weekdays.contains(&day))
}

fn weekday(date: Date) -> Weekday {
    match date.weekday() {
        jiff::civil::Weekday::Monday => Weekday::Monday,
        jiff::civil::Weekday::Tuesday => Weekday::Tuesday,
        jiff::civil::Weekday::Wednesday => Weekday::Wednesday,
        jiff::civil::Weekday::Thursday => Weekday::Thursday,
        jiff::civil::Weekday::Friday => Weekday::Friday,
        jiff::civil::Weekday::Saturday => Weekday::Saturday,
        jiff::civil::Weekday::Sunday => Weekday::Sunday,
    }
}

/// The price of `units` units from `check_in` to `check_out` (half-open); `None` where it is more than one charge
/// can be.
#[must_use]
pub fn price(
    spec: &RoomSpec,
    currency: Currency,
    check_in: Date,
    check_out: Date,
    units: u32,
) -> Option<Price> {
    let mut lines: Vec<QuoteLine> = Vec::new();
    let mut sum = 0_i64;
    for night in nights(check_in, check_out) {
        let minor_units = nightly(spec, night).checked_mul(i64::from(units))?;
        sum = sum.checked_add(minor_units)?;
        match lines.last_mut() {
            Some(line) if line.minor_units == minor_units => line.nights += 1,
            _ => lines.push(QuoteLine { kind: LineKind::Nights, from: night, nights: 1, minor_units }),
        }
    }
    let total = currency.round(sum);
    (total <= MAX_AMOUNT).then_some(Price { lines, total })
}

#[cfg(test)]
mod tests;
