//! Filing: whoever holds the lock appends. Data first, made durable; then the line of the manifest that names it, made
//! durable; then both are read back. Only after that has anything been filed.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::error::{ArchiveError, Step};
use crate::folder::{Folder, Identity, open_to_append, sync_folder};
use crate::frame::pack;
use crate::library::Library;
use crate::manifest::{Frame, Line, bytes_from, read_after};
use crate::record::Record;

/// A frame is unpacked whole to read one of its records: as many as make it small, and no more.
const IN_A_FRAME: usize = 16;

/// What the manifest is called among the files.
const MANIFEST: &str = "manifest.jsonl";

/// What became of filing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It is on the volume now.
    New,
    /// It was there already, as it is.
    Before,
}

/// The one who writes.
pub struct Writer {
    folder: Folder,
    identity: Identity,
    library: Library,
    /// An append failed half way: what is on the volume must be looked at before the next.
    unsure: bool,
    /// Files whose names this process has had written down for good. One that it finds may have been made by a process that
    /// did not get so far.
    named: HashSet<String>,
    /// Held for as long as this is.
    _lock: File,
}

impl Writer {
    /// Opens an archive to write to it. `expected` is the archive that was filed to before; where there was none yet, one is
    /// made in the folder. What an append that was cut short has left at the end of the manifest is cut off.
    pub fn open(folder: Folder, expected: Option<Identity>, now: Timestamp) -> Result<Self, ArchiveError> {
        if !folder.path().is_dir() {
            return Err(ArchiveError::NotThere(folder.path().to_owned()));
        }
        if let Some(expected) = expected {
            check_identity(&folder, expected)?;
        }
        let lock = lock(&folder.lock(), folder.path())?;
        let identity = match folder.identity() {
            Err(ArchiveError::NotThere(_)) if expected.is_none() && !folder.manifest().exists() => {
                folder.create(now)?
            }
            other => other?,
        };
        let library = Library::new(folder.clone(), |_| Vec::new());
        library.refresh()?;
        let mut writer = Self { folder, identity, library, unsure: true, named: HashSet::new(), _lock: lock };
        writer.make_sure()?;
        Ok(writer)
    }

    /// Which archive this is.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// What is filed.
    #[must_use]
    pub const fn library(&self) -> &Library {
        &self.library
    }

    /// Files these, in one go. What is there already, as it is, is not written again. `Ok` means that every one of them is
    /// on the volume, durably, and was read back from it.
    pub fn file(&mut self, records: &[Record], now: Timestamp) -> Result<Vec<Receipt>, ArchiveError> {
        self.make_sure()?;
        let mut receipts = Vec::with_capacity(records.len());
        let mut files: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
        for record in records {
            if self.has(record)? {
                receipts.push(Receipt::Before);
            } else {
                receipts.push(Receipt::New);
                files.entry(record.file()).or_default().push(record);
            }
        }
        if files.is_empty() {
            return Ok(receipts);
        }
        self.unsure = true;
        let mut frames = Vec::new();
        for (file, records) in &files {
            frames.extend(self.append(file, records)?);
        }
        self.commit(frames, now)?;
        self.library.refresh()?;
        let new = records.iter().zip(&receipts).filter(|(_, receipt)| **receipt == Receipt::New);
        for (record, _) in new {
            let found = self.library.with_uid(record.uid())?;
            if !found.is_some_and(|found| found.says_the_same_as(record)) {
                return Err(ArchiveError::Contended(self.folder.path().to_owned()));
            }
        }
        self.unsure = false;
        Ok(receipts)
    }

    /// Whether this is filed as it is, as the volume says when it is read anew: the archive is this one, the manifest ends
    /// with what is known of it or goes on from there, and the frame has its digest. Whoever deletes asks this first.
    pub fn reads_back(&mut self, record: &Record) -> Result<bool, ArchiveError> {
        self.make_sure()?;
        let found = self.library.read_anew(record.uid())?;
        Ok(found.is_some_and(|found| found.says_the_same_as(record)))
    }

