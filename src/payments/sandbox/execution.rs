//! The part of a request that is one transaction: its key looked up, its effect, its answer kept.

use serde_json::Value;

use super::books::Books;
use super::calls::Call;
use super::error::{Failure, StripeError};
use super::faults::When;
use super::idempotency::{self, Key, StoredAnswer};
use super::lists::Lag;
use super::params::Params;
use super::routes::Route;

/// A 500 that a fault puts in the place of the answer that is kept.
pub(crate) type StoredError = Option<When>;

/// Looks the key up, executes, keeps the answer. Gives the body, and for a replay
/// the id of the first request.
pub(crate) fn transact(
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

/// Notes in the log of calls what an answer says.
pub(crate) fn note(call: &mut Call, body: &Value) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let error = &body["error"];
    call.error = text(&error["code"]).or_else(|| text(&error["type"]));
    call.object = text(&body["id"]).or_else(|| text(&error["payment_intent"]["id"]));
}
