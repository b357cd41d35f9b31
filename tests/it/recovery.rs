//! Recovery: operators that are killed or paused at any moment, and objects that somebody has changed behind their back.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{join_all, maybe_done};
use innkeeper_api::{ConditionStatus, ConditionType, Flow, Reason, Reservation};
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::checker::{Checker, claimed};
use crate::support::gate::{CHARGE, Gate, REFUND, Side};
use crate::support::history::History;
use crate::support::hotel::{Hotel, is, pay_with, uid};
use crate::support::valve::{Moment, Valve, Which};

use ConditionStatus::True;
use ConditionType as C;

/// What a hotel is put through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// A guest books.
    Booked,
    /// A guest books, and cancels.
    Cancelled,
    /// A guest books, and the hotel deletes it.
    Withdrawn,
    /// Two guests pay for one room.
    RolledBack,
    /// Two guests want one room, whose nights come before the money.
    Held,
}

impl Story {
    /// The Room it is about.
    async fn room(self, hotel: &Hotel) {
        let flow = if self == Self::Held { Flow::HoldFirst } else { Flow::PayFirst };
        hotel.room_with("double", 1, |r| r.flow = flow).await;
    }

    /// Plays it to its end, whatever happens to the operators meanwhile.
    async fn play(self, hotel: &Hotel) {
        hotel.reserve("ann", "double").await;
        if matches!(self, Self::RolledBack | Self::Held) {
            hotel.reserve("bob", "double").await;
            ended(hotel, "bob").await;
        }
        ended(hotel, "ann").await;
        match self {
            Self::Booked | Self::RolledBack | Self::Held => {}
            Self::Cancelled => {
                hotel.cancel("ann").await;
                hotel.settled("ann", Reason::Cancelled).await;
            }
            Self::Withdrawn => {
                hotel.delete("ann").await;
                hotel.gone("ann").await;
            }
        }
    }

    /// What must be so in the end, besides what the checker counts.
    async fn check(self, hotel: &Hotel) {
        hotel.check().await;
        let (charged, kept) = match self {
            Self::Booked | Self::Held => (1, 24_000),
            Self::Cancelled | Self::Withdrawn => (1, 0),
            Self::RolledBack => (2, 24_000),
        };
        let captured = hotel.accounts().await.iter().filter(|a| a.intent.amount_received > 0).count();
        assert_eq!((captured, hotel.money_kept().await), (charged, kept), "{self:?}");
        let refunds = hotel.accounts().await.iter().map(|a| a.refunds.len()).max();
        assert!(refunds <= Some(1), "{self:?}");
    }
}

async fn ended(hotel: &Hotel, name: &str) -> Reservation {
    hotel.until(name, |r: Option<&Reservation>| r.is_some_and(|r| claimed(r).is_some())).await
}

/// An operator that is stopped dead at one write of its own, and followed by another. Says whether it came to that
/// write at all.
async fn killed_at_write(story: Story, number: u32, moment: Moment) -> bool {
    let hotel = Hotel::open("write").await;
    story.room(&hotel).await;
    let history = History::of(&hotel).await;
    let valve = Valve::stopping(number, Which::Writes, moment);
    let first = hotel.operator_with(valve.on(&hotel.client), &hotel.provider.url());
    let play = maybe_done(story.play(&hotel));
    tokio::pin!(play);
    let reached = valve.reached_before(&mut play).await;
    first.kill().await;
    if reached {
        let second = hotel.operator();
        play.await;
        story.check(&hotel).await;
        second.stop().await;
        history.check().await;
    }
    reached
}

#[rstest]
#[case(Story::Booked, Moment::Before)]
#[case(Story::Booked, Moment::After)]
#[case(Story::Cancelled, Moment::Before)]
#[case(Story::Cancelled, Moment::After)]
#[case(Story::Withdrawn, Moment::Before)]
#[case(Story::Withdrawn, Moment::After)]
#[case(Story::RolledBack, Moment::Before)]
#[case(Story::RolledBack, Moment::After)]
#[case(Story::Held, Moment::Before)]
#[case(Story::Held, Moment::After)]
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_killed_at_any_of_its_writes_is_followed_by_one_that_brings_it_to_the_same_end(
    #[case] story: Story,
    #[case] moment: Moment,
) {
    let mut number = 1;
    while killed_at_write(story, number, moment).await {
        number += 1;
    }
    assert!(number > 4, "finalizer, intent, calendar, outcome: {number}");
}

