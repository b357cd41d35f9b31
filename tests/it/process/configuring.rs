//! What an operator says to a configuration that is wrong, at its start and while it runs.

use std::time::{Duration, Instant};

use innkeeper_api::Reason;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use rstest::rstest;
use serde_json::json;

use crate::support::hotel::Hotel;
use crate::support::process::{Files, Process, ends, value};
use crate::support::{PATIENCE, PROJECT};

#[rstest]
#[case::an_unknown_field("operator:\n  workers: 4\n  wrokers: 3\n", &["line 3", "wrokers"])]
#[case::a_value_out_of_range("operator:\n  workers: 0\n", &["line 2", "operator.workers", "from 1 to 1024"])]
#[case::a_wrong_type("http:\n  listen: nowhere\n", &["line 2", "http.listen", "0.0.0.0:8080"])]
#[case::no_yaml("operator: [\n", &["line"])]
#[case::a_lease_too_short("operator:\n  lease:\n    duration: 4s\n    renew: 3s\n", &["line 4", "renew"])]
#[case::the_key_itself("payments:\n  keyFile: sk_live_abcdefgh\n", &["line 2", "payments.keyFile"])]
#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_file_is_refused_with_the_line_and_the_reason(#[case] text: &str, #[case] said: &[&str]) {
    let hotel = Hotel::open("invalid").await;
    let files = Files::of(&hotel);
    files.write(text);
    let config = files.config();
    let (code, mut output) = files.operator_ends().await;
    let (checked, _, check) = ends(&["config", "check", config.to_str().unwrap()]).await;
    assert_eq!((code, checked), (Some(1), Some(1)));
    output += &check;
    for words in said.iter().chain(&[config.to_str().unwrap()]) {
        assert!(output.matches(words).count() >= 2, "`{words}` is not twice in\n{output}");
    }
    assert!(!output.contains("sk_live") && !output.contains("panicked"), "{output}");
}

#[rstest]
#[case::no_file("no-such-file", "payments.keyFile")]
#[case::empty("empty", "payments.keyFile")]
#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_it_says_which_setting_names_it(#[case] name: &str, #[case] said: &str) {
    let hotel = Hotel::open("no-key").await;
    let mut files = Files::of(&hotel);
    std::fs::write(files.path("empty"), "\n").unwrap();
    let key = files.path(name);
    files.set("payments.keyFile", json!(key));
    let (code, output) = files.operator_ends().await;
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains(said) && output.contains(key.to_str().unwrap()), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cluster_it_says_how_to_name_one() {
    let hotel = Hotel::open("no-cluster").await;
    let mut files = Files::of(&hotel);
    let config = format!("--config={}", files.config().display());
    let (code, _, err) = ends(&["operator", &config]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("not in a pod") && err.contains("--kubeconfig"), "{err}");

    let nowhere = files.path("nowhere");
    files = files.with_kubeconfig(&nowhere);
    let (code, output) = files.operator_ends().await;
    assert_eq!(code, Some(1));
    assert!(output.contains(nowhere.to_str().unwrap()), "{output}");

    std::fs::write(&nowhere, "apiVersion: v1\nkind: Config\n").unwrap();
    let (code, output) = files.operator_ends().await;
    assert_eq!(code, Some(1));
    assert!(output.contains(nowhere.to_str().unwrap()) && !output.contains("panicked"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_not_there_is_waited_for_and_the_wait_ends_with_the_process() {
    let hotel = Hotel::open("nobody").await;
    let mut files = Files::of(&hotel);
    // A port that no test is ever given.
    let nobody = "127.0.0.1:1";
    let kubeconfig = files.path("kubeconfig");
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{ "name": "c", "cluster": { "server": format!("http://{nobody}") } }],
        "users": [{ "name": "c", "user": {} }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "c" } }],
    });
    std::fs::write(&kubeconfig, text.to_string()).unwrap();
    files = files.with_kubeconfig(&kubeconfig);
    let mut operator = files.operator();
    operator.says("the API server does not answer").await;
    let why = operator.answers("/readyz", |status, _| status == 503).await;
    assert!(why.contains("crds-installed: the API server does not answer"), "{why}");
    assert_eq!(operator.ask("/livez").await.map(|(status, _)| status), Some(200), "a restart would not help");
    assert_eq!(operator.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let hotel = Hotel::open("port").await;
    let mut files = Files::of(&hotel);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    files.set("http.listen", json!(address));
    let (code, output) = files.operator_ends().await;
    assert_eq!(code, Some(1));
    assert!(output.contains(&format!("cannot listen on {address}")), "{output}");
    assert!(output.contains("http.listen"), "{output}");
}

