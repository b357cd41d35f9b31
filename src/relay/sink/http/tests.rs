//! The HTTP receiver: what it is sent, and what its answers come to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::json;

use super::*;

type Got = Arc<Mutex<Vec<(HeaderMap, String)>>>;
type Answer = Arc<dyn Fn(&str) -> StatusCode + Send + Sync>;

async fn receiver(answer: impl Fn(&str) -> StatusCode + Send + Sync + 'static) -> (String, Got) {
    async fn take(
        State((got, answer)): State<(Got, Answer)>,
        headers: HeaderMap,
        body: String,
    ) -> (StatusCode, &'static str) {
        let status = answer(&body);
        got.lock().unwrap().push((headers, body));
        (status, "so it is")
    }
    let got = Got::default();
    let answer: Answer = Arc::new(answer);
    let routes = Router::new().fallback(take).with_state((Arc::clone(&got), answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/told", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, got)
}

fn sink(url: &str, mode: Mode) -> HttpSink {
    let secret = Some(Secret::new("whsec_test"));
    HttpSink::new(HttpConfig {
        url: url.to_owned(),
        mode,
        secret,
        timeout: Duration::from_secs(10),
        roots: None,
    })
    .unwrap()
}

fn event(key: &str, number: i64) -> Outgoing {
    let json = json!({
        "specversion": "1.0", "id": format!("{key}/{number}"), "type": "t", "source": "/s", "subject": key,
        "datacontenttype": "application/json", "sequence": number.to_string(), "data": { "number": number },
    });
    Outgoing {
        seq: number,
        id: format!("{key}/{number}"),
        kind: "t".to_owned(),
        key: key.to_owned(),
        time: 0,
        json: json.to_string(),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// What the signature says the time is.
fn signed_at(headers: &HeaderMap) -> i64 {
    header(headers, HEADER).strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_structured_event_is_the_body_and_signed() {
    let (url, got) = receiver(|_| StatusCode::NO_CONTENT).await;
    let sent = event("a", 1);
    assert_eq!(sink(&url, Mode::Structured).deliver(std::slice::from_ref(&sent)).await, [Verdict::Acked]);
    let (headers, body) = got.lock().unwrap()[0].clone();
    assert_eq!(body, sent.json);
    assert_eq!(header(&headers, "content-type"), "application/cloudevents+json");
    let expected = Secret::new("whsec_test").sign(signed_at(&headers), &[], &body);
    assert_eq!(header(&headers, HEADER), expected);
    assert!((Timestamp::now().as_second() - signed_at(&headers)).abs() < 300);
}

#[tokio::test]
async fn a_binary_event_has_its_attributes_in_headers_and_these_are_signed_too() {
    let (url, got) = receiver(|_| StatusCode::OK).await;
    assert_eq!(sink(&url, Mode::Binary).deliver(&[event("a", 1)]).await, [Verdict::Acked]);
    let (headers, body) = got.lock().unwrap()[0].clone();
    assert_eq!(body, r#"{"number":1}"#);
    assert_eq!(header(&headers, "content-type"), "application/json");
    let names = ["ce-id", "ce-sequence", "ce-source", "ce-specversion", "ce-subject", "ce-type"];
    let attributes = names.map(|name| (name.to_owned(), header(&headers, name).to_owned()));
    assert_eq!(attributes[0].1, "a/1");
    let expected = Secret::new("whsec_test").sign(signed_at(&headers), &attributes, &body);
    assert_eq!(header(&headers, HEADER), expected);
}

#[tokio::test]
async fn what_is_not_taken_holds_up_its_own_object_and_no_other() {
    let (url, got) = receiver(|body| match body {
        body if body.contains("a/1") => StatusCode::SERVICE_UNAVAILABLE,
        body if body.contains("b/1") => StatusCode::UNPROCESSABLE_ENTITY,
        body if body.contains("c/1") => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::OK,
    })
    .await;
    let batch = [event("a", 1), event("b", 1), event("a", 2), event("b", 2), event("c", 1), event("d", 1)];
    let verdicts = sink(&url, Mode::Structured).deliver(&batch).await;
    assert_eq!(
        verdicts,
        [
            Verdict::Failed("503 Service Unavailable so it is".to_owned()),
            Verdict::Refused("422 Unprocessable Entity so it is".to_owned()),
            Verdict::Held,
            Verdict::Acked,
            Verdict::Failed("429 Too Many Requests so it is".to_owned()),
            Verdict::Acked,
        ]
    );
    assert!(!got.lock().unwrap().iter().any(|(_, body)| body.contains("a/2")));
}

#[tokio::test]
async fn nobody_there_is_no_refusal() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    let [Verdict::Failed(why)] = &sink(&url, Mode::Structured).deliver(&[event("a", 1)]).await[..] else {
        panic!("it is refused")
    };
    assert!(why.starts_with("no answer"), "{why}");
}

#[tokio::test]
async fn an_event_that_fits_into_no_request_is_refused_and_the_next_goes_out() {
    let (url, _) = receiver(|_| StatusCode::OK).await;
    let mut broken = event("a", 1);
    broken.json = broken.json.replace("\"/s\"", "\"\\n\"");
    let verdicts = sink(&url, Mode::Binary).deliver(&[broken, event("a", 2)]).await;
    assert!(
        matches!(&verdicts[..], [Verdict::Refused(why), Verdict::Acked] if why.contains("cannot be put"))
    );
}

#[test]
fn an_address_that_is_none_is_refused_at_once() {
    let config = HttpConfig {
        url: "desk".to_owned(),
        mode: Mode::Structured,
        secret: None,
        timeout: Duration::from_secs(1),
        roots: None,
    };
    assert!(HttpSink::new(config).err().unwrap().contains("no address"));
}
