//! What cannot be read or had: a problem that says what to change, and nothing made.

use std::io;

use innkeeper_ops::config::Config;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::front::{ACME, Front, config, stay};
use crate::support::hotel::Hotel;

/// A booking with one field put otherwise.
fn with(path: &str, value: Value) -> Value {
    let mut body = stay("double");
    let mut steps: Vec<&str> = path.split('.').collect();
    let last = steps.pop().unwrap();
    steps.into_iter().fold(&mut body, |at, step| &mut at[step])[last] = value;
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_booking_is_a_problem_that_names_the_field_and_books_nothing() {
    let hotel = Hotel::open("door-wrong").await;
    hotel
        .room_with("double", 3, |room| {
            room.max_guests = Some(2);
            room.restrictions = serde_json::from_value(json!({ "maxNights": 5 })).unwrap();
        })
        .await;
    let front = Front::open(&hotel).await;
    let money = |currency: &str, units: i64| json!({ "currency": currency, "minorUnits": units });
    let cases = [
        (with("checkIn", json!("yesterday")), 400, "malformed", "is no date"),
        (with("checkIn", json!("2030-02-30")), 400, "malformed", "is no date"),
        (with("checkIn", Value::Null), 400, "malformed", "null"),
        (with("units", json!(-1)), 400, "malformed", "-1"),
        (with("units", json!("two")), 400, "malformed", "two"),
        (with("payment.collect", json!("Later")), 400, "malformed", "Later"),
        (with("payment.card", json!("4242")), 400, "malformed", "card"),
        (with("name", json!("Anna")), 400, "malformed", "unknown field"),
        (json!([]), 400, "malformed", "body"),
        (with("checkOut", json!("2030-07-01")), 422, "invalid", "checkOut: must be after checkIn"),
        (with("checkOut", json!("2031-07-01")), 422, "invalid", "checkOut: is at most 62 nights"),
        (with("checkOut", json!("9999-12-31")), 422, "invalid", "checkOut"),
        (with("checkIn", json!("2020-07-01")), 422, "invalid", "checkOut"),
        (with("units", json!(0)), 422, "invalid", "units: is from 1 to 200"),
        (with("units", json!(201)), 422, "invalid", "units: is from 1 to 200"),
        (with("guests", json!({ "adults": 0 })), 422, "invalid", "guests.adults: is from 1 to 500"),
        (with("guests", json!({ "children": 501 })), 422, "invalid", "guests.children"),
        (with("guestID", Value::Null), 422, "invalid", "guestID: is needed"),
        (with("guestID", json!("anna@example.com")), 422, "invalid", "never a name or an e-mail address"),
        (with("guestID", json!("rival:anna")), 422, "invalid", "guestID"),
        (with("payment.method", Value::Null), 422, "invalid", "payment.method: is needed"),
        (with("payment.method", json!("4242424242424242")), 422, "invalid", "never send a card number"),
        (
            with("payment", json!({ "collect": "External", "method": "pm_card_visa" })),
            422,
            "invalid",
            "only there",
        ),
        (with("payment.reference", json!("Anna Smith")), 422, "invalid", "payment.reference"),
        (with("maxTotal", money("eur", 1)), 422, "invalid", "maxTotal.currency"),
        (with("maxTotal", money("EUR", -1)), 422, "invalid", "maxTotal.minorUnits"),
        (with("maxTotal", money("EUR", 23_999)), 422, "not-offered", "above maxTotal"),
        (with("guests", json!({ "adults": 3 })), 422, "not-offered", "3 guests do not fit"),
        (with("checkOut", json!("2030-07-07")), 422, "not-offered", "5 nights at most"),
        (with("units", json!(4)), 422, "invalid", "more than the Room ever has"),
        (with("room", json!("no-such-room")), 404, "not-found", "Room"),
        (with("room", json!("")), 404, "not-found", "Room"),
        (with("room", json!("../double")), 404, "not-found", "Room"),
    ];
    for (n, (body, status, problem, says)) in cases.iter().enumerate() {
        let refused = front.book(ACME, &format!("key-number-{n}"), body).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (*status, *problem), "{body}: {refused:?}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(says), "`{says}` is not in: {detail}");
    }
    let all = hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_request_is_a_problem_too() {
    let hotel = Hotel::open("door-odd").await;
    hotel.room("double", 3).await;
    let mut config = config(&hotel);
    config.gateway.limits.body_bytes = 1024;
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    let bookings = format!("/v1/properties/{}/reservations", hotel.namespace);
    let rooms = format!("/v1/properties/{}/rooms", hotel.namespace);
    let post = |path: &str| front.request(Method::POST, path, ACME);
    let json = "application/json";
    let keyed = |kind: &'static str, body: String| {
        post(&bookings).header("idempotency-key", "key-of-anna").header("content-type", kind).body(body)
    };
    let get = |path: &str| front.request(Method::GET, path, "");
    let large = "x".repeat(2000);
    for (request, status, problem) in [
        (keyed(json, "{".into()), 400, "malformed"),
        (keyed(json, String::new()), 400, "malformed"),
        (keyed(json, format!("\"{large}\"")), 413, "too-large"),
        (keyed(json, large.repeat(600)), 413, "too-large"),
        (keyed("text/plain", stay("double").to_string()), 415, "not-json"),
        (post(&bookings).header("content-type", json).body(stay("double").to_string()), 400, "malformed"),
        (front.booking(ACME, "short", &stay("double")), 400, "malformed"),
        (front.booking(ACME, "with a space", &stay("double")), 400, "malformed"),
        (front.booking(ACME, &"k".repeat(129), &stay("double")), 400, "malformed"),
        (get(&rooms), 400, "malformed"),
        (get(&format!("{rooms}?checkIn=2030-07-01&checkOut=soon")), 400, "malformed"),
        (get(&format!("{rooms}?checkIn=2030-07-03&checkOut=2030-07-01")), 422, "invalid"),
        (get(&format!("{rooms}?checkIn=2030-07-01&checkOut=2030-07-03&units=0")), 422, "invalid"),
        (get(&format!("{rooms}?checkIn=2030-07-01&checkOut=2030-07-03&sort=price")), 400, "malformed"),
        (get("/v1"), 404, "not-found"),
        (get("/v2/reservations"), 404, "not-found"),
        (get("/problems/no-such-problem"), 404, "not-found"),
        (front.request(Method::DELETE, "/v1/reservations/a/b", ACME), 405, "method-not-allowed"),
        (get(&rooms).header("authorization", "Basic YTpi"), 401, "not-signed-in"),
    ] {
        let answer = front.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (status, problem), "{answer:?}");
    }
    let many = (0..100).fold(get(&rooms), |request, n| request.header(format!("x-{n}"), "1"));
    assert_eq!(front.send(many).await.status, 431);
    let long = get(&rooms).header("x-long", "x".repeat(64 * 1024));
    assert_eq!(front.send(long).await.status, 431);
}

