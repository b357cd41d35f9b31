//! Those that cannot be filed, or let go, for a reason of their own. Each is told of once for each reason, and is tried again
//! later and later, after those that were not tried yet: however many they are, nobody waits behind them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use innkeeper_api::Reservation;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event as Told, EventType, Recorder};

use crate::store::queue::Whom;

/// How many letters of a note the API server surely takes: it counts bytes, up to 1024.
const NOTE: usize = 256;

/// What is wrong with one Reservation alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In one word.
    pub(crate) reason: &'static str,
    /// In a sentence.
    pub(crate) text: String,
}

/// Why a step was not done for one Reservation.
#[derive(Debug)]
pub(crate) enum NotDone {
    /// Nothing is wrong: its time has not come.
    Yet,
    /// It is not there any more.
    Gone,
    /// For a reason of its own.
    For(Fault),
    /// Nobody's would be: the archive, the API server or the relay's own state cannot be used.
    Nobody(String),
}

#[derive(Debug)]
struct One {
    whom: Whom,
    times: u32,
    until: Instant,
    fault: Option<&'static str>,
}

/// Who waits, by their UIDs.
#[derive(Debug, Default)]
pub(crate) struct HeldBack(HashMap<String, One>);

impl HeldBack {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Whether it is among them.
    pub(crate) fn has(&self, whom: &Whom) -> bool {
        self.0.contains_key(&whom.uid)
    }

    /// Those that are to be tried again, the longest due first.
    pub(crate) fn due(&self, now: Instant, most: usize) -> Vec<Whom> {
        let mut due: Vec<&One> = self.0.values().filter(|one| one.until <= now).collect();
        due.sort_unstable_by_key(|one| one.until);
        due.into_iter().take(most).map(|one| one.whom.clone()).collect()
    }

    /// It waits, longer each time. Says whether that is news: it has a fault, and had not this one before.
    pub(crate) fn wait(
        &mut self,
        whom: &Whom,
        fault: Option<&Fault>,
        now: Instant,
        patience: (Duration, Duration),
    ) -> bool {
        let new = || One { whom: whom.clone(), times: 0, until: now, fault: None };
        let one = self.0.entry(whom.uid.clone()).or_insert_with(new);
        let factor = 2_u32.saturating_pow(one.times.min(20));
        one.times = one.times.saturating_add(1);
        one.until = now + patience.0.saturating_mul(factor).min(patience.1);
        let before = std::mem::replace(&mut one.fault, fault.map(|fault| fault.reason));
        one.fault.is_some() && one.fault != before
    }

    /// It was done, or is gone.
    pub(crate) fn done(&mut self, whom: &Whom) {
        self.0.remove(&whom.uid);
    }

    /// How many have a fault.
    pub(crate) fn faulty(&self) -> usize {
        self.0.values().filter(|one| one.fault.is_some()).count()
    }
}

/// Says on a Reservation why it is kept.
pub(crate) async fn tell(recorder: &Recorder, whom: &Whom, event: &'static str, fault: &Fault) {
    let note = format!("This Reservation is kept until it can go ({}): {}", fault.reason, fault.text);
    let told = Told {
        type_: EventType::Warning,
        reason: event.to_owned(),
        note: Some(note.chars().take(NOTE).collect()),
        // Another reason is another Event: what is repeated is only counted, and keeps its note.
        action: format!("HeldFor{}", fault.reason),
        secondary: None,
    };
    let about = ObjectReference {
        api_version: Some(Reservation::api_version(&()).into_owned()),
        kind: Some(Reservation::kind(&()).into_owned()),
        name: Some(whom.name.clone()),
        namespace: Some(whom.namespace.clone()),
        uid: Some(whom.uid.clone()),
        ..ObjectReference::default()
    };
    if let Err(error) = recorder.publish(&told, &about).await {
        tracing::warn!(%error, "an Event could not be published");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

    fn fault(reason: &'static str) -> Fault {
        Fault { reason, text: String::new() }
    }

    #[test]
    fn it_waits_longer_each_time_and_a_reason_is_news_once() {
        let (mut held, begun) = (HeldBack::default(), Instant::now());
        let at = |second| begun + Duration::from_secs(second);
        let of = |uid: &str| Whom { uid: uid.to_owned(), namespace: String::new(), name: String::new() };
        let (a, b) = (of("a"), of("b"));
        assert!(held.wait(&a, Some(&fault("Unfit")), begun, PATIENCE));
        assert_eq!((held.due(begun, 9).len(), held.due(at(1), 9)), (0, vec![a.clone()]));
        assert!(!held.wait(&a, Some(&fault("Unfit")), at(1), PATIENCE));
        assert_eq!((held.due(at(2), 9).len(), held.due(at(3), 9).len()), (0, 1));
        assert!(held.wait(&a, Some(&fault("ArchiveFull")), at(3), PATIENCE));
        for _ in 0..30 {
            assert!(!held.wait(&a, Some(&fault("ArchiveFull")), at(9), PATIENCE));
        }
        assert_eq!((held.due(at(16), 9).len(), held.due(at(17), 9).len()), (0, 1));
        assert!(!held.wait(&b, None, at(10), PATIENCE));
        assert_eq!((held.faulty(), held.all().len()), (1, 2));
        assert_eq!(held.due(at(20), 9), [b.clone(), a.clone()], "who is due longest comes first");
        assert_eq!(held.due(at(20), 1).len(), 1);
        held.done(&a);
        assert_eq!((held.faulty(), held.has(&a), held.has(&b)), (0, false, true));
    }
}
