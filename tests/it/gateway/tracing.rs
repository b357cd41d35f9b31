//! One trace from the request to the booked stay: on the Reservation, and in what the operator logs of it.

use std::collections::BTreeMap;

use innkeeper_api::{Reason, TRACEPARENT, TraceParent};
use reqwest::Method;

use super::front::{ACME, Answer, Front, stay};
use crate::support::hotel::Hotel;
use crate::support::process::Files;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn book(front: &Front, key: &str, traceparent: &[&str]) -> String {
    let path = format!("{}/v1/properties/{}/reservations", front.url, front.property);
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let mut request = http.request(Method::POST, path).bearer_auth(ACME).header("idempotency-key", key);
    for text in traceparent {
        request = request.header("traceparent", *text);
    }
    let request = request.header("content-type", "application/json").body(stay("double").to_string());
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert!(answer.status == 201 || answer.status == 200, "{answer:?}");
    answer.header("location").rsplit('/').next().unwrap().to_owned()
}

async fn annotations(hotel: &Hotel, name: &str) -> BTreeMap<String, String> {
    hotel.reservations().get(name).await.unwrap().metadata.annotations.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_bears_the_trace_of_its_request_and_the_operator_logs_it_until_it_is_confirmed() {
    let hotel = Hotel::open("traced").await;
    hotel.room("double", 3).await;
    let operator = Files::of(&hotel).operator();
    operator.leads().await;
    let front = Front::open(&hotel).await;

    let theirs = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let name = book(&front, "key-of-anna", &[&theirs]).await;
    let borne = annotations(&hotel, &name).await;
    assert_eq!(borne.keys().collect::<Vec<_>>(), [TRACEPARENT]);
    let borne = TraceParent::parse(&borne[TRACEPARENT]).unwrap();
    assert_eq!(borne.trace_id(), TRACE);
    assert_ne!(borne.to_string(), theirs, "in a span of the gateway's own");
    hotel.settled(&name, Reason::Confirmed).await;
    let confirmed = |line: &str| {
        line.contains(TRACE)
            && line.contains(&name)
            && line.contains("moved on")
            && line.contains("Confirmed")
    };
    let line = operator.says_like(confirmed).await.expect("the operator logs it in that trace");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let spans = line["spans"].as_array().unwrap();
    assert!(spans.iter().any(|span| span["trace"] == TRACE), "{line}");

    // Repeated in another trace it is the same booking, asked for in the first.
    let other = theirs.replace("4bf9", "5bf9");
    assert_eq!(book(&front, "key-of-anna", &[&other]).await, name);
    assert!(annotations(&hotel, &name).await[TRACEPARENT].contains(TRACE));

    // Without a trace, or with what is none, one begins here.
    let mut begun = Vec::new();
    for (key, sent) in [("key-of-ben-", &[][..]), ("key-of-cleo", &["00-x\"y-1-01"][..])] {
        let name = book(&front, key, sent).await;
        let borne = TraceParent::parse(&annotations(&hotel, &name).await[TRACEPARENT]).unwrap();
        assert!(operator.says_like(|line| line.contains(&borne.trace_id())).await.is_some());
        begun.push(borne.trace_id());
    }
    assert!(begun[0] != begun[1] && !begun.contains(&TRACE.to_owned()), "{begun:?}");

    // What somebody else has written there, and is none, is not repeated.
    let wrong = serde_json::json!({ "metadata": { "annotations": { TRACEPARENT: "forged trace" } } });
    let params = kube::api::PatchParams::default();
    let ours = hotel.reservations();
    ours.patch(&name, &params, &kube::api::Patch::Merge(wrong)).await.unwrap();
    let cancel = serde_json::json!({ "spec": { "state": "Cancelled" } });
    ours.patch(&name, &params, &kube::api::Patch::Merge(cancel)).await.unwrap();
    hotel.settled(&name, Reason::Cancelled).await;
    assert!(!operator.log().contains("forged trace"));
    front.stop().await;
}
