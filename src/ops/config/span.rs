//! Spans of time as people write them: `90s`, `15m`, `1h30m`, `250ms`.
//!
//! The format is that of the Kubernetes Gateway API's durations (GEP-2257), a subset of Go's: whole numbers, each
//! with its unit, from the greatest unit to the smallest. No fractions, no signs, no days.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

/// Units in the order they must come in, and their milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Why a text is no span. Says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Nothing there.
    #[error("a span of time is missing; write one like 90s, 15m or 1h30m")]
    Empty,
    /// A number without its unit.
    #[error("`{0}` has no unit; write `{0}s` for seconds, or use h, m or ms")]
    NoUnit(String),
    /// A unit that is not one of the four.
    #[error("`{unit}` in `{text}` is no unit of time; use h, m, s or ms (two days are 48h)")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// What stands where the unit should.
        unit: String,
    },
    /// Something that is no whole number stands before a unit.
    #[error("`{0}` is no span of time; write whole numbers with units, like 90s, 15m or 1h30m")]
    NotANumber(String),
    /// Units twice, or small before great.
    #[error("`{0}` has its units out of order; write each once, the greatest first, like 1h30m")]
    OutOfOrder(String),
    /// More than can be counted.
    #[error("`{0}` is too long a span of time")]
    TooLong(String),
}

/// Reads a span. Fails with a sentence that says what to write instead.
pub fn parse(text: &str) -> Result<Duration, SpanError> {
    let mut rest = text;
    let mut millis = 0u64;
    let mut next_unit = 0;
    if rest.is_empty() {
        return Err(SpanError::Empty);
    }
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit());
        if number.is_empty() {
            return Err(SpanError::NotANumber(text.to_owned()));
        }
        let (unit, after) = split_where(after, |c| c.is_ascii_digit());
        if unit.is_empty() {
            return Err(SpanError::NoUnit(text.to_owned()));
        }
        if !unit.chars().all(char::is_alphabetic) {
            return Err(SpanError::NotANumber(text.to_owned()));
        }
        let Some(position) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(SpanError::UnknownUnit { text: text.to_owned(), unit: unit.to_owned() });
        };
        if position < next_unit {
            return Err(SpanError::OutOfOrder(text.to_owned()));
        }
        next_unit = position + 1;
        millis = number
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(UNITS[position].1))
            .and_then(|part| millis.checked_add(part))
            .ok_or_else(|| SpanError::TooLong(text.to_owned()))?;
        rest = after;
    }
    Ok(Duration::from_millis(millis))
}

fn split_where(text: &str, end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(end).unwrap_or(text.len()))
}

/// Writes a span so that [`parse`] reads it back; what is below a millisecond is dropped.
#[must_use]
pub fn format(span: Duration) -> String {
    let mut millis = span.as_millis();
    let mut text = String::new();
    for (name, length) in UNITS {
        let count = millis / u128::from(length);
        millis %= u128::from(length);
        if count > 0 {
            text += &count.to_string();
            text += name;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// For `#[serde(with = "span")]`.
pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*span))
}

/// For `#[serde(with = "span")]`. Fails as [`parse`] does.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Span;
    impl Visitor<'_> for Span {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a span of time like 90s, 15m or 1h30m")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            parse(text).map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("90s", 90_000, "1m30s")]
    #[case("15m", 900_000, "15m")]
    #[case("1h30m", 5_400_000, "1h30m")]
    #[case("1h1m1s1ms", 3_661_001, "1h1m1s1ms")]
    #[case("250ms", 250, "250ms")]
    #[case("0s", 0, "0s")]
    #[case("36h", 129_600_000, "36h")]
    fn a_span_is_read_and_written_back_in_its_shortest_form(
        #[case] text: &str,
        #[case] millis: u64,
        #[case] canonical: &str,
    ) {
        let span = parse(text).unwrap();
        assert_eq!(span, Duration::from_millis(millis));
        assert_eq!(format(span), canonical);
        assert_eq!(parse(canonical).unwrap(), span);
    }

    #[rstest]
    #[case("", "is missing")]
    #[case("90", "write `90s` for seconds")]
    #[case("1h30", "has no unit")]
    #[case("2d", "two days are 48h")]
    #[case("3 m", "is no span of time")]
    #[case("-5s", "is no span of time")]
    #[case("1.5h", "is no span of time")]
    #[case("soon", "is no span of time")]
    #[case("5S", "is no unit of time")]
    #[case("30m1h", "the greatest first")]
    #[case("1m1m", "write each once")]
    #[case("99999999999999999999h", "too long")]
    #[case("9999999999999999h", "too long")]
    fn what_is_no_span_is_refused_with_what_to_write(#[case] text: &str, #[case] says: &str) {
        let message = parse(text).unwrap_err().to_string();
        assert!(message.contains(says), "{message}");
    }
}
