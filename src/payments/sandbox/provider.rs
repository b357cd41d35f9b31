//! One request's way through the provider: key, parameters, faults, idempotency, effect, log, answer.
//!
//! It knows nothing of sockets. What is decided here is who may call, which answer a repeat gets, and where a fault
//! strikes; what the operations do is elsewhere.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch;

use super::answer::{Answer, Delivery, strike_after};
use super::books::Books;
use super::calls::{self, Call};
use super::card_numbers::looks_like_card;
use super::error::StripeError;
use super::execution::{note, transact};
use super::faults::{Faults, Kind, Subject, When};
use super::key::ApiKey;
use super::ledger::Ledger;
use super::lists::Lag;
use super::model::Intent;
use super::params::Params;
use super::routes::Route;

/// A request as it came in.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The provider, apart from its sockets; clones share it.
#[derive(Clone, Debug)]
pub struct Provider(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ledger: Ledger,
    key: ApiKey,
    calls_limit: u32,
    faults: Mutex<Faults>,
    in_flight: Mutex<HashSet<String>>,
    /// Raised with every call that is logged and every fault that strikes.
    activity: watch::Sender<u64>,
}

impl Provider {
    /// A provider on a ledger that answers to `key` and logs the last `calls_limit` calls.
    #[must_use]
    pub fn new(ledger: Ledger, key: ApiKey, calls_limit: u32) -> Self {
        Self(Arc::new(Inner {
            ledger,
            key,
            calls_limit,
            faults: Mutex::default(),
            in_flight: Mutex::default(),
            activity: watch::Sender::default(),
        }))
    }

    /// The ledger, to be read.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Changes with every call that is logged and every fault that strikes: for waiting for either.
    #[must_use]
    pub fn activity(&self) -> watch::Receiver<u64> {
        self.0.activity.subscribe()
    }

    fn stir(&self) {
        self.0.activity.send_modify(|count| *count += 1);
    }

