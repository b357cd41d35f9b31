//! Gateways come and go, with people at the door.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use innkeeper_checker::Expected;
use kube::api::EvictParams;
use serde_json::json;

use crate::support::books::balance;
use crate::support::crowd::{Crowd, Tally};
use crate::support::door::GATEWAY;
use crate::support::hotel::{Hotel, NIGHTLY};
use crate::support::operator::PodId;
use crate::support::report::say;
use crate::support::{SYSTEM, World, until};

/// Requests a second while nothing is tried but that they are answered.
const QUIET: u64 = 100;

/// Waits until as many gateways are ready as `is` wants; notes every other number on the way.
async fn gateways(
    world: &World,
    what: &str,
    seen: &mut Vec<(Duration, usize)>,
    begun: Instant,
    is: impl Fn(usize) -> bool,
) {
    until(what, async || {
        let now = world.gateways().await.len();
        if seen.last().is_none_or(|(_, before)| *before != now) {
            seen.push((begun.elapsed(), now));
        }
        if is(now) { Ok(()) } else { Err(format!("{now} are ready")) }
    })
    .await;
}

async fn none_failed(world: &World, hotel: Hotel, tally: &Tally) {
    say!("  {tally}");
    assert!(tally.failed.is_empty(), "{tally}");
    all_booked(world, &hotel, tally).await;
    hotel.close(world);
}

/// As many Reservations as bookings that were answered, and the books balance.
async fn all_booked(world: &World, hotel: &Hotel, tally: &Tally) {
    let all = hotel.all_settled().await;
    assert_eq!(all.len() as u64, tally.booked, "booked once each");
    say!("  {:?}", balance(world, &hotel.namespace, &Expected::nightly(NIGHTLY)).await);
}

/// A rush at the door adds gateways, its end takes them away again, and nobody is turned away.
pub async fn by_load(world: &World) {
    world.installed();
    // The installed one waits five minutes before it takes one away; here that is watched.
    let sooner = json!({ "spec": { "behavior": { "scaleDown": {
        "stabilizationWindowSeconds": 15,
        "policies": [{ "type": "Percent", "value": 50, "periodSeconds": 15 }],
    } } } });
    world.kubectl(&["-n", SYSTEM, "patch", "hpa", GATEWAY, "--type=merge", "-p", &sooner.to_string()]);
    let (mut seen, begun) = (Vec::new(), Instant::now());
    gateways(world, "two gateways, as many as there are at least", &mut seen, begun, |n| n == 2).await;
    let crowd = Crowd::begin(world, "rush", 400).await;
    let mut pace = 400;
    let rush = Instant::now();
    // What two gateways bear without more is another number on every machine.
    let mut raised = Instant::now();
    until("gateways are added", async || {
        let now = world.gateways().await.len();
        if seen.last().is_none_or(|(_, before)| *before != now) {
            seen.push((begun.elapsed(), now));
        }
        if now > 2 {
            return Ok(());
        }
        if raised.elapsed() > Duration::from_secs(20) {
            pace *= 2;
            crowd.pace(pace);
            raised = Instant::now();
        }
        Err(format!("{now} are ready at {pace} requests a second"))
    })
    .await;
    let added = rush.elapsed();
    // The new ones take their share, with nobody turned away.
    crowd.answered(pace * 5).await;
    let most = world.gateways().await.len();
    world.show(&["-n", SYSTEM, "get", "hpa", GATEWAY]);
    let rushed = crowd.so_far();
    say!(
        "  at up to {pace} requests a second {most} gateways, the first of them added after {:.0} s",
        added.as_secs_f64()
    );
    say!("  the rush: {rushed}");
    let calm = Instant::now();
    crowd.pace(QUIET / 4);
    gateways(world, "two gateways again", &mut seen, begun, |n| n == 2).await;
    say!("  two again {:.0} s after its end", calm.elapsed().as_secs_f64());
    // Until those that were told to go have gone.
    crowd.answered(QUIET * 2).await;
    let steps: Vec<String> = seen.iter().map(|(at, n)| format!("{n} at {:.0} s", at.as_secs_f64())).collect();
    world.shows(
        "S9",
        format!(
            "gateways ready: {}; at up to {pace} requests a second; {} requests, {} failed",
            steps.join(", "),
            crowd.so_far().asked,
            crowd.so_far().failed.len()
        ),
    );
    world.show(&["-n", SYSTEM, "get", "hpa", GATEWAY]);
    world.kubectl(&["apply", "-k", world.overlay()]);
    let (hotel, tally) = crowd.end().await;
    none_failed(world, hotel, &tally).await;
}

