//! The manifest: one line for each append. A line carries its own digest, and that of the line before it.

use std::fs::File;
use std::io::Read;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{ArchiveError, Step};
use crate::folder::{Folder, is_file_name};

/// What stands before a line's own digest.
const SUM: &str = ",\"sum\":\"";
/// What stands after it.
const END: &str = "\"}";

/// One frame: some records of one file, compressed together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The file, from the archive's folder.
    pub file: String,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
    /// How long it is unpacked.
    pub size: u64,
    /// How many records are in it.
    pub count: u32,
    /// Its digest.
    pub sha256: Digest,
}

/// One line: everything that was filed in one go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// From 1, without gaps.
    pub number: u64,
    /// Digest of the line before; of nothing in the first.
    pub before: Digest,
    /// When it was written.
    pub at: Timestamp,
    /// The frames.
    pub frames: Vec<Frame>,
}

impl Line {
    /// As it is written, with its end of line, and its digest.
    pub(crate) fn write(&self) -> Result<(String, Digest), ArchiveError> {
        let body = serde_json::to_string(self).map_err(|error| ArchiveError::Unfit(error.to_string()))?;
        let sum = Digest::of(body.as_bytes());
        let open = body.strip_suffix('}').unwrap_or(&body);
        Ok((format!("{open}{SUM}{sum}{END}\n"), sum))
    }

    /// Reads one, without its end of line. Nothing where any byte of it is not as it was written.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, Digest)> {
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix(END)?;
        let (open, sum) = text.rsplit_once(SUM)?;
        let (body, sum) = (format!("{open}}}"), Digest::parse(sum)?);
        if Digest::of(body.as_bytes()) != sum {
            return None;
        }
        let line: Self = serde_json::from_str(&body).ok()?;
        line.frames.iter().all(|frame| is_file_name(&frame.file)).then_some((line, sum))
    }
}

/// How far a manifest has been read, and what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    /// Bytes.
    pub(crate) end: u64,
    /// Lines.
    pub(crate) lines: u64,
    /// Digest of the last line.
    pub(crate) last: Digest,
}

/// One thing found in a manifest, and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// A line, and the mark behind it.
    Line(Line, Mark),
    /// A line that is not as it was written, with others behind it.
    Damaged {
        /// Where it begins.
        offset: u64,
    },
}

/// What was found behind a mark.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// In order.
    pub(crate) found: Vec<Found>,
    /// Behind the last line that is whole.
    pub(crate) mark: Mark,
    /// The bytes after it: of an append that was cut short, or is under way.
    pub(crate) tail: Vec<u8>,
}

/// Reads what stands behind a mark. What is not whole counts as damaged only where something whole stands after it.
pub(crate) fn read_after(bytes: &[u8], mark: Mark) -> Part {
    let mut part = Part { found: Vec::new(), mark, tail: Vec::new() };
    let (mut at, mut doubtful) = (0, Vec::new());
    while let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        let begins = mark.end + at as u64;
        match Line::read(&bytes[at..at + length]) {
            Some((line, sum)) => {
                part.found.append(&mut doubtful);
                part.mark = Mark { end: begins + length as u64 + 1, lines: line.number, last: sum };
                part.found.push(Found::Line(line, part.mark));
            }
            None => doubtful.push(Found::Damaged { offset: begins }),
        }
        at += length + 1;
    }
    let whole = usize::try_from(part.mark.end - mark.end).unwrap_or(bytes.len());
    part.tail = bytes[whole..].to_vec();
    part
}

/// The bytes of the manifest from there on; nothing where it is not there yet. Fails where it is shorter.
pub(crate) fn bytes_from(folder: &Folder, from: u64) -> Result<Option<Vec<u8>>, ArchiveError> {
    use std::io::{ErrorKind, Seek, SeekFrom};
    let path = folder.manifest();
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return if from == 0 { Ok(Some(Vec::new())) } else { Ok(None) };
        }
        Err(error) => return Err(ArchiveError::io(Step::Open, &path)(error)),
    };
    let length = file.metadata().map_err(ArchiveError::io(Step::Read, &path))?.len();
    if length < from {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(from)).map_err(ArchiveError::io(Step::Read, &path))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(ArchiveError::io(Step::Read, &path))?;
    Ok(Some(bytes))
}
