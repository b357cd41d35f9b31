//! End-to-end tests: the image, installed on a whole cluster as its users install it. `make e2e` runs them on the cluster
//! that `E2E_KUBECONFIG` names, and on no other. They run one after another, in this order, on one installation; each
//! prints what it saw. Named alone (`make e2e ONLY=volume`), a case finds the installation or makes it.
//!
//! `e2e seed` (`make e2e-seed`) plays the cases that show what is demanded of Innkeeper as a whole, and prints a line of
//! evidence for each demand at the end; one without evidence fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected here is a failed test"
)]

mod cases;
mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use cases::Case;
use support::World;
use support::report::{DEMANDS, say};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share one cluster.
    arguments.test_threads = Some(1);
    let seed = arguments.filter.as_deref() == Some("seed");
    if seed {
        arguments.filter = None;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let world = if arguments.list { None } else { Some(Arc::new(World::open(&runtime))) };
    let runtime = Arc::new(runtime);
    let played = cases::ALL.iter().filter(|case| !seed || !case.shows.is_empty());
    let trials = played.map(|case| trial(case, world.as_ref(), &runtime)).collect();
    if let Some(world) = &world {
        say_what_is_lacking(world);
        world.look_at_disks();
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let mut well = !conclusion.has_failed();
    let whole = arguments.filter.is_none() && arguments.skip.is_empty();
    if let Some(world) = world.filter(|_| whole) {
        say!("");
        for line in world.evidence() {
            say!("{line}");
        }
        let missing: Vec<&str> =
            DEMANDS.iter().map(|(name, _)| *name).filter(|name| !world.shown(name)).collect();
        if seed && !missing.is_empty() {
            say!("without evidence: {}", missing.join(", "));
            well = false;
        }
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn trial(case: &'static Case, world: Option<&Arc<World>>, runtime: &Arc<Runtime>) -> Trial {
    let (world, runtime) = (world.cloned(), Arc::clone(runtime));
    let lacking = world.as_ref().is_some_and(|world| world.lacks(case.needs));
    let trial = Trial::test(case.name, move || {
        let world = world.expect("not listing");
        if let Some(broken_by) = world.broken_by() {
            return Err(Failed::from(format!(
                "not played: the installation has not come up again since {broken_by}"
            )));
        }
        let begun = Instant::now();
        say!("");
        say!("{}: {}", case.name, case.what);
        let run = std::panic::AssertUnwindSafe(|| runtime.block_on((case.run)(&world)));
        let outcome = std::panic::catch_unwind(run);
        if let Err(panic) = outcome {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            world.look_whether_broken_by(case.name);
            world.show_what_went_on();
            return Err(Failed::from(text.unwrap_or_else(|| "it panicked".to_owned())));
        }
        for demand in case.shows {
            assert!(world.shown(demand), "{} gives no evidence for {demand}", case.name);
        }
        say!("  took {:.0} s", begun.elapsed().as_secs_f64());
        Ok(())
    });
    trial.with_ignored_flag(lacking)
}

fn say_what_is_lacking(world: &World) {
    if world.lacks(cases::Needs::Node) {
        say!("E2E_NODE_SHELL is not set (a shell on the node, such as `docker exec kind-control-plane sh`):");
        say!("what needs one (kill -9, a wedged process) is not run");
    }
    if world.lacks(cases::Needs::Metrics) {
        say!("the cluster has no metrics of pods (metrics.k8s.io, such as metrics-server gives them):");
        say!("what needs them (the autoscaler) is not run");
    }
    if world.lacks(cases::Needs::Kafka) {
        say!(
            "INNKEEPER_KAFKA (hack/kafka/get) or E2E_HOST_ADDRESS (this machine, as pods reach it) is not set:"
        );
        say!("what needs a Kafka broker is not run");
    }
}
