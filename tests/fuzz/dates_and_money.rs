//! Dates, spans, currencies and prices, as people write them.

use innkeeper_api::{CancellationTier, Month, RoomSpec, TraceParent};
use innkeeper_booking::currency::Currency;
use innkeeper_booking::policy::{deadlines, percent_back};
use innkeeper_booking::price::price;
use innkeeper_ops::config::span;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// What one line of JSON may ask.
#[derive(Deserialize)]
struct Asked {
    room: RoomSpec,
    from: Date,
    to: Date,
    units: u32,
    percent: u32,
    at: Timestamp,
    #[serde(default)]
    tiers: Vec<CancellationTier>,
}

/// Whatever is written reads as nothing, or as what is written again.
pub fn dates_and_money(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(month) = Month::parse(text) {
        assert_eq!(month.to_string(), text);
        let nights: Vec<Date> = month.nights().collect();
        assert!((28..=31).contains(&nights.len()), "{month} has {} nights", nights.len());
        assert!(nights.iter().all(|night| Month::of(*night) == month));
    }
    if let Ok(read) = span::parse(text) {
        let written = span::format(read);
        assert_eq!(span::parse(&written).ok(), Some(read), "{text:?} is written as {written:?}");
    }
    if let Some(trace) = TraceParent::parse(text) {
        assert_eq!(TraceParent::parse(&trace.to_string()), Some(trace), "{text:?}");
    }
    if let Some(currency) = Currency::of(text) {
        assert_eq!(currency.code(), text);
    }
    let Ok(asked) = serde_json::from_str::<Asked>(text) else { return };
    money(&asked);
}

fn money(asked: &Asked) {
    let Asked { room, from, to, units, percent, at, tiers } = asked;
    let Some(currency) = Currency::of(&room.rate.currency) else { return };
    // As the definition has them.
    let nights = from.duration_until(*to).as_hours() / 24;
    let sold = (1..=62).contains(&nights)
        && (1..=50).contains(units)
        && *percent <= 100
        && room.rate.minor_units >= 0
        && room.rates.iter().all(|rate| rate.minor_units >= 0);
    if !sold {
        return;
    }
    let deadlines = deadlines(tiers, *at);
    assert!(deadlines.is_sorted_by_key(|deadline| deadline.until));
    for offset in [-1, 0, 1] {
        let Ok(when) = at.checked_add(SignedDuration::from_secs(offset)) else { continue };
        let back = percent_back(&deadlines, when);
        assert!(tiers.iter().any(|tier| tier.refund_percent == back) || back == 0 || back == 100, "{back}");
    }
    let Some(price) = price(room, currency, *from, *to, *units) else { return };
    let of_lines: i64 = price.lines.iter().map(|line| i64::from(line.nights)).sum();
    assert_eq!(of_lines, nights, "every night is in a line, once");
    assert!(price.total >= 0 && price.total % currency.step() == 0, "{} cannot be charged", price.total);
    let back = currency.share(price.total, *percent);
    assert!((0..=price.total).contains(&back), "{back} of {} go back", price.total);
    assert_eq!(back % currency.step(), 0, "{back} cannot be refunded");
    assert!(!currency.show(price.total).is_empty());
}