/// Has the file read again, and waits until that has happened so many times.
async fn read_again(operator: &Process, result: &str, times: f64) {
    operator.signal("HUP");
    let done =
        |text: &str| value(text, "innkeeper_config_reload_total", &[("result", result)]) == Some(times);
    operator.answers("/metrics", |_, text| done(text)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_change_while_it_runs_takes_effect_and_an_invalid_change_does_not() {
    let hotel = Hotel::open("reload").await;
    let mut files = Files::of(&hotel);
    let operator = files.operator();
    operator.leads().await;
    assert!(!operator.log().contains("\"DEBUG\""));

    files.set("log.filter", json!("info,innkeeper_operator=debug"));
    read_again(&operator, "applied", 1.0).await;
    operator.says("log.filter").await;
    hotel.room("double", 1).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    operator.says("\"DEBUG\"").await;

    // Waits for a Room that never comes, an hour by default.
    files.set("operator.acceptWithin", json!("1s"));
    read_again(&operator, "applied", 2.0).await;
    hotel.reserve("lost", "nowhere").await;
    hotel.settled("lost", Reason::Rejected).await;

    files.write("operator:\n  acceptWithin: tomorrow\n");
    read_again(&operator, "refused", 1.0).await;
    let line = operator.says("is refused").await;
    assert!(line.contains("line 2") && line.contains("operator.acceptWithin"), "{line}");
    let metrics = operator.metrics().await;
    assert_eq!(value(&metrics, "innkeeper_config_last_reload_successful", &[]), Some(0.0));
    operator.ready().await;
    hotel.reserve("lost-too", "nowhere").await;
    hotel.settled("lost-too", Reason::Rejected).await;

    files.set("operator.workers", json!(3));
    read_again(&operator, "applied", 3.0).await;
    let line = operator.says("take effect at the next start").await;
    assert!(line.contains("operator.workers"), "{line}");
    assert_eq!(value(&operator.metrics().await, "innkeeper_config_last_reload_successful", &[]), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_came_to_is_an_event_of_the_operators_pod() {
    let hotel = Hotel::open("told").await;
    let mut files = Files::of(&hotel);
    let operator =
        files.operator_with(&["--pod=operator-0", "--pod-uid=11111111-2222-3333-4444-555555555555"]);
    operator.leads().await;
    files.set("operator.resync", json!("7m"));
    files.set("operator.workers", json!(3));
    operator.signal("HUP");
    let resync = told(&hotel, "ConfigReloaded").await;
    assert_eq!(resync.note.as_deref(), Some("in force now: operator.resync"));
    assert_eq!(resync.type_.as_deref(), Some("Normal"));
    let pod = resync.regarding.unwrap();
    assert_eq!((pod.kind.as_deref(), pod.name.as_deref()), (Some("Pod"), Some("operator-0")));
    assert_eq!(pod.uid.as_deref(), Some("11111111-2222-3333-4444-555555555555"));
    let workers = told(&hotel, "ConfigNeedsRestart").await;
    assert_eq!(workers.note.as_deref(), Some("waits for the next start: operator.workers"));

    files.write("operator:\n  acceptWithin: tomorrow\n");
    operator.signal("HUP");
    let refused = told(&hotel, "ConfigRefused").await;
    assert_eq!(refused.type_.as_deref(), Some("Warning"));
    let note = refused.note.unwrap();
    assert!(note.contains("line 2") && note.contains("operator.acceptWithin"), "{note}");
}

/// The Event with this reason, once it is there.
async fn told(hotel: &Hotel, reason: &str) -> Event {
    let events: Api<Event> = Api::namespaced(hotel.client.clone(), &hotel.namespace);
    let begun = Instant::now();
    loop {
        let found = events.list(&ListParams::default()).await.unwrap();
        if let Some(event) = found.into_iter().find(|e| e.reason.as_deref() == Some(reason)) {
            return event;
        }
        assert!(begun.elapsed() < PATIENCE, "no Event says {reason}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_is_the_page_in_the_documentation() {
    let (code, out, _) = ends(&["config", "reference"]).await;
    assert_eq!(code, Some(0));
    assert_eq!(out, std::fs::read_to_string(format!("{PROJECT}/docs/configuration.md")).unwrap());
}
