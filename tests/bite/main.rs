//! Whether the tests bite: the bugs under `tests/planted` are planted one by one in a copy of the project, and the tests
//! that each of them names must catch it. `make bite` runs this.
//!
//! A bug that no longer fits, does not build, or names tests that fail without it is an error of its own: else it would
//! seem to be caught.

mod bugs;
mod cargo;
mod tree;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use bugs::{Bug, Tests};
use cargo::{Cargo, Ran};
use tree::Tree;

/// Plants bugs one by one, and sees whether the tests catch each of them.
#[derive(Parser)]
struct Options {
    /// Only bugs with this in their name.
    word: Option<String>,
    /// Only says which bugs there are, and what is to catch them.
    #[arg(long)]
    list: bool,
    /// The project.
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// Where the copy is kept, and what is built of it.
    #[arg(long, default_value = "target/bite")]
    work: PathBuf,
    /// How long one set of tests may run, in seconds.
    #[arg(long, default_value_t = 900)]
    patience: u64,
}

/// What became of one bug.
struct Verdict<'a> {
    bug: &'a Bug,
    /// What caught it, or why that cannot be said.
    caught: Result<String, String>,
    took: Duration,
}

fn main() -> ExitCode {
    match bite(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn bite(options: &Options) -> Result<bool, String> {
    let wanted = |bug: &Bug| options.word.as_ref().is_none_or(|word| bug.name.contains(word));
    let all: Vec<Bug> = bugs::read(&options.project)?.into_iter().filter(wanted).collect();
    if all.is_empty() {
        return Err("no planted bug has that in its name".to_owned());
    }
    if options.list {
        for bug in &all {
            println!("{}\n    {}\n    breaks {}", bug.name, bug.what, bug.breaks);
            bug.caught_by.iter().for_each(|tests| println!("    to be caught by {tests}"));
        }
        return Ok(true);
    }
    let tree = Tree::copied(&options.project, &options.work)?;
    let cargo = Cargo::of(&tree, Duration::from_secs(options.patience));
    // Without a bug everything passes, or a failure would mean nothing.
    let every: BTreeSet<&Tests> = all.iter().flat_map(|bug| &bug.caught_by).collect();
    for (number, tests) in (1..).zip(&every) {
        println!("[{number}/{} without a bug] {tests}", every.len());
        match cargo.run(tests)? {
            Ran::Passed(0) => return Err(format!("{tests}: there are no such tests")),
            Ran::Passed(_) => {}
            Ran::Failed(failed) => return Err(format!("{tests} fail without a bug: {failed:?}")),
            Ran::NotBuilt(why) => return Err(format!("it does not build:\n{why}")),
            Ran::Hung => return Err(format!("{tests} do not end without a bug")),
        }
    }
    let mut verdicts = Vec::new();
    for (number, bug) in (1..).zip(&all) {
        println!("[{number}/{}] {}: {}", all.len(), bug.name, bug.what);
        let begun = Instant::now();
        let caught = planted(&tree, &cargo, bug)?;
        let took = begun.elapsed();
        match &caught {
            Ok(by) => println!("    caught by {by}, after {} s", took.as_secs()),
            Err(why) => println!("    NOT CAUGHT: {why}"),
        }
        verdicts.push(Verdict { bug, caught, took });
    }
    Ok(report(&verdicts))
}

/// Plants one, runs what is to catch it, and takes it out again.
fn planted(tree: &Tree, cargo: &Cargo, bug: &Bug) -> Result<Result<String, String>, String> {
    let planted = tree.plant(bug)?;
    let mut passed = 0;
    let mut caught = None;
    for tests in &bug.caught_by {
        println!("    {tests}");
        match cargo.run(tests)? {
            Ran::Passed(count) => passed += count,
            Ran::Failed(failed) => {
                let others = failed.len() - 1;
                let more = if others > 0 { format!(" and {others} more") } else { String::new() };
                caught = Some(Ok(format!("{}{more}", failed[0])));
            }
            Ran::NotBuilt(why) => caught = Some(Err(format!("it does not build:\n{why}"))),
            Ran::Hung => caught = Some(Err("the tests do not end".to_owned())),
        }
        if caught.is_some() {
            break;
        }
    }
    planted.taken_out()?;
    Ok(caught.unwrap_or_else(|| Err(format!("{passed} tests passed with it"))))
}

/// Says what became of all of them; whether every one was caught.
fn report(verdicts: &[Verdict<'_>]) -> bool {
    let wide = verdicts.iter().map(|v| v.bug.name.len()).max().unwrap_or_default();
    println!("\n{:wide$}  after  caught by", "bug");
    for Verdict { bug, caught, took } in verdicts {
        let by = match caught {
            Ok(by) => by.as_str(),
            Err(_) => "NOBODY (see above)",
        };
        println!("{:wide$}  {:>3} s  {by}", bug.name, took.as_secs());
    }
    let caught = verdicts.iter().filter(|v| v.caught.is_ok()).count();
    println!("{caught} of {} planted bugs were caught", verdicts.len());
    caught == verdicts.len()
}
