//! Who has signed in here, and the token with which programs in the browser show that they are of this site.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::csrf::Csrf;
use crate::problem::Problem;
use crate::session::Session;

/// A visit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Visit {
    /// Whether a guest has signed in.
    signed_in: bool,
    /// What they are called, as the issuer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Their e-mail address, as the issuer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// To be sent in `x-csrf-token` with everything that changes something. Good as long as the visit.
    csrf_token: String,
}

/// My visit
///
/// For programs in a browser: guests are known by a cookie that only the server reads. They sign in at `/sign-in`.
#[utoipa::path(
    get,
    path = "/v1/session",
    operation_id = "getSession",
    tag = "session",
    responses(
        (status = 200, description = "Who has signed in, if anybody", body = Visit),
        (status = 400, description = "A token is sent; partners have no visits", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is not known", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not available for a moment", body = Problem, content_type = "application/problem+json"),
    ),
    security((), ("session" = []))
)]
pub(crate) async fn visit(session: Session) -> Response {
    let guest = session.guest();
    let visit = Visit {
        signed_in: guest.is_some(),
        name: guest.and_then(|guest| guest.name.clone()),
        email: guest.and_then(|guest| guest.email.clone()),
        csrf_token: Csrf::token(&session),
    };
    let mut response = Json(visit).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
