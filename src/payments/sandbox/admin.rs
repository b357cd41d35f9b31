//! What a test may do to the provider that a caller of Stripe could not: faults, clock, settling, the log of calls.
//!
//! The same as methods of `Provider` and over HTTP under `/sandbox`, with the account's key and bodies in JSON.

use axum::extract::{Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;

use super::answer::Answer;
use super::books::Books;
use super::error::{Failure, StripeError};
use super::faults::{ActiveFault, Fault};
use super::ledger::{self, LedgerError};
use super::methods;
use super::model::{Intent, Refund};
use super::provider::Provider;
use super::server::respond;
use super::{charging, events, intents, refunds};

/// How something that is under way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The money moves.
    Succeeded,
    /// It does not.
    Failed,
}

/// Why the provider did not do as told.
#[derive(Debug, Error)]
pub enum AdminError {
    /// It cannot be done as things are; in Stripe's form.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why.
        message: String,
        /// Stripe's error object, as JSON.
        body: String,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Provider {
    /// Switches a fault on.
    #[allow(clippy::must_use_candidate, reason = "the number is for switching it off, which few need")]
    pub fn add_fault(&self, fault: Fault) -> ActiveFault {
        self.fault_table().add(fault)
    }

    /// The faults that were switched on, with how often they struck.
    #[must_use]
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.fault_table().all()
    }

    /// Switches one fault off, or all; says how many that were.
    #[allow(clippy::must_use_candidate, reason = "done for its effect")]
    pub fn remove_faults(&self, id: Option<u64>) -> usize {
        self.fault_table().remove(id)
    }

    /// The provider's time in seconds since 1970.
    pub async fn now(&self) -> Result<i64, LedgerError> {
        self.ledger().run(|books| Ok(books.now)).await
    }

    /// Moves the provider's clock on, for good; what becomes due settles with the next request.
    pub async fn advance_clock(&self, seconds: u32) -> Result<i64, LedgerError> {
        self.ledger().run(move |books| ledger::move_clock(books, seconds)).await
    }

    /// Ends an intent that is `processing` or `requires_action`.
    pub async fn settle_intent(&self, id: &str, outcome: Outcome) -> Result<Intent, AdminError> {
        let id = id.to_owned();
        self.do_now(move |books| {
            let mut intent = intents::find(books, &id)?;
            let decline = (outcome == Outcome::Failed).then_some(methods::GENERIC);
            charging::settle(books, &mut intent, decline)?;
            Ok(intent)
        })
        .await
    }

    /// Ends a refund that is pending, or fails one that looked succeeded.
    pub async fn settle_refund(&self, id: &str, outcome: Outcome) -> Result<Refund, AdminError> {
        let id = id.to_owned();
        self.do_now(move |books| {
            let mut refund = refunds::find(books, &id)?;
            refunds::settle(books, &mut refund, outcome == Outcome::Succeeded)?;
            Ok(refund)
        })
        .await
    }

    /// Refunds an intent as a person would in the dashboard: all that is left or an amount, without metadata.
    pub async fn refund_by_hand(&self, intent: &str, amount: Option<i64>) -> Result<Refund, AdminError> {
        let intent = intent.to_owned();
        self.do_now(move |books| {
            let charge = refunds::charge_of(books, &intent)?;
            refunds::refund_charge(books, charge, amount, None, std::collections::BTreeMap::default())
        })
        .await
    }

    /// The newest events, newest first, with whether somebody is still to be told of them.
    pub async fn events(&self, limit: u32) -> Result<Vec<serde_json::Value>, LedgerError> {
        self.ledger().run(move |books| events::newest(books, limit)).await
    }

