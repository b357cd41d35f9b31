//! A client that sees Reservations change, as a guest's page would.

use std::time::Instant;

use futures::{StreamExt, TryStreamExt};
use innkeeper_api::Reservation;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Result;
use crate::bare::Writes;
use crate::load::is_confirmed;

/// A watch of one namespace.
pub struct Watching {
    events: mpsc::UnboundedReceiver<(Instant, Reservation)>,
    task: JoinHandle<()>,
}

/// How one booking went.
pub struct Booking {
    /// When the create was sent.
    pub asked: Instant,
    /// When it was answered.
    pub made: Instant,
    /// When each version was seen, the created one first.
    pub versions: Vec<(Instant, Reservation)>,
}

impl Watching {
    /// Begins to watch, and returns when everything that is there was seen.
    pub async fn start(reservations: &Api<Reservation>) -> Result<Self> {
        let (tell, events) = mpsc::unbounded_channel();
        let (ready, listed) = tokio::sync::oneshot::channel();
        let mut ready = Some(ready);
        let mut stream = watcher(reservations.clone(), watcher::Config::default()).default_backoff().boxed();
        let task = tokio::spawn(async move {
            while let Ok(Some(event)) = stream.try_next().await {
                match event {
                    watcher::Event::Apply(object) => {
                        let _ = tell.send((Instant::now(), object));
                    }
                    watcher::Event::InitDone => {
                        let _ = ready.take().map(|ready| ready.send(()));
                    }
                    _ => {}
                }
            }
        });
        listed.await.map_err(|_| "the watch ended before it had begun")?;
        Ok(Self { events, task })
    }

    /// Asks for a stay and waits until it is seen to be confirmed. Nobody else may ask meanwhile.
    pub async fn book(&mut self, reservations: &Api<Reservation>, wish: &Reservation) -> Result<Booking> {
        let asked = Instant::now();
        reservations.create(&PostParams::default(), wish).await?;
        let made = Instant::now();
        let mut versions = Vec::new();
        loop {
            let next = tokio::time::timeout(std::time::Duration::from_secs(60), self.events.recv()).await;
            let (seen, object) = next
                .map_err(|_| format!("{} was never confirmed", wish.name_any()))?
                .ok_or("the watch ended")?;
            if object.name_any() == wish.name_any() {
                let done = is_confirmed(&object);
                versions.push((seen, object));
                if done {
                    return Ok(Booking { asked, made, versions });
                }
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Booking {
    /// The two statuses that the operator wrote, of a booking that was born with the finalizer.
    pub fn writes(&self) -> Result<Writes> {
        let statuses: Vec<Value> = self
            .versions
            .iter()
            .filter_map(|(_, object)| serde_json::to_value(object.status.as_ref()?).ok())
            .filter(|status| status["observedGeneration"] != json!(-1))
            .collect();
        match statuses.as_slice() {
            [intent, outcome] => Ok(Writes { intent: intent.clone(), outcome: changed(intent, outcome) }),
            other => {
                Err(format!("a booking has {} written statuses, and should have two", other.len()).into())
            }
        }
    }
}

/// The fields of `after` that are not so in `before`.
fn changed(before: &Value, after: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return after.clone() };
    let differ = after.iter().filter(|(key, value)| before.get(*key) != Some(*value));
    differ.map(|(key, value)| (key.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
}

/// A yardstick: an object on which a PATCH that changes something can be made any number of times.
pub struct Yardstick {
    reservations: Api<Reservation>,
    object: Reservation,
}

impl Yardstick {
    /// In a namespace that no operator watches.
    pub async fn make(reservations: Api<Reservation>, writes: &Writes) -> Result<Self> {
        let wish = crate::bed::wish("yardstick", "double", 0, true);
        let object = reservations.create(&PostParams::default(), &wish).await?;
        let object = crate::bare::patch(&reservations, &object, &writes.intent).await?;
        Ok(Self { reservations, object })
    }

    /// Seconds from sending a PATCH of the status to its answer.
    pub async fn measure(&mut self) -> Result<f64> {
        let next = self.object.status.as_ref().map_or(0, |status| status.observed_generation) + 1;
        let patch = json!({
            "metadata": { "resourceVersion": self.object.resource_version() },
            "status": { "observedGeneration": next },
        });
        let begun = Instant::now();
        let name = self.object.name_any();
        self.object =
            self.reservations.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(begun.elapsed().as_secs_f64())
    }
}