    fn has(&self, record: &Record) -> Result<bool, ArchiveError> {
        if !self.library.knows(record.uid()) {
            return Ok(false);
        }
        // What cannot be read any more is written again.
        match self.library.with_uid(record.uid()) {
            Ok(found) => Ok(found.is_some_and(|found| found.says_the_same_as(record))),
            Err(ArchiveError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The archive is still this one, and nobody else has written to it.
    fn make_sure(&mut self) -> Result<(), ArchiveError> {
        check_identity(&self.folder, self.identity)?;
        let mark = self.library.mark();
        let path = self.folder.manifest();
        let Some(bytes) = bytes_from(&self.folder, mark.end)? else {
            self.unsure = true;
            return Err(ArchiveError::damaged(&path, "is shorter than it was"));
        };
        if bytes.is_empty() {
            self.unsure = false;
            return Ok(());
        }
        let part = read_after(&bytes, mark);
        if part.mark != mark && !self.unsure {
            // Taken in, so that the next to ask finds it; but whoever it was, they did it under our lock.
            self.library.refresh()?;
            return Err(ArchiveError::Contended(self.folder.path().to_owned()));
        }
        self.library.refresh()?;
        if !part.tail.is_empty() {
            cut_tail(&path, part.mark.end, &part.tail)?;
        }
        self.unsure = false;
        Ok(())
    }

    /// Appends frames to a file, in one write. What is behind the last frame that the manifest knows was never acknowledged.
    fn append(&mut self, name: &str, records: &[&Record]) -> Result<Vec<Frame>, ArchiveError> {
        let path = self.folder.file(name);
        let mut file = open_to_append(&path)?;
        let length_of = |file: &File| -> Result<u64, ArchiveError> {
            Ok(file.metadata().map_err(ArchiveError::io(Step::Read, &path))?.len())
        };
        let (begin, length) = (self.library.end_of(name), length_of(&file)?);
        if length < begin {
            return Err(ArchiveError::damaged(
                &path,
                format!("has {length} bytes, and {begin} were written"),
            ));
        }
        if length > begin {
            file.set_len(begin).map_err(ArchiveError::io(Step::Cut, &path))?;
        }
        let (mut bytes, mut frames) = (Vec::new(), Vec::new());
        for records in records.chunks(IN_A_FRAME) {
            let (packed, size) = pack(records)?;
            frames.push(Frame {
                file: name.to_owned(),
                offset: begin + bytes.len() as u64,
                length: packed.len() as u64,
                size: size as u64,
                count: u32::try_from(records.len()).unwrap_or(u32::MAX),
                sha256: Digest::of(&packed),
            });
            bytes.extend(packed);
        }
        if let Err(error) = file.write_all(&bytes) {
            // Leaves no part of it behind where that can be helped; the next append looks again.
            let _ = file.set_len(begin);
            return Err(ArchiveError::io(Step::Write, &path)(error));
        }
        file.sync_all().map_err(ArchiveError::io(Step::Sync, &path))?;
        self.name(name, &path)?;
        if length_of(&file)? != begin + bytes.len() as u64 {
            return Err(ArchiveError::Contended(self.folder.path().to_owned()));
        }
        Ok(frames)
    }

    /// Appends the line that makes frames count.
    fn commit(&mut self, frames: Vec<Frame>, now: Timestamp) -> Result<(), ArchiveError> {
        let mark = self.library.mark();
        let line = Line { number: mark.lines + 1, before: mark.last, at: now, frames };
        let (text, _) = line.write()?;
        let path = self.folder.manifest();
        let mut file = open_to_append(&path)?;
        let length = file.metadata().map_err(ArchiveError::io(Step::Read, &path))?.len();
        if length != mark.end {
            return Err(ArchiveError::Contended(self.folder.path().to_owned()));
        }
        if let Err(error) = file.write_all(text.as_bytes()) {
            let _ = file.set_len(mark.end);
            return Err(ArchiveError::io(Step::Write, &path)(error));
        }
        file.sync_all().map_err(ArchiveError::io(Step::Sync, &path))?;
        self.name(MANIFEST, &path)
    }

    /// Has the name of a file written down for good, and that of the folder it is in.
    fn name(&mut self, name: &str, path: &Path) -> Result<(), ArchiveError> {
        if self.named.contains(name) {
            return Ok(());
        }
        if let Some(folder) = path.parent().filter(|folder| *folder != self.folder.path()) {
            sync_folder(folder)?;
        }
        sync_folder(self.folder.path())?;
        self.named.insert(name.to_owned());
        Ok(())
    }
}

fn check_identity(folder: &Folder, expected: Identity) -> Result<(), ArchiveError> {
    let found = folder.identity()?;
    if found == expected {
        return Ok(());
    }
    Err(ArchiveError::Other { folder: folder.path().to_owned(), found, expected })
}

fn lock(path: &Path, folder: &Path) -> Result<File, ArchiveError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = open.map_err(ArchiveError::io(Step::Open, path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ArchiveError::Locked(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(ArchiveError::io(Step::Open, path)(error)),
    }
}

/// Cuts off what an append that was cut short has left: a line without an end, or one with holes where blocks were never
/// written. Anything else was whole once, and is left for a person to look at.
fn cut_tail(path: &Path, end: u64, tail: &[u8]) -> Result<(), ArchiveError> {
    let was_whole = |line: &[u8]| line.ends_with(b"\n") && !line.contains(&0);
    if tail.split_inclusive(|byte| *byte == b'\n').any(was_whole) {
        let what =
            format!("has a line at {end} that is not as it was written; see `innkeeper archive verify`");
        return Err(ArchiveError::damaged(path, what));
    }
    let file = OpenOptions::new().write(true).open(path).map_err(ArchiveError::io(Step::Open, path))?;
    file.set_len(end).map_err(ArchiveError::io(Step::Cut, path))?;
    file.sync_all().map_err(ArchiveError::io(Step::Sync, path))
}
