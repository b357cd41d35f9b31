//! Reads: from memory alone, tagged, in parts, and live.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use kube::Client;
use kube::client::Body;
use reqwest::Method;
use serde_json::{Value, json};

use super::front::{ACME, Front, config, stay};
use crate::support::PATIENCE;
use crate::support::hotel::Hotel;

/// The same client, with its requests counted.
fn counted(client: &Client) -> (Client, Arc<AtomicUsize>) {
    let (client, count) = (client.clone(), Arc::new(AtomicUsize::new(0)));
    let counting = Arc::clone(&count);
    let service = tower::service_fn(move |request: Request<Body>| {
        let client = client.clone();
        counting.fetch_add(1, Ordering::SeqCst);
        async move { client.send(request).await }
    });
    (Client::new(service, "default"), count)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_and_no_repeated_booking_reaches_the_api_server() {
    let hotel = Hotel::open("read-count").await;
    let _operator = hotel.operator();
    hotel.room("double", 3).await;
    let (client, count) = counted(&hotel.client);
    let mut config = config(&hotel);
    // No watch is begun anew while it is counted.
    config.gateway.model.watch_for = Duration::from_secs(200);
    config.gateway.model.stale_after = Duration::from_secs(300);
    let front = Front::start(&hotel, config, client).await;
    front.ready().await;
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    front.settled(&path, ACME).await;

    let before = count.load(Ordering::SeqCst);
    for _ in 0..20 {
        assert_eq!(front.search("").await.status, 200);
        let quote = json!({ "room": "double", "checkIn": "2030-07-01", "checkOut": "2030-07-03" });
        let quotes = format!("/v1/properties/{}/quotes", hotel.namespace);
        assert_eq!(front.post(&quotes, ACME, &quote).await.body["price"]["total"]["minorUnits"], 24_000);
        assert_eq!(front.get("/v1/reservations", ACME).await.status, 200);
        assert_eq!(front.get(&path, ACME).await.status, 200);
        assert_eq!(front.get(&format!("{path}/cancellation"), ACME).await.status, 200);
        assert_eq!(front.book(ACME, "key-of-anna", &stay("double")).await.status, 200);
    }
    assert_eq!(count.load(Ordering::SeqCst) - before, 0);
    // It does count: a booking is one request.
    assert_eq!(front.book(ACME, "key-of-ben-", &stay("double")).await.status, 201);
    assert_eq!(count.load(Ordering::SeqCst) - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_has_already_is_not_sent_again_until_it_changes() {
    let hotel = Hotel::open("read-tag").await;
    hotel.room("double", 3).await;
    let front = Front::open(&hotel).await;
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    let search = format!("/v1/properties/{}/rooms?checkIn=2030-07-01&checkOut=2030-07-03", hotel.namespace);
    for address in [path.as_str(), "/v1/reservations", &search, &format!("{path}/cancellation")] {
        let first = front.get(address, ACME).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && first.header("age").parse::<u64>().is_ok(), "{first:?}");
        let with = |tag: &str| front.request(Method::GET, address, ACME).header("if-none-match", tag);
        let same = front.send(with(&tag)).await;
        assert_eq!(
            (same.status.as_u16(), same.header("etag"), &same.body),
            (304, tag.as_str(), &Value::Null)
        );
        assert_eq!(front.send(with("\"other\"")).await.status, 200);
    }
    let tag = front.get(&path, ACME).await.header("etag").to_owned();
    let _operator = hotel.operator();
    front.settled(&path, ACME).await;
    let changed = front.request(Method::GET, &path, ACME).header("if-none-match", &tag);
    assert_eq!(front.send(changed).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_comes_in_parts_that_leave_nothing_out() {
    let hotel = Hotel::open("read-parts").await;
    hotel.room("double", 50).await;
    let front = Front::open(&hotel).await;
    let mut booked = BTreeSet::new();
    for n in 0..7 {
        let made = front.book(ACME, &format!("key-number-{n}"), &stay("double")).await;
        booked.insert(made.body["name"].as_str().unwrap().to_owned());
    }
    let (mut found, mut cursor, mut parts) = (Vec::new(), String::new(), 0);
    loop {
        let part = front.get(&format!("/v1/reservations?limit=3{cursor}"), ACME).await;
        assert_eq!(part.status, 200, "{part:?}");
        let items = part.body["items"].as_array().unwrap().clone();
        found.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        parts += 1;
        match part.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((parts, found.len()), (3, 7));
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), booked);
    for wrong in ["limit=0", "limit=101", "limit=x", "cursor=abc", "page=2"] {
        let refused = front.get(&format!("/v1/reservations?{wrong}"), ACME).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (400, "malformed"), "{wrong}");
    }
}

/// Reads events until one is as asked; gives all of them: name and data.
async fn events(
    response: &mut reqwest::Response,
    text: &mut String,
    is: impl Fn(&str, &Value) -> bool,
) -> Vec<(String, Value)> {
    let begun = Instant::now();
    loop {
        let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
        let field = |event: &str, name: &str| {
            event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
        };
        let all: Vec<(String, Value)> = whole
            .split("\n\n")
            .filter(|event| event.contains("data:"))
            .map(|event| (field(event, "event:"), serde_json::from_str(&field(event, "data:")).unwrap()))
            .collect();
        if all.last().is_some_and(|(name, data)| is(name, data)) {
            return all;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came to it: {text}");
        let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await.expect("something comes").unwrap();
        let chunk = chunk.unwrap_or_else(|| panic!("it ended: {text}"));
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_followed_live_to_its_end_and_the_connection_ends_with_it() {
    let hotel = Hotel::open("read-live").await;
    hotel.room("double", 3).await;
    let front = Front::open(&hotel).await;
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    let request = front.request(Method::GET, &format!("{path}/events"), ACME);
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    events(&mut response, &mut text, |name, data| name == "reservation" && data["phase"] == "Pending").await;
    let _operator = hotel.operator();
    let all = events(&mut response, &mut text, |_, data| data["phase"] == "Confirmed").await;
    assert!(all.iter().all(|(_, data)| data["room"] == "double"));
    hotel.cancel(path.rsplit('/').next().unwrap()).await;
    let all =
        events(&mut response, &mut text, |_, d| d["phase"] == "Cancelled" && d["settled"] == true).await;
    let phases: Vec<&str> = all.iter().map(|(_, data)| data["phase"].as_str().unwrap()).collect();
    let order = ["Pending", "InProgress", "Confirmed", "Cancelling", "Cancelled"];
    let places: Vec<usize> = phases.iter().map(|p| order.iter().position(|o| o == p).unwrap()).collect();
    assert!(places.is_sorted(), "{phases:?}");
    assert!(front.metrics.text().contains("innkeeper_gateway_streams 1"));

    hotel.delete(path.rsplit('/').next().unwrap()).await;
    let all = events(&mut response, &mut text, |name, _| name == "gone").await;
    assert_eq!(all.last().unwrap().1, json!({}));
    let rest = tokio::time::timeout(PATIENCE, response.chunk()).await.expect("it ends").unwrap();
    assert_eq!(rest, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_does_not_keep_the_gateway_from_ending() {
    let hotel = Hotel::open("read-ends").await;
    hotel.room("double", 3).await;
    let front = Front::open(&hotel).await;
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    let mut response = front.request(Method::GET, &format!("{path}/events"), ACME).send().await.unwrap();
    let mut text = String::new();
    events(&mut response, &mut text, |_, data| data["phase"] == "Pending").await;
    front.stop().await;
    assert_eq!(response.chunk().await.unwrap(), None, "ended, and not broken off");
}
