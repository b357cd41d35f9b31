//! Following a booking live: server-sent events, each the whole reservation as it is then.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use innkeeper_ops::metrics::{Counted, Shed};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::extract::{At, Caller};
use super::mine::mine;
use super::reservation::Reservation;
use crate::door::Door;
use crate::identity::Scope;
use crate::model::Follower;
use crate::problem::{Kind, Problem};

/// How often a connection shows that it lives, so that nobody between closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

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
    let Ok(place) = door.streams.clone().try_acquire_owned() else {
        door.metrics.gateway_shed(Shed::Streams);
        let detail =
            "As many bookings are followed as can be; ask for the reservation from time to time instead.";
        return Err(Problem::new(Kind::Busy, detail).after(Duration::from_secs(10)));
    };
    let counted = door.metrics.gateway_stream();
    let uid = first.uid.clone();
    let following = Following {
        door,
        follower,
        property,
        name,
        uid,
        told: None,
        over: false,
        _place: place,
        _counted: counted,
    };
    let stream = futures::stream::unfold(following, async |mut following| {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Following {
    door: Door,
    follower: Follower,
    property: String,
    name: String,
    uid: String,
    told: Option<u64>,
    over: bool,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

impl Following {
    /// The next event; nothing at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.over {
                return None;
            }
            let stay = self.door.model.stay(&self.property, &self.name);
            let Some(stay) = stay.filter(|stay| stay.uid == self.uid) else {
                self.over = true;
                return Some(Event::default().event("gone").data("{}"));
            };
            if self.told != Some(stay.version) {
                self.told = Some(stay.version);
                let data = serde_json::to_string(&Reservation::of(&stay, self.door.now())).ok()?;
                return Some(Event::default().event("reservation").id(stay.version.to_string()).data(data));
            }
            let closing = self.door.closing.clone();
            tokio::select! {
                () = self.follower.changed() => {}
                // Whoever follows makes the connection anew, and comes to another replica.
                () = closing.cancelled() => return None,
            }
        }
    }
}
