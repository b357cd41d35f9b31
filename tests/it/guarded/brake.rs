//! Money that goes out unasked, above a number a day: it waits until a person has acknowledged exactly that.

use innkeeper_api::{ConditionStatus, ConditionType, Reason};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};

use super::{acknowledge, halted, install};
use crate::support::hotel::{Hotel, Running, is};
use crate::support::{eventually_async, own_control_plane};

async fn refunded(hotel: &Hotel) -> usize {
    hotel.accounts().await.iter().filter(|a| !a.refunds.is_empty()).count()
}

/// How many Reservations wait at the brake.
async fn waiting(hotel: &Hotel) -> usize {
    let all = hotel.reservations().list(&ListParams::default()).await.unwrap();
    let waits = |r: &&innkeeper_api::Reservation| {
        is(r, &ConditionType::Refunded, ConditionStatus::False, &Reason::MoneyHalted)
            && is(r, &ConditionType::Stalled, ConditionStatus::True, &Reason::MoneyHalted)
    };
    all.items.iter().filter(waits).count()
}

async fn left(hotel: &Hotel) -> usize {
    hotel.reservations().list(&ListParams::default()).await.unwrap().items.len()
}

/// A hotel with so many stays, that gives two payments a day back unasked.
async fn hotel(prefix: &str, stays: usize) -> (Hotel, Running) {
    booked(Hotel::open(prefix).await, stays).await
}

async fn booked(mut hotel: Hotel, stays: usize) -> (Hotel, Running) {
    hotel.config.payments.brake.unasked_per_day = 2;
    install(&hotel).await;
    hotel.room("double", 20).await;
    let operator = hotel.operator();
    for n in 0..stays {
        hotel.reserve(&format!("stay-{n}"), "double").await;
    }
    for n in 0..stays {
        hotel.settled(&format!("stay-{n}"), Reason::Confirmed).await;
    }
    (hotel, operator)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hotel_that_is_deleted_is_refunded_only_once_a_person_has_said_so() {
    let (hotel, operator) = hotel("brake", 5).await;
    for name in ["guest", "late"] {
        hotel.reserve(name, "double").await;
        hotel.settled(name, Reason::Confirmed).await;
    }
    // As a namespace that is removed deletes them.
    for n in 0..5 {
        hotel.delete(&format!("stay-{n}")).await;
    }
    assert!(eventually_async(async || waiting(&hotel).await == 3).await, "three wait");
    assert_eq!(refunded(&hotel).await, 2);
    let id = halted(&hotel).await;
    assert!(operator.metrics.text().contains("innkeeper_money_halted{because=\"outgoing\"} 1"));
    let waits = "innkeeper_reservations_waiting_for_a_person{reason=\"MoneyHalted\"} 3";
    assert!(eventually_async(async || operator.metrics.text().contains(waits)).await, "nobody is alerted");
    let events: Api<Event> = Api::namespaced(hotel.client.clone(), &hotel.namespace);
    let told = async || {
        let events = events.list(&ListParams::default()).await.unwrap();
        let about = |kind: &str| {
            events.items.iter().any(|e| {
                e.reason.as_deref() == Some("MoneyHalted")
                    && e.regarding.as_ref().and_then(|r| r.kind.as_deref()) == Some(kind)
            })
        };
        about("ConfigMap") && about("Reservation")
    };
    assert!(eventually_async(told).await, "no Event tells of it");

    // What a guest asks back goes, and what was sold out too.
    hotel.cancel("guest").await;
    hotel.settled("guest", Reason::Cancelled).await;
    hotel.room("attic", 1).await;
    for name in ["first", "second"] {
        hotel.reserve(name, "attic").await;
        let end = if name == "first" { Reason::Confirmed } else { Reason::Rejected };
        hotel.settled(name, end).await;
    }
    assert_eq!(refunded(&hotel).await, 4);

    // Another halt's name releases nothing, and neither does a new process.
    acknowledge(&hotel, "outgoing-2020-01-01T00:00:00Z").await;
    operator.stop().await;
    let operator = hotel.operator();
    operator.looks_again(8).await;
    assert_eq!(halted(&hotel).await, id, "the halt outlives its process");
    assert_eq!((waiting(&hotel).await, refunded(&hotel).await), (3, 4));

    acknowledge(&hotel, &id).await;
    assert!(eventually_async(async || left(&hotel).await == 4).await, "all who waited have gone");
    assert!(operator.metrics.text().contains("innkeeper_money_halted{because=\"outgoing\"} 0"));
    assert_eq!(refunded(&hotel).await, 7);
    hotel.delete("late").await;
    hotel.gone("late").await;
    operator.stop().await;
    hotel.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_lets_out_what_waited_and_does_not_disarm_the_brake() {
    let (hotel, operator) = hotel("rearmed", 9).await;
    for n in 0..4 {
        hotel.delete(&format!("stay-{n}")).await;
    }
    assert!(eventually_async(async || waiting(&hotel).await == 2).await, "two wait");
    let first = halted(&hotel).await;
    acknowledge(&hotel, &first).await;
    assert!(eventually_async(async || left(&hotel).await == 5).await, "the first four are gone");
    for n in 4..9 {
        hotel.delete(&format!("stay-{n}")).await;
    }
    assert!(eventually_async(async || waiting(&hotel).await == 3).await, "two more went, three wait");
    let second = halted(&hotel).await;
    assert_ne!(first, second, "the word that was given before does not count for this one");
    assert_eq!(refunded(&hotel).await, 6);
    acknowledge(&hotel, &second).await;
    assert!(eventually_async(async || left(&hotel).await == 0).await, "all are gone");
    assert_eq!(hotel.money_kept().await, 0);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_has_let_out_is_counted_from_the_providers_list() {
    let (hotel, operator) = hotel("counted", 4).await;
    for n in 0..2 {
        hotel.delete(&format!("stay-{n}")).await;
        hotel.gone(&format!("stay-{n}")).await;
    }
    operator.stop().await;
    let operator = hotel.operator();
    hotel.reservations().delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    assert!(eventually_async(async || waiting(&hotel).await == 2).await, "both wait");
    assert_eq!(refunded(&hotel).await, 2);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_is_deleted_gives_no_season_back_before_a_person_has_said_so() {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

    let control_plane = own_control_plane();
    let (hotel, operator) = booked(Hotel::open_on(&control_plane, "definition").await, 5).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(hotel.client.clone());
    definitions.delete("reservations.innkeeper.dev", &DeleteParams::foreground()).await.unwrap();
    assert!(eventually_async(async || waiting(&hotel).await == 3).await, "three wait");
    let id = halted(&hotel).await;
    operator.looks_again(8).await;
    assert_eq!((refunded(&hotel).await, waiting(&hotel).await), (2, 3));
    acknowledge(&hotel, &id).await;
    let gone = async || definitions.get_opt("reservations.innkeeper.dev").await.unwrap().is_none();
    assert!(eventually_async(gone).await, "the definition waits for its last Reservation, and then goes");
    assert_eq!((refunded(&hotel).await, hotel.money_kept().await), (5, 0));
    assert!(eventually_async(async || hotel.holders().await.is_empty()).await, "their nights are free");
    operator.stop().await;
}
