//! A hotel of one case's own on a real control plane, and who counts whether all is right, as the integration tests have
//! them.

#[path = "../../it/support/checker.rs"]
pub mod checker;
#[path = "../../it/support/faults.rs"]
pub mod faults;
#[path = "../../it/support/history.rs"]
pub mod history;
#[path = "../../it/support/hotel.rs"]
pub mod hotel;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use innkeeper_testbed::ControlPlane;

/// How long anything may take before a case calls it hanging.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The control plane of this process, with definitions and policies installed.
pub fn control_plane() -> &'static ControlPlane {
    static INSTALLED: OnceLock<&'static ControlPlane> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let control_plane = innkeeper_testbed::shared();
        let project = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        for folder in ["crds", "manifests/base/policies"] {
            run(control_plane.kubectl().args(["apply", "-k", &format!("{project}/{folder}")]));
        }
        let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        run(control_plane.kubectl().args(established));
        control_plane
    })
}

fn run(command: &mut std::process::Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Asks again until it is so, or patience ends.
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
