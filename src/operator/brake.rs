//! The one brake on money: what goes out unasked is counted, and above a number a day a person is asked; and where the
//! provider knows of payments that this cluster has never heard of, nothing moves at all.
//!
//! Somebody may have deleted a namespace, pruned an application, or put the cluster back to an earlier hour. None of
//! that can be told from what was meant, and refunds cannot be called back. So they wait.
//!
//! A halt is stored in the installation's `ConfigMap` under an id of its own, so that it outlives this process; a person
//! acknowledges it by that id. That lets out what waited by then, and as much again as a day allows: the next halt has
//! another id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use innkeeper_booking::provider::{ProviderError, Refund};
use innkeeper_ops::config::ConfigWatch;
use innkeeper_ops::metrics::{Halted, Metrics};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::Clock;
use crate::cache::lock;
use crate::cashier::Cashier;
use crate::identity::Home;

/// The halt that is in force, by its id. The operator's.
const HALTED: &str = "innkeeper.dev/money-halted";
/// Why, in words. The operator's.
const BECAUSE: &str = "innkeeper.dev/money-halted-because";
/// The halt that a person has read and lets go. The person's.
pub const ACKNOWLEDGED: &str = "innkeeper.dev/money-acknowledged";
/// When a halt was last let go, and how many waited then. The operator's.
const RELEASED: &str = "innkeeper.dev/money-released";

/// How often a person's word is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long what the provider's list has shown is believed; what this process lets out is added to it.
const COUNT_ANEW: Duration = Duration::from_secs(60);
/// What a number a day is counted over.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What a halt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Too much goes out unasked.
    Outgoing,
    /// The cluster does not know payments that were made after it was last looked after.
    Rewound,
}

impl Kind {
    const fn label(self) -> Halted {
        match self {
            Self::Outgoing => Halted::Outgoing,
            Self::Rewound => Halted::Rewound,
        }
    }
}

/// A halt.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Halt {
    kind: Kind,
    id: String,
    because: String,
}

/// A halt that was let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Released {
    at: Timestamp,
    /// How much waited then.
    waited: usize,
}

#[derive(Default)]
struct State {
    halt: Option<Halt>,
    /// The halt is in the `ConfigMap`.
    stored: bool,
    released: Option<Released>,
    /// Payments that wait to go back.
    waiting: BTreeSet<String>,
}

/// What has gone out, by payment, with when.
#[derive(Default)]
struct Count {
    out: BTreeMap<String, Timestamp>,
    read: Option<Instant>,
}

/// The brake of one operator.
pub struct Brake {
    client: Client,
    home: Home,
    cashier: Cashier,
    config: Arc<ConfigWatch>,
    clock: Clock,
    metrics: Metrics,
    recorder: Recorder,
    state: Mutex<State>,
    count: tokio::sync::Mutex<Count>,
    let_go: watch::Sender<u64>,
}

impl Brake {
    /// Not halted, as far as is known.
    pub fn new(
        client: Client,
        home: Home,
        cashier: Cashier,
        config: Arc<ConfigWatch>,
        clock: Clock,
        metrics: Metrics,
        recorder: Recorder,
    ) -> Self {
        Self {
            client,
            home,
            cashier,
            config,
            clock,
            metrics,
            recorder,
            state: Mutex::default(),
            count: tokio::sync::Mutex::default(),
            let_go: watch::channel(0).0,
        }
    }

    /// Why nothing moves at all, where that is so.
    pub fn everything(&self) -> Option<String> {
        let state = lock(&self.state);
        let halt = state.halt.as_ref().filter(|halt| halt.kind == Kind::Rewound)?;
        Some(self.sentence(halt))
    }

    /// Whether this money may go out. `None` lets it, and counts it; a sentence says why it waits.
    pub async fn ask(&self, refund: &Refund) -> Result<Option<String>, ProviderError> {
        // One at a time: what is let out together must be counted together.
        let mut count = self.count.lock().await;
        if let Some(why) = self.waits(refund) {
            return Ok(Some(why));
        }
        let now = (self.clock)();
        let since = now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        if count.read.is_none_or(|at| at.elapsed() >= COUNT_ANEW) {
            for out in self.cashier.outgoing(&self.home.installation, since).await? {
                if out.because.is_unasked() {
                    count.out.entry(out.intent).or_insert(out.created);
                }
            }
            count.read = Some(Instant::now());
        }
        count.out.retain(|_, at| *at >= since);
        let most =
            usize::try_from(self.config.current().payments.brake.unasked_per_day).unwrap_or(usize::MAX);
        let released = lock(&self.state).released.filter(|released| released.at >= since);
        let (since, most) = released.map_or((since, most), |r| (r.at, most.saturating_add(r.waited)));
        // What is repeated has been counted.
        let again = count.out.contains_key(&refund.intent);
        if again || count.out.values().filter(|at| **at >= since).count() < most {
            count.out.entry(refund.intent.clone()).or_insert(now);
            return Ok(None);
        }
        let most = self.config.current().payments.brake.unasked_per_day;
        let because = format!(
            "More than {most} payments a day would go back that no guest has asked back: of deleted Reservations, or of none."
        );
        self.halt(Kind::Outgoing, &format!("outgoing-{now}"), because).await;
        Ok(self.waits(refund))
    }

