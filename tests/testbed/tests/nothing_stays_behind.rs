//! However the process that started a control plane ends, its programs are gone afterwards, and its folder too.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use innkeeper_testbed::{ControlPlane, Error, Options};
use rstest::rstest;

/// Only ends a test that would hang; nothing is timed.
const LIMIT: Duration = Duration::from_secs(300);

fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !check() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `testbed up` with a folder for temporary files that nobody else uses.
fn testbed(temporary: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_testbed"))
        .arg("up")
        .args(arguments)
        .env("TMPDIR", temporary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

fn is_alive(pid: &str) -> bool {
    Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().unwrap().success()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

/// Process ids by program of the only control plane below this folder, as far as it has got.
fn pids(temporary: &Path, program: &str) -> Vec<String> {
    let folders = fs::read_dir(temporary).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.map(|folder: PathBuf| folder.join(format!("{program}.pid")));
    files
        .filter_map(|file| fs::read_to_string(file).ok())
        .map(|pid| pid.trim().to_owned())
        .filter(|p| !p.is_empty())
        .collect()
}

fn wait_until_ready(child: &mut Child) {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("ready /"), "said {line:?}");
}

#[rstest]
#[case::killed(Some("KILL"))]
#[case::terminated(Some("TERM"))]
#[case::interrupted(Some("INT"))]
#[case::input_ended(None)]
fn a_control_plane_goes_with_the_process_that_started_it(#[case] by: Option<&str>) {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = testbed(temporary.path(), &[]);
    wait_until_ready(&mut child);
    let programs = [pids(temporary.path(), "etcd"), pids(temporary.path(), "kube-apiserver")].concat();
    assert_eq!(programs.len(), 2);
    assert!(programs.iter().all(|pid| is_alive(pid)), "{programs:?}");

    match by {
        Some(name) => signal(&child, name),
        None => drop(child.stdin.take()),
    }
    child.wait().unwrap();

    eventually("the programs are gone", || !programs.iter().any(|pid| is_alive(pid)));
    eventually("the folder is removed", || is_empty(temporary.path()));
}

#[rstest]
fn a_start_that_is_killed_half_way_leaves_nothing(#[values("KILL", "TERM")] by: &str) {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = testbed(temporary.path(), &[]);
    eventually("etcd runs", || !pids(temporary.path(), "etcd").is_empty());
    let etcd = pids(temporary.path(), "etcd").concat();

    signal(&child, by);
    child.wait().unwrap();

    eventually("etcd is gone", || !is_alive(&etcd));
    eventually("the folder is removed", || is_empty(temporary.path()));
}

#[test]
fn a_start_that_fails_half_way_says_why_and_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = testbed(temporary.path(), &["--", "--no-such-flag"]);

    let mut said = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(said.contains("kube-apiserver ended with exit code 1"), "{said}");
    assert!(said.contains("unknown flag: --no-such-flag"), "{said}");

    assert!(is_empty(temporary.path()), "it returned before it had cleaned up");
}

#[test]
fn a_folder_that_was_named_is_kept_and_not_used_twice() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("kept");
    let options = Options { keep_dir: Some(folder.clone()), ..Options::default() };
    let control_plane = ControlPlane::start(options.clone()).unwrap();
    let etcd = control_plane.pid("etcd").unwrap().to_string();
    control_plane.stop();

    assert!(!is_alive(&etcd));
    assert!(folder.join("kube-apiserver.log").is_file());
    assert!(matches!(ControlPlane::start(options), Err(Error::FolderNotEmpty(_))));
}
