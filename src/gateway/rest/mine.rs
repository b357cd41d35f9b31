//! One's own bookings: the list in parts, and one.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Asked, At, Caller};
use super::reservation::Reservation;
use crate::door::Door;
use crate::identity::Scope;
use crate::model::Place;
use crate::model::views::StayView;
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
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationList {
    /// Newest first.
    items: Vec<Reservation>,
    /// Where to go on; absent where this is the last part.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// My reservations
///
/// Newest first: for a partner, those of all its guests, or of one.
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
    security(("token" = []))
)]
pub(crate) async fn list(
    State(door): State<Door>,
    caller: Caller,
    Asked(part): Asked<Part>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.may(Scope::Read)?;
    let after = part.cursor.as_deref().map(place_of).transpose()?;
    let limit = usize::try_from(part.limit).ok().filter(|limit| (1..=100).contains(limit));
    let limit = limit.ok_or_else(|| Problem::new(Kind::Malformed, "limit is from 1 to 100."))?;
    let owner = match &part.guest_id {
        Some(guest) => caller.0.guest_id(Some(guest)),
        None => caller.0.owner(),
    };
    let page = owner
        .map(|owner| door.model.stays_of(&owner, after.as_ref(), limit, |ns| caller.0.may_touch(ns)))
        .unwrap_or_default();
    let now = door.now();
    let list = ReservationList {
        items: page.stays.iter().map(|stay| Reservation::of(stay, now)).collect(),
        next: page.next.as_ref().map(cursor_of),
    };
    Ok(door.read(&headers, &list))
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
    security(("token" = []))
)]
pub(crate) async fn one(
    State(door): State<Door>,
    caller: Caller,
    At((property, name)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let stay = mine(&door, &caller, Scope::Read, &property, &name)?;
    Ok(door.read(&headers, &Reservation::of(&stay, door.now())))
}

/// The caller's own Reservation of this name. That of another is not there, for all that is said.
pub(super) fn mine(
    door: &Door,
    caller: &Caller,
    scope: Scope,
    property: &str,
    name: &str,
) -> Result<Arc<StayView>, Problem> {
    caller.may(scope)?;
    door.model
        .stay(property, name)
        .filter(|stay| caller.0.owns(property, &stay.guest_id))
        .ok_or_else(|| Problem::not_found("reservation"))
}

/// A place in a list, as clients carry it. It says nothing that whoever has it may not know.
fn cursor_of((Reverse(created), namespace, name): &Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{created}/{namespace}/{name}"))
}

fn place_of(cursor: &str) -> Result<Place, Problem> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let mut parts = text.splitn(3, '/');
        let created = parts.next()?.parse().ok()?;
        Some((Reverse(created), parts.next()?.to_owned(), parts.next()?.to_owned()))
    };
    read().ok_or_else(|| Problem::new(Kind::Malformed, "cursor is not one that was given; begin without it."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_another_text_is_refused() {
        let place = (Reverse(1_900_000_000), "seaside".to_owned(), "a-b".to_owned());
        assert_eq!(place_of(&cursor_of(&place)).unwrap(), place);
        for wrong in ["", "abc", "!", &URL_SAFE_NO_PAD.encode("x/y/z"), &URL_SAFE_NO_PAD.encode("1/y")] {
            assert!(place_of(wrong).is_err(), "{wrong}");
        }
    }
}
