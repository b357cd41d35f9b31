//! All cases there are, by name: what is done, to which workload, where, and when.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use crate::cases::tap::{Kind, Mishap, Moment};
use crate::cases::workload::Workload;
use crate::cases::{Clean, Done, matrix, race, schedule, stale, watching};

/// How far back an old view goes, in the middle of a workload.
const BACK: usize = 4;

type Running = Pin<Box<dyn Future<Output = Done>>>;

/// A case.
pub struct Case {
    /// What it is called by.
    pub name: String,
    /// Runs it.
    pub run: Box<dyn Fn() -> Running + Send>,
}

/// A case that is compared with the run without faults.
fn case<F: Future<Output = Done> + 'static>(
    name: String,
    clean: &Arc<Clean>,
    run: impl Fn(Arc<Clean>) -> F + Send + 'static,
) -> Case {
    let clean = Arc::clone(clean);
    Case { name, run: Box::new(move || Box::pin(run(Arc::clone(&clean)))) }
}

/// All of them, with so many seeds for each workload.
pub fn all(clean: &BTreeMap<Workload, Arc<Clean>>, seeds: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (workload, clean) in clean {
        requests(*workload, clean, &mut cases);
        events(*workload, clean, &mut cases);
        views(*workload, clean, &mut cases);
        schedules(*workload, clean, seeds, &mut cases);
    }
    for operators in 1..=3 {
        let name = format!("race/1000-for-1-to-5/{operators}-operators");
        let run = move || -> Running { Box::pin(race::overlapping(1000, operators)) };
        cases.push(Case { name, run: Box::new(run) });
    }
    cases
}

fn requests(workload: Workload, clean: &Arc<Clean>, cases: &mut Vec<Case>) {
    let word = workload.word();
    for kind in [Kind::Write, Kind::Call] {
        for number in 1..=u32::try_from(clean.of(kind).len()).unwrap() {
            let at = format!("{word}/{}-{number}", kind.word());
            for moment in Moment::ALL {
                let run = move |known: Arc<Clean>| async move {
                    matrix::killed(workload, &known, kind, number, moment).await
                };
                cases.push(case(format!("crash/{at}/{}", moment.word()), clean, run));
            }
            for moment in [Moment::Before, Moment::AfterEffect] {
                for (group, in_turn) in [("paused", false), ("paused-past-its-lease", true)] {
                    let run = move |known: Arc<Clean>| async move {
                        matrix::paused(workload, &known, kind, number, moment, in_turn).await
                    };
                    cases.push(case(format!("{group}/{at}/{}", moment.word()), clean, run));
                }
            }
        }
    }
}

fn events(workload: Workload, clean: &Arc<Clean>, cases: &mut Vec<Case>) {
    for number in 1..=u32::try_from(clean.events.len()).unwrap() {
        for (group, mishap) in [("unobserved", Mishap::Lost), ("expired", Mishap::Expired)] {
            let run = move |known: Arc<Clean>| async move {
                watching::mishap(workload, &known, number, mishap).await
            };
            cases.push(case(format!("{group}/{}/event-{number}", workload.word()), clean, run));
        }
    }
}

fn views(workload: Workload, clean: &Arc<Clean>, cases: &mut Vec<Case>) {
    let word = workload.word();
    for (kinds_word, kinds) in stale::KINDS {
        let run = move |known: Arc<Clean>| async move { stale::of_the_end(workload, &known, kinds).await };
        cases.push(case(format!("stale/{word}/{kinds_word}-at-the-end"), clean, run));
    }
    for number in 1..=clean.writes.len() {
        for back in 1..=BACK.min(number) {
            let (kinds_word, kinds) = stale::KINDS[(number + back) % 3];
            let write = u32::try_from(number).unwrap();
            let run = move |known: Arc<Clean>| async move {
                stale::in_the_middle(workload, &known, write, back, kinds).await
            };
            cases.push(case(format!("stale/{word}/{kinds_word}-at-write-{number}-back-{back}"), clean, run));
        }
    }
}

fn schedules(workload: Workload, clean: &Arc<Clean>, seeds: u64, cases: &mut Vec<Case>) {
    let word = workload.word();
    for seed in 1..=seeds {
        let operators = 2 + seed % 2;
        let run = move |known: Arc<Clean>| async move {
            schedule::together(workload, &known, operators, seed).await
        };
        cases.push(case(format!("together/{word}/{operators}-operators-seed-{seed}"), clean, run));
        let run = move |known: Arc<Clean>| async move { schedule::failing(workload, &known, seed).await };
        cases.push(case(format!("schedule/{word}/seed-{seed}"), clean, run));
    }
}
