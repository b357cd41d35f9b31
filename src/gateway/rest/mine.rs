//! One's own bookings: the list in parts, and one.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::cursor::{self, Cursor};
use super::extract::{Asked, At, Caller};
use super::reservation::Reservation;
use crate::door::Door;
use crate::identity::Scope;
use crate::list::{self, Found, Listed};
use crate::past::Unread;
use crate::problem::{Kind, Problem};

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// How many at most.
    #[serde(default = "twenty")]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: u32,
    /// Where to go on: `next` of the part before.
    cursor: Option<String>,
    /// Only of this guest.
    #[serde(rename = "guestID")]
    guest_id: Option<String>,
}

const fn twenty() -> u32 {
    20
}

/// A part of one's list.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationList {
    /// Those under way and ahead first, then those that are over and filed; each newest first.
    items: Vec<Reservation>,
    /// Where to go on; absent where this is the last part.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Why stays that are over and filed are missing from this part; absent where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'static str>,
}

/// My reservations
///
/// Those under way and ahead first, then those that are over and filed; each newest first. For a partner, those of all
/// its guests, or of one.
#[utoipa::path(
    get,
    path = "/v1/reservations",
    operation_id = "listReservations",
    tag = "reservations",
    params(Part),
    responses(
        (status = 200, description = "A part of the list", body = ReservationList),
        (status = 304, description = "As with the ETag that was sent"),
        (status = 400, description = "The query cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not available for a moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = []), ("session" = []))
)]
pub(crate) async fn list(
    State(door): State<Door>,
    caller: Caller,
    Asked(part): Asked<Part>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.may(Scope::Read)?;
    let from = part.cursor.as_deref().map(cursor::read).transpose()?.unwrap_or_default();
    let limit = usize::try_from(part.limit).ok().filter(|limit| (1..=100).contains(limit));
    let limit = limit.ok_or_else(|| Problem::new(Kind::Malformed, "limit is from 1 to 100."))?;
    let owner = match &part.guest_id {
        Some(guest) => caller.0.guest_id(Some(guest)),
        None => caller.0.owner(),
    };
    let Some(owner) = owner else { return Ok(door.read(&headers, &ReservationList::default())) };
    let listed = list::list(&door, &caller, owner, from, limit).await;
    Ok(door.read(&headers, &ReservationList::of(&listed, door.now())))
}

/// One reservation
///
/// How far it has come, its price, and what happened.
#[utoipa::path(
    get,
    path = "/v1/reservations/{property}/{name}",
    operation_id = "getReservation",
    tag = "reservations",
    params(
        ("property" = String, Path, description = "The property (namespace)"),
        ("name" = String, Path, description = "The reservation's name"),
    ),
    responses(
        (status = 200, description = "As it is now", body = Reservation),
        (status = 304, description = "As with the ETag that was sent"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not there, or not yours", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not available for a moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = []), ("session" = []))
)]
pub(crate) async fn one(
    State(door): State<Door>,
    caller: Caller,
    At((property, name)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = match list::find(&door, &caller, &property, &name).await? {
        Found::Live(stay) => Reservation::of(&stay, door.now()),
        Found::Filed(stay) => Reservation::archived(&stay, door.now()),
    };
    Ok(door.read(&headers, &found))
}

impl ReservationList {
    fn of(listed: &Listed, now: Timestamp) -> Self {
        let live = listed.live.iter().map(|stay| Reservation::of(stay, now));
        let filed = listed.filed.iter().map(|stay| Reservation::archived(stay, now));
        Self {
            items: live.chain(filed).collect(),
            next: listed.next.as_ref().map(Cursor::write),
            missing: listed.missing.map(|unread| match unread {
                Unread::Loading => "The archive is still being read; ask again in a moment.",
                Unread::Away => "The archive cannot be read at the moment.",
            }),
        }
    }
}