/// A connection of its own, on which a booking of two nights has begun, as far as its line and its first headers.
async fn begin_booking(front: &Front) -> TcpStream {
    let address = front.url.strip_prefix("http://").unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/properties/{}/reservations HTTP/1.1\r\nhost: {address}\r\nidempotency-key: key-of-anna\r\n",
        front.property
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client
}

/// The next answer of a connection, or what there is of it when the connection ends.
async fn one_answer(client: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while client.read_buf(&mut read).await.unwrap() > 0 {
        let text = String::from_utf8_lossy(&read);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            length.is_some_and(|length| body.len() == length.parse::<usize>().unwrap())
        });
        if whole {
            break;
        }
    }
    String::from_utf8(read).unwrap()
}

/// Without this, a client that is still sending gets a reset instead of the answer, sometimes.
#[rstest]
#[case::a_body("content-type: application/json\r\ncontent-length: 1000000\r\n\r\n", "413", |_: &mut Config| {})]
#[case::headers("x-long: ", "431", |_: &mut Config| {})]
#[case::anything_where_there_is_no_place("x-long: ", "503", |config: &mut Config| config.gateway.limits.connections = 0)]
#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_is_answered_and_not_cut_off_while_sending(
    #[case] goes_on: &str,
    #[case] status: &str,
    #[case] configure: fn(&mut Config),
) {
    let hotel = Hotel::open(&format!("door-cut-off-{status}")).await;
    let mut config = config(&hotel);
    config.gateway.limits.body_bytes = 1024;
    configure(&mut config);
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    let mut client = begin_booking(&front).await;
    client.write_all(format!("authorization: Bearer {ACME}\r\n{goes_on}").as_bytes()).await.unwrap();
    let part = "x".repeat(100_000);
    client.write_all(part.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    // What was closed is reset by the first part that comes after it, so one of the others cannot be sent.
    let rest: io::Result<()> = async {
        for _ in 0..9 {
            client.write_all(part.as_bytes()).await?;
        }
        client.shutdown().await
    }
    .await;
    rest.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "closed, and not reset");
}

