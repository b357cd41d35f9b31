//! Following a booking live: server-sent events, each the whole reservation as it is then.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures::Stream;
use utoipa::ToSchema;

use super::extract::{At, Caller};
use super::reservation::Reservation;
use crate::desk::mine;
use crate::door::Door;
use crate::identity::Scope;
use crate::live::{self, News, Teller};
use crate::problem::Problem;

/// One server-sent event.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its description is used: events are written as lines")]
pub(crate) struct LiveEvent {
    /// `reservation`, or `gone`.
    event: String,
    /// The version of the reservation; absent where it is gone.
    id: Option<String>,
    /// The reservation as JSON, as `getReservation` answers it; `{}` where it is gone.
    data: String,
}

/// Follow a reservation
///
/// The reservation as it is, and again with every change: events named `reservation`, whose data is what
/// `getReservation` answers. When it is gone, `gone`, and the connection ends. A connection that is lost is simply made
/// anew.
#[utoipa::path(
    get,
    path = "/v1/reservations/{property}/{name}/events",
    operation_id = "followReservation",
    tag = "reservations",
    params(
        ("property" = String, Path, description = "The property (namespace)"),
        ("name" = String, Path, description = "The reservation's name"),
    ),
    responses(
        (status = 200, description = "Server-sent events", body = LiveEvent, content_type = "text/event-stream"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not there, or not yours", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not available for a moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = []), ("session" = []))
)]
pub(crate) async fn follow(
    State(door): State<Door>,
    caller: Caller,
    At((property, name)): At<(String, String)>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    // Before it is looked at, or a change in between would be missed.
    let follower = door.model.follow(&property, &name);
    let first = mine(&door, &caller, Scope::Read, &property, &name)?;
    let tell = |door: &Door, news: News<'_>| match news {
        News::Stay(stay) => {
            let data = serde_json::to_string(&Reservation::of(stay, door.now())).ok()?;
            Some(Event::default().event("reservation").id(stay.version.to_string()).data(data))
        }
        News::Gone => Some(Event::default().event("gone").data("{}")),
        News::Settled => None,
    };
    live::follow(door, &first, follower, Teller { tell, until_settled: false })
}
