//! The API under `/v1`: addresses, what is taken, what is answered. Each handler checks who asks, reads the model or
//! writes once, and answers; what things come to is computed elsewhere.
#![allow(unused_qualifications, reason = "utoipa writes them")]

mod booking;
mod cancelling;
mod cursor;
mod events;
mod extract;
mod mine;
mod quotes;
mod reservation;
mod rooms;
mod session;
mod types;

pub(crate) use cursor::{Cursor, read as read_cursor};
pub(crate) use extract::{At, Caller};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::door::Door;
use crate::problem::{FieldError, Problem};

/// What the document says of the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Innkeeper",
        description = "Look for hotel rooms, book them, follow a booking, and cancel it.\n\nAmounts are in minor units of their currency: 12000 is 120.00 EUR, and 12000 KRW. A stay is half-open: the night of `checkOut` is no part of it. Errors are `application/problem+json`; every `type` is explained at its own address.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "rooms", description = "What is free, and for how much"),
        (name = "reservations", description = "Booking, and one's own bookings"),
        (name = "session", description = "Guests in a browser"),
    ),
    components(schemas(Problem, FieldError)),
    modifiers(&Tokens)
)]
struct Document;

/// How one says who one is.
struct Tokens;

impl utoipa::Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A partner's token.")).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        let about = "A guest who has signed in at `/sign-in`. What changes something needs the header `x-csrf-token`, too, with what `getSession` answers.";
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description("__Host-innkeeper-session", about));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// The routes, and the document that is made from them.
pub(crate) fn routes() -> OpenApiRouter<Door> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(rooms::search))
        .routes(routes!(quotes::quote))
        .routes(routes!(booking::book))
        .routes(routes!(mine::list))
        .routes(routes!(mine::one))
        .routes(routes!(cancelling::preview, cancelling::cancel))
        .routes(routes!(events::follow))
        .routes(routes!(session::visit))
}
