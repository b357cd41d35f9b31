//! Torture: real operators on a real API server and the embedded payment provider, killed, paused, deafened and misled
//! at every request that they make and every event that they hear. `make torture` runs it; `hack/torture --help` says
//! how. Where the places are comes from a run of each workload in which nothing goes wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code,
    reason = "what is not as expected here is a failed test, and what is shared with other tests is not all used"
)]
#![allow(clippy::similar_names, reason = "guests of a test are called by short names")]

mod cases;
mod plan;
mod report;
mod support;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

use cases::workload::Workload;
use cases::{Clean, Done};
use plan::Case;
use report::Report;

/// How often a case is played at most: two runs of a workload differ in the order of what happens side by side, and in
/// whether the last request is one more.
const TRIES: u32 = 4;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most of a case is waiting; more at once than the machine has cores for is faster, up to a point.
    arguments.test_threads = arguments.test_threads.or(Some(4));
    support::control_plane();
    let filter = arguments.filter.clone().unwrap_or_default();
    let report = Arc::new(Report::default());
    let begun = Instant::now();
    let clean = record(&filter, &report, arguments.test_threads.unwrap_or(1));
    let scale = std::env::var("INNKEEPER_TORTURE_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    let planned = plan::all(&clean, scale);
    let trials = planned.into_iter().map(|case| trial(case, &report)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        report.close(&clean, begun.elapsed());
    }
    let well = !conclusion.has_failed() && !report.has_failed();
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs every workload that the filter may mean once without faults.
fn record(filter: &str, report: &Arc<Report>, threads: usize) -> BTreeMap<Workload, Arc<Clean>> {
    let named = filter.split('/').nth(1).unwrap_or_default();
    let exact = Workload::ALL.iter().any(|workload| workload.word() == named);
    let none = filter.starts_with("race");
    let wanted = Workload::ALL.into_iter().filter(|w| !none && (!exact || w.word() == named));
    let queue = Mutex::new(wanted.collect::<Vec<_>>().into_iter());
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(workload) = queue.lock().unwrap().next() else { return };
                    let name = format!("clean/{}", workload.word());
                    let begun = Instant::now();
                    let run = caught(|| block_on(cases::clean(workload)));
                    let (writes, calls, events) =
                        run.as_ref().map_or((0, 0, 0), |c| (c.writes.len(), c.calls.len(), c.events.len()));
                    eprintln!("{name}: {writes} writes, {calls} calls, {events} events");
                    let done_so = Done { reached: true, faults: 0 };
                    report.add(&name, begun.elapsed(), run.as_ref().map(|_| done_so).map_err(String::as_str));
                    if let Ok(clean) = run {
                        done.lock().unwrap().insert(workload, Arc::new(clean));
                    }
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn trial(case: Case, report: &Arc<Report>) -> Trial {
    let report = Arc::clone(report);
    let name = case.name.clone();
    Trial::test(name.clone(), move || {
        let begun = Instant::now();
        let outcome = caught(|| played(&case));
        report.add(&name, begun.elapsed(), outcome.as_ref().copied().map_err(String::as_str));
        outcome.map(drop).map_err(|why| {
            Failed::from(format!("{why}\nTo run just this one again: hack/torture {name} --exact"))
        })
    })
}

/// Played again where it did not come to its place.
fn played(case: &Case) -> Done {
    let mut done = Done::default();
    for _ in 0..TRIES {
        done = block_on((case.run)());
        if done.reached {
            break;
        }
    }
    done
}

/// Each case has a runtime of its own, with which everything ends that it began.
fn block_on<T>(case: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = runtime.block_on(Box::pin(case));
    runtime.shutdown_timeout(Duration::from_secs(5));
    outcome
}

fn caught<T>(case: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(case)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        text.unwrap_or_else(|| "it panicked".to_owned())
    })
}
