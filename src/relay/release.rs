//! Has finished Reservations filed, and lets deleted ones go: once nothing of them is in a queue, everything they say is
//! out, and they are filed where there is an archive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use innkeeper_api::{RELAY_FINALIZER, Reservation};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::MANAGER;
use crate::filing::FilingError;
use crate::held_back::{Fault, HeldBack, NotDone, tell};
use crate::relay::Shared;
use crate::store::StoreError;
use crate::store::intake::{count, is_out, leaves, let_go};
use crate::store::queue::{self, Whom};

/// How often it is looked for what is due by the clock alone.
const LOOK: Duration = Duration::from_secs(1);
/// How many are read together.
const AT_ONCE: usize = 200;

/// What is done for a finished Reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    File,
    Release,
}

impl Step {
    /// As metrics have it.
    const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Release => "release",
        }
    }

    /// The reason of the Event on one for whom it cannot be done.
    const fn event(self) -> &'static str {
        match self {
            Self::File => "NotFiled",
            Self::Release => "NotLetGo",
        }
    }
}

pub(crate) struct Releaser {
    shared: Arc<Shared>,
    recorder: Recorder,
    /// Those that could not be filed, and those that could not be let go.
    unfiled: HeldBack,
    unreleased: HeldBack,
}

impl Releaser {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: None };
        let recorder = Recorder::new(shared.client.clone(), reporter);
        Self { shared, recorder, unfiled: HeldBack::default(), unreleased: HeldBack::default() }
    }

    /// Works until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut failures: u32 = 0;
        while !stop.is_cancelled() {
            let filed = self.work(Step::File, &stop).await;
            match filed.and(self.work(Step::Release, &stop).await) {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(error, "finished Reservations wait; it is tried again");
                }
            }
            let retry = &self.shared.config.current().relay.retry;
            let factor = 2u32.saturating_pow(failures.min(20));
            let patience =
                if failures == 0 { LOOK } else { retry.initial.saturating_mul(factor).min(retry.max) };
            tokio::select! {
                () = self.shared.out.notified(), if failures == 0 => {}
                () = tokio::time::sleep(patience) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Does a step for everybody who is due: first for those that were not tried yet, and then again for some that were held
    /// back. One for whom it cannot be done keeps itself, and nobody else.
    async fn work(&mut self, step: Step, ended: &CancellationToken) -> Result<(), String> {
        let worked = self.work_through(step, ended).await;
        let faulty = self.held_back(step).faulty();
        self.shared.metrics.relay_held_back(step.name(), faulty);
        worked
    }

    async fn work_through(&mut self, step: Step, ended: &CancellationToken) -> Result<(), String> {
        let mut more = true;
        while more && !ended.is_cancelled() {
            // Afterwards each of them is done or held back, so this ends.
            let new = self.untried(step).await.map_err(text)?;
            more = new.len() == AT_ONCE;
            for whom in new {
                self.work_for(step, &whom).await?;
            }
        }
        for whom in self.held_back(step).due(Instant::now(), AT_ONCE) {
            if ended.is_cancelled() {
                break;
            }
            self.work_for(step, &whom).await?;
        }
        Ok(())
    }

    async fn untried(&mut self, step: Step) -> Result<Vec<Whom>, StoreError> {
        let (not, filing) = (self.held_back(step).all(), self.shared.filing.is_some());
        let now = Timestamp::now().as_millisecond();
        match step {
            Step::File if !filing => Ok(Vec::new()),
            Step::File => self.shared.store.run(move |s| queue::to_file(s, now, AT_ONCE, &not)).await,
            Step::Release => self.shared.store.run(move |s| queue::leaving(s, filing, AT_ONCE, &not)).await,
        }
    }

    async fn work_for(&mut self, step: Step, whom: &Whom) -> Result<(), String> {
        let done = match step {
            Step::File => self.file(whom).await,
            Step::Release => self.release(whom).await,
        };
        let config = self.shared.config.current();
        let (now, patience) = (Instant::now(), (config.relay.retry.initial, config.relay.retry.max));
        drop(config);
        let held = self.held_back(step);
        match done {
            Ok(()) => held.done(whom),
            Err(NotDone::Gone) if held.has(whom) => held.done(whom),
            // The watch will say what has become of it.
            Err(NotDone::Yet | NotDone::Gone) => {
                held.wait(whom, None, now, patience);
            }
            Err(NotDone::For(fault)) => {
                if held.wait(whom, Some(&fault), now, patience) {
                    self.say(step.event(), whom, &fault).await;
                }
            }
            Err(NotDone::Nobody(why)) => {
                return Err(format!("{}/{}: {}: {why}", whom.namespace, whom.name, step.event()));
            }
        }
        Ok(())
    }

    fn held_back(&mut self, step: Step) -> &mut HeldBack {
        match step {
            Step::File => &mut self.unfiled,
            Step::Release => &mut self.unreleased,
        }
    }

    /// Has one filed.
    async fn file(&self, whom: &Whom) -> Result<(), NotDone> {
        let Some(filing) = self.shared.filing.clone() else { return Ok(()) };
        let reservation = self.read(whom).await?.ok_or(NotDone::Gone)?;
        if !self.out(&reservation).await? {
            // The watch will show what is new of it.
            return Err(NotDone::Yet);
        }
        filing.file(&reservation).await.map_err(|error| match error {
            FilingError::Nothing(why) => NotDone::Nobody(why),
            FilingError::NotThis { reason, text } => NotDone::For(Fault { reason, text }),
            FilingError::NotFinished => NotDone::Yet,
        })?;
        self.shared.metrics.relay_filed();
        let facts = count(&reservation);
        let uid = reservation.uid().unwrap_or_default();
        self.shared.store.run(move |store| queue::filed(store, &uid, facts)).await.map_err(nobody)
    }

    /// Lets one go of whom everything is out and filed.
    async fn release(&self, whom: &Whom) -> Result<(), NotDone> {
        let Some(reservation) = self.read(whom).await? else { return Ok(()) };
        if leaves(&reservation) && self.out(&reservation).await? {
            return self.let_go(whom, &reservation).await;
        }
        Err(NotDone::Yet)
    }

    /// Says that one is held back, and why, where it is seen: once for each reason.
    async fn say(&self, event: &'static str, whom: &Whom, fault: &Fault) {
        tracing::warn!(
            namespace = whom.namespace,
            reservation = whom.name,
            reason = fault.reason,
            error = fault.text,
            event,
            "this Reservation is kept, and tried again later; others go on"
        );
        tell(&self.recorder, whom, event, fault).await;
    }

    async fn let_go(&self, whom: &Whom, reservation: &Reservation) -> Result<(), NotDone> {
        let rest: Vec<&String> = reservation.finalizers().iter().filter(|f| *f != RELAY_FINALIZER).collect();
        let patch = json!({ "metadata": {
            "uid": reservation.metadata.uid,
            "resourceVersion": reservation.metadata.resource_version,
            "finalizers": rest,
        }});
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match self.api(&whom.namespace).patch_metadata(&whom.name, &params, &Patch::Merge(patch)).await {
            Ok(_) => {
                tracing::debug!(namespace = whom.namespace, name = whom.name, "let go");
                self.shared.metrics.relay_released();
                self.done_with(whom).await
            }
            Err(kube::Error::Api(status)) if status.code == 404 => self.done_with(whom).await,
            // Somebody was faster: looked at again.
            Err(kube::Error::Api(status)) if status.code == 409 => Err(NotDone::Yet),
            // A policy, or a webhook, that has something against this one.
            Err(kube::Error::Api(status)) if (400..429).contains(&status.code) => {
                Err(NotDone::For(Fault { reason: "Refused", text: status.message.clone() }))
            }
            Err(error) => Err(nobody(error)),
        }
    }

    /// The Reservation as it is now; one that is gone needs not be let go.
    async fn read(&self, whom: &Whom) -> Result<Option<Arc<Reservation>>, NotDone> {
        let found = match self.api(&whom.namespace).get_opt(&whom.name).await {
            Ok(found) => found,
            Err(kube::Error::SerdeError(error)) => {
                return Err(NotDone::For(Fault { reason: "Unreadable", text: error.to_string() }));
            }
            Err(error) => return Err(nobody(error)),
        };
        match found.filter(|found| found.uid().as_deref() == Some(&whom.uid)) {
            Some(found) => Ok(Some(Arc::new(found))),
            None => self.done_with(whom).await.map(|()| None),
        }
    }

    async fn out(&self, reservation: &Arc<Reservation>) -> Result<bool, NotDone> {
        let (shared, object) = (Arc::clone(&self.shared), Arc::clone(reservation));
        self.shared.store.run(move |store| is_out(store, &shared.wanted, &object)).await.map_err(nobody)
    }

    async fn done_with(&self, whom: &Whom) -> Result<(), NotDone> {
        let uid = whom.uid.clone();
        self.shared.store.run(move |store| let_go(store, &uid)).await.map_err(nobody)
    }

    fn api(&self, namespace: &str) -> Api<Reservation> {
        Api::namespaced(self.shared.client.clone(), namespace)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn nobody(error: impl std::fmt::Display) -> NotDone {
    NotDone::Nobody(error.to_string())
}