/// The same, at one call of the provider.
async fn killed_at_call(story: Story, number: u32, when: &str) -> bool {
    let hotel = Hotel::open("call").await;
    story.room(&hotel).await;
    let history = History::of(&hotel).await;
    let hang = json!({ "fault": { "kind": "hang", "when": when }, "skip": number - 1, "times": 1 });
    let fault = hotel.desk().add_fault(serde_json::from_value(hang).unwrap()).id;
    let first = hotel.operator();
    let play = story.play(&hotel);
    tokio::pin!(play);
    let reached = tokio::select! {
        biased;
        () = hotel.struck(fault, 1) => true,
        () = &mut play => false,
    };
    first.kill().await;
    if reached {
        let second = hotel.operator();
        play.await;
        story.check(&hotel).await;
        second.stop().await;
        history.check().await;
    }
    reached
}

#[rstest]
#[case(Story::Cancelled, "before")]
#[case(Story::Cancelled, "after")]
#[case(Story::RolledBack, "before")]
#[case(Story::RolledBack, "after")]
#[case(Story::Held, "before")]
#[case(Story::Held, "after")]
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_killed_at_any_call_of_the_provider_is_followed_by_one_that_charges_and_refunds_once(
    #[case] story: Story,
    #[case] when: &str,
) {
    let mut number = 1;
    while killed_at_call(story, number, when).await {
        number += 1;
    }
    assert!(number > 1, "at least the charge: {number}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_killed_again_and_again_in_the_middle_of_many_bookings_lose_none_of_them() {
    let hotel = Hotel::open("again").await;
    hotel.room("double", 4).await;
    let history = History::of(&hotel).await;
    let names: Vec<String> = (0..16).map(|n| format!("guest-{n}")).collect();
    for name in &names {
        hotel.reserve(name, "double").await;
    }
    // Each lives for so many calls of the provider: the moment is another one every time, on any machine.
    for calls in [1, 2, 3, 5, 8, 13, 3, 7] {
        let before = hotel.calls().await.len();
        let operator = hotel.operator();
        let all_ended = join_all(names.iter().map(|name| ended(&hotel, name)));
        let enough = async {
            while hotel.calls().await.len() < before + calls {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            () = enough => {}
            _ = all_ended => {}
        }
        operator.kill().await;
    }
    let operator = hotel.operator();
    let all = join_all(names.iter().map(|name| ended(&hotel, name))).await;
    assert_eq!(all.iter().filter(|r| claimed(r) == Some(Reason::Confirmed)).count(), 4);
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

#[rstest]
#[case::before_its_charge(CHARGE, Side::Request)]
#[case::before_the_answer_to_its_charge(CHARGE, Side::Answer)]
#[case::before_its_refund(REFUND, Side::Request)]
#[case::before_the_answer_to_its_refund(REFUND, Side::Answer)]
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_paused_while_another_finishes_changes_nothing_when_it_goes_on(
    #[case] call: &'static str,
    #[case] side: Side,
) {
    let hotel = Hotel::open("paused").await;
    hotel.room("double", 1).await;
    let history = History::of(&hotel).await;
    let gate = Gate::holding(hotel.provider.local_addr(), call, side, 1).await;
    let paused = hotel.operator_at(&gate.url());
    hotel.reserve("pam", "double").await;
    if call == REFUND {
        hotel.settled("pam", Reason::Confirmed).await;
        hotel.cancel("pam").await;
    }
    gate.held(1).await;
    let other = hotel.operator();
    let end = if call == REFUND { Reason::Cancelled } else { Reason::Confirmed };
    hotel.settled("pam", end).await;
    hotel.check().await;
    // What a Room shows follows a little later, whoever writes it.
    let of_the_stay = async || {
        let mut versions = versions(&hotel).await;
        versions.retain(|object, _| !object.starts_with("room "));
        versions
    };
    let before = of_the_stay().await;
    gate.release();
    // Whatever it still does, it has done when it has ended.
    paused.stop().await;
    assert_eq!(of_the_stay().await, before);
    other.stop().await;
    hotel.check().await;
    history.check().await;
}

#[rstest]
#[case::cancelled(false)]
#[case::deleted(true)]
#[tokio::test(flavor = "multi_thread")]
async fn nights_that_a_paused_operator_takes_for_a_stay_that_has_ended_are_given_up_again(
    #[case] deleted: bool,
) {
    let hotel = Hotel::open("paused-nights").await;
    hotel.room("double", 1).await;
    let history = History::of(&hotel).await;
    // The calendar is there already, so that the write that is stopped is the one that takes the nights.
    let running = hotel.operator();
    hotel.reserve_with("past", "double", |s| s.check_in = jiff::civil::date(2030, 7, 2)).await;
    hotel.settled("past", Reason::Confirmed).await;
    hotel.cancel("past").await;
    hotel.settled("past", Reason::Cancelled).await;
    running.stop().await;

    let valve = Valve::stopping(1, Which::WritesOf("/roomcalendars/"), Moment::Before);
    let paused = hotel.operator_with(valve.on(&hotel.client), &hotel.provider.url());
    hotel.reserve("pat", "double").await;
    valve.reached().await;
    if deleted {
        hotel.delete("pat").await;
    } else {
        hotel.cancel("pat").await;
    }
    let other = hotel.operator();
    if deleted {
        hotel.gone("pat").await;
    } else {
        hotel.settled("pat", Reason::Cancelled).await;
    }
    valve.open();
    paused.stop().await;
    Checker::of(&hotel).price("past", 12_000).check().await;
    other.stop().await;
    history.check().await;
}

/// The resourceVersion of every object of Innkeeper's in a hotel.
async fn versions(hotel: &Hotel) -> BTreeMap<String, String> {
    let all = ListParams::default();
    let mut versions = BTreeMap::new();
    for r in hotel.reservations().list(&all).await.unwrap() {
        versions.insert(format!("reservation {}", r.name_any()), r.resource_version().unwrap());
    }
    for r in hotel.rooms().list(&all).await.unwrap() {
        versions.insert(format!("room {}", r.name_any()), r.resource_version().unwrap());
    }
    for c in hotel.calendars().list(&all).await.unwrap() {
        versions.insert(format!("calendar {}", c.name_any()), c.resource_version().unwrap());
    }
    versions
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_again_at_a_hotel_at_rest_writes_nothing_and_asks_the_provider_nothing() {
    let hotel = Hotel::open("rest").await;
    hotel.room("double", 2).await;
    hotel.room("single", 1).await;
    let operator = hotel.operator();
    for name in ["confirmed", "cancelled", "withdrawn", "confirmed-too", "rejected"] {
        let room = if ["confirmed-too", "rejected"].contains(&name) { "single" } else { "double" };
        hotel.reserve(name, room).await;
        ended(&hotel, name).await;
        match name {
            "cancelled" => hotel.cancel(name).await,
            "withdrawn" => hotel.delete(name).await,
            _ => {}
        }
    }
    hotel.reserve_with("declined", "double", |s| s.payment = pay_with("pm_card_chargeDeclined")).await;
    hotel.settled("declined", Reason::Rejected).await;
    hotel.settled("cancelled", Reason::Cancelled).await;
    hotel.gone("withdrawn").await;
    hotel.check().await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 1)).await;
    hotel.room_until("single", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 1)).await;
    operator.stop().await;

    let but_rooms = |mut all: BTreeMap<String, String>| {
        all.retain(|what, _| !what.starts_with("room "));
        all
    };
    let (before, calls) = (versions(&hotel).await, hotel.calls().await.len());
    // A Room's status is written at most so often: an operator may have ended with one still due, which the next one
    // writes; in two rounds there is nothing left to write at all.
    let mut rounds = 0;
    let mut last = None;
    loop {
        let operator = hotel.operator();
        operator.looks_again(5).await;
        operator.stop().await;
        let now = versions(&hotel).await;
        assert_eq!(but_rooms(now.clone()), but_rooms(before.clone()));
        if last.replace(now.clone()) == Some(now) {
            break;
        }
        rounds += 1;
        assert!(rounds < 5, "the Rooms are written again and again");
    }
    assert_eq!(hotel.calls().await.len(), calls);
    hotel.check().await;
}

/// Puts an entry into the first two nights of a calendar by hand. Whoever runs may take it out again at once.
async fn put_back(hotel: &Hotel, calendar: &str, holder: &str) {
    let mut found = hotel.calendars().get(calendar).await.unwrap();
    for night in found.spec.nights.iter_mut().take(2) {
        night.holders.push(holder.to_owned());
        night.holders.sort();
    }
    found.metadata.managed_fields = None;
    let stored = hotel.calendars().replace(calendar, &PostParams::default(), &found).await.unwrap();
    let entries = stored.spec.nights.iter().flat_map(|night| &night.holders);
    assert_eq!(entries.filter(|entry| entry.starts_with(holder)).count(), 2);
}

#[rstest]
#[case::while_the_operator_runs(true)]
#[case::while_it_is_away(false)]
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_put_back_by_hand_for_a_stay_that_has_ended_is_removed(#[case] running: bool) {
    let hotel = Hotel::open("put-back").await;
    hotel.room("double", 2).await;
    let mut operator = Some(hotel.operator());
    hotel.reserve("kay", "double").await;
    hotel.settled("kay", Reason::Confirmed).await;
    hotel.reserve("ken", "double").await;
    hotel.settled("ken", Reason::Confirmed).await;
    hotel.cancel("ken").await;
    let ken = hotel.settled("ken", Reason::Cancelled).await;
    if let Some(operator) = operator.take_if(|_| !running) {
        operator.stop().await;
    }
    put_back(&hotel, "double-2030-07", &uid(&ken)).await;
    let operator = operator.unwrap_or_else(|| hotel.operator());
    hotel.check().await;
    operator.stop().await;
}

/// Empties a calendar by hand and deletes it.
async fn tear_out(hotel: &Hotel, calendar: &str) {
    hotel.empty(calendar).await;
    hotel.calendars().delete(calendar, &kube::api::DeleteParams::default()).await.unwrap();
}

#[rstest]
#[case::while_the_operator_runs(true)]
#[case::while_it_is_away(false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_is_missing_is_made_anew_with_those_who_are_there(#[case] running: bool) {
    let hotel = Hotel::open("missing").await;
    hotel.room("double", 1).await;
    let mut operator = Some(hotel.operator());
    hotel.reserve("mia", "double").await;
    hotel.settled("mia", Reason::Confirmed).await;
    if let Some(operator) = operator.take_if(|_| !running) {
        operator.stop().await;
    }
    tear_out(&hotel, "double-2030-07").await;
    let operator = operator.unwrap_or_else(|| hotel.operator());
    // The next guest meets the one who is there, not an empty month.
    hotel.reserve("max", "double").await;
    let max = hotel.settled("max", Reason::Rejected).await;
    assert!(is(&max, &C::Ready, ConditionStatus::False, &Reason::OutOfStock));
    hotel.check().await;
    operator.stop().await;
}

