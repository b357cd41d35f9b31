//! Who may call, what is answered around the content, and what is never kept.

use reqwest::Method;
use rstest::rstest;

use crate::desk::{Desk, KEY, charge, config, encode};
use innkeeper_payments::sandbox::{Config, Provider, router};

async fn status_with(desk: &Desk, header: Option<String>) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let mut request = http.request(Method::GET, format!("{}/v1/balance", desk.server.url()));
    if let Some(header) = header {
        request = request.header("authorization", header);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[rstest]
#[case::none(None, 401)]
#[case::wrong(Some("Bearer sk_test_111111111111".to_owned()), 401)]
#[case::live(Some("Bearer sk_live_000000000000".to_owned()), 401)]
#[case::right(Some(format!("Bearer {KEY}")), 200)]
#[case::basic(Some("Basic c2tfdGVzdF8wMDAwMDAwMDAwMDA6".to_owned()), 200)]
#[tokio::test]
async fn only_the_key_opens_the_door(#[case] header: Option<String>, #[case] status: u16) {
    let desk = Desk::open().await;
    let (found, body) = status_with(&desk, header).await;
    assert_eq!(found, status, "{body}");
    assert_eq!(body.contains("invalid_request_error"), status == 401);
}

#[tokio::test]
async fn the_tools_of_a_test_take_the_same_key_and_can_be_left_out() {
    let desk = Desk::open().await;
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let without = http.get(format!("{}/sandbox/calls", desk.server.url())).send().await.unwrap();
    assert_eq!(without.status().as_u16(), 401);
    let closed = Desk::with(Config { admin: false, ..config() }).await;
    assert_eq!(closed.client.get("/sandbox/calls").await.status, 404);
}

#[rstest]
#[case(Method::GET, "/v1/customers")]
#[case(Method::POST, "/v1/charges")]
#[case(Method::DELETE, "/v1/payment_intents/pi_1")]
#[case(Method::GET, "/v2/anything")]
#[tokio::test]
async fn an_unknown_url_is_not_recognised(#[case] method: Method, #[case] path: &str) {
    let desk = Desk::open().await;
    let response = desk.client.request(method, path).send().await.unwrap();
    let status = response.status().as_u16();
    let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(status == 404 && message.starts_with("Unrecognized request URL"), "{status} {message}");
}

#[tokio::test]
async fn an_answer_names_request_version_and_key() {
    let desk = Desk::open().await;
    let request = desk
        .client
        .request(Method::POST, "/v1/payment_intents")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("stripe-version", "2024-06-20")
        .header("idempotency-key", "u/charge/1")
        .body(encode(&charge("pm_card_visa")));
    let response = request.send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert!(header("request-id").starts_with("req_"));
    assert_eq!(
        (header("stripe-version").as_str(), header("idempotency-key").as_str()),
        ("2024-06-20", "u/charge/1")
    );
}

#[tokio::test]
async fn probes_need_no_key() {
    let desk = Desk::open().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(reqwest_get(&format!("{}{path}", desk.server.url())).await, 200, "{path}");
    }
}

#[tokio::test]
async fn a_provider_whose_ledger_is_closed_is_alive_and_not_ready() {
    let desk = Desk::open().await;
    desk.server.provider().ledger().close().await;
    assert_eq!(reqwest_get(&format!("{}/livez", desk.server.url())).await, 200);
    assert_eq!(reqwest_get(&format!("{}/readyz", desk.server.url())).await, 503);
    assert_eq!(desk.client.charge("u/charge/1", "pm_card_visa").await.refusal(), (500, "api_error", ""));
}

#[tokio::test]
async fn a_provider_that_is_about_to_end_is_not_ready_and_takes_charges_until_then() {
    let desk = Desk::open().await;
    desk.server.leave();
    let url = desk.server.url();
    assert_eq!(reqwest_get(&format!("{url}/livez")).await, 200);
    assert_eq!(reqwest_get(&format!("{url}/readyz")).await, 503);
    assert_eq!(desk.client.charge("u/charge/1", "pm_card_visa").await.status, 200);
}

