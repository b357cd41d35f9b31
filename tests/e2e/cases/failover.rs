//! The leader goes, under a stream of bookings.

use std::time::Instant;

use crate::support::operator::PodId;
use crate::support::report::say;
use crate::support::stream::Stream;
use crate::support::{SYSTEM, World};

/// Drained: it finishes what it has begun and gives the Lease back.
pub async fn deleted(world: &World) {
    goes(world, "deleted", |leader| {
        world.kubectl(&["-n", SYSTEM, "delete", "pod", &leader.name, "--wait=false"]);
    })
    .await;
}

/// Killed: its Lease has to run out.
pub async fn killed(world: &World) {
    let node = world.node.as_ref().expect("checked before");
    let (leader, restarts) = goes(world, "killed", |leader| node.signal(&leader.uid, "KILL")).await;
    assert!(world.restarts(&leader.name).await > restarts, "the kubelet started it again");
}

/// Has the leader go in some way; gives who it was, and how often it had been restarted before.
async fn goes(world: &World, how: &str, strike: impl Fn(&PodId)) -> (PodId, i32) {
    world.installed();
    let stream = Stream::begin(world, how).await;
    let (leader, identity) = world.leader().await;
    let (restarts, begun) = (world.restarts(&leader.name).await, Instant::now());
    strike(&leader);
    let after = world.taken_over(&identity, begun).await;
    let (next, _) = world.leader().await;
    say!("  {} was {how}; {} took over after {:.1} s", leader.name, next.name, after.as_secs_f64());
    stream.served(30).await;
    say!("  {}", stream.end(world).await);
    world.rolled_out();
    (leader, restarts)
}
