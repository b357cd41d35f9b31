//! What one operator says to the API server and to the payment provider, and what it hears from watches: counted,
//! recorded, and stopped, frozen, delayed or falsified where a case wants it.
//!
//! The provider's side of it is [`super::till`].

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body as Bytewise;
use futures::future::Either;
use http::{Method, Request, Response, Uri};
use kube::Client;
use kube::client::Body;
use tokio::sync::watch;

use super::chaos::{Chaos, Whim};
use super::hearing;

/// Any error.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// What is counted, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A write to the API server.
    Write,
    /// A call of the provider.
    Call,
    /// An event of a watch.
    Event,
}

impl Kind {
    /// As names of cases have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Call => "call",
            Self::Event => "event",
        }
    }
}

/// When, at a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is not sent.
    Before,
    /// It has taken effect; its answer does not arrive.
    AfterEffect,
    /// Its answer has arrived; nothing that follows from it leaves.
    AfterAnswer,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Before, Self::AfterEffect, Self::AfterAnswer];

    /// As names of cases have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::AfterEffect => "after-effect",
            Self::AfterAnswer => "after-answer",
        }
    }
}

/// What happens to one event of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It is never heard.
    Lost,
    /// Instead of it, the watch is told that it is too old.
    Expired,
}

/// What a tap does besides counting.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Everything stops at this request, counted from 1.
    pub stop: Option<(Kind, u32, Moment)>,
    /// This event, counted from 1, goes wrong.
    pub mishap: Option<(u32, Mishap)>,
    /// The first list of these kinds is of this resourceVersion, and what came after it is not heard until the tap is
    /// told.
    pub stale: Option<(u64, &'static [&'static str])>,
    /// Requests are delayed and fail.
    pub chaos: Option<Chaos>,
    /// Lists come the other way round.
    pub reversed: bool,
}

/// One operator's way to everything else.
#[derive(Clone)]
pub struct Tap {
    state: Arc<State>,
}

struct State {
    plan: Plan,
    counts: [AtomicU32; 3],
    listed: Mutex<Vec<String>>,
    seen: Mutex<Vec<(Kind, String)>>,
    /// Writes of money or nights without the version they were decided on.
    blind: Mutex<Vec<String>>,
    /// The place of the plan has come.
    come: AtomicBool,
    reached: watch::Sender<bool>,
    frozen: watch::Sender<bool>,
    /// Counts up when all watches are to be told that they are too old.
    expired: watch::Sender<u32>,
    /// What came after a stale list is heard.
    caught_up: watch::Sender<bool>,
    faults: AtomicU32,
}

impl Tap {
    /// One that only counts and records.
    pub fn recording() -> Self {
        Self::with(Plan::default())
    }

    /// One that does this.
    pub fn with(plan: Plan) -> Self {
        let state = State {
            plan,
            counts: Default::default(),
            listed: Mutex::default(),
            seen: Mutex::default(),
            blind: Mutex::default(),
            come: AtomicBool::new(false),
            reached: watch::Sender::new(false),
            frozen: watch::Sender::new(false),
            expired: watch::Sender::new(0),
            caught_up: watch::Sender::new(false),
            faults: AtomicU32::new(0),
        };
        Self { state: Arc::new(state) }
    }

    /// One that stops at this request.
    pub fn stopping(kind: Kind, number: u32, moment: Moment) -> Self {
        Self::with(Plan { stop: Some((kind, number, moment)), ..Plan::default() })
    }

