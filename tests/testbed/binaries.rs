//! Where the programs come from: asks `hack/control-plane/get`, which finds or builds them. Knows no other way, so
//! that tests, the demo and a person by hand always run the same binaries.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result, io};

/// The folder with `etcd`, `kube-apiserver`, `kubectl` and, if asked for, `kube-controller-manager`.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Runs the script; its progress goes straight to this process' standard error, so that a build that takes minutes
    /// is seen. Fails when the script does.
    pub(crate) fn get(controller_manager: bool) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../hack/control-plane/get");
        let mut command = Command::new(&script);
        if controller_manager {
            command.arg("--controller-manager");
        }
        let output =
            command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(io("run", &script))?;
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() {
            return Err(Error::Binaries { script, reason: format!("ended with {}", output.status) });
        }
        if folder.is_empty() {
            return Err(Error::Binaries { script, reason: "named no folder".to_owned() });
        }
        Ok(Self { folder: PathBuf::from(folder) })
    }

    /// The path of one program.
    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }
}
