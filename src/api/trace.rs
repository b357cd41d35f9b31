//! W3C trace context: by which request a Reservation was asked for.

use std::fmt;

/// Annotation of a Reservation with the trace in which it was booked, as the header `traceparent` has it. Whoever
/// does something for the Reservation says so in that trace. It decides nothing.
pub const TRACEPARENT: &str = "innkeeper.dev/traceparent";

/// A place in a trace, as W3C's `traceparent` names it: the trace, the span in it, and its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceParent {
    /// A place in a trace; nothing where one of both is zero, which names none.
    #[must_use]
    pub fn new(trace: u128, span: u64, flags: u8) -> Option<Self> {
        (trace != 0 && span != 0).then_some(Self { trace, span, flags })
    }

    /// Reads the header. Of a version that is newer than ours what is known of it counts, as W3C wants it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut hexadecimal = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            let fits = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            u128::from_str_radix(part, 16).ok().filter(|_| fits)
        };
        let version = hexadecimal(2)?;
        let trace = hexadecimal(32)?;
        let span = u64::try_from(hexadecimal(16)?).ok()?;
        let flags = u8::try_from(hexadecimal(2)?).ok()?;
        let over = parts.next().is_some();
        if version == 0xff || (version == 0 && over) || text.len() > 256 {
            return None;
        }
        Self::new(trace, span, flags)
    }

    /// The same trace in another span of it. Of the flags, whether it is sampled stays.
    #[must_use]
    pub fn with_span(self, span: u64) -> Option<Self> {
        Self::new(self.trace, span, self.flags & 1)
    }

    /// The trace, as it is looked for.
    #[must_use]
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_w3c_calls_a_traceparent_is_read_and_written_again() {
        let read = TraceParent::parse(GOOD).unwrap();
        assert_eq!(read.to_string(), GOOD);
        assert_eq!(read.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let newer = GOOD.replacen("00-", "cc-", 1) + "-what-comes-later";
        assert_eq!(TraceParent::parse(&newer), Some(read), "of a newer version what is known of it");
        let other = read.with_span(0xab).unwrap();
        assert_eq!(other.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01");
        assert_eq!(read.with_span(0), None);
    }

    #[test]
    fn what_is_none_is_not_taken_for_one() {
        let zeros = |from: &str| GOOD.replace(from, &"0".repeat(from.len()));
        for wrong in [
            String::new(),
            "00".to_owned(),
            GOOD.to_uppercase(),
            GOOD.replace('-', "_"),
            format!("{GOOD}-"),
            format!("{GOOD}-more"),
            format!(" {GOOD}"),
            GOOD.replacen("00-", "ff-", 1),
            GOOD.replacen("00-", "0-", 1),
            GOOD.replace("4bf9", "4bg9"),
            GOOD.replace("4bf9", "+bf9"),
            GOOD.replace("-01", "-1"),
            zeros("4bf92f3577b34da6a3ce929d0e0e4736"),
            zeros("00f067aa0ba902b7"),
            format!("cc{}-{}", &GOOD[2..], "x".repeat(256)),
        ] {
            assert_eq!(TraceParent::parse(&wrong), None, "{wrong}");
        }
    }
}
