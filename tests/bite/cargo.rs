//! Building and running tests of the copy.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bugs::Tests;
use crate::tree::Tree;

/// Cargo, on the copy.
pub struct Cargo {
    root: PathBuf,
    target: PathBuf,
    patience: Duration,
}

/// What came of some tests.
pub enum Ran {
    /// All of them passed; so many.
    Passed(usize),
    /// These failed; at least one.
    Failed(Vec<String>),
    /// The copy does not build, and this is what is said of it.
    NotBuilt(String),
    /// They did not end.
    Hung,
}

impl Cargo {
    /// On this copy; a set of tests may run for so long.
    pub fn of(tree: &Tree, patience: Duration) -> Self {
        Self { root: tree.root.clone(), target: tree.target.clone(), patience }
    }

    /// Runs some tests.
    pub fn run(&self, tests: &Tests) -> Result<Ran, String> {
        let (of, named) = match tests {
            Tests::Unit { package, named } => (vec!["--lib", "--package", package.as_str()], named),
            Tests::Integration(named) => (vec!["--workspace", "--test", "it"], named),
        };
        let cargo = |more: &[&str], log: &str| -> Result<(Command, PathBuf), String> {
            let log = self.target.join(log);
            let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
            let both = file.try_clone().map_err(|error| error.to_string())?;
            let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            command.arg("test").args(&of).args(more).current_dir(&self.root);
            command.env("CARGO_TARGET_DIR", &self.target).env_remove("CARGO_MANIFEST_DIR");
            command.stdin(Stdio::null()).stdout(both).stderr(file);
            Ok((command, log))
        };
        let (mut build, log) = cargo(&["--no-run", "--quiet"], "bite-build.log")?;
        if !build.status().map_err(|error| format!("cargo: {error}"))?.success() {
            return Ok(Ran::NotBuilt(read(&log)));
        }
        let (mut test, log) = cargo(&["--no-fail-fast", "--", named.as_str()], "bite-test.log")?;
        let begun = Instant::now();
        let mut child = test.spawn().map_err(|error| format!("cargo: {error}"))?;
        let passed = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break status.success();
            }
            if begun.elapsed() > self.patience {
                child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
                return Ok(Ran::Hung);
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let said = read(&log);
        Ok(match (passed, failed(&said)) {
            (true, _) => Ran::Passed(count(&said)),
            (false, failed) if failed.is_empty() => Ran::Failed(vec![format!("{tests}, which broke off")]),
            (false, failed) => Ran::Failed(failed),
        })
    }
}

fn read(log: &PathBuf) -> String {
    fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The names of those that failed.
fn failed(said: &str) -> Vec<String> {
    let name = |line: &str| Some(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_owned());
    said.lines().filter_map(name).collect()
}

/// How many passed.
fn count(said: &str) -> usize {
    said.lines().filter(|line| line.starts_with("test ") && line.ends_with(" ... ok")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\nrunning 3 tests\ntest a::b ... ok\ntest a::c ... FAILED\ntest d - should panic ... ok\n\nfailures:\n    a::c\n";

    #[test]
    fn what_failed_and_what_passed_is_read_from_what_the_tests_say() {
        assert_eq!(failed(SAID), ["a::c"]);
        assert_eq!(count(SAID), 2);
    }
}
