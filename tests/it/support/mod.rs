//! What the integration tests share: the control plane with everything installed, kubectl, and a hotel of their own.

pub mod checker;
pub mod faults;
pub mod gate;
pub mod history;
pub mod hotel;
pub mod process;
pub mod rights;
pub mod schemas;
pub mod valve;
pub mod wire;

use std::io::Write;
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use innkeeper_testbed::ControlPlane;

/// The folder of the project.
pub const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// How long anything may take before a test calls it hanging. Generous: it says nothing of how fast it should be.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The control plane of this process, with definitions and policies installed.
pub fn control_plane() -> &'static ControlPlane {
    static INSTALLED: OnceLock<&'static ControlPlane> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let control_plane = innkeeper_testbed::shared();
        install(control_plane);
        control_plane
    })
}

/// A control plane of one test's own, for what counts or breaks everything on it.
pub fn own_control_plane() -> ControlPlane {
    let control_plane = ControlPlane::start(innkeeper_testbed::Options::default()).unwrap();
    install(&control_plane);
    control_plane
}

fn install(control_plane: &ControlPlane) {
    for folder in ["crds", "manifests/base/policies"] {
        run(control_plane.kubectl().args(["apply", "-k", &format!("{PROJECT}/{folder}")]));
    }
    run(control_plane.kubectl().args([
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "crd",
        "rooms.innkeeper.dev",
        "reservations.innkeeper.dev",
        "roomcalendars.innkeeper.dev",
    ]));
    // Established is not yet discovered, and kubectl goes on believing what it has once discovered.
    let begun = Instant::now();
    let discover = ["api-resources", "--api-group=innkeeper.dev", "--no-headers"];
    while run(control_plane.kubectl().args(discover)).lines().count() < 3 {
        assert!(begun.elapsed() < PATIENCE, "the definitions are established and never discovered");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a command that must succeed; gives what it printed.
pub fn run(command: &mut std::process::Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
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

/// Asks again until it is so, or patience ends.
pub async fn eventually(mut is: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if is() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// The same for what has to be awaited.
pub async fn eventually_async(mut is: impl AsyncFnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if is().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}
