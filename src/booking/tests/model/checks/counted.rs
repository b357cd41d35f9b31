//! Counted a second time, from what people wrote alone: prices, policies, capacities.

use std::rc::Rc;

use innkeeper_api::{
    Collect, Night, Quote, Reservation, ReservationStatus, Room, RoomCalendarFields, RoomSpec, WantedState,
    nights,
};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{At, Fact, uid};
use crate::outside::Outside;
use crate::server::Server;

/// What stays with the hotel by the policy of the Room as it was quoted (I11), with the decision checked on the way.
pub fn policy(fact: &Fact, status: &ReservationStatus, out: &mut Outside) -> i64 {
    let object = &fact.object;
    let deleted = object.metadata.deletion_timestamp.as_ref().map(|t| t.0);
    let cancelled =
        object.spec.state.and_then(|_: WantedState| out.server.state_set.get(uid(object)).copied());
    let legal = match fact.at {
        At::Cancelling => cancelled.is_some_and(|c| deleted.is_none_or(|d| c <= d)),
        At::Withdrawing => deleted.is_some_and(|d| cancelled.is_none_or(|c| d < c)),
        _ => true,
    };
    if !legal {
        let name = &fact.name;
        out.fail(
            "I7",
            format!("{name} is {:?}, cancelled at {cancelled:?}, deleted at {deleted:?}", fact.at),
        );
    }
    if fact.at != At::Cancelling || !fact.confirmed {
        return 0;
    }
    let percent = match (room_quoted(&out.server, object, status.quote.as_ref()), cancelled) {
        (Some(room), Some(at)) => share(&room.spec, object, at),
        _ => 100,
    };
    if status.decision.as_ref().map(|d| d.refund_percent) != Some(percent) {
        out.fail("I11", format!("{}: {percent} % must go back, not {:?}", fact.name, status.decision));
    }
    let price = fact.price();
    price - (price * i64::from(percent) + 50) / 100
}

/// The Room as it was at the generation a quote names.
fn room_quoted(server: &Server, object: &Reservation, quote: Option<&Quote>) -> Option<Rc<Room>> {
    let generation = quote?.room_generation;
    room_at(server, &object.spec.room_name, generation)
}

fn room_at(server: &Server, name: &str, generation: i64) -> Option<Rc<Room>> {
    let versions = server.rooms.get(name)?.0.iter();
    versions.filter_map(|v| v.value.clone()).find(|room| room.metadata.generation == Some(generation))
}

/// The price that is collected online, from the Room alone.
pub fn price(server: &Server, object: &Reservation, quote: Option<&Quote>) -> Option<i64> {
    let room = room_quoted(server, object, quote)?;
    let spec = &object.spec;
    let count = i64::try_from(nights(spec.check_in, spec.check_out).count()).ok()?;
    let total = room.spec.rate.minor_units * count * i64::from(spec.units);
    Some(if spec.payment.collect == Collect::Online { total } else { 0 })
}

/// Units for sale on a night, by the Room's generation that the calendar names.
pub fn capacity_at(server: &Server, calendar: &RoomCalendarFields, night: &Night) -> Option<u32> {
    let room = room_at(server, &calendar.room_name, night.room_generation)?;
    let out = room.spec.out_of_order.iter().filter(|o| (o.from..o.to).contains(&night.date));
    Some((room.spec.units + room.spec.overbooking).saturating_sub(out.map(|o| o.units).sum()))
}

/// The share that goes back when a booked stay is cancelled: the best of the tiers that still hold.
fn share(room: &RoomSpec, object: &Reservation, at: Timestamp) -> u32 {
    let Some(check_in) = instant(room, object.spec.check_in.at(15, 0, 0, 0)) else { return 100 };
    if room.cancellation.is_empty() {
        return if at <= check_in { 100 } else { 0 };
    }
    let holds = |hours: u32| at <= check_in - SignedDuration::from_hours(i64::from(hours));
    room.cancellation.iter().filter(|t| holds(t.hours_before)).map(|t| t.refund_percent).max().unwrap_or(0)
}

fn instant(room: &RoomSpec, local: jiff::civil::DateTime) -> Option<Timestamp> {
    let zone = TimeZone::get(&room.time_zone).ok()?;
    local.to_zoned(zone).ok().map(|z| z.timestamp())
}

/// Deleted after the day of check-out.
pub fn filed(object: &Reservation) -> bool {
    let deleted = object.metadata.deletion_timestamp.as_ref().map(|t| t.0);
    let end = object.status.as_ref().and_then(|s| s.quote.as_ref()).map(|q| q.finished_at);
    matches!((deleted, end), (Some(deleted), Some(end)) if deleted >= end)
}
