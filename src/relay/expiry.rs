//! Lets finished Reservations expire: after `ttlAfterFinished`, and only what has just been read back from the archive.
//!
//! What is deleted is exactly what was read: with its UID and resourceVersion as preconditions. Where the archive is full,
//! missing, or another one, nothing expires, and that is said.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use innkeeper_api::{ConditionType, Reason, Reservation};
use innkeeper_archive::finished_at;
use jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, Preconditions};
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::events::{Event as Told, EventType, Recorder, Reporter};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use tokio_util::sync::CancellationToken;

use crate::MANAGER;
use crate::archiving::{Archiving, ArchivingError, Refusal, Standing};
use crate::relay::Shared;
use crate::store::{StoreError, queue};

/// How many objects a page of a list has.
const PAGE: u32 = 200;
/// After a failure, or where it is not filed yet.
const AGAIN: SignedDuration = SignedDuration::from_secs(2);
/// How many letters of a note the API server surely takes: it counts bytes, up to 1024.
const NOTE: usize = 256;
/// How far our clock may be ahead of the API server's. A confirmed stay that the API server sees deleted before its last
/// day is over is withdrawn, and all the money goes back: that must not come of a clock.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// A namespace and a name.
type Key = (String, String);

/// Lets finished Reservations expire.
pub(crate) struct Expiry {
    pub(crate) shared: Arc<Shared>,
    /// Namespaces that are followed; all where there is none.
    pub(crate) namespaces: Vec<String>,
    pub(crate) archiving: Archiving,
}

/// Whether anything expires, as it was last said.
struct Held {
    reason: Option<&'static str>,
    recorder: Recorder,
}

/// Who expires when, soonest first.
#[derive(Default)]
struct Waiting {
    order: BTreeSet<(Timestamp, Key)>,
    due: HashMap<Key, Timestamp>,
}

impl Waiting {
    fn put(&mut self, key: Key, due: Option<Timestamp>) {
        if let Some(before) = self.due.remove(&key) {
            self.order.remove(&(before, key.clone()));
        }
        if let Some(due) = due {
            self.order.insert((due, key.clone()));
            self.due.insert(key, due);
        }
    }

    fn next(&self) -> Option<&(Timestamp, Key)> {
        self.order.first()
    }
}

/// What became of one that was due.
enum Outcome {
    /// It is gone, or it is not to be deleted any more.
    Over,
    /// To be looked at again then.
    Later(Timestamp),
    /// The archive was asked and answered. To be looked at again then, or not at all.
    Answered(Option<Timestamp>),
}

