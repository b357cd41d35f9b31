//! `innkeeper gateway` as a process: how it is started, configured and ended.

use innkeeper_api::Reason;
use serde_json::{Value, json};

use super::front::{ACME, partners, stay};
use crate::support::control_plane;
use crate::support::eventually_async;
use crate::support::hotel::Hotel;
use crate::support::process::{Files, Process, ends, innkeeper};

/// The files of a gateway, and its arguments.
pub(super) fn files(hotel: &Hotel) -> (Files, Vec<String>) {
    let mut files = Files::of(hotel);
    std::fs::write(files.path("partners.yaml"), partners(&hotel.namespace)).unwrap();
    files.set(
        "gateway",
        json!({
            "listen": "127.0.0.1:0",
            "watchNamespaces": [hotel.namespace],
            "partnersFile": files.path("partners.yaml"),
            "rates": { "addressPerMinute": 1_000_000, "identityPerMinute": 1_000_000 },
            // Nobody may be turned away because a machine is slow.
            "limits": { "wait": "1m" },
            "ending": { "linger": "1ms" },
        }),
    );
    let arguments = vec![
        "gateway".to_owned(),
        format!("--config={}", files.config().display()),
        format!("--kubeconfig={}", control_plane().kubeconfig().display()),
    ];
    (files, arguments)
}

pub(super) fn start(arguments: &[String]) -> Process {
    Process::start(innkeeper(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// Where guests and partners come, from its log.
pub(super) async fn door(gateway: &Process) -> String {
    let line: Value = serde_json::from_str(&gateway.says("guests and partners").await).unwrap();
    format!("http://{}", line["address"].as_str().unwrap())
}

pub(super) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

pub(super) fn booking(url: &str, namespace: &str, token: &str) -> reqwest::RequestBuilder {
    client()
        .post(format!("{url}/v1/properties/{namespace}/reservations"))
        .bearer_auth(token)
        .header("idempotency-key", "key-of-anna")
        .header("content-type", "application/json")
        .body(stay("double").to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_from_its_configuration_and_ends_on_sigterm_after_what_is_under_way() {
    let hotel = Hotel::open("door-process").await;
    let _operator = hotel.operator();
    hotel.room("double", 2).await;
    let (mut files, arguments) = files(&hotel);
    files.set("gateway.ending.linger", json!("1s"));
    let mut gateway = start(&arguments);
    gateway.ready().await;
    let url = door(&gateway).await;
    let booked = booking(&url, &hotel.namespace, ACME).send().await.unwrap();
    assert_eq!(booked.status(), 201);
    let path = booked.headers()["location"].to_str().unwrap().to_owned();
    hotel.settled(path.rsplit('/').next().unwrap(), Reason::Confirmed).await;
    let events = client().get(format!("{url}{path}/events")).bearer_auth(ACME).send().await.unwrap();
    assert_eq!(events.status(), 200);
    for line in [
        "innkeeper_gateway_requests_total{route=\"/v1/properties/{property}/reservations\",method=\"POST\",status=\"201\"} 1",
        "innkeeper_gateway_read_model_objects{kind=\"reservation\"} 1",
        "innkeeper_gateway_streams 1",
        "rest_client_requests_total{code=\"201\",method=\"POST\"} 1",
    ] {
        gateway.answers("/metrics", |_, text| text.contains(line)).await;
    }

    gateway.signal("TERM");
    gateway.answers("/readyz", |status, text| status == 503 && text.contains("shutting down")).await;
    assert_eq!(gateway.exit().await, Some(0));
    gateway.says("Finished").await;
    // Personal data and secrets are nowhere in what it said.
    let log = gateway.log();
    for secret in [ACME, "acme:anna", "pm_card_visa", "key-of-anna"] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_leaving_every_answer_sends_its_client_elsewhere() {
    let hotel = Hotel::open("door-leaving").await;
    let (mut files, arguments) = files(&hotel);
    // It does not come to its end here.
    files.set("gateway.ending.linger", json!("1m"));
    let gateway = start(&arguments);
    gateway.ready().await;
    let url = format!("{}/openapi.json", door(&gateway).await);
    let client = client();
    let closes = async || {
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let connection = answer.headers().get("connection").map(|value| value.to_str().unwrap().to_owned());
        answer.bytes().await.unwrap();
        connection
    };
    assert_eq!(closes().await, None);
    gateway.signal("TERM");
    gateway.answers("/readyz", |status, _| status == 503).await;
    assert_eq!(closes().await.as_deref(), Some("close"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_taken_out_of_the_file_is_refused_soon_and_a_wrong_file_changes_nothing() {
    let hotel = Hotel::open("door-tokens").await;
    hotel.room("double", 2).await;
    let (files, arguments) = files(&hotel);
    let gateway = start(&arguments);
    gateway.ready().await;
    let url = door(&gateway).await;
    let mine = || client().get(format!("{url}/v1/reservations")).bearer_auth(ACME).send();
    assert_eq!(mine().await.unwrap().status(), 200);
    let write = |text: &str| {
        std::fs::write(files.path("new"), text).unwrap();
        std::fs::rename(files.path("new"), files.path("partners.yaml")).unwrap();
    };
    write("partners: everybody\n");
    gateway.says("the last good partners stay").await;
    assert_eq!(mine().await.unwrap().status(), 200);
    write("partners: []\n");
    let refused = eventually_async(async || mine().await.unwrap().status() == 401).await;
    assert!(refused, "{}", gateway.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_cannot_start_with_is_named() {
    let hotel = Hotel::open("door-start").await;
    let (mut files, arguments) = files(&hotel);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    files.set("gateway.partnersFile", json!(files.path("nowhere")));
    let (code, _, said) = ends(&arguments).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("gateway.partnersFile") && said.contains("nowhere"), "{said}");
    std::fs::write(files.path("nowhere"), "partners:\n- name: a\n  tokenHashes: [secret]\n  scopes: []\n")
        .unwrap();
    let (code, _, said) = ends(&arguments).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("64 hexadecimal digits") && !said.contains("secret"), "{said}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    files.set("gateway.partnersFile", Value::Null);
    files.set("gateway.listen", json!(taken.local_addr().unwrap().to_string()));
    let (code, _, said) = ends(&arguments).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("gateway.listen"), "{said}");

    let (code, out, _) = ends(&["gateway", "openapi"]).await;
    assert_eq!((code, out), (Some(0), innkeeper_gateway::document()));
}