/// Made empty, and filled by those who come by afterwards, it would end the same; in between it would be sold again.
#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_is_made_anew_has_its_guests_in_it_from_its_first_version() {
    let hotel = Hotel::open("missing-first").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    for name in ["pia", "quin"] {
        hotel.reserve(name, "double").await;
        hotel.settled(name, Reason::Confirmed).await;
    }
    let before = hotel.holders().await;
    operator.stop().await;
    tear_out(&hotel, "double-2030-07").await;

    let valve = Valve::stopping(1, Which::WritesOf("/roomcalendars"), Moment::After);
    let operator = hotel.operator_with(valve.on(&hotel.client), &hotel.provider.url());
    valve.reached().await;
    assert_eq!(hotel.holders().await, before, "as it was made");
    // Whoever comes now finds no unit.
    hotel.reserve("rolf", "double").await;
    valve.open();
    hotel.settled("rolf", Reason::Rejected).await;
    assert_eq!(hotel.holders().await, before);
    operator.stop().await;
    hotel.check().await;
}

/// Between reading the list and writing it somebody else puts theirs on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_that_somebody_else_adds_meanwhile_is_not_written_over() {
    let hotel = Hotel::open("both-finalizers").await;
    hotel.room("double", 1).await;
    hotel.reserve_born("pia", "double", false).await;
    let valve = Valve::stopping(1, Which::WritesOf("/reservations"), Moment::Before);
    let operator = hotel.operator_with(valve.on(&hotel.client), &hotel.provider.url());
    valve.reached().await;
    assert!(hotel.reservations().get("pia").await.unwrap().finalizers().is_empty());
    let theirs = json!({ "metadata": { "finalizers": ["test/theirs"] } });
    hotel.reservations().patch("pia", &PatchParams::default(), &Patch::Merge(theirs)).await.unwrap();
    valve.open();
    let pia = hotel.settled("pia", Reason::Confirmed).await;
    assert_eq!(pia.finalizers(), ["test/theirs", innkeeper_api::FINALIZER]);
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_that_somebody_took_off_a_booked_stay_is_put_back() {
    let hotel = Hotel::open("stripped").await;
    hotel.room("double", 1).await;
    let operator = hotel.operator();
    hotel.reserve("fin", "double").await;
    hotel.settled("fin", Reason::Confirmed).await;
    let strip = Patch::Merge(json!({ "metadata": { "finalizers": [] } }));
    hotel.reservations().patch("fin", &PatchParams::default(), &strip).await.unwrap();
    let there = |r: Option<&Reservation>| {
        r.is_some_and(|r| r.finalizers().iter().any(|f| f == innkeeper_api::FINALIZER))
    };
    hotel.until("fin", there).await;
    hotel.delete("fin").await;
    hotel.gone("fin").await;
    operator.stop().await;
    hotel.check().await;
}