    /// The client, for an operator.
    pub fn on(&self, client: &Client) -> Client {
        let (client, tap) = (client.clone(), self.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (client, tap) = (client.clone(), tap.clone());
            async move { tap.ask(&client, request).await }
        });
        Client::new(service, "default")
    }

    async fn ask(&self, client: &Client, mut request: Request<Body>) -> Result<Response<Bytewise>, Trouble> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let query = uri.query().unwrap_or_default();
        let watches = query.contains("watch=true") || query.contains("watch=1");
        if let Some(old) = self.of_old(&method, &uri, watches) {
            *request.uri_mut() = old;
        }
        let what = format!("{method} {}", hearing::resource(uri.path()));
        if let Some(body) = request.body().try_clone().filter(|_| method != Method::GET) {
            let body = body.collect_bytes().await?;
            if hearing::lacks_its_version(&what, &body) {
                self.state.blind.lock().unwrap().push(format!("{what} {}", String::from_utf8_lossy(&body)));
            }
        }
        let kind = (method != Method::GET).then_some(Kind::Write);
        let send = async {
            match client.send(request).await {
                Ok(answer) => Ok(answer),
                Err(error) => Err(Trouble::from(error)),
            }
        };
        let answer = self.pass(kind, &what, send, |why| Err(Trouble::from(why))).await?;
        if watches && answer.status().is_success() {
            return Ok(hearing::overhear(self.clone(), answer));
        }
        if self.state.plan.reversed && method == Method::GET {
            return hearing::reversed(answer).await;
        }
        Ok(answer.map(Bytewise::new))
    }

    /// The first list of a kind, as it was.
    fn of_old(&self, method: &Method, uri: &Uri, watches: bool) -> Option<Uri> {
        let (version, kinds) = self.state.plan.stale?;
        let path = uri.path();
        let kind = kinds.iter().find(|kind| path.ends_with(&format!("/{kind}")))?;
        if *method != Method::GET || watches || uri.query().is_some_and(|q| q.contains("continue=")) {
            return None;
        }
        {
            let mut listed = self.state.listed.lock().unwrap();
            if listed.iter().any(|known| known == kind) {
                return None;
            }
            listed.push((*kind).to_owned());
        }
        let query = uri.query().unwrap_or_default();
        let of_old = format!("{path}?{query}&resourceVersion={version}&resourceVersionMatch=Exact");
        Some(of_old.parse().unwrap())
    }

    /// Lets one request through, as the plan has it.
    pub async fn pass<T>(
        &self,
        kind: Option<Kind>,
        what: &str,
        send: impl Future<Output = T>,
        broken: impl Fn(&'static str) -> T,
    ) -> T {
        let state = &self.state;
        self.thawed().await;
        let here = kind.is_some_and(|kind| self.counts(kind, what));
        let moment = state.plan.stop.map(|(_, _, moment)| moment);
        if here && moment == Some(Moment::Before) {
            self.freeze().await;
        }
        let whim = state.plan.chaos.as_ref().map_or(Whim::default(), |chaos| chaos.whim(kind, what));
        if !whim.delay.is_zero() {
            tokio::time::sleep(whim.delay).await;
        }
        if whim.unsent {
            state.faults.fetch_add(1, Ordering::SeqCst);
            return broken("the connection broke before it was sent");
        }
        let answer = send.await;
        if whim.unanswered {
            state.faults.fetch_add(1, Ordering::SeqCst);
            return broken("the connection broke before the answer came");
        }
        if here && moment == Some(Moment::AfterAnswer) {
            // What hangs on this answer goes on, and comes to nothing: all else is stopped from here on.
            self.stop_all();
            return answer;
        }
        if here && moment == Some(Moment::AfterEffect) {
            self.freeze().await;
        }
        self.thawed().await;
        answer
    }

    /// Counts one, and says whether it is the one that the plan waits for.
    fn counts(&self, kind: Kind, what: &str) -> bool {
        let state = &self.state;
        let number = state.counts[kind as usize].fetch_add(1, Ordering::SeqCst) + 1;
        state.seen.lock().unwrap().push((kind, what.to_owned()));
        let here = state.plan.stop.is_some_and(|(at, stop, _)| at == kind && stop == number);
        if here {
            state.come.store(true, Ordering::SeqCst);
        }
        here
    }

    fn stop_all(&self) {
        self.state.frozen.send_replace(true);
        self.state.reached.send_replace(true);
    }

    async fn freeze(&self) {
        self.stop_all();
        self.thawed().await;
    }

    /// Waits for as long as everything is stopped.
    pub async fn thawed(&self) {
        let mut frozen = self.state.frozen.subscribe();
        // The sender is kept by this very state.
        let _ = frozen.wait_for(|frozen| !*frozen).await;
    }

    /// Lets everything go on.
    pub fn thaw(&self) {
        self.state.frozen.send_replace(false);
    }

    /// Waits until the place of the plan has come.
    pub async fn reached(&self) {
        let mut reached = self.state.reached.subscribe();
        let _ = reached.wait_for(|reached| *reached).await;
    }

    /// Whether the place of the plan has come.
    pub fn has_come(&self) -> bool {
        self.state.come.load(Ordering::SeqCst)
    }

    /// Tells all watches that they are too old.
    pub fn expire_all(&self) {
        self.state.expired.send_modify(|times| *times += 1);
    }

    /// What came after a stale list may be heard.
    pub fn catch_up(&self) {
        self.state.caught_up.send_replace(true);
    }

    /// How many requests have failed by chaos.
    pub fn faults(&self) -> u32 {
        self.state.faults.load(Ordering::SeqCst)
    }

    /// How many of a kind there have been.
    pub fn count(&self, kind: Kind) -> u32 {
        self.state.counts[kind as usize].load(Ordering::SeqCst)
    }

    /// What of a kind there has been.
    pub fn seen(&self, kind: Kind) -> Vec<String> {
        let seen = self.state.seen.lock().unwrap();
        seen.iter().filter(|(of, _)| *of == kind).map(|(_, what)| what.clone()).collect()
    }

    /// Writes of money or nights that did not carry the version they were decided on.
    pub fn blind(&self) -> Vec<String> {
        self.state.blind.lock().unwrap().clone()
    }

    /// Waits until nothing has been sent for a while.
    pub async fn quiet(&self) {
        let sent = || self.count(Kind::Write) + self.count(Kind::Call);
        let mut before = sent();
        let mut rounds = 0;
        // Bounded: an operator that waits asks now and then.
        while rounds < 20 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            if std::mem::replace(&mut before, sent()) == sent() {
                return;
            }
            rounds += 1;
        }
    }

    /// Waits for the plan's place or for this, whichever comes first; whether the place has come.
    pub async fn before(&self, other: impl Future<Output = ()>) -> bool {
        let reached = std::pin::pin!(self.reached());
        let other = std::pin::pin!(other);
        match futures::future::select(reached, other).await {
            Either::Left(_) => true,
            Either::Right(_) if self.has_come() => {
                self.reached().await;
                true
            }
            Either::Right(_) => false,
        }
    }

    /// An event of a watch: what happens to it.
    pub(super) fn event(&self, what: &str) -> Option<Mishap> {
        self.counts(Kind::Event, what);
        let number = self.count(Kind::Event);
        let (_, mishap) = self.state.plan.mishap.filter(|(at, _)| *at == number)?;
        self.state.come.store(true, Ordering::SeqCst);
        self.state.reached.send_replace(true);
        self.state.faults.fetch_add(1, Ordering::SeqCst);
        Some(mishap)
    }

    /// Told when all watches are too old.
    pub(super) fn expiry(&self) -> watch::Receiver<u32> {
        self.state.expired.subscribe()
    }

    /// Waits until what came after a stale list may be heard.
    pub(super) async fn heard(&self, path: &str) {
        let Some((_, kinds)) = self.state.plan.stale else { return };
        if kinds.iter().any(|kind| path.ends_with(&format!("/{kind}"))) {
            let mut caught_up = self.state.caught_up.subscribe();
            let _ = caught_up.wait_for(|caught_up| *caught_up).await;
        }
    }
}
