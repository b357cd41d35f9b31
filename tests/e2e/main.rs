//! End-to-end tests: the image, installed on a whole cluster as its users install it. `make e2e` runs them on the cluster
//! that `E2E_KUBECONFIG` names, and on no other. They run one after another, in this order, on one installation; each
//! prints what it saw. Named alone (`make e2e ONLY=volume`), a case finds the installation or makes it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected here is a failed test"
)]

mod cases;
mod support;

use std::sync::Arc;
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};

use support::World;
use support::report::say;

fn main() {
    let mut arguments = Arguments::from_args();
    // They share one cluster.
    arguments.test_threads = Some(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let world = if arguments.list { None } else { Some(Arc::new(World::open(&runtime))) };
    let runtime = Arc::new(runtime);
    let mut trials = Vec::new();
    for case in cases::ALL {
        let (world, runtime) = (world.clone(), Arc::clone(&runtime));
        let lacks_node = case.needs_node && world.as_ref().is_some_and(|world| world.node.is_none());
        let trial = Trial::test(case.name, move || {
            let world = world.expect("not listing");
            let begun = Instant::now();
            say!("");
            say!("{}: {}", case.name, case.what);
            let run = std::panic::AssertUnwindSafe(|| runtime.block_on((case.run)(&world)));
            let outcome = std::panic::catch_unwind(run);
            if let Err(panic) = outcome {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                world.show_what_went_on();
                return Err(Failed::from(text.unwrap_or_else(|| "it panicked".to_owned())));
            }
            say!("  took {:.0} s", begun.elapsed().as_secs_f64());
            Ok(())
        });
        trials.push(trial.with_ignored_flag(lacks_node));
    }
    if let Some(world) = &world
        && world.node.is_none()
    {
        say!("E2E_NODE_SHELL is not set (a shell on the node, such as `docker exec kind-control-plane sh`):");
        say!("what needs one (kill -9, a wedged process) is not run");
    }
    libtest_mimic::run(&arguments, trials).exit();
}