    async fn do_now<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Books<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, AdminError> {
        let done = self.ledger().run(move |books| match work(books) {
            Ok(done) => Ok(Ok(done)),
            Err(Failure::Refused(error) | Failure::Executed(error)) => Ok(Err(error)),
            Err(Failure::Ledger(error)) => Err(error),
        });
        done.await?.map_err(|error| {
            let body = error.body();
            let message = body["error"]["message"].as_str().unwrap_or_default().to_owned();
            AdminError::Refused { status: error.status, message, body: body.to_string() }
        })
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused { status, body, .. } => respond(Answer::new(status, body, false)),
            Self::Ledger(error) => {
                tracing::error!(%error, "the ledger failed");
                failure(&StripeError::internal())
            }
        }
    }
}

/// The routes under `/sandbox`.
pub(super) fn routes<S>(provider: Provider) -> Router<S> {
    Router::new()
        .route("/calls", get(list_calls))
        .route("/events", get(list_events))
        .route("/accounts", get(list_accounts))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/clock", get(show_clock).post(move_clock))
        .route("/payment_intents/{id}/settle", post(settle_intent))
        .route("/refunds", post(refund_by_hand))
        .route("/refunds/{id}/settle", post(settle_refund))
        .layer(middleware::from_fn_with_state(provider.clone(), guard))
        .with_state(provider)
}

async fn guard(State(provider): State<Provider>, request: Request, next: Next) -> Response {
    match provider.authenticate(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => failure(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallsQuery {
    #[serde(default)]
    after: i64,
    #[serde(default = "thousand")]
    limit: u32,
}

fn thousand() -> u32 {
    1000
}

async fn list_calls(
    State(provider): State<Provider>,
    Query(query): Query<CallsQuery>,
) -> Result<Response, AdminError> {
    let calls = provider.ledger().calls(query.after, query.limit).await?;
    Ok(Json(json!({ "calls": calls })).into_response())
}

async fn list_events(State(provider): State<Provider>) -> Result<Response, AdminError> {
    Ok(Json(json!({ "events": provider.events(1000).await? })).into_response())
}

async fn list_accounts(State(provider): State<Provider>) -> Result<Response, AdminError> {
    let accounts = provider.ledger().accounts().await?;
    Ok(Json(json!({ "accounts": accounts })).into_response())
}

async fn list_faults(State(provider): State<Provider>) -> Response {
    Json(json!({ "faults": provider.faults() })).into_response()
}

async fn add_fault(State(provider): State<Provider>, Json(fault): Json<Fault>) -> Response {
    Json(provider.add_fault(fault)).into_response()
}

async fn clear_faults(State(provider): State<Provider>) -> Response {
    Json(json!({ "removed": provider.remove_faults(None) })).into_response()
}

async fn remove_fault(State(provider): State<Provider>, Path(id): Path<u64>) -> Response {
    Json(json!({ "removed": provider.remove_faults(Some(id)) })).into_response()
}

async fn show_clock(State(provider): State<Provider>) -> Result<Response, AdminError> {
    Ok(Json(json!({ "now": provider.now().await? })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveClock {
    advance_seconds: u32,
}

async fn move_clock(
    State(provider): State<Provider>,
    Json(body): Json<MoveClock>,
) -> Result<Response, AdminError> {
    Ok(Json(json!({ "now": provider.advance_clock(body.advance_seconds).await? })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    outcome: Outcome,
}

async fn settle_intent(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    Json(body): Json<Settle>,
) -> Result<Response, AdminError> {
    Ok(Json(provider.settle_intent(&id, body.outcome).await?).into_response())
}

async fn settle_refund(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    Json(body): Json<Settle>,
) -> Result<Response, AdminError> {
    Ok(Json(provider.settle_refund(&id, body.outcome).await?).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundByHand {
    payment_intent: String,
    amount: Option<i64>,
}

async fn refund_by_hand(
    State(provider): State<Provider>,
    Json(body): Json<RefundByHand>,
) -> Result<Response, AdminError> {
    Ok(Json(provider.refund_by_hand(&body.payment_intent, body.amount).await?).into_response())
}

fn failure(error: &StripeError) -> Response {
    respond(Answer::new(error.status, error.body().to_string(), false))
}
