//! What a world without faults costs: the writes and requests that the design names, and no others.

use innkeeper_api::{FINALIZER, Flow, Reservation, RoomSpec};
use rstest::rstest;

use crate::operator::Sabotage;
use crate::users::{Deed, Script, act, one_room, one_stay};
use crate::world::World;

/// What was stored and sent for one Reservation.
#[derive(Debug, PartialEq, Eq)]
struct Costs {
    /// Versions of the Reservation, what people wrote and its end included.
    versions: usize,
    /// Versions of calendars.
    calendars: usize,
    /// Requests to the provider.
    requests: u64,
}

/// A world with one operator, nothing that fails, and a Room with one unit.
fn quiet() -> World {
    let nobody = Script { operators: 1, deeds: Vec::new() };
    let mut world = World::new(0, Some(nobody), Sabotage::None, true);
    world.out.settings.finalizers = vec![FINALIZER.to_owned()];
    world.out.faults = false;
    world.out.brake.most = 100;
    act(&Deed::ApplyRoom("sea-view".to_owned(), one_room()), &mut world.out);
    world
}

/// Does something, lets everything come to rest, and says what that cost for the Reservation `name`.
fn cost(world: &mut World, name: &str, deed: &Deed) -> Costs {
    let count = |world: &World| {
        let calendars = world.out.server.calendars.values().map(|c| c.0.len()).sum::<usize>();
        let versions = world.out.server.reservations.get(name).map_or(0, |r| r.0.len());
        (versions, calendars, world.out.requests)
    };
    let before = count(world);
    act(deed, &mut world.out);
    world.rest();
    assert_eq!(world.out.broken, None, "{}", world.out.trace.lines.join("\n"));
    let after = count(world);
    Costs { versions: after.0 - before.0, calendars: after.1 - before.1, requests: after.2 - before.2 }
}

fn book(world: &mut World, name: &str, method: &str, finalizers: bool) -> Costs {
    let spec = one_stay("sea-view", method);
    cost(world, name, &Deed::Book { name: name.to_owned(), spec, finalizers })
}

fn settled(world: &World, name: &str) -> String {
    let status = world.out.server.reservation(name).and_then(|r| Reservation::clone(&r.value).status);
    status.and_then(|s| s.phase).map_or("gone".to_owned(), |phase| phase.to_string())
}

#[rstest]
// Created, intent, outcome; the calendar made and the nights taken; the charge.
#[case::booked("pm_good", true, "Confirmed", Costs { versions: 3, calendars: 2, requests: 1 })]
// One write more for the finalizers.
#[case::booked_without_finalizers("pm_good", false, "Confirmed", Costs { versions: 4, calendars: 2, requests: 1 })]
// Created, intent, end.
#[case::declined("pm_declined", true, "Rejected", Costs { versions: 3, calendars: 0, requests: 1 })]
#[case::no_such_method("pm_missing", true, "Rejected", Costs { versions: 3, calendars: 0, requests: 1 })]
fn a_reservation_costs_what_the_design_names(
    #[case] method: &str,
    #[case] finalizers: bool,
    #[case] end: &str,
    #[case] costs: Costs,
) {
    let mut world = quiet();
    assert_eq!(book(&mut world, "r1", method, finalizers), costs);
    assert_eq!(settled(&world, "r1"), end);
}

#[rstest]
// Created, intent, hold, outcome; the calendar made and the nights taken; the charge.
#[case::booked("pm_good", "Confirmed", Costs { versions: 4, calendars: 2, requests: 1 })]
// Created, intent, hold, decision, end; the nights released.
#[case::declined("pm_declined", "Rejected", Costs { versions: 5, calendars: 3, requests: 1 })]
fn where_the_nights_come_first_the_hold_costs_one_write(
    #[case] method: &str,
    #[case] end: &str,
    #[case] costs: Costs,
) {
    let mut world = quiet();
    let nights_first = RoomSpec { flow: Flow::HoldFirst, ..one_room() };
    act(&Deed::ApplyRoom("sea-view".to_owned(), nights_first), &mut world.out);
    assert_eq!(book(&mut world, "r1", method, true), costs);
    assert_eq!(settled(&world, "r1"), end);
    if end == "Confirmed" {
        // Created, intent, decision, end; nobody is asked for money that would have to go back.
        let nothing = Costs { versions: 4, calendars: 0, requests: 0 };
        assert_eq!(book(&mut world, "r2", "pm_good", true), nothing);
        assert_eq!(settled(&world, "r2"), "Rejected");
    }
}

#[test]
fn out_of_stock_costs_a_decision_an_end_and_a_refund() {
    let mut world = quiet();
    book(&mut world, "r1", "pm_good", true);
    // Created, intent, decision, end; the full calendar refuses without a write; charge and refund.
    assert_eq!(book(&mut world, "r2", "pm_good", true), Costs { versions: 4, calendars: 0, requests: 2 });
    assert_eq!(settled(&world, "r2"), "Rejected");
}

#[rstest]
// The edit, decision, end; the nights released; a look by the stored id, and the refund.
#[case::cancelled(Deed::Cancel("r1".to_owned()), "Cancelled", Costs { versions: 3, calendars: 1, requests: 2 })]
// The deletion, decision, end, gone.
#[case::withdrawn(Deed::Delete("r1".to_owned()), "gone", Costs { versions: 4, calendars: 1, requests: 2 })]
// The edit, and its stamp.
#[case::edited(Deed::ChangeTtl("r1".to_owned(), 60), "Confirmed", Costs { versions: 2, calendars: 0, requests: 0 })]
fn what_comes_after_a_booking_costs_no_more_than_it_must(
    #[case] deed: Deed,
    #[case] end: &str,
    #[case] costs: Costs,
) {
    let mut world = quiet();
    book(&mut world, "r1", "pm_good", true);
    assert_eq!(cost(&mut world, "r1", &deed), costs);
    assert_eq!(settled(&world, "r1"), end);
}
