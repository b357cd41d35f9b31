//! Installing.

use std::time::Instant;

use crate::support::report::say;
use crate::support::{SYSTEM, World, until};

/// One command; then everything is there, ready, and somebody leads.
pub async fn one_line(world: &World) {
    super::uninstall::remove_everything(world);
    let begun = Instant::now();
    world.installed();
    let ready = begun.elapsed();
    let (leader, _) = world.leader().await;
    say!(
        "  ready after {:.1} s, {} leads after {:.1} s",
        ready.as_secs_f64(),
        leader.name,
        begun.elapsed().as_secs_f64()
    );
    world.show(&["-n", SYSTEM, "get", "deployments,statefulsets,pods,pvc,leases"]);
    assert_eq!(world.operators().await.len(), 2);
    let enforced = world.kubectl(&[
        "get",
        "namespace",
        SYSTEM,
        "-o",
        r"jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}",
    ]);
    assert_eq!(enforced, "restricted");
    // Applying it again changes nothing.
    let again = world.kubectl(&["apply", "-k", "manifests/overlays/quickstart"]);
    let changed: Vec<&str> = again.lines().filter(|line| !line.ends_with(" unchanged")).collect();
    // kubectl cannot see that defaults are defaults in some kinds, and says `configured` of what stays as it is.
    let generations = || {
        world.kubectl(&["-n", SYSTEM, "get", "deploy,sts", "-o", "jsonpath={.items[*].metadata.generation}"])
    };
    let before = generations();
    world.kubectl(&["apply", "-k", "manifests/overlays/quickstart"]);
    assert_eq!(generations(), before, "{changed:#?}");
    say!(
        "  applied again: {} of {} objects unchanged, no workload anew",
        again.lines().count() - changed.len(),
        again.lines().count()
    );
    for pod in world.operators().await {
        until("its restarts are none", async || match world.restarts(&pod.name).await {
            0 => Ok(()),
            n => Err(format!("{} was restarted {n} times", pod.name)),
        })
        .await;
    }
}