/// Writes a status as another version of the operator might.
async fn write_raw(hotel: &Hotel, name: &str, status: Value) -> DynamicObject {
    let resource = ApiResource::erase::<Reservation>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(hotel.client.clone(), &hotel.namespace, &resource);
    let patch = Patch::Merge(json!({ "status": status }));
    api.patch_status(name, &PatchParams::default(), &patch).await.unwrap()
}

async fn read_raw(hotel: &Hotel, name: &str) -> DynamicObject {
    let resource = ApiResource::erase::<Reservation>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(hotel.client.clone(), &hotel.namespace, &resource);
    api.get(name).await.unwrap()
}

/// A condition as another version might write it.
fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": "From another version.",
        "lastTransitionTime": "2026-11-22T12:00:00Z", "observedGeneration": 1,
    })
}

/// A status whose outcome this version does not know.
fn of_another_version() -> Value {
    json!({ "phase": "Levitating", "observedGeneration": 1, "conditions": [condition("Settled", "True", "Levitated")] })
}

/// One that this version cannot even read: the API server does not check the hours of an offset.
fn unreadable() -> Value {
    json!({ "phase": "Confirmed", "deadline": "2026-11-22T12:00:00+99:99", "conditions": [] })
}

#[rstest]
#[case::an_outcome_that_is_not_known(of_another_version())]
#[case::a_status_that_cannot_be_read(unreadable())]
#[tokio::test(flavor = "multi_thread")]
async fn what_another_version_wrote_is_left_alone_and_stops_nobody_else(#[case] status: Value) {
    let hotel = Hotel::open("foreign").await;
    hotel.room("double", 1).await;
    hotel.reserve("zoe", "double").await;
    let before = write_raw(&hotel, "zoe", status).await;
    let operator = hotel.operator();
    hotel.reserve_with("yan", "double", |s| s.check_in = jiff::civil::date(2030, 7, 2)).await;
    // Read one by one: a list of all of them is not for this version.
    let begun = std::time::Instant::now();
    loop {
        let yan = hotel.reservations().get("yan").await.unwrap();
        if claimed(&yan).is_some() {
            assert!(is(&yan, &C::Settled, True, &Reason::Confirmed));
            break;
        }
        assert!(
            begun.elapsed() < crate::support::PATIENCE,
            "it waits for the one that cannot be read: {yan:#?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let after = read_raw(&hotel, "zoe").await;
    assert_eq!(after.resource_version(), before.resource_version(), "not touched");
    operator.stop().await;
    // What it says is nothing that the checker could hold it to.
    write_raw(&hotel, "zoe", json!({ "deadline": null })).await;
    Checker::of(&hotel).leaves("zoe").price("yan", 12_000).check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_is_made_anew_with_those_whose_status_this_version_cannot_read() {
    let hotel = Hotel::open("unread").await;
    hotel.room("double", 1).await;
    let operator = hotel.operator();
    hotel.reserve("una", "double").await;
    hotel.settled("una", Reason::Confirmed).await;
    operator.stop().await;
    write_raw(&hotel, "una", json!({ "deadline": "2026-11-22T12:00:00+99:99" })).await;
    tear_out(&hotel, "double-2030-07").await;
    let operator = hotel.operator();
    hotel.reserve("uli", "double").await;
    let begun = std::time::Instant::now();
    loop {
        let uli = hotel.reservations().get("uli").await.unwrap();
        if claimed(&uli).is_some() {
            assert!(is(&uli, &C::Ready, ConditionStatus::False, &Reason::OutOfStock), "{uli:#?}");
            break;
        }
        assert!(
            begun.elapsed() < crate::support::PATIENCE,
            "it waits for the one that cannot be read: {uli:#?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    operator.stop().await;
    write_raw(&hotel, "una", json!({ "deadline": "2026-11-22T12:00:00Z" })).await;
    hotel.check().await;
}
