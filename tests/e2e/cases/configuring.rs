//! The configuration of running pods.

use std::time::Instant;

use innkeeper_api::Reason;
use jiff::civil::date;
use serde_json::{Value, json};

use crate::support::door::{Door, stranger};
use crate::support::hotel::Hotel;
use crate::support::operator::value;
use crate::support::report::say;
use crate::support::{SYSTEM, World, until};

/// The part whose pods and `ConfigMap` it is.
const OPERATOR: &str = "operator";

fn read(world: &World, part: &str) -> String {
    let map = format!("configmap/innkeeper-{part}");
    world.kubectl(&["-n", SYSTEM, "get", &map, "-o", r"jsonpath={.data.config\.yaml}"])
}

fn write(world: &World, part: &str, text: &str) {
    let map = format!("configmap/innkeeper-{part}");
    let patch = json!({ "data": { "config.yaml": text } }).to_string();
    world.kubectl(&["-n", SYSTEM, "patch", &map, "--type=merge", "-p", &patch]);
    // A changed ConfigMap reaches a pod within about a minute; a change of the pod makes the kubelet look now.
    let now = jiff::Timestamp::now().as_millisecond();
    let mark = format!("innkeeper.dev/e2e-look={now}");
    let of_part = format!("app.kubernetes.io/component={part}");
    let pods = ["-n", SYSTEM, "annotate", "pods", "-l", &of_part, "--overwrite"];
    world.kubectl(&[&pods[..], &[&mark]].concat());
}

/// Waits until every operator shows this.
async fn all_show(world: &World, what: &str, is: impl Fn(&str) -> bool) {
    for pod in world.operators().await {
        until(what, async || {
            let metrics = world.metrics(&pod.name).await?;
            let ours = metrics.lines().filter(|l| l.starts_with("innkeeper_config")).collect::<Vec<_>>();
            if is(&metrics) { Ok(()) } else { Err(format!("{} shows {ours:?}", pod.name)) }
        })
        .await;
    }
}

fn reloads(metrics: &str, result: &str) -> f64 {
    value(metrics, "innkeeper_config_reload_total", &format!("result=\"{result}\"")).unwrap_or(0.0)
}

/// The messages of the Events about a pod with this reason.
fn events(world: &World, pod: &str, reason: &str) -> Vec<String> {
    let field = format!("involvedObject.name={pod},reason={reason}");
    let all = world.kubectl(&["-n", SYSTEM, "get", "events", "--field-selector", &field, "-o", "json"]);
    let all: Value = serde_json::from_str(&all).unwrap();
    all["items"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap().to_owned()).collect()
}

async fn told(world: &World, reason: &str, words: &[&str]) {
    for pod in world.operators().await {
        let message = until("an Event tells of it", async || {
            let events = events(world, &pod.name, reason);
            let found = events.iter().find(|message| words.iter().all(|word| message.contains(word)));
            found.cloned().ok_or(format!("{} has {events:?}", pod.name))
        })
        .await;
        say!("  {}: {reason}: {message}", pod.name);
        let log = world.kubectl(&["-n", SYSTEM, "logs", &pod.name]);
        assert!(
            words.iter().all(|word| log.lines().any(|line| line.contains(word))),
            "the log of {} does not say {words:?}",
            pod.name
        );
    }
}

/// What may change while running does; what may not says so.
pub async fn live(world: &World) {
    world.installed();
    let before = read(world, OPERATOR);
    let restarts = async || {
        let mut all = Vec::new();
        for pod in world.operators().await {
            all.push((pod.name.clone(), world.restarts(&pod.name).await));
        }
        all
    };
    let running = restarts().await;
    let begun = Instant::now();
    let applied = {
        let (pod, _) = world.leader().await;
        reloads(&world.metrics(&pod.name).await.unwrap(), "applied")
    };
    write(world, OPERATOR, &format!("{before}\noperator:\n  resync: 7m\n  workers: 32\n"));
    all_show(world, "the change is in force", |m| reloads(m, "applied") > applied).await;
    say!("  in force in both pods after {:.1} s", begun.elapsed().as_secs_f64());
    told(world, "ConfigReloaded", &["operator.resync"]).await;
    told(world, "ConfigNeedsRestart", &["operator.workers"]).await;
    assert_eq!(restarts().await, running, "without a restart");
    write(world, OPERATOR, &before);
    all_show(world, "and back", |m| reloads(m, "applied") > applied + 1.0).await;
}

