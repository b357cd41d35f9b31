//! The trace that a request belongs to: the client's own where it says one (`traceparent`), else a new one.

use aws_lc_rs::rand::fill;
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use innkeeper_api::TraceParent;

use crate::door::Door;
use crate::problem::Problem;

/// W3C's header.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Flags of a trace that begins here: it is in the log.
const SAMPLED: u8 = 1;

/// What is done for a request, as a span of a trace. Nothing where there is no randomness to name one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trace(pub(crate) Option<TraceParent>);

impl Trace {
    /// Our own span, in the client's trace where it has one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut said = headers.get_all(TRACEPARENT).iter();
        // Two of them are none.
        let theirs = said.next().filter(|_| said.next().is_none()).and_then(|value| value.to_str().ok());
        let mut bytes = [0; 24];
        if fill(&mut bytes).is_err() {
            return Self(None);
        }
        let (span, trace) = bytes.split_at(8);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum: u128, byte| (sum << 8) | u128::from(*byte));
        let span = u64::try_from(number(span)).unwrap_or_default();
        Self(match theirs.and_then(TraceParent::parse) {
            Some(theirs) => theirs.with_span(span),
            None => TraceParent::new(number(trace), span, SAMPLED),
        })
    }

    /// The trace, for the log; empty where there is none.
    pub(crate) fn id(self) -> String {
        self.0.map(TraceParent::trace_id).unwrap_or_default()
    }
}

impl FromRequestParts<Door> for Trace {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Problem> {
        // The outermost layer has put one there.
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(None)))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(texts: &[&'static str]) -> TraceParent {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(TRACEPARENT, HeaderValue::from_static(text));
        }
        Trace::of(&headers).0.unwrap()
    }

    #[test]
    fn a_clients_trace_goes_on_in_a_span_of_ours_and_what_is_none_begins_one() {
        let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (one, other) = (of(&[theirs]), of(&[theirs]));
        assert_eq!(one.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(other.trace_id(), one.trace_id());
        assert_ne!(one, other, "another span each time");
        assert!(!one.to_string().contains("00f067aa0ba902b7"));
        let unsampled = of(&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"]);
        assert!(unsampled.to_string().ends_with("-00"), "{unsampled}");
        for none in [&[][..], &["4bf92f3577b34da6a3ce929d0e0e4736"], &[theirs, theirs]] {
            assert_ne!(of(none).trace_id(), one.trace_id());
            assert_ne!(of(none).trace_id(), of(none).trace_id());
        }
    }
}
