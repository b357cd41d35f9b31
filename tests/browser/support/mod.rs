//! A hotel of one case's own on a real control plane, as the integration tests have it.

#[path = "../../it/support/hotel.rs"]
pub mod hotel;
#[path = "../../it/support/valve.rs"]
pub mod valve;

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
pub async fn eventually(mut is: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if is() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}
