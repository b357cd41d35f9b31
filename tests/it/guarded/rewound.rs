//! A cluster that was put back to an earlier hour, and a copy of one: no money moves before a person has said so.

use std::time::Duration;

use innkeeper_api::{ConditionStatus, ConditionType, Reason};
use innkeeper_booking::provider::{Charge, Tags};
use innkeeper_payments::driver::{ApiKey, Stripe, StripeConfig};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::halt;
use crate::support::hotel::{Hotel, INSTALLATION, KEY};
use crate::support::process::Files;
use crate::support::{eventually_async, own_control_plane};

async fn acknowledge(hotel: &Hotel, id: &str) {
    let config_maps: Api<ConfigMap> = Api::namespaced(hotel.client.clone(), &hotel.namespace);
    let patch =
        Patch::Merge(json!({ "metadata": { "annotations": { "innkeeper.dev/money-acknowledged": id } } }));
    config_maps.patch(INSTALLATION, &PatchParams::default(), &patch).await.unwrap();
}

async fn captures(hotel: &Hotel) -> usize {
    hotel.accounts().await.iter().filter(|a| a.intent.amount_received > 0).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_that_the_cluster_has_never_heard_of_stop_all_money_until_a_person_acknowledges_it() {
    let hotel = Hotel::open("clone").await;
    hotel.room("double", 5).await;
    let files = Files::of(&hotel);
    let mut operator = files.operator();
    operator.leads().await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    operator.terminate().await;
    // The cluster that this one is a copy of goes on, with the same installation at the same provider.
    let config_maps: Api<ConfigMap> = Api::namespaced(hotel.client.clone(), &hotel.namespace);
    let installation = config_maps.get(INSTALLATION).await.unwrap().data.unwrap()["id"].clone();
    let config = StripeConfig { api_base: hotel.provider.url(), ..StripeConfig::new(ApiKey::new(KEY)) };
    let tags = Tags {
        installation,
        namespace: hotel.namespace.clone(),
        name: "elsewhere".to_owned(),
        uid: "00000000-0000-4000-8000-000000000000".to_owned(),
        check_in: "2030-07-01".parse().unwrap(),
    };
    let charge = Charge {
        tags,
        attempt: 1,
        amount: 24_000,
        currency: "EUR".to_owned(),
        method: "pm_card_visa".to_owned(),
    };
    Stripe::new(&config).unwrap().charge(&charge).await.unwrap();

    let mut operator = files.operator();
    operator.leads().await;
    hotel.reserve("bea", "double").await;
    hotel.becomes("bea", ConditionType::Paid, ConditionStatus::False, Reason::MoneyHalted).await;
    // A guest's own cancelling waits as well.
    hotel.cancel("anna").await;
    hotel.becomes("anna", ConditionType::Refunded, ConditionStatus::False, Reason::MoneyHalted).await;
    let id = halt(&hotel.client, &hotel.namespace).await.expect("the halt is stored");
    assert!(id.starts_with("rewound-"), "{id}");
    operator.says("money is halted until a person has acknowledged it").await;
    let metric = "innkeeper_money_halted{because=\"rewound\"} 1";
    operator.answers("/metrics", |_, text| text.contains(metric)).await;
    // It outlives the process, although the Lease is a new one by then.
    operator.signal("KILL");
    operator.exit().await;
    let mut operator = files.operator();
    operator.answers("/metrics", |_, text| text.contains(metric)).await;
    assert_eq!(captures(&hotel).await, 2);
    assert_eq!(hotel.money_kept().await, 48_000);

    acknowledge(&hotel, &id).await;
    hotel.settled("bea", Reason::Confirmed).await;
    hotel.settled("anna", Reason::Cancelled).await;
    operator.terminate().await;
    assert_eq!(halt(&hotel.client, &hotel.namespace).await, None);
    // Acknowledged once, it is not asked again.
    let mut operator = files.operator();
    operator.leads().await;
    hotel.reserve("carl", "double").await;
    hotel.settled("carl", Reason::Confirmed).await;
    operator.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_was_put_back_is_noticed_and_nobody_is_charged_again() {
    let control_plane = own_control_plane();
    let hotel = Hotel::open_on(&control_plane, "rewound").await;
    hotel.room("double", 5).await;
    let files = Files::on(&hotel, control_plane.kubeconfig());
    let mut operator = files.operator();
    operator.leads().await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    operator.signal("KILL");
    operator.exit().await;
    control_plane.keep_etcd().unwrap();

    // An hour that will not have been.
    let mut operator = files.operator();
    operator.leads().await;
    hotel.reserve("bea", "double").await;
    let bea = hotel.settled("bea", Reason::Confirmed).await;
    operator.signal("KILL");
    operator.exit().await;
    control_plane.put_etcd_back().unwrap();
    let hotel = Hotel { client: control_plane.client(), ..hotel };
    assert!(hotel.reservations().get_opt("bea").await.unwrap().is_none(), "it has never been");

    // Bea books again, or Git applies her again.
    hotel
        .reservations()
        .create(&kube::api::PostParams::default(), &innkeeper_api::Reservation::new("bea", bea.spec))
        .await
        .unwrap();
    let mut operator = files.operator();
    operator.leads().await;
    hotel.becomes("bea", ConditionType::Stalled, ConditionStatus::True, Reason::AlreadyCharged).await;
    hotel.reserve("carl", "double").await;
    hotel.becomes("carl", ConditionType::Paid, ConditionStatus::False, Reason::MoneyHalted).await;
    assert_eq!(captures(&hotel).await, 2, "Anna's and Bea's, once each");
    let mut id = None;
    let stored = async || {
        id = halt(&hotel.client, &hotel.namespace).await;
        id.is_some()
    };
    assert!(eventually_async(stored).await);
    let adopt =
        Patch::Merge(json!({ "metadata": { "annotations": { "innkeeper.dev/already-charged": "adopt" } } }));
    hotel.reservations().patch("bea", &PatchParams::default(), &adopt).await.unwrap();
    acknowledge(&hotel, &id.unwrap()).await;
    hotel.settled("bea", Reason::Confirmed).await;
    hotel.settled("carl", Reason::Confirmed).await;
    operator.terminate().await;
    hotel.check().await;
    assert_eq!((captures(&hotel).await, hotel.money_kept().await), (3, 72_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_checked_before_the_first_refund_of_a_new_leader() {
    const LEASE: Duration = Duration::from_secs(2);
    let hotel = Hotel::open("new-leader").await;
    hotel.room("double", 1).await;
    let first = hotel.operator_in_turn(hotel.client.clone(), &hotel.provider.url(), LEASE);
    hotel.reserve("nora", "double").await;
    hotel.settled("nora", Reason::Confirmed).await;
    first.stop().await;
    hotel.cancel("nora").await;

    // The list of payments is all that the past can be seen in. No refund needs it for itself.
    let list = json!({ "method": "GET", "path": "/v1/payment_intents" });
    let blind = hotel.faults(&list, &json!({ "kind": "server_error", "when": "before" }), None);
    let second = hotel.operator_in_turn(hotel.client.clone(), &hotel.provider.url(), LEASE);
    hotel.struck(blind, 2).await;
    hotel.becomes("nora", ConditionType::Settled, ConditionStatus::False, Reason::Cancelling).await;
    second.looks_at(&hotel, "nora").await;
    assert_eq!(hotel.money_kept().await, 24_000, "nothing goes back before the past is known");
    hotel.desk().remove_faults(Some(blind));
    hotel.settled("nora", Reason::Cancelled).await;
    let calls = hotel.calls().await;
    let refund = calls.iter().position(|c| c.method == "POST" && c.path == "/v1/refunds").unwrap();
    let lists = calls[..refund].iter().filter(|c| c.method == "GET" && c.path == "/v1/payment_intents");
    assert_eq!(lists.clone().next_back().and_then(|c| c.status), Some(200), "{calls:#?}");
    assert!(lists.filter(|c| c.fault.is_some()).count() >= 2);
    assert_eq!(calls.iter().filter(|c| c.method == "POST" && c.path == "/v1/refunds").count(), 1);
    second.stop().await;
    hotel.check().await;
}
