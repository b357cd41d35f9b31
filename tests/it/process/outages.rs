//! What the operator depends on is not as it should be: an API server without the custom resources, or restarted in the
//! middle of bookings; a provider that never answers.

use innkeeper_api::Reason;
use innkeeper_ops::config::Config;
use innkeeper_payments::sandbox::{self, Fault, Kind, Match, Server, When};
use innkeeper_testbed::{ControlPlane, Options};
use serde_json::json;

use crate::support::hotel::{Hotel, KEY};
use crate::support::process::{Files, Process};
use crate::support::{PATIENCE, PROJECT, run};

async fn hotel_on(control_plane: &ControlPlane) -> Hotel {
    let key = sandbox::ApiKey::parse(KEY).unwrap();
    Hotel {
        namespace: control_plane.namespace("outage"),
        client: control_plane.client(),
        provider: Server::start(sandbox::Config::new(key)).await.unwrap(),
        config: Config::default(),
        clock: innkeeper_operator::system_clock(),
    }
}

/// A provider that takes requests (of one method, or all) and never answers, and files with the longest patience for it.
fn hanging(hotel: &Hotel, method: Option<&str>) -> Files {
    let hang = Kind::Hang { when: When::Before };
    let matches = Match { method: method.map(str::to_owned), ..Match::default() };
    hotel.provider.provider().add_fault(Fault { matches, fault: hang, skip: 0, times: None });
    let mut files = Files::of(hotel);
    files.set("payments.requestTimeout", json!("5m"));
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_never_answers_keeps_nobody_from_starting() {
    let hotel = Hotel::open("hanging").await;
    let mut operator = hanging(&hotel, None).operator();
    operator.leads().await;
    assert_eq!(operator.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_is_never_answered_is_left_to_the_next_one_when_draining_takes_too_long() {
    let hotel = Hotel::open("hanging").await;
    let files = hanging(&hotel, Some("POST"));
    let mut operator = files.operator();
    operator.leads().await;
    hotel.room("double", 1).await;
    let provider = hotel.provider.provider();
    let mut activity = provider.activity();
    hotel.reserve("anna", "double").await;
    let sent = activity.wait_for(|_| provider.faults().iter().any(|f| f.hits > 0));
    tokio::time::timeout(PATIENCE, sent).await.expect("the charge is sent").unwrap();
    assert_eq!(operator.terminate().await, Some(0));
    operator.says("draining took too long").await;

    provider.remove_faults(None);
    let _next = files.operator();
    hotel.settled("anna", Reason::Confirmed).await;
    assert_eq!(hotel.accounts().await.len(), 1);
    assert_eq!(hotel.money_kept().await, 24_000);
}

/// Books while the API server goes away and comes back.
async fn books_through_a_restart(control_plane: &ControlPlane, hotel: &Hotel, operators: &mut [Process]) {
    const GUESTS: u32 = 12;
    hotel.room("double", GUESTS / 2).await;
    for guest in 0..GUESTS {
        hotel.reserve(&format!("guest-{guest}"), "double").await;
    }
    control_plane.restart_apiserver().unwrap();
    let mut confirmed = 0;
    for guest in 0..GUESTS {
        let settled = innkeeper_api::ConditionType::Settled;
        let one = hotel
            .until(&format!("guest-{guest}"), |r: Option<&innkeeper_api::Reservation>| {
                let status = r.and_then(|r| r.status.as_ref());
                let settled = status.and_then(|s| s.conditions.get(&settled));
                settled.is_some_and(|c| c.status == innkeeper_api::ConditionStatus::True)
            })
            .await;
        confirmed += i64::from(one.status.unwrap().conditions.reason(&settled) == Some(&Reason::Confirmed));
    }
    assert_eq!(confirmed, i64::from(GUESTS / 2));
    assert_eq!(hotel.money_kept().await, confirmed * 24_000);
    assert_eq!(hotel.accounts().await.len(), GUESTS as usize, "everybody was charged once");
    assert_eq!(hotel.holders().await.len(), GUESTS as usize);
    for operator in operators {
        assert!(operator.runs());
        operator.ready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_resources_it_waits_and_says_so_and_bookings_outlive_a_restart_of_the_api_server() {
    let control_plane =
        tokio::task::spawn_blocking(|| ControlPlane::start(Options::default())).await.unwrap().unwrap();
    let hotel = hotel_on(&control_plane).await;
    let files = Files::on(&hotel, control_plane.kubeconfig());
    let operator = files.operator();
    operator.says("not installed: Room, Reservation, RoomCalendar").await;
    let why =
        operator.answers("/readyz", |status, text| status == 503 && text.contains("not installed")).await;
    assert!(why.contains("crds-installed: not installed: Room, Reservation, RoomCalendar"), "{why}");
    assert_eq!(operator.ask("/livez").await.map(|(status, _)| status), Some(200));

    run(control_plane.kubectl().args(["apply", "-k", &format!("{PROJECT}/crds")]));
    operator.leads().await;
    let standby = files.operator();
    standby.ready().await;
    books_through_a_restart(&control_plane, &hotel, &mut [operator, standby]).await;
}