/// A client that is not told sends its next request into a connection that closes.
#[rstest]
#[case::unread(ACME, "text/plain", "415", true)]
#[case::unread_of_nobody_known("nobody", "application/json", "401", true)]
#[case::read(ACME, "application/json", "400", false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_after_what_was_read_and_is_said_to_close_after_what_was_not(
    #[case] token: &str,
    #[case] kind: &str,
    #[case] status: &str,
    #[case] closes: bool,
) {
    let hotel = Hotel::open(&format!("door-goes-on-{status}")).await;
    let front = Front::open(&hotel).await;
    let mut client = begin_booking(&front).await;
    let rest =
        format!("authorization: Bearer {token}\r\ncontent-type: {kind}\r\ncontent-length: 1\r\n\r\n{{");
    client.write_all(rest.as_bytes()).await.unwrap();
    let answer = one_answer(&mut client).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert_eq!(answer.contains("\r\nconnection: close\r\n"), closes, "{answer}");
    client.write_all(b"GET /v2 HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    assert_eq!(one_answer(&mut client).await.starts_with("HTTP/1.1 404 "), !closes);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_requests_id_and_pages_that_may_call_are_told_so() {
    let hotel = Hotel::open("door-headers").await;
    hotel.room("double", 3).await;
    let mut config = config(&hotel);
    config.gateway.allowed_origins = vec!["https://booking.example.com".to_owned()];
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    let ask =
        |id: &'static str| front.request(Method::GET, "/v1/reservations", ACME).header("x-request-id", id);
    assert_eq!(front.send(ask("my-own-1")).await.header("x-request-id"), "my-own-1");
    let other = front.send(ask("{\"inject\"}")).await;
    assert!(other.header("x-request-id").len() == 36, "{other:?}");
    assert_ne!(front.get("/nowhere", "").await.header("x-request-id"), "");

    let from = |origin: &'static str| {
        let asks = front.request(Method::OPTIONS, "/v1/reservations", "").header("origin", origin);
        asks.header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
    };
    let allowed = front.send(from("https://booking.example.com")).await;
    assert_eq!(
        (allowed.status.as_u16(), allowed.header("access-control-allow-origin")),
        (200, "https://booking.example.com")
    );
    assert_eq!(front.send(from("https://evil.example")).await.header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_and_the_page_to_try_it_are_served_and_load_nothing_from_elsewhere() {
    let hotel = Hotel::open("door-docs").await;
    let front = Front::open(&hotel).await;
    let served = front.get("/openapi.json", "").await;
    assert_eq!(served.body, serde_json::from_str::<Value>(&innkeeper_gateway::document()).unwrap());
    assert!(served.body["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in ["/docs", "/docs/docs.css", "/docs/docs.js"] {
        let request = front.request(Method::GET, path, "");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert!(
            answer.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'")
        );
        let text = answer.text().await.unwrap();
        assert!(!text.contains("//cdn") && !text.contains("https://"), "{path} loads from elsewhere");
    }
    // Every problem that the document's answers can be is explained at its own address.
    let sold_out = front.request(Method::GET, "/problems/sold-out", "").send().await.unwrap();
    assert!(sold_out.text().await.unwrap().contains("Nothing was booked and nothing was charged"));
    let metrics = front.metrics.text();
    assert!(metrics.contains(
        "innkeeper_gateway_requests_total{route=\"/problems/{slug}\",method=\"GET\",status=\"200\"}"
    ));
}
