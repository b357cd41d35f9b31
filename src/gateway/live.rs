//! Following a booking live: server-sent events, one for how it is and one for every change.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use innkeeper_ops::metrics::{Counted, Shed};
use tokio::sync::OwnedSemaphorePermit;

use crate::door::Door;
use crate::model::Follower;
use crate::model::views::StayView;
use crate::problem::{Kind, Problem};

/// How often a connection shows that it lives, so that nobody between closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What there is to tell.
pub(crate) enum News<'a> {
    /// It is so.
    Stay(&'a StayView),
    /// It is gone; this is the last.
    Gone,
    /// Nothing more will happen by itself; this is the last, where that ends it.
    Settled,
}

/// Whose telling, and when it ends.
pub(crate) struct Teller<F> {
    /// Makes an event; nothing where there is none to make, which ends the connection.
    pub(crate) tell: F,
    /// Whether it ends as soon as nothing more will happen by itself.
    pub(crate) until_settled: bool,
}

/// The events of a stay. The follower was made before the stay was looked at, or a change in between would be missed.
pub(crate) fn follow<F>(
    door: Door,
    stay: &StayView,
    follower: Follower,
    teller: Teller<F>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<F>>, Problem>
where
    F: FnMut(&Door, News<'_>) -> Option<Event> + Send + 'static,
{
    let Ok(place) = door.streams.clone().try_acquire_owned() else {
        door.metrics.gateway_shed(Shed::Streams);
        let detail =
            "As many bookings are followed as can be; ask for the reservation from time to time instead.";
        return Err(Problem::new(Kind::Busy, detail).after(Duration::from_secs(10)));
    };
    let counted = door.metrics.gateway_stream();
    let following = Following {
        door,
        follower,
        property: stay.namespace.clone(),
        name: stay.name.clone(),
        uid: stay.uid.clone(),
        teller,
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

struct Following<F> {
    door: Door,
    follower: Follower,
    property: String,
    name: String,
    uid: String,
    teller: Teller<F>,
    /// The version that was told, and whether it was settled.
    told: Option<(u64, bool)>,
    over: bool,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

impl<F: FnMut(&Door, News<'_>) -> Option<Event>> Following<F> {
    /// The next event; nothing at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.over {
                return None;
            }
            let stay = self.door.model.stay(&self.property, &self.name);
            let Some(stay) = stay.filter(|stay| stay.uid == self.uid) else {
                self.over = true;
                return (self.teller.tell)(&self.door, News::Gone);
            };
            if self.told.is_none_or(|(version, _)| version != stay.version) {
                self.told = Some((stay.version, stay.is_settled()));
                return (self.teller.tell)(&self.door, News::Stay(&stay));
            }
            if self.teller.until_settled && self.told.is_some_and(|(_, settled)| settled) {
                self.over = true;
                return (self.teller.tell)(&self.door, News::Settled);
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
