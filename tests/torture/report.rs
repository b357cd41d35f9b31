//! What was done and what came of it, as text, and as JSON where `INNKEEPER_TORTURE_REPORT` names a file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cases::workload::Workload;
use crate::cases::{Clean, Done};

/// All that has been done so far.
#[derive(Default)]
pub struct Report {
    groups: Mutex<BTreeMap<String, Group>>,
    failed: Mutex<Vec<(String, String)>>,
    unreached: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Group {
    cases: u32,
    unreached: u32,
    faults: u32,
    failed: u32,
    took: Duration,
}

impl Report {
    /// Takes in one case.
    pub fn add(&self, name: &str, took: Duration, outcome: Result<Done, &str>) {
        let group = name.split('/').next().unwrap_or_default().to_owned();
        let mut groups = self.groups.lock().unwrap();
        let group = groups.entry(group).or_default();
        group.cases += 1;
        group.took += took;
        match outcome {
            Ok(done) => {
                group.faults += done.faults;
                if !done.reached {
                    group.unreached += 1;
                    self.unreached.lock().unwrap().push(name.to_owned());
                }
            }
            Err(why) => {
                group.failed += 1;
                self.failed.lock().unwrap().push((name.to_owned(), why.to_owned()));
            }
        }
    }

    /// Whether anything was wrong.
    pub fn has_failed(&self) -> bool {
        !self.failed.lock().unwrap().is_empty()
    }

    /// Prints it, and writes it where a file is named.
    pub fn close(&self, clean: &BTreeMap<Workload, Arc<Clean>>, took: Duration) {
        let (groups, failed) = (self.groups.lock().unwrap(), self.failed.lock().unwrap());
        println!("\nworkload                  writes  calls  events");
        let places = |c: &Clean| (c.writes.len(), c.calls.len(), c.events.len());
        for (workload, clean) in clean {
            let (writes, calls, events) = places(clean);
            println!("{:24} {writes:7} {calls:6} {events:7}", workload.word());
        }
        println!("\nwhat was done             cases  came to its place  faults  violations  seconds");
        for (name, group) in groups.iter() {
            let Group { cases, unreached, faults, failed, took } = group;
            let seconds = took.as_secs();
            println!("{name:24} {cases:6} {:18} {faults:7} {failed:11} {seconds:8}", cases - unreached);
        }
        let sum = |of: fn(&Group) -> u32| groups.values().map(of).sum::<u32>();
        let (cases, faults) = (sum(|g| g.cases), sum(|g| g.faults));
        let positions: usize = clean.values().map(|c| c.writes.len() + c.calls.len() + c.events.len()).sum();
        let unreached = self.unreached.lock().unwrap();
        for name in unreached.iter() {
            println!("never came to its place: {name}");
        }
        for (name, _) in failed.iter() {
            println!("again: hack/torture {name} --exact");
        }
        println!(
            "\n{} workloads, {positions} positions, {cases} cases, {faults} faults, violations: {} ({} s)",
            clean.len(),
            failed.len(),
            took.as_secs(),
        );
        let Some(file) = std::env::var_os("INNKEEPER_TORTURE_REPORT") else { return };
        let workloads: BTreeMap<&str, Value> = clean
            .iter()
            .map(|(w, c)| (w.word(), json!({ "writes": c.writes, "calls": c.calls, "events": c.events })))
            .collect();
        let groups: BTreeMap<&String, Value> = groups
            .iter()
            .map(|(name, g)| {
                let (reached, seconds) = (g.cases - g.unreached, g.took.as_secs());
                let group = json!({
                    "cases": g.cases, "reached": reached, "faults": g.faults, "violations": g.failed, "seconds": seconds,
                });
                (name, group)
            })
            .collect();
        let violations: Vec<Value> = failed
            .iter()
            .map(|(name, why)| json!({ "case": name, "again": format!("hack/torture {name} --exact"), "why": why }))
            .collect();
        let report = json!({
            "at": jiff::Timestamp::now(), "seconds": took.as_secs(), "workloads": workloads, "groups": groups,
            "positions": positions, "cases": cases, "faults": faults, "violations": violations,
            "unreached": *unreached,
        });
        std::fs::write(file, format!("{report:#}\n")).expect("the report is written");
    }
}
