//! A real control plane for tests and the demo: etcd and kube-apiserver as child processes on loopback, with TLS, RBAC
//! and the admission policies of a real cluster.
//!
//! ```no_run
//! # fn main() -> innkeeper_testbed::Result<()> {
//! let control_plane = innkeeper_testbed::shared(); // one for all tests of a process
//! let namespace = control_plane.namespace("rooms");
//! control_plane.kubectl().args(["get", "all", "-n", &namespace]).status().ok();
//! # Ok(())
//! # }
//! ```
//!
//! Nothing of a Tokio runtime is kept, so that many `#[tokio::test]`s, each with a runtime of its own, can use one
//! control plane; methods that are not `async` block for some milliseconds and can be called from anywhere. Nothing
//! stays behind, whatever way a test ends: see `supervisor.rs`. The user's own kubeconfig is never read.
//!
//! This crate is for tests: where a method has no `Result`, a failure panics with the reason.
//! It must not know anything of Innkeeper, not even its custom resources.

mod binaries;
mod control_plane;
mod endpoint;
mod error;
pub mod kafka;
mod pki;
mod servers;
mod storage;
mod supervisor;

use std::path::PathBuf;
use std::sync::OnceLock;

pub use control_plane::ControlPlane;
pub use error::{Error, Result};

/// How a control plane is to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Also start kube-controller-manager: garbage collection, namespaces that go away once deleted, service accounts,
    /// type checking of admission policies. Its garbage collector takes up to half a minute to notice new CRDs.
    pub controller_manager: bool,
    /// Keep every revision in etcd (`--etcd-compaction-interval=0`), for a checker that reads all versions of an object.
    pub keep_history: bool,
    /// Where to have the state and leave it afterwards (logs, keys, data); must be empty or absent. Without it, a
    /// temporary folder that is removed.
    pub keep_dir: Option<PathBuf>,
    /// More arguments for kube-apiserver, such as `--feature-gates=...` or `--v=4`.
    pub apiserver_arguments: Vec<String>,
}

/// The control plane that all tests of this process share, started by whoever asks first (about ten seconds) with
/// history kept and without a controller manager. Panics with the reason if it cannot be started, for everybody who asks.
#[must_use]
#[track_caller]
pub fn shared() -> &'static ControlPlane {
    static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
    let outcome = SHARED.get_or_init(|| {
        let options = Options { keep_history: true, ..Options::default() };
        ControlPlane::start(options).map_err(|e| e.to_string())
    });
    control_plane::sure("start the control plane", outcome.as_ref())
}