/// Every gateway anew, one by one.
pub async fn rollout(world: &World) {
    world.installed();
    let crowd = Crowd::begin(world, "rollout", QUIET).await;
    let before = world.gateways().await;
    crowd.answered(QUIET * 2).await;
    let begun = Instant::now();
    let deployment = format!("deployment/{GATEWAY}");
    world.kubectl(&["-n", SYSTEM, "rollout", "restart", &deployment]);
    world.kubectl(&["-n", SYSTEM, "rollout", "status", &deployment, "--timeout=240s"]);
    say!("  rolled out in {:.1} s", begun.elapsed().as_secs_f64());
    until("the old ones have gone", async || {
        let left = still_there(world, &before).await;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    crowd.answered(QUIET * 2).await;
    let (hotel, tally) = crowd.end().await;
    world.shows(
        "S12",
        format!("{} requests and {} bookings, {} failed", tally.asked, tally.booked, tally.failed.len()),
    );
    none_failed(world, hotel, &tally).await;
}

/// Which of these pods still are, in whatever state.
async fn still_there(world: &World, of: &BTreeSet<PodId>) -> Vec<String> {
    let mut left = Vec::new();
    for pod in of {
        let found = world.pods().get_opt(&pod.name).await.unwrap();
        if found.is_some_and(|found| found.metadata.uid.as_ref() == Some(&pod.uid)) {
            left.push(pod.name.clone());
        }
    }
    left
}

/// One is deleted, as a node that is drained deletes it.
pub async fn deleted(world: &World) {
    world.installed();
    let crowd = Crowd::begin(world, "deleted", QUIET).await;
    crowd.answered(QUIET).await;
    let victim = world.gateways().await.pop_first().expect("there is a gateway");
    let begun = Instant::now();
    world.kubectl(&["-n", SYSTEM, "delete", "pod", &victim.name, "--timeout=240s"]);
    say!("  {} was deleted, and gone after {:.1} s", victim.name, begun.elapsed().as_secs_f64());
    crowd.answered(QUIET * 2).await;
    let (hotel, tally) = crowd.end().await;
    none_failed(world, hotel, &tally).await;
    world.rolled_out();
}

/// One is killed. What it was just answering is lost, and so is what comes until the node has noticed; whoever asks again
/// is served, and nothing is booked twice.
pub async fn killed(world: &World) {
    world.installed();
    let node = world.node.as_ref().expect("checked before");
    let crowd = Crowd::begin(world, "killed", QUIET).await;
    crowd.answered(QUIET).await;
    let victim = world.gateways().await.pop_first().expect("there is a gateway");
    let process = node.process(&victim.uid).expect("it has a process");
    let before = crowd.so_far();
    assert!(before.failed.is_empty(), "{before}");
    node.run(&format!("kill -KILL {process}"));
    until("the kubelet started it again", async || match world.restarts(&victim.name).await {
        0 => Err("not yet".to_owned()),
        _ => Ok(()),
    })
    .await;
    world.rolled_out();
    crowd.answered(QUIET * 2).await;
    // From here on nobody is lost any more.
    let after = crowd.so_far();
    crowd.answered(QUIET * 5).await;
    let (hotel, tally) = crowd.end().await;
    say!("  {} was killed: {tally}", victim.name);
    assert_eq!(tally.failed.len(), after.failed.len(), "it was over: {tally}");
    // None was answered wrongly: connections that broke, and one that had just started and said so (503), nothing else.
    let answered = |why: &str| [": 4", ": 5"].iter().any(|s| why.contains(s)) && !why.contains(": 503");
    assert!(!tally.failed.iter().any(|(_, why)| answered(why)), "{tally}");
    all_booked(world, &hotel, &tally).await;
    hotel.close(world);
}

/// Two evictions at once: the second is refused until another gateway is ready.
pub async fn evicted(world: &World) {
    world.installed();
    // Two, whatever the last case has left: while the autoscaler takes others away, an eviction more may be allowed.
    let most = |replicas: u32| {
        let patch = format!(r#"{{"spec":{{"maxReplicas":{replicas}}}}}"#);
        world.kubectl(&["-n", SYSTEM, "patch", "hpa", GATEWAY, "--type=merge", "-p", &patch])
    };
    let before = world.kubectl(&["-n", SYSTEM, "get", "hpa", GATEWAY, "-o", "jsonpath={.spec.maxReplicas}"]);
    most(2);
    let crowd = Crowd::begin(world, "evicted", QUIET).await;
    let budget = || {
        let path = "jsonpath={.status.expectedPods} {.status.currentHealthy} {.status.disruptionsAllowed}";
        world.kubectl(&["-n", SYSTEM, "get", "pdb", GATEWAY, "-o", path])
    };
    until("two are ready, and one may go", async || {
        let (ready, budget) = (world.gateways().await.len(), budget());
        if ready == 2 && budget == "2 2 1" { Ok(()) } else { Err(format!("{ready} are ready, {budget}")) }
    })
    .await;
    let pods: Vec<PodId> = world.gateways().await.into_iter().collect();
    let begun = Instant::now();
    let evict = async |pod: &PodId| world.pods().evict(&pod.name, &EvictParams::default()).await;
    evict(&pods[0]).await.expect("the first may go");
    // Held with 429 and a Retry-After: the client waits and asks again by itself, the loop when that gives up.
    until("the second may go when another is ready", async || {
        evict(&pods[1]).await.map(drop).map_err(|e| e.to_string())
    })
    .await;
    let others = world.gateways().await.into_iter().filter(|pod| !pods.contains(pod)).count();
    assert!(others > 0, "the second went while no other gateway was ready");
    say!("  the second was held until another was ready, {:.1} s", begun.elapsed().as_secs_f64());
    until("the evicted ones have gone", async || {
        let left = still_there(world, &pods.iter().cloned().collect()).await;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    world.rolled_out();
    most(before.parse().unwrap());
    let (hotel, tally) = crowd.end().await;
    none_failed(world, hotel, &tally).await;
}
