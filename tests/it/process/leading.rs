//! Two operators and one Lease.

use innkeeper_api::Reason;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::json;

use crate::support::PATIENCE;
use crate::support::hotel::Hotel;
use crate::support::process::{Files, Process, value};

const NAME: &str = "innkeeper-operator";

fn leases(hotel: &Hotel) -> Api<Lease> {
    Api::namespaced(hotel.client.clone(), &hotel.namespace)
}

/// Waits until the Lease is as asked, and gives it.
async fn lease_until(hotel: &Hotel, is: impl Fn(&LeaseSpec) -> bool) -> LeaseSpec {
    let is = |lease: Option<&Lease>| lease.and_then(|l| l.spec.as_ref()).is_some_and(&is);
    let found = tokio::time::timeout(PATIENCE, await_condition(leases(hotel), NAME, is)).await;
    found.expect("the Lease comes to it").unwrap().unwrap().spec.unwrap()
}

fn leads(metrics: &str) -> Option<bool> {
    value(metrics, "leader_election_master_status", &[]).map(|is| is > 0.0)
}

/// Starts a leader, then a standby that has seen that it is one.
async fn two(files: &Files) -> (Process, Process) {
    let leader = files.operator();
    leader.leads().await;
    let standby = files.operator();
    standby.ready().await;
    standby.answers("/metrics", |_, text| leads(text) == Some(false)).await;
    (leader, standby)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leads_the_other_waits_and_takes_over_from_one_that_was_killed() {
    let hotel = Hotel::open("takeover").await;
    let (mut leader, standby) = two(&Files::of(&hotel)).await;
    hotel.room("double", 2).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    assert_eq!(
        value(&standby.metrics().await, "controller_runtime_reconcile_total", &[]),
        None,
        "it does nothing"
    );
    let before = lease_until(&hotel, |_| true).await;

    leader.signal("KILL");
    assert_eq!(leader.exit().await, None);
    hotel.reserve("ben", "double").await;
    hotel.settled("ben", Reason::Confirmed).await;
    assert_eq!(leads(&standby.metrics().await), Some(true));
    let after = lease_until(&hotel, |_| true).await;
    assert_ne!(after.holder_identity, before.holder_identity);
    assert_eq!(after.lease_transitions, before.lease_transitions.map(|n| n + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_asked_to_end_gives_the_lease_back() {
    let hotel = Hotel::open("handover").await;
    let mut files = Files::of(&hotel);
    // Longer than a test waits: who gets it has been given it.
    files.set("operator.lease.duration", json!("1h"));
    let (mut leader, standby) = two(&files).await;
    leader.signal("TERM");
    standby.leads().await;
    assert_eq!(leader.exit().await, Some(0));

    let mut last = standby;
    assert_eq!(last.terminate().await, Some(0));
    let spec = lease_until(&hotel, |_| true).await;
    assert_eq!(spec.holder_identity, None, "given back before the process ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_another_has_written_itself_into_is_lost_and_the_process_lives_and_gets_it_again() {
    let hotel = Hotel::open("usurped").await;
    let mut leader = Files::of(&hotel).operator();
    leader.leads().await;
    let other = json!({ "spec": { "holderIdentity": "somebody", "leaseDurationSeconds": 3 } });
    leases(&hotel).patch(NAME, &PatchParams::default(), &Patch::Merge(other)).await.unwrap();
    leader.says("no longer leading").await;
    assert!(leader.runs());
    leader.ready().await;

    // Somebody never renews it.
    leader.leads().await;
    hotel.room("double", 1).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    assert_eq!(leader.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_deleted_is_made_again_and_somebody_leads() {
    let hotel = Hotel::open("deleted").await;
    let (mut one, mut other) = two(&Files::of(&hotel)).await;
    let old = lease_until(&hotel, |_| true).await;
    leases(&hotel).delete(NAME, &DeleteParams::default()).await.unwrap();
    lease_until(&hotel, |spec| spec.acquire_time > old.acquire_time).await;
    hotel.room("double", 1).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    assert!(one.runs() && other.runs());
    // Whoever made it leads; if it was the other, the first has noticed.
    let both = async {
        loop {
            let leading = [leads(&one.metrics().await), leads(&other.metrics().await)];
            if leading.iter().filter(|leads| **leads == Some(true)).count() == 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("one of them leads");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_paused_past_its_lease_and_wakes_up_does_no_harm() {
    let hotel = Hotel::open("paused").await;
    let (leader, standby) = two(&Files::of(&hotel)).await;
    hotel.room("double", 1).await;
    hotel.reserve("anna", "double").await;
    hotel.until("anna", |r: Option<&innkeeper_api::Reservation>| r.is_some_and(|r| r.status.is_some())).await;
    leader.signal("STOP");
    standby.leads().await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.cancel("anna").await;
    hotel.reserve("ben", "double").await;
    hotel.settled("anna", Reason::Cancelled).await;

    leader.signal("CONT");
    leader.answers("/metrics", |_, text| leads(text) == Some(false)).await;
    let ben = hotel
        .until("ben", |r: Option<&innkeeper_api::Reservation>| {
            let settled = r
                .and_then(|r| r.status.as_ref())
                .and_then(|s| s.conditions.get(&innkeeper_api::ConditionType::Settled));
            settled.is_some_and(|c| c.status == innkeeper_api::ConditionStatus::True)
        })
        .await;
    let confirmed = ben.status.unwrap().conditions.reason(&innkeeper_api::ConditionType::Settled)
        == Some(&Reason::Confirmed);
    let (kept, held) = if confirmed { (24_000, 2) } else { (0, 0) };
    assert_eq!(hotel.money_kept().await, kept);
    assert_eq!(hotel.holders().await.len(), held);
    assert!(hotel.accounts().await.len() <= 2, "nobody was charged twice");
    assert_eq!(leads(&standby.metrics().await), Some(true));
}
