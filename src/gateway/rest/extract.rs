//! Reading a request: what cannot be read is a problem that says what must be sent instead.

use axum::body::{Bytes, HttpBody as _};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};
use serde::de::DeserializeOwned;

use crate::desk::is_key;
use crate::door::Door;
use crate::identity::{Identity, Scope};
use crate::problem::{Kind, Problem};

/// The header that makes a booking repeatable.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Who asks.
pub(crate) struct Caller(pub(crate) Identity);

impl Caller {
    /// Fails where they may not do this.
    pub(crate) fn may(&self, scope: Scope) -> Result<(), Problem> {
        if self.0.may(scope) {
            return Ok(());
        }
        Err(match self.0 {
            Identity::Nobody { .. } => {
                Problem::new(Kind::NotSignedIn, "Sign in, or send `Authorization: Bearer` and your token.")
            }
            // They may do everything there is; what is not theirs is not there for them.
            Identity::Guest(_) => Problem::new(Kind::NotAllowed, "Guests cannot do this."),
            Identity::Partner(_) => {
                let scope = scope.as_str();
                Problem::new(Kind::NotAllowed, format!("Your token lacks the scope `{scope}`."))
            }
        })
    }

    /// Fails where they may not do this, or not in this property. Which properties there are is nobody's business.
    pub(crate) fn may_in(&self, scope: Scope, property: &str) -> Result<(), Problem> {
        self.may(scope)?;
        if self.0.may_touch(property) { Ok(()) } else { Err(Problem::not_found("property")) }
    }
}

impl FromRequestParts<Door> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Problem> {
        let identity = parts.extensions.get::<Identity>().cloned();
        // The layer before has found out, for every route.
        Ok(Self(identity.unwrap_or(Identity::Nobody { may_search: false })))
    }
}

/// What the address says.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Door> for At<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        let Path(path) = Path::from_request_parts(parts, door).await?;
        Ok(Self(path))
    }
}

/// What the query says.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Door> for Asked<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        let Query(query) = Query::from_request_parts(parts, door).await?;
        Ok(Self(query))
    }
}

/// The body, as JSON.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Door> for Sent<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, door: &Door) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(Kind::NotJson, "Send the body with `Content-Type: application/json`."));
        }
        let most = door.settings().limits.body_bytes;
        let too_large = || Problem::new(Kind::TooLarge, "The body has more bytes than are taken here.");
        // Whoever says how much will come need not send it first.
        if request.body().size_hint().lower() > most {
            return Err(too_large());
        }
        let body = Bytes::from_request(request, door).await.map_err(|e: BytesRejection| Problem::from(e))?;
        if u64::try_from(body.len()).is_ok_and(|size| size > most) {
            return Err(too_large());
        }
        let read = serde_json::from_slice(&body);
        read.map(Self)
            .map_err(|error| Problem::new(Kind::Malformed, format!("The body cannot be read: {error}.")))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// The key that makes a booking repeatable. Without one, a lost answer could mean two bookings.
pub(crate) struct Key(pub(crate) String);

impl FromRequestParts<Door> for Key {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Problem> {
        let key = parts.headers.get(IDEMPOTENCY_KEY).and_then(|value| value.to_str().ok());
        key.filter(|key| is_key(key)).map(|key| Self(key.to_owned())).ok_or_else(|| {
            let detail = "Send the header Idempotency-Key: 8 to 128 visible characters, new for every booking, and the same when you repeat one.";
            Problem::new(Kind::Malformed, detail)
        })
    }
}
