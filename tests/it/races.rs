//! Races: guests who change their minds, and hotels that change their Rooms, in the middle of it.

use innkeeper_api::{ConditionStatus, ConditionType, Reason, Room, RoomSpec};
use jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::PATIENCE;
use crate::support::checker::Checker;
use crate::support::gate::{CHARGE, Gate, REFUND, Side};
use crate::support::history::History;
use crate::support::hotel::{Hotel, is, uid};

use ConditionStatus::{False, True};
use ConditionType as C;

/// Nothing comes back on cancelling what was booked.
fn strict(room: &mut RoomSpec) {
    room.cancellation = serde_json::from_value(json!([{ "hoursBefore": 0, "refundPercent": 0 }])).unwrap();
}

#[rstest]
#[case::the_charge_is_on_its_way(Side::Request)]
#[case::the_answer_is_on_its_way(Side::Answer)]
#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_during_the_charge_has_everything_back_whatever_the_policy(#[case] side: Side) {
    let hotel = Hotel::open("cancel-charge").await;
    hotel.room_with("double", 1, strict).await;
    let gate = Gate::holding(hotel.provider.local_addr(), CHARGE, side, 1).await;
    let operator = hotel.operator_at(&gate.url());
    let history = History::of(&hotel).await;
    hotel.reserve("cora", "double").await;
    gate.held(1).await;
    hotel.cancel("cora").await;
    gate.release();
    let cora = hotel.settled("cora", Reason::Cancelled).await;
    assert!(is(&cora, &C::Ready, True, &Reason::Cancelled));
    assert_eq!(hotel.money_kept().await, 0);
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

#[rstest]
#[case::the_refund_is_on_its_way(Side::Request)]
#[case::the_answer_is_on_its_way(Side::Answer)]
#[tokio::test(flavor = "multi_thread")]
async fn deleting_during_the_refund_refunds_once_and_the_object_goes_afterwards(#[case] side: Side) {
    let hotel = Hotel::open("delete-refund").await;
    hotel.room("double", 1).await;
    let gate = Gate::holding(hotel.provider.local_addr(), REFUND, side, 1).await;
    let operator = hotel.operator_at(&gate.url());
    hotel.reserve("dina", "double").await;
    hotel.settled("dina", Reason::Confirmed).await;
    hotel.cancel("dina").await;
    gate.held(1).await;
    hotel.delete("dina").await;
    assert!(hotel.reservations().get_opt("dina").await.unwrap().is_some());
    gate.release();
    hotel.gone("dina").await;
    hotel.refund().await;
    operator.stop().await;
    hotel.check().await;
}

#[rstest]
#[case::cancelled_first(true)]
#[case::deleted_first(false)]
#[tokio::test(flavor = "multi_thread")]
async fn of_cancelling_and_deleting_the_earlier_one_decides_what_is_kept(#[case] cancelled_first: bool) {
    let hotel = Hotel::open("both").await;
    hotel.room_with("double", 1, strict).await;
    let operator = hotel.operator();
    hotel.reserve("bo", "double").await;
    hotel.settled("bo", Reason::Confirmed).await;
    operator.stop().await;
    if cancelled_first {
        hotel.cancel("bo").await;
        hotel.delete("bo").await;
    } else {
        hotel.delete("bo").await;
        let deleted = hotel.reservations().get("bo").await.unwrap().metadata.deletion_timestamp.unwrap().0;
        // The API server counts in seconds: in the same one, the guest's word counts.
        while Timestamp::now().as_second() <= deleted.as_second() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        hotel.cancel("bo").await;
    }
    let operator = hotel.operator();
    hotel.gone("bo").await;
    let kept = if cancelled_first { 24_000 } else { 0 };
    assert_eq!(hotel.money_kept().await, kept);
    operator.stop().await;
    Checker::of(&hotel).keeps("bo", kept).check().await;
}

