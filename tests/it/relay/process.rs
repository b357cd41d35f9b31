//! `innkeeper relay` as a process: killed in the middle, ended, asked to send again, badly configured; and the receiver of
//! the examples.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use futures::StreamExt;
use innkeeper_api::Reason;
use innkeeper_relay::sink::signature::Secret;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::post::{
    events, hotel, nothing_is_lost_and_nothing_out_of_order, once, reserve_at_the_desk, told, told_of,
};
use super::receivers::Desk;
use crate::support::hotel::Hotel;
use crate::support::process::{Files, Process, ends, innkeeper};
use crate::support::{PATIENCE, PROJECT, control_plane, eventually};

/// The files of a relay with a file of events, and its arguments.
pub async fn files(hotel: &Hotel) -> (Files, Vec<String>) {
    let mut files = Files::of(hotel);
    files.set(
        "relay",
        json!({
            "state": files.path("state"),
            "watchNamespaces": [hotel.namespace],
            "file": { "path": files.path("events.jsonl"), "types": ["dev.innkeeper.reservation.*"] },
            "retry": { "initial": "20ms", "max": "200ms" },
        }),
    );
    let id = json!({ "metadata": { "name": "innkeeper-installation" }, "data": { "id": "inst" } });
    let maps: Api<ConfigMap> = Api::namespaced(hotel.client.clone(), &hotel.namespace);
    maps.create(&PostParams::default(), &serde_json::from_value(id).unwrap()).await.unwrap();
    let arguments = arguments(hotel, &files, &[]);
    (files, arguments)
}