/// The last good one stays, and everything goes on.
pub async fn refused(world: &World) {
    world.installed();
    let before = read(world, OPERATOR);
    let begun = Instant::now();
    write(world, OPERATOR, &format!("{before}\noperator:\n  resync: never\n"));
    let in_force = |m: &str| value(m, "innkeeper_config_last_reload_successful", "");
    all_show(world, "it is refused", |m| in_force(m) == Some(0.0)).await;
    say!("  refused by both pods after {:.1} s", begun.elapsed().as_secs_f64());
    told(world, "ConfigRefused", &["operator.resync", "line"]).await;
    let hotel = Hotel::open(world, "configuring");
    hotel.room("double", 1).await;
    hotel.reserve("ann", "double", (date(2031, 6, 1), date(2031, 6, 2)), "pm_card_visa").await.unwrap();
    hotel.settled("ann", &Reason::Confirmed).await;
    say!("  a stay was booked meanwhile");
    write(world, OPERATOR, &before);
    all_show(world, "the good one is in force", |m| in_force(m) == Some(1.0)).await;
    world.rolled_out();
}

/// What a gateway lets strangers do follows its `ConfigMap`, with neither another image nor a restart.
pub async fn the_door(world: &World) {
    const GATEWAY: &str = "gateway";
    world.installed();
    let door = Door::open(world).await;
    let hotel = Hotel::open(world, "configuring-door");
    hotel.room("double", 1).await;
    let search = format!(
        "{}/v1/properties/{}/rooms?checkIn=2031-06-01&checkOut=2031-06-02",
        door.url, hotel.namespace
    );
    // As often as that, every gateway has answered: each stranger has a connection of their own.
    let all_answer = async |wanted: u16| {
        until(&format!("strangers are answered with {wanted}"), async || {
            for _ in 0..20 {
                let answer = stranger().get(&search).send().await.map_err(|e| format!("{e:?}"))?;
                if answer.status() != wanted {
                    return Err(answer.status().to_string());
                }
            }
            Ok(())
        })
        .await;
    };
    all_answer(200).await;
    let image = || {
        let path = "jsonpath={.items[*].spec.containers[*].image} {.items[*].metadata.uid}";
        world.kubectl(&["-n", SYSTEM, "get", "pods", "-l", "app.kubernetes.io/component=gateway", "-o", path])
    };
    let restarts = async || {
        let mut all = Vec::new();
        for pod in world.gateways().await {
            all.push((pod.name.clone(), world.restarts(&pod.name).await));
        }
        all
    };
    let (running, restarted, before) = (image(), restarts().await, read(world, GATEWAY));
    let closed = before.replacen("gateway:\n", "gateway:\n  openSearch: false\n", 1);
    assert_ne!(closed, before);
    let begun = Instant::now();
    write(world, GATEWAY, &closed);
    all_answer(401).await;
    let closed_after = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    write(world, GATEWAY, &before);
    all_answer(200).await;
    let opened_after = begun.elapsed().as_secs_f64();
    assert_eq!(image(), running);
    assert_eq!(restarts().await, restarted, "without a restart");
    world.shows(
        "S10",
        format!(
            "openSearch: false in every gateway after {closed_after:.1} s, and back after {opened_after:.1} s; the same pods, \
             image and processes"
        ),
    );
    hotel.close(world);
}
