//! The configuration of running pods.

use std::time::Instant;

use innkeeper_api::Reason;
use jiff::civil::date;
use serde_json::{Value, json};

use crate::support::hotel::Hotel;
use crate::support::operator::value;
use crate::support::report::say;
use crate::support::{SYSTEM, World, until};

const MAP: &str = "configmap/innkeeper-operator";

fn read(world: &World) -> String {
    world.kubectl(&["-n", SYSTEM, "get", MAP, "-o", r"jsonpath={.data.config\.yaml}"])
}

fn write(world: &World, text: &str) {
    let patch = json!({ "data": { "config.yaml": text } }).to_string();
    world.kubectl(&["-n", SYSTEM, "patch", MAP, "--type=merge", "-p", &patch]);
    // A changed ConfigMap reaches a pod within about a minute; a change of the pod makes the kubelet look now.
    let now = jiff::Timestamp::now().as_millisecond();
    let mark = format!("innkeeper.dev/e2e-look={now}");
    let pods =
        ["-n", SYSTEM, "annotate", "pods", "-l", "app.kubernetes.io/component=operator", "--overwrite"];
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
    let before = read(world);
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
    write(world, &format!("{before}\noperator:\n  resync: 7m\n  workers: 32\n"));
    all_show(world, "the change is in force", |m| reloads(m, "applied") > applied).await;
    say!("  in force in both pods after {:.1} s", begun.elapsed().as_secs_f64());
    told(world, "ConfigReloaded", &["operator.resync"]).await;
    told(world, "ConfigNeedsRestart", &["operator.workers"]).await;
    assert_eq!(restarts().await, running, "without a restart");
    write(world, &before);
    all_show(world, "and back", |m| reloads(m, "applied") > applied + 1.0).await;
}

/// The last good one stays, and everything goes on.
pub async fn refused(world: &World) {
    world.installed();
    let before = read(world);
    let begun = Instant::now();
    write(world, &format!("{before}\noperator:\n  resync: never\n"));
    let in_force = |m: &str| value(m, "innkeeper_config_last_reload_successful", "");
    all_show(world, "it is refused", |m| in_force(m) == Some(0.0)).await;
    say!("  refused by both pods after {:.1} s", begun.elapsed().as_secs_f64());
    told(world, "ConfigRefused", &["operator.resync", "line"]).await;
    let hotel = Hotel::open(world, "configuring");
    hotel.room("double", 1).await;
    hotel.reserve("ann", "double", (date(2031, 6, 1), date(2031, 6, 2)), "pm_card_visa").await.unwrap();
    hotel.settled("ann", &Reason::Confirmed).await;
    say!("  a stay was booked meanwhile");
    write(world, &before);
    all_show(world, "the good one is in force", |m| in_force(m) == Some(1.0)).await;
    world.rolled_out();
}
