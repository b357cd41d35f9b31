//! My Page is apart from the write side.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::civil::date;
use serde_json::Value;

use crate::support::door::{Answer, Door, stranger};
use crate::support::hotel::Hotel;
use crate::support::operator::{PodId, value};
use crate::support::report::say;
use crate::support::{SYSTEM, World, until};

/// How often My Page is read.
const READS: u32 = 200;
/// A gateway keeps so many watches, and begins each anew this often.
const WATCHES: f64 = 3.0;
const WATCHED_FOR: f64 = 30.0;

/// With nobody there who writes, My Page is as before; and reading it asks nothing of the API server.
pub async fn apart(world: &World) {
    world.installed();
    let (door, hotel) = (Door::open(world).await, Hotel::open(world, "my-page"));
    hotel.room("double", 2).await;
    let stay = ("double", date(2031, 8, 1), date(2031, 8, 3));
    door.shows_free(&hotel.namespace, stay, 2).await;
    let path = door.book(&hotel.namespace, stay, "anna").await.location.expect("it is booked");
    door.settled(&path, "Confirmed").await;
    door.shows_free(&hotel.namespace, stay, 1).await;
    let ours = |page: &Value| {
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|one| one["property"] == hotel.namespace.as_str())
    };
    let confirmed = |page: &Answer| ours(&page.body).is_some_and(|one| one["phase"] == "Confirmed");
    let before =
        door.everywhere("My Page has it", "/v1/reservations?guestID=anna&limit=100", confirmed).await;
    let shown = ours(&before.body).expect("seen just now");

    world.kubectl(&["-n", SYSTEM, "scale", "deployment/innkeeper-operator", "--replicas=0"]);
    until("no operator is left", async || match world.operators().await.len() {
        0 => Ok(()),
        n => Err(format!("{n} are")),
    })
    .await;
    let gateways = world.gateways().await;
    let (asked, begun_asking) = (asked_of(world, &gateways).await, Instant::now());
    let begun = Instant::now();
    for _ in 0..READS {
        // A connection each, so that every replica is asked.
        let page = door.request(&stranger(), reqwest::Method::GET, "/v1/reservations?guestID=anna&limit=100");
        let page = Door::send(page).await.unwrap();
        assert_eq!((page.status.as_u16(), ours(&page.body).as_ref()), (200, Some(&shown)), "{page:?}");
    }
    let lasted = begun.elapsed();
    let asked = asked_of(world, &gateways).await - asked;
    let watches = WATCHES * (begun_asking.elapsed().as_secs_f64() / WATCHED_FOR + 1.0);
    world.kubectl(&["-n", SYSTEM, "scale", "deployment/innkeeper-operator", "--replicas=2"]);
    world.rolled_out();
    let most = watches.ceil() * f64::from(u32::try_from(gateways.len()).unwrap());
    assert!(asked <= most, "{asked} requests to the API server, the watches have {most} at most");
    assert!(most < f64::from(READS), "too slow to show anything: {most}");
    world.shows(
        "S4",
        format!(
            "read {READS} times from {} gateways in {:.1} s while no operator ran, each time as before; {asked} requests to \
             the API server meanwhile, watches begun anew",
            gateways.len(),
            lasted.as_secs_f64()
        ),
    );
    say!("  {}", shown["history"]);
    hotel.close(world);
}

/// How many requests these gateways have sent to the API server.
async fn asked_of(world: &World, gateways: &BTreeSet<PodId>) -> f64 {
    let mut sum = 0.0;
    for pod in gateways {
        let metrics = world.metrics(&pod.name).await.unwrap();
        sum += value(&metrics, "rest_client_requests_total", "").unwrap_or_default();
    }
    sum
}