    /// Why this money waits, where it does.
    fn waits(&self, refund: &Refund) -> Option<String> {
        let mut state = lock(&self.state);
        let why = self.sentence(state.halt.as_ref()?);
        state.waiting.insert(refund.intent.clone());
        Some(why)
    }

    fn sentence(&self, halt: &Halt) -> String {
        let Halt { id, because, .. } = halt;
        let Home { namespace, config_map, .. } = &self.home;
        format!(
            "{because} If that is meant: kubectl annotate configmap {config_map} -n {namespace} --overwrite {ACKNOWLEDGED}={id}"
        )
    }

    /// Halts, and tells everybody. Nothing happens where it is halted already.
    pub async fn halt(&self, kind: Kind, id: &str, because: String) {
        let halt = Halt { kind, id: id.to_owned(), because };
        let why = {
            let mut state = lock(&self.state);
            // What stops everything goes before what stops some.
            if state.halt.as_ref().is_some_and(|now| now.kind == Kind::Rewound || now.kind == kind) {
                return;
            }
            state.halt = Some(halt.clone());
            state.stored = false;
            self.sentence(&halt)
        };
        self.show();
        tracing::error!(halt = id, why, "money is halted until a person has acknowledged it");
        self.store().await;
        let event = Event {
            type_: EventType::Warning,
            reason: "MoneyHalted".to_owned(),
            note: Some(why),
            action: "Halting".to_owned(),
            secondary: None,
        };
        let place = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("ConfigMap".to_owned()),
            name: Some(self.home.config_map.clone()),
            namespace: Some(self.home.namespace.clone()),
            ..ObjectReference::default()
        };
        if let Err(error) = self.recorder.publish(&event, &place).await {
            tracing::warn!(%error, "an Event could not be published");
        }
    }

    fn show(&self) {
        let halt = lock(&self.state).halt.as_ref().map(|halt| halt.kind.label());
        for &kind in Halted::ALL {
            self.metrics.money_halted(kind, halt == Some(kind));
        }
    }

    /// Whether the halt, where there is one, outlives this process.
    pub fn is_stored(&self) -> bool {
        let state = lock(&self.state);
        state.halt.is_none() || state.stored
    }

    fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.home.namespace)
    }

    async fn annotate(&self, annotations: Value) -> Result<(), kube::Error> {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
        self.config_maps().patch(&self.home.config_map, &PatchParams::default(), &patch).await.map(drop)
    }

    /// Stores the halt. What cannot be stored now is halted all the same, and stored later.
    async fn store(&self) {
        let Some(halt) = lock(&self.state).halt.clone() else { return };
        match self.annotate(json!({ HALTED: halt.id, BECAUSE: halt.because })).await {
            Ok(()) => lock(&self.state).stored = true,
            Err(error) => tracing::warn!(%error, "the halt cannot be stored yet"),
        }
    }

    /// Takes in what an earlier process has stored. Before anything moves.
    pub async fn recall(&self) -> Result<(), kube::Error> {
        let Some(found) = self.config_maps().get_opt(&self.home.config_map).await? else { return Ok(()) };
        let said = |key: &str| found.annotations().get(key).map(String::as_str);
        {
            let mut state = lock(&self.state);
            state.released = said(RELEASED).and_then(parse_released);
            if let Some(id) = said(HALTED) {
                let kind = if id.starts_with("rewound") { Kind::Rewound } else { Kind::Outgoing };
                let because = said(BECAUSE).unwrap_or_default().to_owned();
                state.halt = Some(Halt { kind, id: id.to_owned(), because });
                state.stored = true;
            }
        }
        self.show();
        Ok(())
    }

    /// Looks for a person's word, for as long as it is halted.
    pub async fn listen(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let (halt, stored) = {
                let state = lock(&self.state);
                (state.halt.clone(), state.stored)
            };
            let Some(halt) = halt else { continue };
            if !stored {
                self.store().await;
            }
            match self.config_maps().get_opt(&self.home.config_map).await {
                Ok(Some(found)) if found.annotations().get(ACKNOWLEDGED) == Some(&halt.id) => {
                    self.release(&halt).await;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "whether the halt is acknowledged cannot be read"),
            }
        }
    }

    async fn release(&self, halt: &Halt) {
        let released = Released { at: (self.clock)(), waited: lock(&self.state).waiting.len() };
        let said = format!("{} {}", released.at, released.waited);
        // Stored before anything goes out: another process must not count it as unasked for.
        if let Err(error) = self.annotate(json!({ HALTED: null, BECAUSE: null, RELEASED: said })).await {
            tracing::warn!(%error, "the halt is acknowledged, and cannot be let go yet");
            return;
        }
        {
            let mut state = lock(&self.state);
            state.halt = None;
            state.released = Some(released);
            state.waiting.clear();
        }
        self.show();
        tracing::warn!(
            halt = halt.id,
            waited = released.waited,
            "money moves again: a person has acknowledged the halt"
        );
        self.let_go.send_modify(|times| *times += 1);
    }

    /// Tells when a halt was let go.
    pub fn let_go(&self) -> watch::Receiver<u64> {
        self.let_go.subscribe()
    }
}

fn parse_released(text: &str) -> Option<Released> {
    let (at, waited) = text.split_once(' ')?;
    Some(Released { at: at.parse().ok()?, waited: waited.parse().ok()? })
}

impl Drop for Brake {
    fn drop(&mut self) {
        for &kind in Halted::ALL {
            self.metrics.money_halted(kind, false);
        }
    }
}
