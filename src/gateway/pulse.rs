//! Whether the watches live, and for how long there has been no sign of it.
//!
//! A watch on which nothing happens looks like one that is dead. So each is begun anew every so often, and everything
//! that comes over it counts: that it was accepted, every event, every bookmark. What is known is as old as the last
//! sign of life of the watch that has been silent longest.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame};
use innkeeper_ops::metrics::Metrics;
use kube::Client;
use kube::client::Body;

/// All watches of a gateway. Clones know the same.
#[derive(Clone, Default)]
pub struct Pulses(Arc<Mutex<Vec<Pulse>>>);

/// The life of one watch. Clones know the same.
#[derive(Clone)]
pub struct Pulse(Arc<Life>);

struct Life {
    what: String,
    since: Instant,
    /// Milliseconds from `since` to the last sign of life.
    last: AtomicU64,
    listed: AtomicBool,
}

impl Pulses {
    /// One more watch, which has not listed anything yet.
    #[must_use]
    pub fn add(&self, what: String, now: Instant) -> Pulse {
        let life = Life { what, since: now, last: AtomicU64::new(0), listed: AtomicBool::new(false) };
        let pulse = Pulse(Arc::new(life));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(pulse.clone());
        pulse
    }

    /// How old what is known may be; nothing while something has never been listed.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|pulse| pulse.age(now)).try_fold(Duration::ZERO, |oldest, age| Some(oldest.max(age?)))
    }

    /// What keeps the model from being as new as this: what was never listed, or has been silent for longer.
    #[must_use]
    pub fn missing(&self, now: Instant, bound: Duration) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter_map(|pulse| match pulse.age(now) {
                None => Some(format!("{} not listed yet", pulse.0.what)),
                Some(age) if age > bound => {
                    Some(format!("no sign of {} for {} s", pulse.0.what, age.as_secs()))
                }
                Some(_) => None,
            })
            .collect()
    }
}

impl Pulse {
    /// A sign of life.
    pub fn beat(&self, now: Instant) {
        let after = now.saturating_duration_since(self.0.since).as_millis();
        self.0.last.fetch_max(u64::try_from(after).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Everything has been listed, as of now.
    pub fn listed(&self, now: Instant) {
        self.beat(now);
        self.0.listed.store(true, Ordering::Release);
    }

    fn age(&self, now: Instant) -> Option<Duration> {
        let last = self.0.since + Duration::from_millis(self.0.last.load(Ordering::Relaxed));
        self.0.listed.load(Ordering::Acquire).then(|| now.saturating_duration_since(last))
    }
}

/// The same client, with its requests counted.
#[must_use]
pub fn counted(client: &Client, metrics: &Metrics) -> Client {
    observed(client, metrics, None)
}

/// The same client, with its requests counted, and every sign of life of its watches taken down.
#[must_use]
pub fn felt(client: &Client, metrics: &Metrics, pulse: &Pulse) -> Client {
    observed(client, metrics, Some(pulse))
}

fn observed(client: &Client, metrics: &Metrics, pulse: Option<&Pulse>) -> Client {
    let (namespace, inner) = (client.default_namespace().to_owned(), client.clone());
    let (metrics, pulse) = (metrics.clone(), pulse.cloned());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, metrics, pulse) = (inner.clone(), metrics.clone(), pulse.clone());
        async move {
            let method = request.method().clone();
            let is_watch = request.uri().query().is_some_and(|q| q.split('&').any(|p| p == "watch=true"));
            let answer = client.send(request).await;
            metrics.api_request(&method, answer.as_ref().ok().map(|a| a.status().as_u16()));
            answer.map(|answer| {
                let pulse = pulse.filter(|_| is_watch && answer.status().is_success());
                if let Some(pulse) = &pulse {
                    pulse.beat(Instant::now());
                }
                answer.map(|body| Felt { body, pulse })
            })
        }
    });
    Client::new(service, namespace)
}

/// The body of an answer, of which every part is a sign of life.
struct Felt {
    body: Body,
    pulse: Option<Pulse>,
}

impl HttpBody for Felt {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(Ok(_)), Some(pulse)) = (&frame, &self.pulse) {
            pulse.beat(Instant::now());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_as_old_as_the_watch_that_was_silent_longest() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let pulses = Pulses::default();
        let (rooms, stays) = (pulses.add("rooms".into(), start), pulses.add("reservations".into(), start));
        rooms.listed(start);
        assert_eq!(pulses.age(start), None);
        assert_eq!(pulses.missing(start, second), ["reservations not listed yet"]);
        stays.listed(start + second);
        rooms.beat(start + 2 * second);
        assert_eq!(pulses.age(start + 3 * second), Some(2 * second));
        assert_eq!(pulses.missing(start + 3 * second, second), ["no sign of reservations for 2 s"]);
        assert_eq!(pulses.missing(start + 3 * second, 2 * second), [""; 0]);
        stays.beat(start + 3 * second);
        rooms.beat(start);
        assert_eq!(pulses.age(start + 3 * second), Some(second), "an older sign takes nothing back");
    }
}