pub fn arguments(hotel: &Hotel, files: &Files, more: &[&str]) -> Vec<String> {
    let mut all = vec!["relay".to_owned()];
    if more.is_empty() {
        all.push(format!("--namespace={}", hotel.namespace));
    }
    all.extend(more.iter().map(|text| (*text).to_owned()));
    all.push(format!("--config={}", files.config().display()));
    all.push(format!("--kubeconfig={}", control_plane().kubeconfig().display()));
    all
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

pub fn start(arguments: &[String]) -> Process {
    Process::start(innkeeper(&strs(arguments)))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_goes_on_where_it_was_and_loses_nothing() {
    let hotel = hotel("killed").await;
    let operator = hotel.operator();
    hotel.room("double", 40).await;
    let (files, arguments) = files(&hotel).await;
    let file = files.path("events.jsonl");
    let mut relay = start(&arguments);
    relay.ready().await;
    let mut lines = 0;
    for round in 0..4 {
        let before = lines;
        for number in 0..8 {
            reserve_at_the_desk(&hotel, &format!("guest-{round}-{number}"), "double").await;
        }
        // In the middle of them.
        assert!(eventually(|| events(&file).len() > before).await);
        relay.signal("KILL");
        relay.exit().await;
        lines = events(&file).len();
        if round == 1 {
            // As a power cut would leave it.
            let mut text = std::fs::read_to_string(&file).unwrap();
            text.push_str("{\"specversion\":\"1.0\",\"id\":\"torn");
            std::fs::write(&file, text).unwrap();
        }
        relay = start(&arguments);
    }
    let all = eventually(|| once(&events(&file)).len() == 64).await;
    assert!(all, "{:#?}", told(&events(&file)));
    nothing_is_lost_and_nothing_out_of_order(&hotel, &events(&file)).await;
    relay.ready().await;
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_refused_is_kept_and_sent_again_when_somebody_says_so() {
    let hotel = hotel("refused").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    let desk = Desk::open(422).await;
    let (mut files, arguments) = files(&hotel).await;
    files.set(
        "relay.http",
        json!([{ "name": "desk", "url": desk.url, "types": ["dev.innkeeper.reservation.paid"] }]),
    );
    let mut relay = start(&arguments);
    relay.ready().await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    relay.says("refused for good").await;
    relay.answers("/metrics", |_, text| text.contains("innkeeper_relay_dead_letters{sink=\"desk\"} 1")).await;

    let replay = |more: &[&str]| self::arguments(&hotel, &files, &[&["replay"][..], more].concat());
    let (code, out, _) = ends(&strs(&replay(&["--list"]))).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("desk  dev.innkeeper.reservation.paid") && out.contains("422"), "{out}");
    desk.answer(200);
    let (code, out, error) = ends(&strs(&replay(&["--dead-letters", "--sink=desk"]))).await;
    assert_eq!((code, out.as_str()), (Some(0), "1 events are sent again\n"), "{error}");
    assert!(eventually(|| desk.got().len() == 1).await);
    relay.answers("/metrics", |_, text| text.contains("innkeeper_relay_dead_letters{sink=\"desk\"} 0")).await;

    // All of it once more, from the objects: repeats, with the ids that they had.
    let again = replay(&[
        "--sink=file",
        &format!("--installed-in={0}", hotel.namespace),
        &format!("--in={}", hotel.namespace),
    ]);
    let (code, out, error) = ends(&strs(&again)).await;
    assert_eq!((code, out.as_str()), (Some(0), "3 events are sent again\n"), "{error}");
    let file = files.path("events.jsonl");
    assert!(eventually(|| events(&file).len() == 6).await, "{:#?}", told(&events(&file)));
    assert_eq!(once(&events(&file)).len(), 3);

    // And read by a person.
    let tail = ["relay", "tail", "--file", file.to_str().unwrap()];
    let (code, out, _) = ends(&tail).await;
    assert_eq!(code, Some(0));
    let line = out.lines().nth(1).unwrap();
    let says = format!(
        "  {}/anna  #2  reservation.paid  24000 EUR  double 2030-07-01 to 2030-07-03",
        hotel.namespace
    );
    assert!(line.ends_with(&says), "{line}");
    let (code, out, error) =
        ends(&strs(&self::arguments(&hotel, &files, &["tail", &format!("--in={}", hotel.namespace)]))).await;
    assert_eq!((code, out.lines().count()), (Some(0), 3), "{error}");
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_configuration_is_said_at_the_start() {
    let hotel = hotel("wrong-relay").await;
    let (mut files, arguments) = files(&hotel).await;
    let wrong = async |files: &mut Files, field: &str, value: Value, says: &str| {
        files.set(field, value);
        let (code, _, error) = ends(&strs(&arguments)).await;
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(says), "{error}");
    };
    wrong(&mut files, "relay.file", json!({}), "there is nowhere to publish to").await;
    let typo = json!({ "path": files.path("e"), "types": ["dev.innkeeper.reservation.payed"] });
    wrong(&mut files, "relay.file", typo, "no type of events is `dev.innkeeper.reservation.payed`").await;
    let file = json!({ "path": files.path("e") });
    let desk = json!([{ "name": "desk", "url": "http://127.0.0.1:1", "secretFile": files.path("none") }]);
    files.set("relay.file", file);
    wrong(&mut files, "relay.http", desk, "relay.http, desk: cannot read the secret").await;
    files.set("relay.http", json!([]));
    std::fs::write(files.path("properties"), "acks=1\n").unwrap();
    let kafka = json!({ "brokers": ["127.0.0.1:1"], "propertiesFile": files.path("properties") });
    wrong(&mut files, "relay.kafka", kafka, "acks cannot be set").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_answer_is_told_of_and_holds_up_no_other() {
    let hotel = hotel("no-broker").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    let (mut files, arguments) = files(&hotel).await;
    let nobody = crate::support::gate::Nowhere::new();
    let broker = nobody.url().replace("http://", "");
    files.set("relay.kafka", json!({ "brokers": [broker], "topic": "stays" }));
    let relay = start(&arguments);
    relay.ready().await;
    hotel.reserve("anna", "double").await;
    let file = files.path("events.jsonl");
    assert!(eventually(|| told_of(&events(&file), "anna").ends_with("confirmed")).await);
    relay.says(&format!("no broker of {broker} answers")).await;
    relay.answers("/metrics", |_, text| text.contains("innkeeper_relay_sink_up{sink=\"kafka\"} 0")).await;
    operator.stop().await;
}

fn there_is_python() -> bool {
    let python = std::process::Command::new("python3").arg("--version").output();
    let there = python.is_ok_and(|python| python.status.success());
    if !there {
        eprintln!("not run: there is no python3");
    }
    there
}

/// The receiver of the examples, where it listens, and what it prints.
fn receiver() -> (u16, Child, Lines<BufReader<ChildStdout>>) {
    let port = free_port();
    let mut receiver = Command::new("python3")
        .args([format!("{PROJECT}/examples/receiver.py"), port.to_string()])
        .env("RECEIVER_SECRET", "whsec_test")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = BufReader::new(receiver.stdout.take().unwrap()).lines();
    (port, receiver, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_of_the_examples_prints_a_line_for_each_also_when_many_come_at_once() {
    const MANY: usize = 400;
    if !there_is_python() {
        return;
    }
    let (port, _receiver, mut lines) = receiver();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (http, secret) = (reqwest::Client::builder().no_proxy().build().unwrap(), Secret::new("whsec_test"));
    let sends = (0..MANY).map(|number| {
        let body = json!({ "time": "now", "subject": format!("s-{number}"), "type": "told" }).to_string();
        let signature = secret.sign(Timestamp::now().as_second(), &[], &body);
        let post = http.post(format!("http://127.0.0.1:{port}/"));
        post.header("innkeeper-signature", signature).body(body).send()
    });
    let answers = futures::stream::iter(sends).buffer_unordered(16).map(|answer| answer.unwrap().status());
    let answers: Vec<_> = answers.collect().await;
    assert!(answers.iter().all(|status| *status == 204), "{answers:?}");
    let mut told = BTreeSet::new();
    for _ in 0..MANY {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it prints").unwrap();
        told.insert(line.unwrap());
    }
    let wanted: BTreeSet<_> = (0..MANY).map(|number| format!("now s-{number} told")).collect();
    assert_eq!(told, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_of_the_examples_prints_what_the_hotel_is_told() {
    if !there_is_python() {
        return;
    }
    let hotel = hotel("receiver").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    let (port, mut receiver, mut lines) = receiver();
    let (mut files, arguments) = files(&hotel).await;
    std::fs::write(files.path("secret"), "whsec_test\n").unwrap();
    std::fs::write(files.path("forged"), "whsec_other\n").unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let types = json!(["dev.innkeeper.reservation.confirmed"]);
    files.set(
        "relay.http",
        json!([
            { "name": "desk", "url": url, "secretFile": files.path("secret"), "types": types },
            { "name": "forger", "url": url, "secretFile": files.path("forged"), "types": types },
        ]),
    );
    let relay = start(&arguments);
    relay.ready().await;
    hotel.reserve("anna", "double").await;
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it prints").unwrap().unwrap();
    assert!(line.ends_with(" anna dev.innkeeper.reservation.confirmed"), "{line}");
    // What is signed with another secret is refused, and not printed.
    let refused = relay.says("refused for good").await;
    let refused: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(
        (&refused["sink"], refused["reason"].as_str().unwrap().starts_with("401")),
        (&json!("forger"), true)
    );
    receiver.kill().await.unwrap();
    assert_eq!(lines.next_line().await.unwrap(), None);
    operator.stop().await;
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
