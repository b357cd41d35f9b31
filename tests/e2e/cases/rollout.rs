//! Changing what runs, under a stream of bookings.

use std::time::Instant;

use crate::support::report::say;
use crate::support::stream::Stream;
use crate::support::{SYSTEM, World};

const OPERATOR: &str = "deployment/innkeeper-operator";
const PAYMENTS: &str = "statefulset/innkeeper-payments";

/// Every pod anew.
pub async fn restart(world: &World) {
    world.installed();
    let before = world.operators().await;
    let stream = Stream::begin(world, "restart").await;
    for workload in [OPERATOR, PAYMENTS] {
        let begun = Instant::now();
        world.kubectl(&["-n", SYSTEM, "rollout", "restart", workload]);
        world.kubectl(&["-n", SYSTEM, "rollout", "status", workload, "--timeout=240s"]);
        say!("  {workload} rolled out in {:.1} s", begun.elapsed().as_secs_f64());
    }
    stream.served(20).await;
    say!("  {}", stream.end(world).await);
    assert!(world.operators().await.is_disjoint(&before));
}

/// To another image, and back.
pub async fn upgrade(world: &World) {
    world.installed();
    let image = |of: &str| {
        let path = "jsonpath={.spec.template.spec.containers[0].image}";
        world.kubectl(&["-n", SYSTEM, "get", of, "-o", path])
    };
    let old = image(OPERATOR);
    let stream = Stream::begin(world, "upgrade").await;
    for new in [world.next_image.as_str(), old.as_str()] {
        let begun = Instant::now();
        for (workload, container) in [(OPERATOR, "operator"), (PAYMENTS, "payments")] {
            world.kubectl(&["-n", SYSTEM, "set", "image", workload, &format!("{container}={new}")]);
        }
        world.rolled_out();
        assert_eq!((image(OPERATOR).as_str(), image(PAYMENTS).as_str()), (new, new));
        let running = world.kubectl(&[
            "-n",
            SYSTEM,
            "get",
            "pods",
            "-l",
            "app.kubernetes.io/component=operator",
            "-o",
            "jsonpath={range .items[?(@.status.phase==\"Running\")]}{.status.containerStatuses[0].image}{\"\\n\"}{end}",
        ]);
        say!(
            "  to {new} in {:.1} s; running: {}",
            begun.elapsed().as_secs_f64(),
            running.replace('\n', ", ")
        );
        assert!(running.lines().any(|line| line.ends_with(new)), "{running}");
        stream.served(20).await;
    }
    say!("  {}", stream.end(world).await);
}
