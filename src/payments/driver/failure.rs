//! What can go wrong in one call, and which of booking's errors it is. The one place that decides this.
//!
//! The rule for everything doubtful: a request that may have been processed has an unknown outcome. Only what the
//! provider itself said, in its own error format, counts as its refusal; a proxy's page with the same status does not.

use std::collections::HashMap;
use std::fmt::Display;

use innkeeper_booking::provider::ProviderError;
use serde::Deserialize;
use stripe_client_core::StripeClientErr;

use super::observe::Outcome;
use super::view::NotUnderstood;

/// Longest text of the provider that is passed on, in characters.
const TEXT_LIMIT: usize = 500;

/// Why a call gave no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection came about: the request was not sent.
    NotSent(String),
    /// The request may have been sent, and no whole answer came back.
    Lost(String),
    /// An answer came that says success and cannot be read.
    Unreadable(String),
    /// An answer came with a status other than success.
    Refused(Box<Refusal>),
}

/// An answer other than success.
#[derive(Debug)]
pub(super) struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Seconds the provider asks to wait.
    pub retry_after: Option<u64>,
    /// Whether it repeats an earlier answer.
    pub replayed: bool,
    /// The provider's error; `None` where the body was not one.
    pub error: Option<ErrorBody>,
}

#[derive(Debug, Deserialize)]
struct Envelope {
    error: ErrorBody,
}

/// The provider's error object. It is read with as few demands as can be: an error must be recognised even when the
/// objects inside of it have changed.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    /// `card_error`, `invalid_request_error`, `idempotency_error`, `api_error`.
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    /// The intent that the error is about.
    #[serde(default)]
    payment_intent: Option<serde_json::Value>,
}

/// The intent inside of an error, as far as a decline needs it.
#[derive(Debug, Deserialize)]
pub(super) struct IntentInError {
    pub id: String,
    pub status: String,
    pub amount: i64,
    pub currency: String,
    pub created: i64,
    #[serde(default)]
    pub metadata: HashMap<String, String>,
}

impl ErrorBody {
    /// Reads an error answer's body; `None` where it is none of the provider's.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Envelope>(body).ok().map(|envelope| envelope.error)
    }

    /// The most precise word there is for the reason: the issuer's, then the provider's, then the error's type.
    pub fn reason(&self) -> String {
        let found = self.decline_code.as_ref().or(self.code.as_ref()).unwrap_or(&self.kind);
        if found.is_empty() { "unknown".to_owned() } else { found.clone() }
    }

    /// The provider's sentence for people.
    pub fn sentence(&self) -> String {
        self.message.as_deref().unwrap_or("no reason was given").chars().take(TEXT_LIMIT).collect()
    }

    /// Whether it says that the card was declined.
    pub fn is_decline(&self) -> bool {
        self.kind == "card_error"
    }

    /// Takes a secret out of the sentence, should the provider have repeated it.
    pub fn hide(&mut self, secret: &str) {
        if let Some(message) = self.message.as_mut().filter(|message| message.contains(secret)) {
            *message = message.replace(secret, "(key)");
        }
    }

    /// Id of the intent that the error is about.
    pub fn intent_id(&self) -> Option<&str> {
        self.payment_intent.as_ref()?.get("id")?.as_str()
    }

    /// The intent that the error is about, where it is all there.
    pub fn intent(&self) -> Option<IntentInError> {
        serde_json::from_value(self.payment_intent.clone()?).ok()
    }
}

impl StripeClientErr for Failure {
    fn deserialize_err(msg: impl Display) -> Self {
        Self::Unreadable(msg.to_string())
    }
}

impl From<NotUnderstood> for Failure {
    fn from(error: NotUnderstood) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Failure {
    /// Booking's error for a request that creates something.
    pub fn into_error(self) -> ProviderError {
        self.classify(None)
    }

    /// Booking's error for a request about one object that is named in the address: this one can be missing.
    pub fn about(self, what: &str) -> ProviderError {
        self.classify(Some(what))
    }

    /// The decline, if it is one.
    pub fn decline(&self) -> Option<(&Refusal, &ErrorBody)> {
        match self {
            Self::Refused(refusal) => {
                let error = refusal.error.as_ref().filter(|error| error.is_decline())?;
                (refusal.status == 402).then_some((refusal, error))
            }
            _ => None,
        }
    }

    fn classify(self, what: Option<&str>) -> ProviderError {
        match self {
            Self::NotSent(why) => ProviderError::Unreachable(why),
            Self::Lost(why) => ProviderError::OutcomeUnknown(why),
            Self::Unreadable(why) => ProviderError::OutcomeUnknown(format!(
                "the provider answered with success, but not in a form that can be read: {why}"
            )),
            Self::Refused(refusal) => refusal.classify(what),
        }
    }

    /// How it counts in the metrics.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotSent(_) => Outcome::Unreachable,
            Self::Lost(_) | Self::Unreadable(_) => Outcome::Unknown,
            Self::Refused(_) if self.decline().is_some() => Outcome::Declined,
            Self::Refused(refusal) => match refusal.status {
                401 | 403 if refusal.error.is_some() => Outcome::Unauthorized,
                409 => Outcome::Conflict,
                429 => Outcome::RateLimited,
                424 | 500.. => Outcome::Server,
                _ => refusal.error.as_ref().map_or(Outcome::Unknown, |error| match error.kind.as_str() {
                    "idempotency_error" => Outcome::Conflict,
                    "api_error" => Outcome::Server,
                    _ => Outcome::Refused,
                }),
            },
        }
    }
}

impl Refusal {
    fn classify(self, what: Option<&str>) -> ProviderError {
        let Self { status, retry_after, replayed, error } = self;
        match status {
            409 => return ProviderError::InFlight,
            429 => return ProviderError::RateLimited { retry_after },
            424 | 500.. => return server(status, replayed, error.as_ref()),
            _ => {}
        }
        let Some(error) = error else {
            return ProviderError::OutcomeUnknown(format!(
                "HTTP status {status} with a body that is no error of the provider's; something in between may have answered"
            ));
        };
        match (status, error.kind.as_str(), what) {
            (401 | 403, _, _) => ProviderError::Unauthorized(error.sentence()),
            (_, "idempotency_error", _) => ProviderError::Mismatch,
            (_, "api_error", _) => server(status, replayed, Some(&error)),
            (404, _, Some(what)) if error.code.as_deref() == Some("resource_missing") => {
                ProviderError::NotFound(what.to_owned())
            }
            _ => ProviderError::Invalid { code: error.reason(), message: error.sentence() },
        }
    }
}

fn server(status: u16, replayed: bool, error: Option<&ErrorBody>) -> ProviderError {
    let mut message = error.map_or_else(|| "no reason was given".to_owned(), ErrorBody::sentence);
    if replayed {
        // A repeat with this key will bring nothing else until the provider has forgotten it.
        message.push_str(" (an earlier answer, repeated)");
    }
    ProviderError::Server { status, message }
}

/// An error that came after the effect: whatever it was, it must not read as if nothing had happened.
pub(super) fn after_the_effect(error: ProviderError) -> ProviderError {
    if error.may_have_happened() {
        return error;
    }
    ProviderError::OutcomeUnknown(format!("it was done, but could not be read back: {error}"))
}
