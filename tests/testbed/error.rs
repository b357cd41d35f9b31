//! What can go wrong around a control plane, told so that somebody who never saw this crate knows what to do.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a control plane could not be started or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `hack/control-plane/get` found and built nothing; its own message went to standard error.
    #[error("no control plane: {} {reason} (its messages are above)", script.display())]
    Binaries {
        /// The script that was run.
        script: PathBuf,
        /// How it ended.
        reason: String,
    },
    /// A file or a process could not be handled.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder given to keep the state in is not empty: what another control plane left there would be mixed in.
    #[error("{} is not empty: give a folder that is empty or does not exist", .0.display())]
    FolderNotEmpty(PathBuf),
    /// A key or a certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A user was asked for with more groups than a certificate of this crate can name.
    #[error("a user of the test control plane has at most two groups, not {0}")]
    TooManyGroups(usize),
    /// A program ended while it was needed.
    #[error("{name} ended with exit code {code}. The end of its log:\n{log}")]
    Ended {
        /// The program.
        name: &'static str,
        /// Its exit code.
        code: i32,
        /// The end of its log.
        log: String,
    },
    /// A program runs but did not become ready within the limit.
    #[error("{name} was not ready after {seconds} s ({last}). The end of its log:\n{log}")]
    NotReady {
        /// The program.
        name: &'static str,
        /// The limit in seconds.
        seconds: u64,
        /// What the last check said.
        last: String,
        /// The end of its log.
        log: String,
    },
    /// No free port was found in several attempts.
    #[error("{name} found every port it tried taken")]
    NoFreePort {
        /// The program.
        name: &'static str,
    },
    /// The script that holds the processes does not answer.
    #[error("the supervisor of the control plane's processes failed: {0}")]
    Supervisor(String),
    /// A request to the API server or etcd failed.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// An answer of etcd was not understood.
    #[error("etcd answered something unexpected: {0}")]
    Etcd(String),
}

/// For `map_err`: says what was tried on which path.
pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}
