//! What one stay costs.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{At, Caller, Sent};
use super::rooms::{policy, wish};
use super::types::{Party, Policy, Price, day, one};
use crate::desk::turned_down;
use crate::door::Door;
use crate::identity::Scope;
use crate::problem::Problem;
use crate::search::offer;

/// What is to be priced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct QuoteRequest {
    /// The Room.
    #[schema(min_length = 1, max_length = 55, example = "double")]
    room: String,
    /// First night.
    #[serde(deserialize_with = "day")]
    check_in: Date,
    /// The day of departure.
    #[serde(deserialize_with = "day")]
    check_out: Date,
    /// Units.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 200, default = 1)]
    units: u32,
    /// Who comes.
    #[serde(default)]
    guests: Party,
}

/// A price that is asked for. It binds nobody: book with `maxTotal` to pay no more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuoteAnswer {
    /// The Room.
    room: String,
    /// First night.
    check_in: Date,
    /// The day of departure.
    check_out: Date,
    /// Units.
    units: u32,
    /// Units free on every night of the stay.
    free: u32,
    /// The price.
    price: Price,
    /// What comes back on cancelling.
    cancellation: Policy,
}

/// What a stay costs
///
/// The price now, for one Room. It binds nobody: book with `maxTotal` to pay no more.
#[utoipa::path(
    post,
    path = "/v1/properties/{property}/quotes",
    operation_id = "quoteStay",
    tag = "rooms",
    params(("property" = String, Path, description = "The property (namespace)")),
    request_body = QuoteRequest,
    responses(
        (status = 200, description = "The price and the terms", body = QuoteAnswer),
        (status = 400, description = "The body cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `search`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such property or Room", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Sold out", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "This stay is not offered", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not available for a moment", body = Problem, content_type = "application/problem+json"),
    ),
    security((), ("token" = []))
)]
pub(crate) async fn quote(
    State(door): State<Door>,
    caller: Caller,
    At(property): At<String>,
    Sent(body): Sent<QuoteRequest>,
) -> Result<Response, Problem> {
    caller.may_in(Scope::Search, &property)?;
    let wish = wish(body.check_in, body.check_out, body.units, body.guests, "guests.")?;
    door.fresh_enough()?;
    let stock = door.model.stock_of(&property, &body.room, &wish.months());
    let stock = stock.ok_or_else(|| Problem::not_found("Room in this property"))?;
    let found = offer(&stock, &wish, door.now());
    let quote = found.verdict.map_err(|declined| turned_down(&declined))?;
    let answer = QuoteAnswer {
        price: Price::of(&quote, wish.check_out),
        cancellation: policy(&quote, &stock.room.spec),
        room: body.room,
        check_in: wish.check_in,
        check_out: wish.check_out,
        units: wish.units,
        free: found.free,
    };
    Ok(Json(answer).into_response())
}
