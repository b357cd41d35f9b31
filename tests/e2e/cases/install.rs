//! Installing.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::support::report::say;
use crate::support::{SYSTEM, World, until};

/// One command; then everything is there, ready, and somebody leads.
pub async fn one_line(world: &World) {
    super::uninstall::remove_everything(world).await;
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
    world.show(&["-n", SYSTEM, "get", "deployments,statefulsets,pods,pvc,leases,hpa,pdb"]);
    one_image(world).await;
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
    world.shows(
        "S8",
        format!(
            "kubectl apply -k manifests/overlays/quickstart: {} objects, all ready after {:.1} s; applied again, nothing anew",
            again.lines().count(),
            ready.as_secs_f64()
        ),
    );
    for pod in world.operators().await {
        until("its restarts are none", async || match world.restarts(&pod.name).await {
            0 => Ok(()),
            n => Err(format!("{} was restarted {n} times", pod.name)),
        })
        .await;
    }
}

/// Every container of Innkeeper's runs the same image, which the node knows by its digest.
async fn one_image(world: &World) {
    let path = "jsonpath={range .items[*].status.containerStatuses[*]}{.image} {.imageID}{\"\\n\"}{end}";
    // One that the autoscaler has just added has no image yet.
    let running = until("every container has its image", async || {
        let running = world.kubectl(&["-n", SYSTEM, "get", "pods", "-o", path]);
        let complete = running.lines().all(|line| line.split_whitespace().count() == 2);
        if complete { Ok(running) } else { Err(running) }
    })
    .await;
    let images: BTreeSet<&str> = running.lines().collect();
    assert_eq!(images.len(), 1, "{images:?}");
    let size = "jsonpath={range .items[0].status.images[*]}{.names} {.sizeBytes}{\"\\n\"}{end}";
    let nodes = world.kubectl(&["get", "nodes", "-o", size]);
    let name = running.split_whitespace().next().unwrap_or_default().to_owned();
    let bytes =
        nodes.lines().find(|line| line.contains(&name)).and_then(|line| line.split_whitespace().last());
    world.shows(
        "S7",
        format!(
            "{} containers, one image: {} ({} bytes on the node)",
            running.lines().count(),
            images.first().expect("something runs"),
            bytes.unwrap_or("unknown")
        ),
    );
}
