//! What went wrong, as `application/problem+json` (RFC 9457): a stable type, what is wrong, and what to change.
//!
//! The type is a path on the gateway, where it is explained (`/problems/sold-out`). It never changes its meaning.

use std::time::Duration;

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

macro_rules! kinds {
    ($($(#[$about:meta])+ $name:ident = $slug:literal, $status:ident, $title:literal, $explained:literal;)+) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$about])+ $name,)+
        }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The last part of its type.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }

            /// The status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// In a few words, always the same.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// What it means and what to do, for its page.
            #[must_use]
            pub const fn explained(self) -> &'static str {
                match self { $(Self::$name => $explained,)+ }
            }
        }
    };
}

kinds! {
    /// The request cannot be read.
    Malformed = "malformed", BAD_REQUEST, "The request cannot be read",
        "A part of the request is missing or not of the form it must have. `detail` says which.";
    /// No identity, or one that is not known.
    NotSignedIn = "not-signed-in", UNAUTHORIZED, "You have to say who you are",
        "Sign in at `/sign-in`, or send `Authorization: Bearer <token>` with a token that is in force.";
    /// Nobody can sign in.
    SignInUnavailable = "sign-in-unavailable", SERVICE_UNAVAILABLE, "Signing in does not work for a moment",
        "Whoever signs guests in does not answer, or nobody does here. What needs no signing in goes on.";
    /// Somebody was not signed in.
    SignInFailed = "sign-in-failed", BAD_REQUEST, "You could not be signed in",
        "What came back from signing in is not good: too old, or not the answer to what was asked. Begin again at `/sign-in`.";
    /// Sent by another site's page.
    Forged = "forged", FORBIDDEN, "This does not come from a page of this site",
        "With a cookie, every request that changes something needs a token: the field `csrf` of a form, or the header `x-csrf-token` with what `GET /v1/session` answers.";
    /// Known, and not allowed to do this.
    NotAllowed = "not-allowed", FORBIDDEN, "You may not do this",
        "Your token lacks the scope that `detail` names, or it is for partners alone. Ask the hotel for it.";
    /// Not there, or not theirs.
    NotFound = "not-found", NOT_FOUND, "There is no such thing",
        "There is nothing of this name, or it is not yours to see.";
    /// No such method here.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "This method is not for this address",
        "The document at `/openapi.json` says which methods an address has.";
    /// Nothing is left.
    SoldOut = "sold-out", CONFLICT, "Sold out",
        "Too few units are free on some night. Nothing was booked and nothing was charged. Search again for other nights or Rooms.";
    /// The stay cannot be had on these terms.
    NotOffered = "not-offered", UNPROCESSABLE_ENTITY, "This stay is not offered",
        "The Room's rules do not allow this stay, or its price is above `maxTotal`. Nothing was booked and nothing was charged.";
    /// The same key was used for something else.
    KeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "This Idempotency-Key was used for another booking",
        "The same key means the same booking. Use a new key for a new booking, or send the first one's body again.";
    /// A field is not as it must be.
    Invalid = "invalid", UNPROCESSABLE_ENTITY, "The request is not as it must be",
        "`errors` lists every field that is wrong, and what it must be.";
    /// Cannot be cancelled any more.
    NotCancellable = "not-cancellable", CONFLICT, "This reservation cannot be cancelled",
        "It has ended already, or the stay is over.";
    /// The body is too large.
    TooLarge = "too-large", PAYLOAD_TOO_LARGE, "The request is too large",
        "No request needs so many bytes here.";
    /// Not JSON.
    NotJson = "not-json", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON",
        "Send `Content-Type: application/json`.";
    /// Too many requests.
    TooMany = "too-many-requests", TOO_MANY_REQUESTS, "Too many requests",
        "Wait as long as `Retry-After` says.";
    /// Something behind the gateway does not answer.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Not available for a moment",
        "Nothing is wrong with the request. Repeat it, with the same Idempotency-Key, after what `Retry-After` says.";
    /// What is known is too old.
    Stale = "stale", SERVICE_UNAVAILABLE, "What is free is not known for a moment",
        "The gateway has lost its view of the stock and sells nothing until it has it again. Repeat the request after what `Retry-After` says.";
    /// Too much to do.
    Busy = "busy", SERVICE_UNAVAILABLE, "Too busy",
        "More requests wait or are under way than can be answered well. Repeat the request after what `Retry-After` says.";
    /// Took too long.
    TimedOut = "timed-out", SERVICE_UNAVAILABLE, "This took too long",
        "It is not known whether the request took effect. Repeat it, with the same Idempotency-Key.";
    /// Our own fault.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something is wrong here",
        "This is not your fault. Tell the hotel the request's id (`x-request-id`).";
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Which problem it is; a path on this server where it is explained. Stable.
    #[serde(rename = "type")]
    #[schema(example = "/problems/sold-out")]
    type_: String,
    /// In a few words, always the same for a type.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong this time, and what to change.
    detail: String,
    /// The fields that are wrong, where it is about fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    kind: Kind,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, such as `payment.method`.
    pub field: String,
    /// What it must be.
    pub detail: String,
}

impl Problem {
    /// A problem of this kind; the detail says what is wrong this time and what to change.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            type_: format!("/problems/{}", kind.slug()),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            kind,
            retry_after: None,
        }
    }

    /// Fields that are wrong.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let said: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
        Self { errors, ..Self::new(Kind::Invalid, said.join(" ")) }
    }

    /// Nothing of this name, or not theirs: both are said alike, so that nobody learns what others have.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("There is no such {what}, or it is not yours to see."))
    }

    /// The same, to be tried again after so long.
    #[must_use]
    pub const fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What kind of problem it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// When to try again, where that is known.
    #[must_use]
    pub const fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            // Whole seconds, never too few, and never at once.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // For those who look at pages it is made into one.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Kind::Malformed, format!("The query cannot be read: {}.", innermost(&rejection)))
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::not_found("address")
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(Kind::TooLarge, "The body has more bytes than are taken here.");
        }
        Self::new(Kind::Malformed, "The body was cut off.")
    }
}

/// What is at the bottom of an error: the rest is wrapping.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
