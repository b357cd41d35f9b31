//! Runs schedules, many at a time, and tells of the first that fails.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::operator::Sabotage;
use crate::outside::{Broken, Coverage};
use crate::users::Script;
use crate::world::World;

/// Schedules of a default run: a few seconds.
const SCHEDULES: u64 = 3_000;

/// Every situation that a default run must come across; else the model has stopped exploring.
const SITUATIONS: &[&str] = &[
    "end: a hold ran out",
    "end: a hold was found paid after its deadline",
    "end: cancelled before it was booked",
    "end: cancelled with a full refund",
    "end: cancelled with a share back",
    "end: cancelled with nothing back",
    "end: confirmed",
    "end: declined",
    "end: declined while the nights were held",
    "end: filed away after check-out",
    "end: given up before it was decided",
    "end: out of stock, never charged",
    "end: out of stock, refunded",
    "end: refused",
    "end: rejected otherwise",
    "end: timed out waiting for its Room",
    "end: timed out, never charged",
    "end: timed out, refunded",
    "end: withdrawn after it was booked",
    "end: withdrawn before it was booked",
    "money: a charge lands after it was given up",
    "money: a fence finds that the charge came first",
    "money: a fence stands",
    "money: a late charge is refused because of the fence",
    "money: a person allows a failed refund another attempt",
    "money: a payment is adopted",
    "money: a person gives back what the provider could not",
    "money: a refund was pending and then failed",
    "money: a refund was pending and then succeeded",
    "money: another object of the name has paid",
    "money: processed and captured",
    "money: processed and declined",
    "money: refunded in the dashboard",
    "money: the brake halts what nobody has asked back",
    "nights: a calendar made anew holds more than the Room has now",
    "nights: a conflict on a calendar",
    "nights: a holder that nobody stands for is swept away",
    "nights: a missing calendar is made anew with its holders",
    "nights: full in the cache, so read again",
    "nights: several taken in one batch",
    "nights: the answer to a calendar write is lost",
    "nights: two months are written for one batch",
    "operator: a conflict on the write of an outcome",
    "operator: a crash",
    "operator: a pass begins on an old view",
    "operator: a pass is too old to send anything",
    "operator: an answer is no longer waited for",
    "operator: the answer to a status write is lost",
    "operator: the provider's answer is lost",
    "people: a finalizer is dropped by hand",
    "people: an object is gone",
    "people: say whose the money is",
    "provider: a stored 500 hides an effect",
    "provider: a stored 500 without an effect",
    "provider: refused for now",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs one schedule.
pub fn run(seed: u64, script: Option<Script>, sabotage: Sabotage, trace: bool) -> World {
    let mut world = World::new(seed, script, sabotage, trace);
    world.run();
    world
}

/// The first failing one of some schedules, and what was seen on the way.
pub fn search(seeds: std::ops::Range<u64>, sabotage: Sabotage) -> (Option<(u64, Broken)>, Coverage) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let count = threads as u64;
    let mut found: Option<(u64, Broken)> = None;
    let mut seen = Coverage::new();
    let first_broken = AtomicU64::new(u64::MAX);
    let first_broken = &first_broken;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..count)
            .map(|worker| {
                let seeds = seeds.clone();
                scope.spawn(move || {
                    let mut seen = Coverage::new();
                    for seed in seeds.filter(|seed| seed % count == worker) {
                        if seed > first_broken.load(Ordering::Relaxed) {
                            break;
                        }
                        let world = run(seed, None, sabotage, false);
                        for (what, times) in world.out.seen {
                            *seen.entry(what).or_default() += times;
                        }
                        if let Some(broken) = world.out.broken {
                            first_broken.fetch_min(seed, Ordering::Relaxed);
                            return (Some((seed, broken)), seen);
                        }
                    }
                    (None, seen)
                })
            })
            .collect();
        for worker in workers {
            let (first, coverage) = worker.join().unwrap();
            for (what, times) in coverage {
                *seen.entry(what).or_default() += times;
            }
            if let Some((seed, broken)) = first
                && found.as_ref().is_none_or(|(known, _)| seed < *known)
            {
                found = Some((seed, broken));
            }
        }
    });
    (found, seen)
}

/// Strikes out operators and what people did, as long as the same invariant still breaks.
fn shorten(seed: u64, broken: &Broken, sabotage: Sabotage) -> Script {
    let mut script = World::script_of(seed);
    let breaks = |script: &Script| {
        let world = run(seed, Some(script.clone()), sabotage, false);
        world.out.broken.is_some_and(|b| b.invariant == broken.invariant)
    };
    let fewer = (1..script.operators).map(|operators| Script { operators, ..script.clone() });
    if let Some(shorter) = fewer.into_iter().find(breaks) {
        script = shorter;
    }
    let mut index = 0;
    while index < script.deeds.len() {
        let mut shorter = script.clone();
        shorter.deeds.remove(index);
        if breaks(&shorter) {
            script = shorter;
        } else {
            index += 1;
        }
    }
    script
}

/// A failing schedule in words: seed, invariant, trace.
pub fn story(seed: u64, broken: &Broken, sabotage: Sabotage) -> String {
    let script = shorten(seed, broken, sabotage);
    let world = run(seed, Some(script), sabotage, true);
    let mut text = String::new();
    let found = world.out.broken.unwrap_or_else(|| broken.clone());
    let _ = writeln!(text, "seed {seed} breaks {}: {}", found.invariant, found.words);
    let _ = writeln!(text, "the same with less done by people (INNKEEPER_SEED={seed} shows all of it):");
    for line in &world.out.trace.lines {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "then {}: {}", found.invariant, found.words);
    text
}

#[test]
fn no_interleaving_breaks_an_invariant() {
    if let Some(seed) = number("INNKEEPER_SEED") {
        let world = run(seed, None, Sabotage::None, true);
        println!("{}", world.out.trace.lines.join("\n"));
        assert_eq!(world.out.broken, None, "seed {seed}");
        return;
    }
    let schedules = number("INNKEEPER_SCHEDULES").unwrap_or(SCHEDULES);
    let started = Instant::now();
    let (found, seen) = search(0..schedules, Sabotage::None);
    let seconds = started.elapsed().as_secs_f64();
    if let Some((seed, broken)) = found {
        panic!("{}", story(seed, &broken, Sabotage::None));
    }
    for (what, times) in &seen {
        println!("{times:8}  {what}");
    }
    println!("{schedules} schedules in {seconds:.1} s");
    if schedules >= SCHEDULES {
        let missed: Vec<&&str> = SITUATIONS.iter().filter(|s| !seen.contains_key(**s)).collect();
        assert!(missed.is_empty(), "never came up: {missed:?}");
    }
}

#[test]
fn a_failing_schedule_is_told_with_its_seed_and_shortened() {
    let (found, _) = search(0..100, Sabotage::DecisionNotStored);
    let (seed, broken) = found.unwrap();
    let story = story(seed, &broken, Sabotage::DecisionNotStored);
    assert!(story.starts_with(&format!("seed {seed} breaks {}", broken.invariant)), "{story}");
    let shorter = shorten(seed, &broken, Sabotage::DecisionNotStored);
    assert!(shorter.deeds.len() < World::script_of(seed).deeds.len(), "{shorter:?}");
}

#[test]
fn a_seed_gives_the_same_schedule_every_time() {
    for seed in 0..20 {
        let lines = || run(seed, None, Sabotage::None, true).out.trace.lines;
        assert_eq!(lines(), lines(), "seed {seed}");
    }
}