async fn edit(hotel: &Hotel, room: &str, spec: Value) -> Room {
    let patch = Patch::Merge(json!({ "spec": spec }));
    hotel.rooms().patch(room, &PatchParams::default(), &patch).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_edited_during_the_charge_changes_neither_the_price_nor_the_terms() {
    let hotel = Hotel::open("edited").await;
    hotel.room("double", 1).await;
    let gate = Gate::holding(hotel.provider.local_addr(), CHARGE, Side::Request, 1).await;
    let operator = hotel.operator_at(&gate.url());
    let history = History::of(&hotel).await;
    hotel.reserve("ed", "double").await;
    gate.held(1).await;
    let dearer = json!({ "currency": "KRW", "minorUnits": 900_000 });
    let never = json!([{ "hoursBefore": 8784, "refundPercent": 0 }]);
    edit(&hotel, "double", json!({ "rate": dearer, "units": 2, "cancellation": never, "sale": "Stopped" }))
        .await;
    gate.release();
    let ed = hotel.settled("ed", Reason::Confirmed).await;
    assert_eq!(ed.status.unwrap().quote.unwrap().total, 24_000);
    hotel.check().await;
    hotel.cancel("ed").await;
    hotel.settled("ed", Reason::Cancelled).await;
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn below_what_is_sold_nothing_more_is_sold_and_stays_are_released_all_the_same() {
    let hotel = Hotel::open("lowered").await;
    hotel.room("double", 3).await;
    let history = History::of(&hotel).await;
    let operator = hotel.operator();
    for name in ["one", "two", "three"] {
        hotel.reserve(name, "double").await;
        hotel.settled(name, Reason::Confirmed).await;
    }
    edit(&hotel, "double", json!({ "units": 1 })).await;
    hotel
        .room_until("double", |r| {
            let status = r.status.as_ref();
            status.is_some_and(|s| s.conditions.is(&C::Available, False, &Reason::Oversold))
        })
        .await;
    hotel.check().await;

    hotel.reserve("four", "double").await;
    let four = hotel.settled("four", Reason::Rejected).await;
    assert!(is(&four, &C::Ready, False, &Reason::OutOfStock));
    hotel.cancel("one").await;
    hotel.settled("one", Reason::Cancelled).await;
    hotel.reserve("five", "double").await;
    hotel.settled("five", Reason::Rejected).await;
    for name in ["two", "three"] {
        hotel.delete(name).await;
        hotel.gone(name).await;
    }
    hotel.reserve("six", "double").await;
    hotel.settled("six", Reason::Confirmed).await;
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_with_stays_ahead_is_not_deleted_and_one_made_anew_takes_new_stays() {
    let hotel = Hotel::open("anew").await;
    hotel.room("double", 1).await;
    let operator = hotel.operator();
    hotel.reserve("olga", "double").await;
    hotel.settled("olga", Reason::Confirmed).await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 1)).await;
    let refused = hotel.rooms().delete("double", &DeleteParams::default()).await.unwrap_err();
    let kube::Error::Api(refused) = refused else { panic!("{refused}") };
    assert_eq!(refused.code, 403);
    assert!(refused.message.contains("Room double has 1 stays ahead"), "{}", refused.message);
    // As Argo CD prunes.
    let refused = hotel.rooms().delete("double", &DeleteParams::foreground()).await.unwrap_err();
    assert!(refused.to_string().contains("Room double has 1 stays ahead"), "{refused}");
    let calendar = hotel.calendars().delete("double-2030-07", &DeleteParams::foreground()).await.unwrap_err();
    assert!(calendar.to_string().contains("has holders"), "{calendar}");
    let calendar = hotel.calendars().delete("double-2030-07", &DeleteParams::default()).await.unwrap_err();
    assert!(calendar.to_string().contains("has holders"), "{calendar}");

    hotel.cancel("olga").await;
    hotel.settled("olga", Reason::Cancelled).await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 0)).await;
    hotel.rooms().delete("double", &DeleteParams::default()).await.unwrap();
    let anew = hotel.room("double", 1).await;
    hotel.reserve("nina", "double").await;
    hotel.settled("nina", Reason::Confirmed).await;
    let calendars = hotel.calendars().list(&ListParams::default()).await.unwrap();
    assert!(calendars.iter().all(|c| Some(&c.spec.room_uid) == anew.metadata.uid.as_ref()));

    hotel.delete("nina").await;
    hotel.gone("nina").await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 0)).await;
    hotel.rooms().delete("double", &DeleteParams::default()).await.unwrap();
    let emptied = async {
        while !hotel.calendars().list(&ListParams::default()).await.unwrap().items.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, emptied).await.expect("its calendars go with the Room");
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_takes_nights_only_in_its_own_property() {
    let there = Hotel::open("property-a").await;
    let mut here = Hotel::open("property-b").await;
    there.room("double", 1).await;
    here.config.operator.watch_namespaces = vec![there.namespace.clone()];
    let operator = here.operator();
    here.reserve("ina", "double").await;
    here.becomes("ina", C::Accepted, ConditionStatus::Unknown, Reason::RoomNotFound).await;
    assert_eq!(there.holders().await, []);
    assert!(here.accounts().await.is_empty(), "nothing is charged for a Room elsewhere");

    // The same name in both properties: two Rooms, and each guest is in their own.
    here.room("double", 1).await;
    here.settled("ina", Reason::Confirmed).await;
    let ina = there.reserve("ina", "double").await;
    there.settled("ina", Reason::Confirmed).await;
    assert!(there.holders().await.iter().all(|(_, h)| *h == uid(&ina)));
    assert_eq!((here.holders().await.len(), there.holders().await.len()), (2, 2));
    Checker::of(&there).paid_at(&here).check().await;

    here.cancel("ina").await;
    here.settled("ina", Reason::Cancelled).await;
    assert_eq!(there.holders().await.len(), 2, "releasing here releases nothing there");
    operator.stop().await;
    here.check().await;
    Checker::of(&there).paid_at(&here).check().await;
}
