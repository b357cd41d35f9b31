//! What the probes say, and what the kubelet does.

use std::time::Instant;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;

use crate::support::report::say;
use crate::support::stream::Stream;
use crate::support::{SYSTEM, World, until};

/// Whether a pod counts as ready in the slices of a Service; none where it is not there.
async fn ready_in_service(world: &World, service: &str, pod: &str) -> Option<bool> {
    let slices: Api<EndpointSlice> = Api::namespaced(world.client.clone(), SYSTEM);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let slices = slices.list(&of_service).await.unwrap();
    let mut endpoints = slices.items.into_iter().flat_map(|s| s.endpoints);
    let found = endpoints.find(|e| e.target_ref.as_ref().and_then(|t| t.name.as_deref()) == Some(pod))?;
    found.conditions.and_then(|c| c.ready)
}

/// A provider that is asked to end still answers while it leaves its Service.
pub async fn draining(world: &World) {
    world.installed();
    let pod = "innkeeper-payments-0";
    let uid = async || world.pods().get_opt(pod).await.unwrap().and_then(|p| p.metadata.uid);
    assert_eq!(ready_in_service(world, "innkeeper-payments", pod).await, Some(true));
    let (old, begun) = (uid().await, Instant::now());
    world.kubectl(&["-n", SYSTEM, "delete", "pod", pod, "--wait=false"]);
    until("it leaves its Service before it is gone", async || {
        assert_eq!(uid().await, old, "it was gone before it was not ready");
        match ready_in_service(world, "innkeeper-payments", pod).await {
            Some(true) => Err("still ready".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    say!("  out of its Service after {:.1} s", begun.elapsed().as_secs_f64());
    let log = world.try_kubectl(&["-n", SYSTEM, "logs", pod]).unwrap_or_default();
    world.rolled_out();
    until("another is ready", async || {
        let other = uid().await.is_some_and(|now| Some(now) != old);
        let ready = ready_in_service(world, "innkeeper-payments", pod).await == Some(true);
        if other && ready { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    say!(
        "  another is ready after {:.1} s; its last words: {}",
        begun.elapsed().as_secs_f64(),
        log.lines().last().unwrap_or("-")
    );
}

/// A leader that stands still: its Lease runs out, the other goes on, and the kubelet restarts it.
pub async fn wedged(world: &World) {
    world.installed();
    let node = world.node.as_ref().expect("checked before");
    let stream = Stream::begin(world, "wedged").await;
    let (leader, identity) = world.leader().await;
    let (restarts, begun) = (world.restarts(&leader.name).await, Instant::now());
    node.signal(&leader.uid, "STOP");
    let taken = world.taken_over(&identity, begun).await;
    say!("  {} stands still; another leads after {:.1} s", leader.name, taken.as_secs_f64());
    until("it is restarted", async || match world.restarts(&leader.name).await {
        n if n > restarts => Ok(()),
        n => Err(format!("{n} restarts")),
    })
    .await;
    say!("  its liveness probe had it restarted after {:.1} s", begun.elapsed().as_secs_f64());
    stream.served(20).await;
    say!("  {}", stream.end(world).await);
    world.rolled_out();
}
