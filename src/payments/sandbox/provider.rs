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
use serde_json::Value;

use super::books::Books;
use super::calls::{self, Call};
use super::card_numbers::looks_like_card;
use super::error::{Failure, StripeError};
use super::faults::{Faults, Kind, Subject, When};
use super::idempotency::{self, Key, StoredAnswer};
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

/// What becomes of the connection.
#[derive(Debug)]
pub(crate) enum Delivery {
    Answer(Answer),
    /// Closed without an answer.
    Drop,
    /// Left open without an answer.
    Hang,
}

/// An answer to be sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: Vec<(&'static str, String)>,
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
}

/// A 500 that a fault puts in the place of the answer that is kept.
type StoredError = Option<When>;

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
        }))
    }

    /// The ledger, to be read.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
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
        let texts = params.flat().iter().flat_map(|(name, value)| [name, value]);
        if texts.chain(&key).any(|text| looks_like_card(text))
            || params.flat().keys().any(|name| name.contains("[number]"))
        {
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

/// The part that is one transaction: looks the key up, executes, keeps the answer. Gives the body, and for a replay
/// the id of the first request.
fn transact(
    books: &Books<'_>,
    route: &Route,
    params: Params,
    call: &mut Call,
    lag: Lag,
    stored_error: StoredError,
) -> rusqlite::Result<(String, Option<String>)> {
    let request = format!("{} {} {:?}", call.method, call.path, params.flat());
    let key = call.key.clone();
    let known = key.as_deref().map_or(Ok(Key::Unused), |key| idempotency::look(books, key, &request))?;
    let (answer, kept) = match known {
        Key::Known(answer) => {
            call.status = Some(answer.status);
            call.replayed = true;
            note(call, &serde_json::from_str(&answer.body).unwrap_or_default());
            return Ok((answer.body, Some(answer.request_id)));
        }
        Key::Other => (Err(StripeError::other_parameters(key.as_deref().unwrap_or_default())), false),
        Key::Unused => operate(books, route, params, lag, stored_error)?,
    };
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(error) => (error.status, error.body()),
    };
    call.status = Some(status);
    note(call, &body);
    let body = body.to_string();
    if let Some(key) = key.filter(|_| kept) {
        let answer = StoredAnswer { status, body: body.clone(), request_id: call.request_id.clone() };
        idempotency::keep(books, &key, &request, &answer)?;
    }
    Ok((body, None))
}

/// Executes the operation; says whether its answer is to be kept. What was refused leaves no trace.
fn operate(
    books: &Books<'_>,
    route: &Route,
    params: Params,
    lag: Lag,
    stored_error: StoredError,
) -> rusqlite::Result<(Result<Value, StripeError>, bool)> {
    if stored_error == Some(When::Before) {
        return Ok((Err(StripeError::internal()), true));
    }
    books.conn.execute_batch("SAVEPOINT operation")?;
    let result = route.execute(books, params, lag);
    let undo = matches!(result, Err(Failure::Refused(_)));
    books.conn.execute_batch(if undo {
        "ROLLBACK TO operation; RELEASE operation"
    } else {
        "RELEASE operation"
    })?;
    match result {
        Ok(_) | Err(Failure::Executed(_)) if stored_error == Some(When::After) => {
            Ok((Err(StripeError::internal()), true))
        }
        Ok(body) => Ok((Ok(body), true)),
        Err(Failure::Executed(error)) => Ok((Err(error), true)),
        Err(Failure::Refused(error)) => Ok((Err(error), false)),
        Err(Failure::Ledger(error)) => Err(error),
    }
}

/// What a fault does to an answer whose effect is in the ledger.
async fn strike_after(fault: &Kind, answer: Answer) -> Delivery {
    match fault {
        Kind::Delay { when: When::After, millis } => {
            tokio::time::sleep(Duration::from_millis(*millis)).await;
            Delivery::Answer(answer)
        }
        Kind::Drop { when: When::After } => Delivery::Drop,
        Kind::Hang { when: When::After } => Delivery::Hang,
        Kind::Garbage { when: When::After } => Delivery::Answer(Answer::garbage()),
        Kind::ServerError { when: When::After, stored: false } => {
            let error = StripeError::internal();
            Delivery::Answer(Answer::new(error.status, error.body().to_string(), false))
        }
        _ => Delivery::Answer(answer),
    }
}

impl Answer {
    /// A JSON answer, with Stripe's word on whether a retry makes sense: a stored failure stays what it is.
    pub(crate) fn new(status: u16, body: String, replayed: bool) -> Self {
        let mut headers = Vec::new();
        match status {
            409 | 429 => headers.push(("stripe-should-retry", "true".to_owned())),
            500.. if !replayed => headers.push(("stripe-should-retry", "true".to_owned())),
            400.. => headers.push(("stripe-should-retry", "false".to_owned())),
            _ => {}
        }
        Self { status, body, headers }
    }

    fn replay_of(mut self, first: Option<String>) -> Self {
        if let Some(first) = first {
            self.headers.push(("idempotent-replayed", "true".to_owned()));
            self.headers.push(("original-request", first));
        }
        self
    }

    fn garbage() -> Self {
        Self {
            status: 200,
            body: "<html><body>Bad gateway, good luck</body></html>".to_owned(),
            headers: Vec::new(),
        }
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

/// Notes in the log of calls what an answer says.
fn note(call: &mut Call, body: &Value) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let error = &body["error"];
    call.error = text(&error["code"]).or_else(|| text(&error["type"]));
    call.object = text(&body["id"]).or_else(|| text(&error["payment_intent"]["id"]));
}

/// An id for a request; it only has to differ from the others, so the hasher's random seed is enough.
fn request_id() -> String {
    format!("req_{:016x}", RandomState::new().build_hasher().finish())
}
