//! An API server that is not as it should be: without the custom resources, and restarted in the middle of bookings.

use innkeeper_api::Reason;
use innkeeper_ops::config::Config;
use innkeeper_payments::sandbox::{self, Server};
use innkeeper_testbed::{ControlPlane, Options};

use crate::support::hotel::{Hotel, KEY};
use crate::support::process::{Files, Process};
use crate::support::{PROJECT, run};

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

/// Books and cancels while the API server goes away and comes back.
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
    let why = operator.answers("/readyz", |status, text| status == 503 && text.contains("installed")).await;
    assert!(why.contains("crds-installed: not installed: Room, Reservation, RoomCalendar"), "{why}");
    assert_eq!(operator.ask("/livez").await.map(|(status, _)| status), Some(200));

    run(control_plane.kubectl().args(["apply", "-k", &format!("{PROJECT}/crds")]));
    operator.leads().await;
    let standby = files.operator();
    standby.ready().await;
    books_through_a_restart(&control_plane, &hotel, &mut [operator, standby]).await;
}