    pub(crate) fn fault_table(&self) -> MutexGuard<'_, Faults> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller may call; the error to give if not.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<(), StripeError> {
        self.0.key.check(headers)
    }

    /// Carries a request out. Runs to its end even if the caller has gone away.
    pub(crate) async fn handle(&self, request: Incoming) -> Delivery {
        let mut call = Call {
            seq: 0,
            time: 0,
            method: request.method.clone(),
            path: request.path.clone(),
            key: None,
            parameters: BTreeMap::new(),
            status: None,
            replayed: false,
            error: None,
            object: None,
            fault: None,
            request_id: request_id(),
        };
        let mut delivery = self.carry_out(&request, &mut call).await;
        tracing::debug!(
            method = %call.method, path = %call.path, status = call.status, replayed = call.replayed,
            fault = call.fault, request_id = %call.request_id, "a call of the provider's API"
        );
        if let Delivery::Answer(answer) = &mut delivery {
            answer.headers.push(("request-id", call.request_id.clone()));
            let version = request.headers.get("stripe-version").and_then(|value| value.to_str().ok());
            answer.headers.push(("stripe-version", version.unwrap_or(API_VERSION).to_owned()));
            if let Some(key) = call.key {
                answer.headers.push(("idempotency-key", key));
            }
        }
        delivery
    }

    async fn carry_out(&self, request: &Incoming, call: &mut Call) -> Delivery {
        let (route, params) = match self.admit(request, call) {
            Ok(admitted) => admitted,
            Err(error) => return self.refuse(call, &error).await,
        };
        let guard = match call.key.clone().map(|key| self.hold(key)).transpose() {
            Ok(guard) => guard,
            Err(error) => return self.refuse(call, &error).await,
        };
        let fault = match self.meet(&route, &params, call).await {
            Ok(fault) => fault,
            Err(error) => return self.refuse(call, &error).await,
        };
        if let Some(fault) = &fault {
            call.fault = Some(fault.name());
            self.stir();
            if let Some(delivery) = self.strike_before(fault, call).await {
                return delivery;
            }
        }
        let answer = self.execute(route, params, call, fault.as_ref()).await;
        // From here on a repeat of the key gets the stored answer, however long this one takes to arrive.
        drop(guard);
        match fault {
            Some(fault) => strike_after(&fault, answer).await,
            None => Delivery::Answer(answer),
        }
    }

    /// Reads the request; notes in the call what may be logged of it.
    fn admit(&self, request: &Incoming, call: &mut Call) -> Result<(Route, Params), StripeError> {
        self.authenticate(&request.headers)?;
        let content = request.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !request.body.is_empty() && !content.is_some_and(|kind| kind.starts_with(FORM)) {
            return Err(StripeError::invalid(format!("The body must be of the type {FORM}.")));
        }
        let body =
            std::str::from_utf8(&request.body).map_err(|_| StripeError::invalid("The body is not UTF-8."))?;
        let params = Params::parse(&[&request.query, body]);
        let key = idempotency_key(request)?;
        let texts =
            params.flat().iter().flat_map(|(name, value)| [name, value]).chain(&key).chain([&request.path]);
        let card = texts.map(String::as_str).any(looks_like_card);
        if card || params.flat().keys().any(|name| name.contains("[number]")) {
            "(withheld)".clone_into(&mut call.path);
            return Err(StripeError::invalid(
                "Card numbers are not taken here: send the id of a payment method. Nothing of this request was kept.",
            ));
        }
        call.parameters.clone_from(params.flat());
        call.key = key;
        let route = Route::find(&request.method, &request.path)?;
        Ok((route, params))
    }

    /// Claims an idempotency key until the guard is dropped.
    fn hold(&self, key: String) -> Result<InFlight, StripeError> {
        let fresh = self.in_flight().insert(key.clone());
        if fresh { Ok(InFlight { provider: self.clone(), key }) } else { Err(StripeError::key_in_use(&key)) }
    }

    fn in_flight(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn meet(&self, route: &Route, params: &Params, call: &Call) -> Result<Option<Kind>, StripeError> {
        let asked = self.fault_table().ask_for_metadata();
        let metadata = match route.intent(params) {
            Some(id) if asked => {
                let id = id.to_owned();
                let found = self.0.ledger.run(move |books| books.get::<Intent>(&id)).await;
                found.map_err(|_| StripeError::internal())?.map(|intent| intent.metadata).unwrap_or_default()
            }
            _ => BTreeMap::new(),
        };
        let subject = Subject {
            method: &call.method,
            path: &call.path,
            key: call.key.as_deref(),
            params,
            metadata: &metadata,
        };
        Ok(self.fault_table().meet(subject))
    }

    /// What a fault does before the request takes effect; none if the request goes on.
    async fn strike_before(&self, fault: &Kind, call: &mut Call) -> Option<Delivery> {
        match fault {
            Kind::Delay { when: When::Before, millis } => {
                tokio::time::sleep(Duration::from_millis(*millis)).await;
                None
            }
            Kind::Drop { when: When::Before } => {
                self.log(call).await;
                Some(Delivery::Drop)
            }
            Kind::Hang { when: When::Before } => {
                self.log(call).await;
                Some(Delivery::Hang)
            }
            Kind::ServerError { when: When::Before, stored: false } => {
                Some(self.refuse(call, &StripeError::internal()).await)
            }
            Kind::Unauthorized => {
                let error = StripeError::unauthorized("Expired API Key provided.").code("api_key_expired");
                Some(self.refuse(call, &error).await)
            }
            Kind::RateLimit { retry_after } => {
                let mut delivery = self.refuse(call, &StripeError::rate_limit()).await;
                if let Delivery::Answer(answer) = &mut delivery {
                    answer.headers.push(("retry-after", retry_after.to_string()));
                }
                Some(delivery)
            }
            Kind::Garbage { when: When::Before } => {
                call.status = Some(200);
                self.log(call).await;
                Some(Delivery::Answer(Answer::garbage()))
            }
            _ => None,
        }
    }

    /// Executes the request, or gives the answer of its first execution again.
    async fn execute(&self, route: Route, params: Params, call: &mut Call, fault: Option<&Kind>) -> Answer {
        let lag = if let Some(Kind::Lag { seconds }) = fault { Lag::from(*seconds) } else { 0 };
        let stored_error = match fault {
            Some(Kind::ServerError { when, stored: true }) => Some(*when),
            _ => None,
        };
        let (mut known, limit) = (call.clone(), self.0.calls_limit);
        let work = move |books: &Books<'_>| {
            let body = transact(books, &route, params, &mut known, lag, stored_error)?;
            calls::write(books, &known, limit)?;
            Ok((known, body))
        };
        match self.0.ledger.run(work).await {
            Ok((done, (body, first_request))) => {
                *call = done;
                self.stir();
                Answer::new(call.status.unwrap_or(500), body, call.replayed).replay_of(first_request)
            }
            Err(error) => {
                tracing::error!(%error, path = %call.path, "a call failed");
                let error = StripeError::internal();
                Answer::new(error.status, error.body().to_string(), false)
            }
        }
    }

    /// Answers with an error that is not kept under the key.
    async fn refuse(&self, call: &mut Call, error: &StripeError) -> Delivery {
        let body = error.body();
        call.status = Some(error.status);
        note(call, &body);
        self.log(call).await;
        Delivery::Answer(Answer::new(error.status, body.to_string(), false))
    }

    async fn log(&self, call: &Call) {
        let (known, limit) = (call.clone(), self.0.calls_limit);
        if let Err(error) = self.0.ledger.run(move |books| calls::write(books, &known, limit)).await {
            tracing::error!(%error, path = %call.path, "a call could not be logged");
        }
        self.stir();
    }
}

/// A key that is being used.
struct InFlight {
    provider: Provider,
    key: String,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.provider.in_flight().remove(&self.key);
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
/// The version of Stripe's API named where the caller names none.
const API_VERSION: &str = "2026-09-30.endive";

fn idempotency_key(request: &Incoming) -> Result<Option<String>, StripeError> {
    let Some(key) = request.headers.get("idempotency-key").filter(|_| request.method == "POST") else {
        return Ok(None);
    };
    match key.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(StripeError::invalid("An idempotency key has 1 to 255 printable ASCII characters.")),
    }
}

/// An id for a request; it only has to differ from the others, so the hasher's random seed is enough.
fn request_id() -> String {
    format!("req_{:016x}", RandomState::new().build_hasher().finish())
}
