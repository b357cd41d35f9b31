//! The two things the gateway writes to hotels: a Reservation, and `state: Cancelled` on one. Never anything else of
//! theirs, and never a status. (Contacts are in a namespace of their own.)

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use innkeeper_api::{FINALIZER, Reservation, ReservationSpec, TRACEPARENT, TraceParent, WantedState};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Status;
use kube::{Api, Client};

use crate::breaker::Breaker;

/// What the gateway calls itself in `managedFields`.
pub const MANAGER: &str = "innkeeper-gateway";

/// Why a write did not succeed.
#[derive(Debug)]
pub enum WriteError {
    /// There is one of this name already.
    Exists,
    /// It is gone, or another has taken its name.
    Gone,
    /// The API server's rules refuse it; the message says why.
    Refused(String),
    /// Nothing is sent for so long, because the API server is down.
    HeldBack(Duration),
    /// The API server does not answer or has failed; it is not known whether it took effect.
    Unanswered,
    /// The API server does not let us.
    Forbidden,
}

/// Writes, through the breaker.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    breaker: Breaker,
}

impl Writer {
    /// With a client that does not retry by itself.
    #[must_use]
    pub fn new(client: Client, breaker: Breaker) -> Self {
        Self { client, breaker }
    }

    /// Asks for a stay. It is born with the operator's finalizer and those that every Reservation gets besides, which
    /// saves a write, and says in which trace it was asked for.
    pub async fn book(
        &self,
        namespace: &str,
        name: &str,
        spec: ReservationSpec,
        besides: &[String],
        trace: Option<TraceParent>,
        within: Duration,
    ) -> Result<Reservation, WriteError> {
        let mut reservation = Reservation::new(name, spec);
        let ours = std::iter::once(FINALIZER.to_owned());
        reservation.metadata.finalizers = Some(ours.chain(besides.iter().cloned()).collect());
        reservation.metadata.annotations =
            trace.map(|trace| BTreeMap::from([(TRACEPARENT.to_owned(), trace.to_string())]));
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        self.call(within, self.api(namespace).create(&params, &reservation)).await
    }

    /// Asks to cancel. `uid` is that of the Reservation that was looked at: one made anew under its name is another's.
    pub async fn cancel(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        within: Duration,
    ) -> Result<Reservation, WriteError> {
        let patch = serde_json::json!({
            "metadata": { "uid": uid },
            "spec": { "state": WantedState::Cancelled },
        });
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        self.call(within, self.api(namespace).patch(name, &params, &Patch::Merge(patch))).await
    }

    /// The Reservation as the API server has it now. Only for those who are about to write, or have tried to.
    pub async fn read(
        &self,
        namespace: &str,
        name: &str,
        within: Duration,
    ) -> Result<Option<Reservation>, WriteError> {
        self.call(within, self.api(namespace).get_opt(name)).await
    }

    fn api(&self, namespace: &str) -> Api<Reservation> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Sends a write, or a read that belongs to one, and waits so long for its answer.
    pub(crate) async fn call<T>(
        &self,
        within: Duration,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, WriteError> {
        let pass = self.breaker.admit(Instant::now()).map_err(WriteError::HeldBack)?;
        let error = match tokio::time::timeout(within, call).await {
            Ok(Ok(done)) => {
                pass.answered();
                return Ok(done);
            }
            Ok(Err(error)) => error,
            Err(_) => {
                pass.failed(Instant::now());
                tracing::warn!("the API server did not answer a write in time");
                return Err(WriteError::Unanswered);
            }
        };
        match error {
            kube::Error::Api(status) if status.code < 500 && status.code != 429 => {
                pass.answered();
                Err(refused(*status))
            }
            error => {
                pass.failed(Instant::now());
                tracing::warn!(%error, "a write failed");
                Err(WriteError::Unanswered)
            }
        }
    }
}

fn refused(status: Status) -> WriteError {
    match status.code {
        409 if status.reason == "AlreadyExists" => WriteError::Exists,
        // The uid was another's.
        404 | 409 => WriteError::Gone,
        400 | 422 => WriteError::Refused(status.message),
        _ => {
            tracing::error!(status = status.code, message = status.message, "the API server does not let us");
            WriteError::Forbidden
        }
    }
}
