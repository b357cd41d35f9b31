//! Stripe's error objects: which status, type and code a refusal has.
//!
//! Messages are for people and are the provider's own words; clients decide by `type`, `code`, `decline_code`
//! and the status, which follow Stripe's reference of error codes.

use serde_json::{Map, Value, json};

/// An answer of the API that is not a success: an HTTP status and the fields of Stripe's `error` object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StripeError {
    pub(crate) status: u16,
    fields: Map<String, Value>,
}

impl StripeError {
    fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        let mut fields = Map::new();
        fields.insert("message".to_owned(), Value::String(message.into()));
        fields.insert("type".to_owned(), Value::from(kind));
        Self { status, fields }
    }

    /// 400 `invalid_request_error`: the request cannot be carried out as it stands.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// 404 `resource_missing`.
    pub(crate) fn missing(kind: &str, id: &str, param: &str) -> Self {
        Self::new(404, "invalid_request_error", format!("No such {kind}: '{id}'"))
            .code("resource_missing")
            .param(param)
    }

    /// 404 for a path that this API does not have.
    pub(crate) fn unknown_url(method: &str, path: &str) -> Self {
        Self::new(
            404,
            "invalid_request_error",
            format!("Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs."),
        )
    }

    /// 401: no key, or not ours.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "invalid_request_error", message)
    }

    /// 402 `card_error`: the issuer said no.
    pub(crate) fn card(code: &str, message: &str) -> Self {
        Self::new(402, "card_error", message).code(code)
    }

    /// 400 `idempotency_error`: the key was used for another request.
    pub(crate) fn other_parameters(key: &str) -> Self {
        Self::new(
            400,
            "idempotency_error",
            format!(
                "Keys for idempotent requests can only be used for the same endpoint and the same parameters they \
                 were first used with. Use another key than '{key}' for another request."
            ),
        )
    }

    /// 409: a request with this key is being executed.
    pub(crate) fn key_in_use(key: &str) -> Self {
        Self::new(
            409,
            "idempotency_error",
            format!("Another request with the idempotency key '{key}' is in progress. Try again later."),
        )
        .code("idempotency_key_in_use")
    }

    /// 429: too many requests.
    pub(crate) fn rate_limit() -> Self {
        Self::new(429, "invalid_request_error", "Too many requests. Slow down and try again.")
            .code("rate_limit")
    }

    /// 500 `api_error`: the provider failed; what became of the request is not said.
    pub(crate) fn internal() -> Self {
        Self::new(500, "api_error", "The provider failed while it worked on this request.")
    }

    /// 400 `payment_intent_unexpected_state`, with the intent as it is.
    pub(crate) fn unexpected_state(message: impl Into<String>, intent: Value) -> Self {
        Self::invalid(message).code("payment_intent_unexpected_state").with("payment_intent", intent)
    }

    pub(crate) fn code(self, code: &str) -> Self {
        let doc = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
        self.with("code", Value::from(code)).with("doc_url", Value::from(doc))
    }

    pub(crate) fn param(self, param: &str) -> Self {
        self.with("param", Value::from(param))
    }

    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.fields.insert(field.to_owned(), value);
        self
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "error": self.fields })
    }

    /// What an intent remembers of a failed confirmation: the error without the intent itself.
    pub(crate) fn remembered(&self) -> Value {
        let mut fields = self.fields.clone();
        fields.remove("payment_intent");
        Value::Object(fields)
    }
}

/// Why an operation did not succeed, and what becomes of its key.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused before anything was executed: nothing is kept, and the key stays unused.
    Refused(StripeError),
    /// Executed with this result: its effects stay and the answer is kept under the key.
    Executed(StripeError),
    /// The ledger could not be read or written.
    Ledger(rusqlite::Error),
}

impl From<StripeError> for Failure {
    fn from(error: StripeError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ledger(error)
    }
}
