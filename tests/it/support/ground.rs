//! What every test on a real control plane stands on: that control plane, with everything installed, and patience.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use innkeeper_testbed::ControlPlane;

use super::PROJECT;

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

/// Installs definitions and policies, and waits until they can be used.
pub fn install(control_plane: &ControlPlane) {
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
