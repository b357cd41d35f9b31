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
use crate::desk::mine;
use crate::door::Door;
use crate::identity::Scope;
use crate::model::views::compact;
use crate::past::{self, Unread};
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
    let now = door.now();
    let mut list = ReservationList { items: Vec::new(), next: None, missing: None };
    let Some(owner) = owner else { return Ok(door.read(&headers, &list)) };
    let mut filed = None;
    match from {
        Cursor::Live(after) => {
            let page = door.model.stays_of(&owner, after.as_ref(), limit, |ns| caller.0.may_touch(ns));
            list.items = page.stays.iter().map(|stay| Reservation::of(stay, now)).collect();
            list.next = page.next.map(|place| Cursor::Live(Some(place)).write());
            if list.next.is_none() {
                filed = Some(None);
            }
        }
        Cursor::Past(after) => filed = Some(after),
    }
    if let Some(after) = filed {
        list.go_on(&door, &caller, owner, after, limit, now).await;
    }
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
    security(("token" = []), ("session" = []))
)]
pub(crate) async fn one(
    State(door): State<Door>,
    caller: Caller,
    At((property, name)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.may(Scope::Read)?;
    let found = match mine(&door, &caller, Scope::Read, &property, &name) {
        Ok(stay) => Reservation::of(&stay, door.now()),
        Err(not_there) => {
            let stays = door.past.named(&property, &name).await.map_err(unread)?;
            let theirs = stays.iter().find(|stay| caller.0.owns(&property, &stay.guest_id));
            Reservation::archived(theirs.ok_or(not_there)?, door.now())
        }
    };
    Ok(door.read(&headers, &found))
}

impl ReservationList {
    /// Fills up with stays that are over and filed. One that is still live is shown as that, and not twice.
    async fn go_on(
        &mut self,
        door: &Door,
        caller: &Caller,
        owner: String,
        after: Option<past::Place>,
        limit: usize,
        now: Timestamp,
    ) {
        let room = limit - self.items.len();
        let (model, identity) = (door.model.clone(), caller.0.clone());
        let leave_out = move |property: &str, name: &str, uid: u128| {
            let live = model.stay(property, name).is_some_and(|stay| compact(&stay.uid) == uid);
            live || !identity.may_touch(property)
        };
        // Where nothing more fits, it is only asked whether anything follows.
        let begin = after.clone();
        match door.past.page(owner, after, room.max(1), leave_out).await {
            Ok(page) if room == 0 => {
                self.next = (!page.stays.is_empty()).then(|| Cursor::Past(begin).write());
            }
            Ok(page) => {
                self.items.extend(page.stays.iter().map(|stay| Reservation::archived(stay, now)));
                self.next = page.next.map(|place| Cursor::Past(Some(place)).write());
            }
            Err(Unread::Loading) => {
                self.missing = Some("The archive is still being read; ask again in a moment.");
            }
            Err(Unread::Away) => self.missing = Some("The archive cannot be read at the moment."),
        }
    }
}

/// What an archive that cannot be read is to whoever asked for one stay of it.
fn unread(_: Unread) -> Problem {
    let detail =
        "This reservation is not among those under way, and the archive cannot be read at the moment.";
    Problem::new(Kind::Unavailable, detail).after(std::time::Duration::from_secs(2))
}
