//! A client of the API server that can be stopped at one chosen request: before it is sent, or after it took effect
//! and before the answer is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use http::{Method, Uri};
use kube::Client;
use kube::client::Body;
use tokio::sync::watch;

use super::PATIENCE;

/// Where the request is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before it is sent.
    Before,
    /// After it took effect, before the answer arrives.
    After,
}

/// Which requests count.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    /// Every write.
    Writes,
    /// Writes to a path that has this in it.
    WritesOf(&'static str),
    /// Watches of a path that has this in it.
    WatchesOf(&'static str),
}

impl Which {
    fn fits(self, method: &Method, address: &Uri) -> bool {
        let (path, query) = (address.path(), address.query().unwrap_or_default());
        match self {
            Self::Writes => *method != Method::GET,
            Self::WritesOf(part) => *method != Method::GET && path.contains(part),
            Self::WatchesOf(part) => query.split('&').any(|one| one == "watch=true") && path.contains(part),
        }
    }
}

/// Stops one request.
#[derive(Clone)]
pub struct Valve {
    state: Arc<State>,
}

struct State {
    which: Which,
    moment: Moment,
    /// Counts down to the one that is stopped.
    left: AtomicU32,
    /// It has come, and is or will be stopped.
    come: AtomicBool,
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl Valve {
    /// Stops the `number`-th of these requests, counted from 1.
    pub fn stopping(number: u32, which: Which, moment: Moment) -> Self {
        let left = AtomicU32::new(number);
        let (reached, open) = (watch::Sender::default(), watch::Sender::default());
        let come = AtomicBool::new(false);
        Self { state: Arc::new(State { which, moment, left, come, reached, open }) }
    }

    /// The client, for an operator.
    pub fn on(&self, client: &Client) -> Client {
        let (client, state) = (client.clone(), Arc::clone(&self.state));
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (client, state) = (client.clone(), Arc::clone(&state));
            async move {
                let stopped = state.which.fits(request.method(), request.uri())
                    && state.left.fetch_sub(1, Ordering::SeqCst) == 1;
                if stopped {
                    state.come.store(true, Ordering::SeqCst);
                }
                if stopped && state.moment == Moment::Before {
                    state.stop().await;
                }
                let answer = client.send(request).await;
                if stopped && state.moment == Moment::After {
                    state.stop().await;
                }
                answer
            }
        });
        Client::new(service, "default")
    }

    /// Waits until the request has come.
    pub async fn reached(&self) {
        let mut reached = self.state.reached.subscribe();
        tokio::time::timeout(PATIENCE, reached.wait_for(|r| *r)).await.expect("the request comes").unwrap();
    }

    /// Waits until the request has come, or the other thing has happened; says whether it has come. A request whose
    /// effect makes the other thing happen has come, though its answer is still on its way.
    pub async fn reached_before(&self, other: impl Future<Output = ()>) -> bool {
        let mut reached = self.state.reached.subscribe();
        tokio::select! {
            biased;
            _ = reached.wait_for(|r| *r) => return true,
            () = other => {}
        }
        let come = self.state.come.load(Ordering::SeqCst);
        if come {
            self.reached().await;
        }
        come
    }

    /// Lets the request go on.
    pub fn open(&self) {
        self.state.open.send_replace(true);
    }
}

impl State {
    async fn stop(&self) {
        self.reached.send_replace(true);
        let mut open = self.open.subscribe();
        // The sender is kept by this very state.
        let _ = open.wait_for(|open| *open).await;
    }
}
