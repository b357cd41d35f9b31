//! The folder: what is in it where, and which archive it is.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{ArchiveError, Step};

/// The only format so far.
const FORMAT: u32 = 1;

/// Which archive: a random value, given when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identity(Uuid);

impl TryFrom<String> for Identity {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("the id of an archive is a UUID")
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.to_string()
    }
}

impl Identity {
    /// Reads it as it is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text.trim()).ok().map(Self)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What `archive.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    id: Identity,
    created: Timestamp,
}

/// Where an archive is, or is to be.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// This one.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Which archive is there now. Asked of the volume each time: another may have been mounted meanwhile.
    pub fn identity(&self) -> Result<Identity, ArchiveError> {
        let file = self.about();
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(ArchiveError::NotThere(self.0.clone()));
            }
            Err(error) => return Err(ArchiveError::io(Step::Read, &file)(error)),
        };
        let about: About = serde_json::from_slice(&text)
            .map_err(|error| ArchiveError::damaged(&file, format!("cannot be understood: {error}")))?;
        if about.format != FORMAT {
            return Err(ArchiveError::Format { folder: self.0.clone(), format: about.format });
        }
        Ok(about.id)
    }

    /// Makes an archive in a folder that has none. The folder itself must be there: where the volume is not mounted, the
    /// mount point mostly is there as well, so whoever has filed before must say which archive they expect.
    pub(crate) fn create(&self, now: Timestamp) -> Result<Identity, ArchiveError> {
        let about = About { format: FORMAT, id: Identity(Uuid::new_v4()), created: now };
        let text = serde_json::to_vec(&about).map_err(|error| ArchiveError::Unfit(error.to_string()))?;
        let (made, named) = (self.0.join(".archive.json.new"), self.about());
        let mut file = File::create(&made).map_err(ArchiveError::io(Step::Open, &made))?;
        file.write_all(&text).map_err(ArchiveError::io(Step::Write, &made))?;
        file.sync_all().map_err(ArchiveError::io(Step::Sync, &made))?;
        fs::rename(&made, &named).map_err(ArchiveError::io(Step::Write, &named))?;
        sync_folder(&self.0)?;
        Ok(about.id)
    }

    pub(crate) fn about(&self) -> PathBuf {
        self.0.join("archive.json")
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.0.join("manifest.jsonl")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// A file that the manifest names.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// The file for the stays of a property that check out in a month, as the manifest names it.
pub(crate) fn file_of(property: &str, check_out: Date) -> String {
    format!("{property}/{:04}-{:02}.jsonl.zst", check_out.year(), check_out.month())
}

/// Whether this names a file as [`file_of`] does, and nothing outside of the folder.
pub(crate) fn is_file_name(name: &str) -> bool {
    let Some((property, file)) = name.split_once('/') else { return false };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let month = file.strip_suffix(".jsonl.zst").unwrap_or_default();
    is_property(property) && !month.is_empty() && month.chars().all(plain)
}

/// Whether this can be the name of a namespace, and so of a folder.
pub(crate) fn is_property(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len()) && name.chars().all(plain)
}

/// Has the names in a folder written down for good.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), ArchiveError> {
    let open = File::open(folder).map_err(ArchiveError::io(Step::Open, folder))?;
    open.sync_all().map_err(ArchiveError::io(Step::Sync, folder))
}

/// Opens a file to append to, and makes it, and the folder that it is in, where they are not there. That their names are
/// written down for good is for the caller to see to.
pub(crate) fn open_to_append(file: &Path) -> Result<File, ArchiveError> {
    let append = || OpenOptions::new().read(true).append(true).create(true).open(file);
    match append() {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return other.map_err(ArchiveError::io(Step::Open, file)),
    }
    if let Some(folder) = file.parent() {
        fs::create_dir(folder).map_err(ArchiveError::io(Step::Open, folder))?;
    }
    append().map_err(ArchiveError::io(Step::Open, file))
}
