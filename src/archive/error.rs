//! What can go wrong with a folder of files, and what it means for whoever wants to file or to read.

use std::io;
use std::path::{Path, PathBuf};

use crate::folder::Identity;

/// What was being done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Opening or making it.
    Open,
    /// Reading it.
    Read,
    /// Writing it.
    Write,
    /// Having it written down for good.
    Sync,
    /// Cutting off what nobody reads.
    Cut,
}

impl Step {
    const fn verb(self) -> &'static str {
        match self {
            Self::Open => "opened",
            Self::Read => "read",
            Self::Write => "written",
            Self::Sync => "made durable",
            Self::Cut => "cut back",
        }
    }
}

/// Why nothing could be filed, or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// No archive is there: the volume is not mounted, or it is an empty one.
    #[error("{} is no archive: is the volume mounted? (archive.json is not there)", .0.display())]
    NotThere(PathBuf),
    /// Another archive than the one that was written to before.
    #[error("{} holds another archive: {found}, where {expected} was filed to before", folder.display())]
    Other {
        /// Where.
        folder: PathBuf,
        /// The one that is there.
        found: Identity,
        /// The one that should be.
        expected: Identity,
    },
    /// Made by a version that this one does not know.
    #[error("{} was made by another version of innkeeper: format {format}", folder.display())]
    Format {
        /// Where.
        folder: PathBuf,
        /// Its format.
        format: u32,
    },
    /// Somebody else writes to it.
    #[error("somebody else writes to {}: only one relay may", .0.display())]
    Locked(PathBuf),
    /// Somebody else has written to it although the lock is ours: the volume does not keep locks.
    #[error("{} changed under the lock: two relays write to it, and the volume does not keep locks", .0.display())]
    Contended(PathBuf),
    /// A file is not what the manifest says.
    #[error("{}: {what}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The system refused.
    #[error("{} cannot be {}: {source}", file.display(), step.verb())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was being done.
        step: Step,
        /// What the system said.
        source: io::Error,
    },
    /// What is to be filed cannot be written as JSON, or has no UID or no property.
    #[error("a Reservation cannot be filed: {0}")]
    Unfit(String),
}

impl ArchiveError {
    /// Whether the volume has no room left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }

    /// In one word, for metrics and Events.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotThere(_) => "ArchiveMissing",
            Self::Other { .. } => "ArchiveIsAnother",
            Self::Format { .. } => "ArchiveFormat",
            Self::Locked(_) | Self::Contended(_) => "ArchiveContended",
            Self::Damaged { .. } => "ArchiveDamaged",
            Self::Io { .. } if self.is_full() => "ArchiveFull",
            Self::Io { .. } => "ArchiveUnavailable",
            Self::Unfit(_) => "Unfit",
        }
    }

    pub(crate) fn io(step: Step, file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Io { file, step, source }
    }

    pub(crate) fn damaged(file: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), what: what.into() }
    }
}
