//! An archive as a reader has it: the index in memory, the stays on the volume, and what comes is followed.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::error::{ArchiveError, Step};
use crate::folder::{Folder, Identity};
use crate::frame;
use crate::index::{Brief, Entry, Index, Owners, Place};
use crate::manifest::{Found, Frame, Line, Mark, Part, bytes_from, read_after};
use crate::record::Record;

/// How many frames are taken in under one lock.
const AT_ONCE: usize = 256;

/// An archive to read from. Clones share it.
#[derive(Clone)]
pub struct Library(Arc<Shared>);

struct Shared {
    folder: Folder,
    owners: Owners,
    known: RwLock<Known>,
    /// Held by whoever reads on.
    reading: Mutex<()>,
}

#[derive(Default)]
struct Known {
    identity: Option<Identity>,
    mark: Mark,
    frames: Vec<Frame>,
    /// Where each file ends, as far as the manifest says.
    ends: HashMap<String, u64>,
    /// Frames that could not be read: not there yet, or damaged.
    doubtful: Vec<u32>,
    damaged_lines: usize,
    index: Index,
    open: HashMap<String, Arc<File>>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shelf {
    /// Which archive, once it has been read.
    pub identity: Option<Identity>,
    /// Stays.
    pub stays: usize,
    /// Frames.
    pub frames: usize,
    /// Frames that cannot be read, and lines of the manifest that are not as they were written.
    pub damaged: usize,
}

/// A part of an owner's list.
#[derive(Debug, Default)]
pub struct Page {
    /// Newest first.
    pub stays: Vec<Record>,
    /// Behind which place the next part begins; nothing where this is the last.
    pub next: Option<Place>,
}

/// Where a record is.
struct At {
    frame: Frame,
    line: u32,
}

impl Library {
    /// An archive of which nothing is known yet. `owners` says in whose lists a stay is.
    #[must_use]
    pub fn new(folder: Folder, owners: Owners) -> Self {
        Self(Arc::new(Shared { folder, owners, known: RwLock::default(), reading: Mutex::default() }))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// How much there is.
    #[must_use]
    pub fn shelf(&self) -> Shelf {
        let known = self.read();
        Shelf {
            identity: known.identity,
            stays: known.index.len(),
            frames: known.frames.len(),
            damaged: known.doubtful.len() + known.damaged_lines,
        }
    }

    /// Takes in what was written since the last time. Says how many stays are new. Another archive in the same place, or one
    /// that is not the continuation of what is known, is read from its beginning. May take long the first time.
    pub fn refresh(&self) -> Result<usize, ArchiveError> {
        let _reading = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = self.0.folder.identity()?;
        if self.read().identity != Some(identity) {
            *self.write() = Known { identity: Some(identity), ..Known::default() };
        }
        let before = self.read().index.len();
        let mark = self.read().mark;
        let part = bytes_from(&self.0.folder, mark.end)?.map(|bytes| read_after(&bytes, mark));
        let part = if let Some(part) = part.filter(|part| continues(part, mark)) {
            part
        } else {
            *self.write() = Known { identity: Some(identity), ..Known::default() };
            read_after(&bytes_from(&self.0.folder, 0)?.unwrap_or_default(), Mark::default())
        };
        self.take_in(part);
        self.look_again();
        Ok(self.read().index.len().saturating_sub(before))
    }

    fn take_in(&self, part: Part) {
        let mut lines: Vec<(Line, Mark)> = Vec::new();
        for found in part.found {
            match found {
                Found::Damaged { .. } => self.write().damaged_lines += 1,
                Found::Line(line, mark) => lines.push((line, mark)),
            }
        }
        for lines in lines.chunks(AT_ONCE) {
            let frames = || lines.iter().flat_map(|(line, _)| &line.frames);
            let unpacked: Vec<_> = frames().map(|frame| self.lines_of(frame).ok()).collect();
            let mut known = self.write();
            for (frame, lines) in frames().zip(unpacked) {
                known.put(frame, lines.as_deref(), self.0.owners);
            }
            if let Some((_, mark)) = lines.last() {
                known.mark = *mark;
            }
        }
    }

    /// A file may be seen a little later than the manifest, on volumes that several machines share.
    fn look_again(&self) {
        let doubtful: Vec<(u32, Frame)> = {
            let known = self.read();
            known.doubtful.iter().map(|at| (*at, known.frames[*at as usize].clone())).collect()
        };
        for (at, frame) in doubtful {
            self.write().open.remove(&frame.file);
            if let Ok(lines) = self.lines_of(&frame) {
                let mut known = self.write();
                if known.index_lines(at, &lines, self.0.owners) {
                    known.doubtful.retain(|other| *other != at);
                }
            }
        }
    }

    /// Stays of an owner, newest first, behind a place, without those that `leave_out` says (property, name, UID).
    pub fn page(
        &self,
        owner: &str,
        after: Option<&Place>,
        limit: usize,
        leave_out: impl Fn(&str, &str, u128) -> bool,
    ) -> Result<Page, ArchiveError> {
        let (found, next) = {
            let known = self.read();
            let mut theirs = known
                .index
                .of_owner(owner, after)
                .filter(|((_, property, name, uid), _)| !leave_out(property, name, *uid));
            let mut found: Vec<At> = Vec::new();
            let mut last = None;
            for (key, entry) in theirs.by_ref().take(limit) {
                found.push(known.at(entry));
                last = Some((key.0, key.1.to_owned(), key.2.to_owned(), key.3));
            }
            (found, theirs.next().and(last))
        };
        let stays = found.iter().map(|at| self.record(at)).collect::<Result<_, _>>()?;
        Ok(Page { stays, next })
    }

    /// The stays that had this name, the newest first: names may be used again.
    pub fn named(&self, property: &str, name: &str) -> Result<Vec<Record>, ArchiveError> {
        let all: Vec<At> = {
            let known = self.read();
            known.index.by_name(property, name).map(|entry| known.at(entry)).collect()
        };
        all.iter().map(|at| self.record(at)).collect()
    }

    /// The stay with this UID.
    pub fn with_uid(&self, uid: &str) -> Result<Option<Record>, ArchiveError> {
        let at = {
            let known = self.read();
            known.index.by_uid(uid).map(|entry| known.at(entry))
        };
        at.map(|at| self.record(&at)).transpose()
    }

    /// Every stay, in the order of filing, one at a time.
    pub fn each(&self) -> impl Iterator<Item = Result<Record, ArchiveError>> {
        let all: Vec<At> = {
            let known = self.read();
            known.index.all().map(|(_, entry)| known.at(entry)).collect()
        };
        let this = self.clone();
        all.into_iter().map(move |at| this.record(&at))
    }

    /// Whether any version of a UID is filed.
    #[must_use]
    pub fn knows(&self, uid: &str) -> bool {
        self.read().index.by_uid(uid).is_some()
    }

    /// Where a file ends, as far as the manifest says.
    pub(crate) fn end_of(&self, file: &str) -> u64 {
        self.read().ends.get(file).copied().unwrap_or(0)
    }

    pub(crate) fn mark(&self) -> Mark {
        self.read().mark
    }

    /// The stay with this UID, read anew: every file is opened again.
    pub(crate) fn read_anew(&self, uid: &str) -> Result<Option<Record>, ArchiveError> {
        self.write().open.clear();
        self.with_uid(uid)
    }

    fn record(&self, at: &At) -> Result<Record, ArchiveError> {
        let lines = self.lines_of(&at.frame)?;
        frame::record(&lines, at.line, &self.0.folder.file(&at.frame.file))
    }

    fn lines_of(&self, frame: &Frame) -> Result<Vec<u8>, ArchiveError> {
        let path = self.0.folder.file(&frame.file);
        let open = self.read().open.get(&frame.file).cloned();
        if let Some(open) = open
            && let Ok(lines) = frame::unpack(&open, &path, frame)
        {
            return Ok(lines);
        }
        // Not open yet, or not the file any more that has this name.
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ArchiveError::damaged(&path, "is not there"),
            _ => ArchiveError::io(Step::Open, &path)(error),
        })?;
        let file = Arc::new(file);
        let lines = frame::unpack(&file, &path, frame)?;
        self.write().open.insert(frame.file.clone(), file);
        Ok(lines)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn put(&mut self, frame: &Frame, lines: Option<&[u8]>, owners: Owners) {
        let Ok(at) = u32::try_from(self.frames.len()) else { return };
        let end = self.ends.entry(frame.file.clone()).or_default();
        *end = (*end).max(frame.offset + frame.length);
        self.frames.push(frame.clone());
        let whole = lines.is_some_and(|lines| self.index_lines(at, lines, owners));
        if !whole {
            self.doubtful.push(at);
        }
    }

    /// Takes the records of a frame into the index. Says whether all of them can be understood.
    fn index_lines(&mut self, at: u32, lines: &[u8], owners: Owners) -> bool {
        let mut whole = true;
        for (line, place) in frame::each(lines).zip(0..) {
            match serde_json::from_slice::<Brief<'_>>(line) {
                Ok(brief) => self.index.put(&brief, at, place, owners),
                Err(_) => whole = false,
            }
        }
        whole
    }

    fn at(&self, entry: &Entry) -> At {
        At { frame: self.frames[entry.frame as usize].clone(), line: entry.line }
    }
}

/// Whether what was found goes on from what is known.
fn continues(part: &Part, mark: Mark) -> bool {
    let first = part.found.iter().find_map(|found| match found {
        Found::Line(line, _) => Some(line.before),
        Found::Damaged { .. } => None,
    });
    let damaged = matches!(part.found.first(), Some(Found::Damaged { .. }));
    mark.lines == 0 || damaged || first.is_none_or(|before| before == mark.last)
}