impl Expiry {
    /// Works until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let scopes: Vec<Option<&str>> = match self.namespaces.as_slice() {
            [] => vec![None],
            some => some.iter().map(|name| Some(name.as_str())).collect(),
        };
        let watches = scopes.iter().map(|scope| self.watched(*scope).boxed());
        let mut events = futures::stream::select_all(watches);
        let mut waiting = Waiting::default();
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: None };
        let recorder = Recorder::new(self.shared.client.clone(), reporter);
        let mut held = Held { reason: None, recorder };
        self.shared.metrics.relay_expiry_held(None);
        loop {
            let next = waiting.next().cloned();
            let left = next.as_ref().map(|(due, _)| due.duration_since(Timestamp::now()));
            let left = left.map(|left| Duration::try_from(left).unwrap_or_default());
            tokio::select! {
                // What a watch has shown goes first: what somebody has just changed must not be deleted for what it was.
                biased;
                () = stop.cancelled() => return,
                event = events.next() => match event {
                    Some(event) => shown(&mut waiting, event),
                    None => return,
                },
                () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() => {
                    let Some((_, key)) = next else { continue };
                    let next = self.look(&key, &mut held).await;
                    waiting.put(key, next);
                }
            }
        }
    }

    /// Looks at one that is due. Says when to look again; not at all where it is being deleted, or is not to be.
    async fn look(&self, key: &Key, held: &mut Held) -> Option<Timestamp> {
        match self.expire(key).await {
            Ok(Outcome::Over) => None,
            Ok(Outcome::Answered(next)) => {
                if self.archiving.refusal().is_none() && held.reason.take().is_some() {
                    self.shared.metrics.relay_expiry_held(None);
                    tracing::info!("finished Reservations expire again");
                }
                next
            }
            Ok(Outcome::Later(at)) => Some(at),
            Err(Failure::Held(refusal, reservation)) => {
                self.shared.metrics.relay_expiry_held(Some(refusal.reason));
                if held.reason != Some(refusal.reason) {
                    held.reason = Some(refusal.reason);
                    tracing::warn!(
                        error = refusal.text,
                        reason = refusal.reason,
                        "ExpiryHeld: finished Reservations do not expire, because the archive cannot be used"
                    );
                    tell(&held.recorder, &reservation, &refusal).await;
                }
                Some(soon())
            }
            Err(Failure::Store(error)) => {
                tracing::warn!(%error, "what is not in the archive is filed again later");
                Some(soon())
            }
            Err(Failure::Server(error)) => {
                tracing::warn!(%error, namespace = key.0, reservation = key.1, "a Reservation cannot expire yet");
                Some(soon())
            }
        }
    }

    /// Deletes one, if it is to be deleted as it is now and was just read back.
    async fn expire(&self, key: &Key) -> Result<Outcome, Failure> {
        let api: Api<Reservation> = Api::namespaced(self.shared.client.clone(), &key.0);
        let Some(reservation) = api.get_opt(&key.1).await.map_err(Failure::Server)? else {
            return Ok(Outcome::Over);
        };
        let now = Timestamp::now();
        match due(&reservation) {
            None => return Ok(Outcome::Over),
            Some(at) if at > now => return Ok(Outcome::Later(at)),
            Some(_) => {}
        }
        let filed = match self.archiving.standing(&reservation).await {
            Ok(Standing::ReadBack(filed)) => filed,
            Ok(Standing::NotFiled) => {
                // It may have been thought to be there.
                let uid = reservation.uid().unwrap_or_default();
                self.shared
                    .store
                    .run(move |store| queue::filed(store, &uid, 0))
                    .await
                    .map_err(Failure::Store)?;
                self.shared.out.notify_one();
                return match self.archiving.refusal() {
                    Some(refusal) => Err(Failure::Held(refusal, Box::new(reservation))),
                    None => Ok(Outcome::Later(soon())),
                };
            }
            Err(ArchivingError::NotFinished) => return Ok(Outcome::Over),
            Err(error) => {
                let refusal = Refusal { reason: error.reason(), text: error.to_string() };
                return Err(Failure::Held(refusal, Box::new(reservation)));
            }
        };
        let rest = SignedDuration::try_from(self.shared.config.current().archive.expire_after_filed);
        let from = filed.saturating_add(rest.unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX);
        if from > now {
            return Ok(Outcome::Answered(Some(from)));
        }
        let exactly = Preconditions {
            uid: reservation.metadata.uid.clone(),
            resource_version: reservation.metadata.resource_version.clone(),
        };
        let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
        match api.delete(&key.1, &params).await {
            Ok(_) => {
                tracing::info!(namespace = key.0, reservation = key.1, "expired");
                self.shared.metrics.relay_expired();
                Ok(Outcome::Answered(None))
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Outcome::Answered(None)),
            // It changed since it was read: looked at again as it is now.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::Answered(Some(now))),
            Err(error) => Err(Failure::Server(error)),
        }
    }

    fn watched(
        &self,
        scope: Option<&str>,
    ) -> impl futures::Stream<Item = watcher::Result<Event<DeserializeGuard<Reservation>>>> + Send + use<>
    {
        let api: Api<DeserializeGuard<Reservation>> = match scope {
            Some(namespace) => Api::namespaced(self.shared.client.clone(), namespace),
            None => Api::all(self.shared.client.clone()),
        };
        watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff()
    }
}

/// Why one could not expire.
enum Failure {
    /// The archive cannot be used.
    Held(Refusal, Box<Reservation>),
    /// The relay's own state cannot be.
    Store(StoreError),
    Server(kube::Error),
}

/// Takes in what a watch has shown.
fn shown(waiting: &mut Waiting, event: watcher::Result<Event<DeserializeGuard<Reservation>>>) {
    match event {
        Ok(Event::Apply(object) | Event::InitApply(object)) => {
            if let Ok(reservation) = &object.0 {
                waiting.put(key_of(reservation), due(reservation));
            }
        }
        Ok(Event::Delete(object)) => {
            waiting.put((object.namespace().unwrap_or_default(), object.name_any()), None);
        }
        Ok(Event::Init | Event::InitDone) => {}
        Err(error) => tracing::warn!(%error, "the watch for what expires failed; it is begun again"),
    }
}