async fn reqwest_get(url: &str) -> u16 {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    http.get(url).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_body_in_json_is_refused() {
    let desk = Desk::open().await;
    let reply = desk.client.admin("/v1/payment_intents", &serde_json::json!({ "amount": 1 })).await;
    assert_eq!(reply.status, 400);
}

#[rstest]
#[case::as_method("payment_method", "4242424242424242")]
#[case::as_card_data("payment_method_data[card][number]", "4242 4242 4242 4242")]
#[case::in_words("description", "paid with 5555-5555-5555-4444")]
#[case::in_metadata("metadata[note]", "378282246310005")]
#[case::as_a_name("metadata[5555555555554444]", "x")]
#[tokio::test]
async fn a_card_number_is_refused_and_kept_nowhere(#[case] param: &str, #[case] value: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let desk = Desk::on(&path).await;
    let mut params: Vec<(&str, &str)> =
        charge("pm_card_visa").into_iter().filter(|(name, _)| *name != param).collect();
    params.push((param, value));
    let reply = desk.client.post("/v1/payment_intents", "u/charge/1", &params).await;
    assert_eq!(reply.status, 400);
    let value = if value == "x" { "5555555555554444" } else { value };
    assert!(!reply.text.contains(value));
    let calls = desk.server.provider().ledger().calls(0, 10).await.unwrap();
    assert_eq!((calls.len(), calls[0].parameters.len()), (1, 0));
    desk.server.shutdown().await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(value));
    }
}

#[tokio::test]
async fn a_card_number_in_a_path_is_not_logged() {
    let desk = Desk::open().await;
    assert_eq!(desk.client.get("/v1/payment_intents/4242424242424242").await.status, 400);
    assert_eq!(desk.server.provider().ledger().calls(0, 10).await.unwrap()[0].path, "(withheld)");
}

#[tokio::test]
async fn the_log_tells_of_every_call_and_forgets_the_oldest() {
    let desk = Desk::with(Config { calls_limit: 3, ..config() }).await;
    desk.client.get("/v1/balance").await.ok();
    desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    desk.client.charge("u/charge/2", "pm_card_visa_chargeDeclinedLostCard").await;
    let calls = desk.client.get("/sandbox/calls").await.ok().body["calls"].as_array().unwrap().clone();
    let told: Vec<_> = calls
        .iter()
        .map(|call| (&call["seq"], &call["key"], &call["status"], &call["replayed"], &call["error"]))
        .map(|row| serde_json::json!(row))
        .collect();
    assert_eq!(
        told,
        vec![
            serde_json::json!([2, "u/charge/1", 200, false, null]),
            serde_json::json!([3, "u/charge/1", 200, true, null]),
            serde_json::json!([4, "u/charge/2", 402, false, "card_declined"]),
        ]
    );
    assert_eq!(calls[0]["parameters"]["metadata[innkeeper_name]"], "smith");
    assert_eq!(calls[0]["object"], calls[1]["object"]);
    let later = desk.client.get("/sandbox/calls?after=3").await.ok();
    assert_eq!(later.body["calls"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_routes_work_without_a_socket() {
    use tower::ServiceExt;
    let ledger = innkeeper_payments::sandbox::Ledger::open(
        &innkeeper_payments::sandbox::Location::Memory,
        std::time::Duration::ZERO,
    );
    let provider = Provider::new(ledger.unwrap(), config().key, 10);
    let request = ::http::Request::get("/v1/balance").header("authorization", format!("Bearer {KEY}"));
    let response = router(&provider, false).oneshot(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(response.unwrap().status(), 200);
}

#[tokio::test]
async fn a_shutdown_ends_what_is_under_way_and_takes_no_more() {
    let desk = Desk::open().await;
    let slow = serde_json::json!({ "kind": "delay", "when": "after", "millis": 200 });
    desk.client.fault(serde_json::json!({}), slow).await;
    let client = desk.client.clone();
    let under_way = tokio::spawn(async move { client.charge("u/charge/1", "pm_card_visa").await });
    desk.struck(1).await;
    desk.server.shutdown().await.unwrap();
    under_way.await.unwrap().ok();
    assert!(desk.client.try_post("/v1/refunds", "", &[]).await.is_err());
}
