//! The API server is away, or there is too much to do.

use std::time::Duration;

use innkeeper_ops::config::Config;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;

use super::front::{ACME, Answer, Front, RIVAL, config, stay};
use super::guests::Reception;
use crate::support::hotel::Hotel;
use crate::support::process::value;
use crate::support::valve::{Moment, Valve, Which};
use crate::support::wire::Wire;
use crate::support::{control_plane, eventually, eventually_async};

/// A gateway that notices soon that its watches are lost, and tries writes again soon.
fn watchful(hotel: &Hotel) -> Config {
    let mut config = config(hotel);
    config.gateway.model.watch_for = Duration::from_secs(1);
    config.gateway.model.stale_after = Duration::from_secs(5);
    config.gateway.breaker.failures = 2;
    config.gateway.breaker.open_for = Duration::from_millis(500);
    config
}

/// How far behind the metrics say it is, in seconds.
fn behind(front: &Front) -> Option<f64> {
    value(&front.metrics.text(), "innkeeper_gateway_read_model_age_seconds", &[])
}

fn open(front: &Front) -> bool {
    value(&front.metrics.text(), "innkeeper_gateway_breaker_open", &[]) == Some(1.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_api_server_reads_go_on_nothing_is_sold_and_it_all_comes_back_by_itself() {
    let hotel = Hotel::open("wire-cut").await;
    let _operator = hotel.operator();
    hotel.room("double", 3).await;
    let wire = Wire::to(control_plane()).await;
    let front = Front::start(&hotel, watchful(&hotel), wire.client().await).await;
    front.ready().await;
    assert!(eventually(|| behind(&front).is_some_and(|age| age < 5.0)).await, "{:?}", behind(&front));
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    let before = front.settled(&path, ACME).await;

    wire.cut();
    let unready = eventually(|| !front.health.missing().is_empty()).await;
    assert!(unready, "it never noticed");
    let why = front.health.missing().join(" ");
    assert!(why.contains("read-model: no sign of"), "{why}");
    let told = eventually(|| behind(&front).is_some_and(|age| age >= 5.0)).await;
    assert!(told, "the metric does not say so: {:?}", behind(&front));
    let age = |answer: &Answer| answer.header("age").parse::<u64>().unwrap();
    let read = front.get(&path, ACME).await;
    assert_eq!((read.status.as_u16(), &read.body), (200, &before), "from memory");
    assert!(age(&read) >= 5, "and says how old it is: {read:?}");
    assert_eq!(front.get("/v1/reservations", ACME).await.status, 200);
    // What is not known to be free is not shown as free, and not sold.
    let refused = [front.search("").await, front.book(ACME, "key-of-ben-", &stay("double")).await];
    for answer in refused {
        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "stale"));
        assert_ne!(answer.header("retry-after"), "");
    }

    // Meanwhile somebody else books.
    hotel.reserve("carl", "double").await;
    hotel.settled("carl", innkeeper_api::Reason::Confirmed).await;
    wire.mend();
    front.ready().await;
    assert!(eventually(|| behind(&front).is_some_and(|age| age < 5.0)).await, "{:?}", behind(&front));
    let seen = eventually_async(async || front.search("").await.body["rooms"][0]["free"] == 1).await;
    assert!(seen, "what happened in between is known");
    let ben = front.book(ACME, "key-of-ben-", &stay("double")).await;
    assert_eq!(ben.status, 201, "{ben:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_fail_fast_while_the_api_server_is_away_and_one_is_let_through_to_see() {
    let hotel = Hotel::open("wire-writes").await;
    hotel.room("double", 9).await;
    let wire = Wire::to(control_plane()).await;
    let mut config = watchful(&hotel);
    // This is about writes: what is known stays good enough to sell from.
    config.gateway.model.stale_after = Duration::from_secs(3600);
    let front = Front::start(&hotel, config, wire.client().await).await;
    front.ready().await;
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();

    wire.cut();
    let cancellation = format!("{path}/cancellation");
    for n in 0..2 {
        let failed = front.book(ACME, &format!("key-number-{n}"), &stay("double")).await;
        assert_eq!((failed.status.as_u16(), failed.problem()), (503, "unavailable"));
        assert_ne!(failed.header("retry-after"), "");
    }
    assert!(open(&front));
    // Until one of them is turned away without being sent; the others were sent to see.
    let held_back = eventually_async(async || {
        let answer = front.post(&cancellation, ACME, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable"));
        answer.body["detail"].as_str().unwrap().contains("Nothing was changed")
    });
    assert!(held_back.await);
    assert!(value(&front.metrics.text(), "innkeeper_gateway_shed_total", &[("why", "breaker")]) >= Some(1.0));
    assert_eq!(front.get(&path, ACME).await.status, 200);

    wire.mend();
    let cancelled = eventually_async(async || {
        let answer = front.post(&cancellation, ACME, &json!({})).await;
        answer.status == 202
    });
    assert!(cancelled.await, "it never closed");
    assert!(!open(&front));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_everything_is_listed_it_is_not_ready_and_sells_nothing() {
    let hotel = Hotel::open("wire-first").await;
    hotel.room("double", 3).await;
    let wire = Wire::to(control_plane()).await;
    wire.cut();
    let front = Front::start(&hotel, config(&hotel), wire.client().await).await;
    let search = front.search("").await;
    assert_eq!((search.status.as_u16(), search.problem()), (503, "stale"));
    let told = eventually(|| front.health.missing().join(" ").contains("rooms in")).await;
    assert!(told, "{:?}", front.health.missing());
    let why = front.health.missing().join(" ");
    for kind in ["rooms", "roomcalendars", "reservations"] {
        assert!(why.contains(&format!("{kind} in {} not listed yet", hotel.namespace)), "{why}");
    }
    wire.mend();
    front.ready().await;
    assert_eq!(front.search("").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_can_be_answered_well_is_turned_away_at_once() {
    let hotel = Hotel::open("too-much").await;
    hotel.room("double", 3).await;
    let valve = Valve::stopping(1, Which::WritesOf("/reservations"), Moment::Before);
    let mut config = config(&hotel);
    config.gateway.limits.in_flight = 1;
    config.gateway.limits.streams = 1;
    let front = Front::start(&hotel, config, valve.on(&hotel.client)).await;
    front.ready().await;
    let booking = tokio::spawn(front.booking(ACME, "key-of-anna", &stay("double")).send());
    valve.reached().await;
    let busy = front.search("").await;
    assert_eq!((busy.status.as_u16(), busy.problem(), busy.header("retry-after")), (503, "busy", "1"));
    valve.open();
    let booked = booking.await.unwrap().unwrap();
    assert_eq!(booked.status(), 201);
    let path = booked.headers()["location"].to_str().unwrap().to_owned();
    // Following takes no place of those who ask; it has its own.
    let events = format!("{path}/events");
    let following = front.request(Method::GET, &events, ACME).send().await.unwrap();
    assert_eq!(following.status(), 200);
    let calm = eventually_async(async || front.search("").await.status == 200).await;
    assert!(calm);
    let second = front.get(&events, ACME).await;
    assert_eq!((second.status.as_u16(), second.problem()), (503, "busy"));
    drop(following);
    let freed = eventually_async(async || {
        front.request(Method::GET, &events, ACME).send().await.unwrap().status() == 200
    });
    assert!(freed.await, "its place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_asks_too_often_is_held_back_and_another_guest_of_the_same_address_is_not() {
    let hotel = Hotel::open("too-often-guest").await;
    let reception = Reception::open().await;
    let mut config = reception.config(&hotel);
    config.gateway.rates.identity_per_minute = 2;
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    let mut anna = reception.guest(&front, "Anna").await;
    let told = eventually_async(async || {
        let more = anna.get(&front, "/v1/reservations").await;
        if more.status != 429 {
            return false;
        }
        assert_eq!((more.problem(), more.header("ratelimit")), ("too-many-requests", "\"identity\";r=0"));
        assert_eq!(more.header("ratelimit-policy"), "\"identity\";q=2;w=60");
        let wait: u64 = more.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        true
    });
    assert!(told.await);
    // Who he is was asked once; so one is left.
    let mut ben = reception.guest(&front, "Ben").await;
    assert_eq!(ben.get(&front, "/v1/reservations").await.status, 200);
}

/// The watch is held when it is begun anew, and what is written does not come back over it.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_answered_though_reads_do_not_show_it_yet_and_is_shown_when_they_do() {
    let hotel = Hotel::open("wire-slow").await;
    hotel.room("double", 3).await;
    let valve = Valve::stopping(2, Which::WatchesOf("/reservations"), Moment::Before);
    let mut config = config(&hotel);
    config.gateway.model.watch_for = Duration::from_secs(1);
    config.gateway.model.stale_after = Duration::from_secs(3600);
    config.gateway.model.own_writes_within = Duration::from_millis(100);
    let front = Front::start(&hotel, config, valve.on(&hotel.client)).await;
    front.ready().await;
    valve.reached().await;
    let booked = front.book(ACME, "key-of-anna", &stay("double")).await;
    assert_eq!(booked.status, 201, "{booked:?}");
    let path = booked.header("location").to_owned();
    let unseen = front.get(&path, ACME).await;
    assert_eq!((unseen.status.as_u16(), unseen.problem()), (404, "not-found"));
    // Repeated, it is the same booking.
    let again = front.book(ACME, "key-of-anna", &stay("double")).await;
    assert_eq!((again.status.as_u16(), again.header("location")), (200, path.as_str()), "{again:?}");
    valve.open();
    front.until(&path, ACME, |answer| answer.status == 200).await;
    let all = hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 1);
}

/// The bound on waiting is nothing, so that every wait is too long: what is measured, the rule and the layer are the real
/// ones, and how fast the machine is does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn while_everybody_waits_too_long_a_part_is_turned_away_at_once_and_the_rest_answered() {
    let hotel = Hotel::open("too-slow").await;
    hotel.room("double", 3).await;
    let mut config = config(&hotel);
    config.gateway.limits.wait = Duration::ZERO;
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    let fewest = || value(&front.metrics.text(), "innkeeper_gateway_admitted_ratio", &[]) == Some(0.05);
    assert!(eventually(fewest).await, "{}", front.metrics.text());
    front.ready().await;
    let mut answered = 0;
    for _ in 0..100 {
        let answer = front.search("").await;
        if answer.status == 200 {
            answered += 1;
            continue;
        }
        assert_eq!(
            (answer.status.as_u16(), answer.problem(), answer.header("retry-after")),
            (503, "busy", "1")
        );
        // Nothing was done for it: it was not even counted for its address.
        assert_eq!(answer.header("ratelimit"), "");
        assert_ne!(answer.header("x-request-id"), "");
    }
    assert!((4..=6).contains(&answered), "one in twenty is let in: {answered}");
    let text = front.metrics.text();
    let shed = value(&text, "innkeeper_gateway_shed_total", &[("why", "overload")]);
    assert_eq!(shed, Some(f64::from(100 - answered)));
    assert!(value(&text, "innkeeper_gateway_wait_seconds", &[]) > Some(0.0));
    // Of bookings, who are further on the way, fewer.
    let mut booked = 0;
    for n in 0..10 {
        let answer = front.book(ACME, &format!("key-number-{n}"), &stay("double")).await;
        booked += u32::from(answer.status != 503);
    }
    assert!((1..=2).contains(&booked), "one in ten is let in: {booked}");
    // What pages are dressed in, and what the kubelet asks, is not turned away.
    for _ in 0..20 {
        assert_eq!(front.get("/openapi.json", "").await.status, 200);
    }
    assert_eq!(front.health.missing(), [""; 0]);
    // People get a page.
    let page = front.request(Method::GET, "/", "").header("accept", "text/html");
    let page = eventually_async(async || {
        let page = front.send(page.try_clone().unwrap()).await;
        page.status == 503 && page.header("retry-after") == "1" && page.text.contains("<h1>")
    });
    assert!(page.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_are_places_for_are_told_so_and_closed() {
    let hotel = Hotel::open("too-many").await;
    hotel.room("double", 3).await;
    let mut config = config(&hotel);
    config.gateway.limits.connections = 1;
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    let address = front.url.strip_prefix("http://").unwrap();
    let held = TcpStream::connect(address).await.unwrap();
    let taken = || value(&front.metrics.text(), "innkeeper_gateway_connections", &[]) == Some(1.0);
    assert!(eventually(taken).await);
    let busy = front.search("").await;
    assert_eq!((busy.status.as_u16(), busy.problem(), busy.header("retry-after")), (503, "busy", "1"));
    assert_eq!(busy.header("connection"), "close");
    let shed = value(&front.metrics.text(), "innkeeper_gateway_shed_total", &[("why", "connections")]);
    assert_eq!(shed, Some(1.0));
    drop(held);
    assert!(eventually_async(async || front.search("").await.status == 200).await, "its place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_back_and_nobody_else_is_held_up() {
    let hotel = Hotel::open("too-often").await;
    hotel.room("double", 3).await;
    let mut config = config(&hotel);
    // An hour's worth would be one: none comes back while this runs.
    config.gateway.rates.identity_per_minute = 1;
    config.gateway.rates.address_per_minute = 1_000;
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    let first = front.get("/v1/reservations", ACME).await;
    assert_eq!((first.status.as_u16(), first.header("ratelimit")), (200, "\"identity\";r=0"));
    assert_eq!(first.header("ratelimit-policy"), "\"identity\";q=1;w=60");
    let told = eventually_async(async || {
        let more = front.get("/v1/reservations", ACME).await;
        if more.status != 429 {
            return false;
        }
        assert_eq!(more.problem(), "too-many-requests");
        let wait: u64 = more.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        true
    });
    assert!(told.await);
    assert_eq!(front.get("/v1/reservations", RIVAL).await.status, 200);
    assert!(front.metrics.text().contains("innkeeper_gateway_shed_total{why=\"identity\"}"));
}