fn key_of(reservation: &Reservation) -> Key {
    (reservation.namespace().unwrap_or_default(), reservation.name_any())
}

fn soon() -> Timestamp {
    Timestamp::now().saturating_add(AGAIN).unwrap_or(Timestamp::MAX)
}

/// From when on a Reservation may be deleted; nothing where it is not to be.
fn due(reservation: &Reservation) -> Option<Timestamp> {
    let ttl = Duration::from(reservation.spec.ttl_after_finished?);
    if reservation.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    // The end of a confirmed stay is known before it comes.
    let finished = finished_at(reservation, Timestamp::MAX)?;
    let conditions = &reservation.status.as_ref()?.conditions;
    let confirmed = conditions.reason(&ConditionType::Settled) == Some(&Reason::Confirmed);
    let rest = if confirmed { ttl.max(CLOCKS_APART) } else { ttl };
    Some(finished.saturating_add(rest).unwrap_or(Timestamp::MAX))
}

/// Says on the first Reservation that is held that none expires.
async fn tell(recorder: &Recorder, reservation: &Reservation, refusal: &Refusal) {
    let note =
        format!("Finished Reservations are kept, this one among them ({}): {}", refusal.reason, refusal.text);
    let event = Told {
        type_: EventType::Warning,
        reason: "ExpiryHeld".to_owned(),
        note: Some(note.chars().take(NOTE).collect()),
        // Another reason is another Event: what is repeated is only counted, and keeps its note.
        action: format!("HeldFor{}", refusal.reason),
        secondary: None,
    };
    if let Err(error) = recorder.publish(&event, &reservation.object_ref(&())).await {
        tracing::warn!(%error, "an Event could not be published");
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_api::{ConditionStatus, ReservationStatus};
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + second).unwrap()
    }

    fn reservation(reason: &Reason, ttl: Option<&str>) -> Reservation {
        let mut status = ReservationStatus { observed_generation: 1, ..ReservationStatus::default() };
        status.conditions.set(
            ConditionType::Settled,
            ConditionStatus::True,
            reason.clone(),
            "so it is",
            at(0),
        );
        let mut object = json!({
            "apiVersion": "innkeeper.dev/v1alpha1", "kind": "Reservation",
            "metadata": { "name": "anna", "namespace": "seaside", "generation": 1 },
            "spec": {
                "roomName": "double", "checkIn": "2030-07-01", "checkOut": "2030-07-03", "guestID": "g",
                "payment": { "collect": "External" },
            },
            "status": status,
        });
        if let Some(ttl) = ttl {
            object["spec"]["ttlAfterFinished"] = json!(ttl);
        }
        if *reason == Reason::Confirmed {
            object["status"]["quote"] = json!({
                "currency": "EUR", "total": 0, "collectOnline": 0, "lines": [], "refundDeadlines": [],
                "checkInAt": at(100), "finishedAt": at(500), "roomUID": "r", "roomGeneration": 1,
            });
        }
        serde_json::from_value(object).unwrap()
    }

    #[rstest]
    #[case::for_good(Reason::Cancelled, None, None)]
    #[case::cancelled(Reason::Cancelled, Some("1h"), Some(3600))]
    #[case::at_once(Reason::Rejected, Some("0s"), Some(0))]
    #[case::from_the_end_of_the_stay(Reason::Confirmed, Some("1h"), Some(500 + 3600))]
    #[case::never_so_soon_that_clocks_matter(Reason::Confirmed, Some("0s"), Some(500 + 300))]
    #[case::still_moving(Reason::Cancelling, Some("1h"), None)]
    fn when_it_expires(#[case] reason: Reason, #[case] ttl: Option<&str>, #[case] expected: Option<i64>) {
        assert_eq!(due(&reservation(&reason, ttl)), expected.map(at));
    }

    #[test]
    fn one_that_is_waited_for_waits_once_and_the_soonest_goes_first() {
        let key = |name: &str| ("seaside".to_owned(), name.to_owned());
        let mut waiting = Waiting::default();
        waiting.put(key("a"), Some(at(5)));
        waiting.put(key("b"), Some(at(3)));
        waiting.put(key("a"), Some(at(1)));
        assert_eq!(waiting.next(), Some(&(at(1), key("a"))));
        waiting.put(key("a"), None);
        assert_eq!(waiting.next(), Some(&(at(3), key("b"))));
        waiting.put(key("b"), None);
        assert_eq!((waiting.next(), waiting.due.len()), (None, 0));
    }
}
