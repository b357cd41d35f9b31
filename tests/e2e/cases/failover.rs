//! The leader goes, under a stream of bookings.

use std::time::Instant;

use crate::support::report::say;
use crate::support::stream::Stream;
use crate::support::{SYSTEM, World};

/// Drained: it finishes what it has begun and gives the Lease back.
pub async fn deleted(world: &World) {
    world.installed();
    let stream = Stream::begin(world, "deleted").await;
    let (leader, identity) = world.leader().await;
    let begun = Instant::now();
    world.kubectl(&["-n", SYSTEM, "delete", "pod", &leader.name, "--wait=false"]);
    let after = world.taken_over(&identity, begun).await;
    say!(
        "  {} was deleted; {} took over after {:.1} s",
        leader.name,
        world.leader().await.0.name,
        after.as_secs_f64()
    );
    stream.served(30).await;
    say!("  {}", stream.end(world).await);
    world.rolled_out();
}

/// Killed: its Lease has to run out.
pub async fn killed(world: &World) {
    world.installed();
    let node = world.node.as_ref().expect("checked before");
    let stream = Stream::begin(world, "killed").await;
    let (leader, identity) = world.leader().await;
    let restarts = world.restarts(&leader.name).await;
    let begun = Instant::now();
    node.signal(&leader.uid, "KILL");
    let after = world.taken_over(&identity, begun).await;
    say!(
        "  {} was killed; {} took over after {:.1} s",
        leader.name,
        world.leader().await.0.name,
        after.as_secs_f64()
    );
    stream.served(30).await;
    say!("  {}", stream.end(world).await);
    world.rolled_out();
    assert!(world.restarts(&leader.name).await > restarts, "the kubelet started it again");
}
