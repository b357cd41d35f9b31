//! What the integration tests share: the control plane with everything installed, kubectl, and a hotel of their own.

pub mod checker;
pub mod faults;
pub mod gate;
mod ground;
pub mod history;
pub mod hotel;
pub mod process;
pub mod rights;
pub mod schemas;
pub mod valve;
pub mod wire;

use std::io::Write;
use std::process::{Output, Stdio};

use innkeeper_testbed::ControlPlane;

pub use ground::{PATIENCE, control_plane, eventually, eventually_async, install, run};

/// The folder of the project.
pub const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// A control plane of one test's own, for what counts or breaks everything on it.
pub fn own_control_plane() -> ControlPlane {
    let control_plane = ControlPlane::start(innkeeper_testbed::Options::default()).unwrap();
    install(&control_plane);
    control_plane
}

/// `kubectl` with these arguments.
pub fn kubectl(arguments: &[&str]) -> Output {
    control_plane().kubectl().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// `kubectl` with these arguments, which must succeed; gives what it printed.
pub fn kubectl_ok(arguments: &[&str]) -> String {
    run(control_plane().kubectl().args(arguments).stdin(Stdio::null()))
}

/// `kubectl` with these arguments and this text on its standard input.
pub fn kubectl_with(arguments: &[&str], input: &str) -> Output {
    let mut child = control_plane()
        .kubectl()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What a command said when it failed.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
