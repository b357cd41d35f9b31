//! Frames: records of one file, as JSON lines, compressed together. A frame is read whole or not at all.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::digest::Digest;
use crate::error::{ArchiveError, Step};
use crate::manifest::Frame;
use crate::record::Record;

/// Stays are small and written once, and read for years.
const LEVEL: i32 = 9;
/// More than a frame may come to when it is unpacked: whatever is larger was not written here.
const MOST: usize = 256 * 1024 * 1024;

/// Packs records into a frame. Says as well how much that is, unpacked.
pub(crate) fn pack(records: &[&Record]) -> Result<(Vec<u8>, usize), ArchiveError> {
    let unfit = |error: &dyn std::error::Error| ArchiveError::Unfit(error.to_string());
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record).map_err(|error| unfit(&error))?;
        lines.push(b'\n');
    }
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(|error| unfit(&error))?;
    compressor.include_checksum(true).map_err(|error| unfit(&error))?;
    if lines.len() > MOST {
        return Err(ArchiveError::Unfit(format!("{} bytes are too many for one frame", lines.len())));
    }
    let packed = compressor.compress(&lines).map_err(|error| unfit(&error))?;
    Ok((packed, lines.len()))
}

/// The lines of a frame, as they were written. `file` is what it is read from, `path` what that is called.
pub(crate) fn unpack(file: &File, path: &Path, frame: &Frame) -> Result<Vec<u8>, ArchiveError> {
    let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
    let damaged = |what: &str| {
        let what = format!("the {} bytes at {} {what}", frame.length, frame.offset);
        ArchiveError::damaged(path, what)
    };
    if length > MOST {
        return Err(damaged("are more than a frame has"));
    }
    let mut packed = vec![0; length];
    match file.read_exact_at(&mut packed, frame.offset) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(damaged("are not all there")),
        Err(error) => return Err(ArchiveError::io(Step::Read, path)(error)),
    }
    if Digest::of(&packed) != frame.sha256 {
        return Err(damaged("are not those that were written: their digest is another"));
    }
    let size = usize::try_from(frame.size).unwrap_or(usize::MAX).min(MOST);
    let lines = zstd::bulk::decompress(&packed, size).map_err(|_| damaged("cannot be unpacked"))?;
    let count = lines.split_inclusive(|byte| *byte == b'\n').count();
    if count != frame.count as usize || lines.last() != Some(&b'\n') {
        return Err(damaged(&format!("hold {count} stays, not {}", frame.count)));
    }
    Ok(lines)
}

/// The lines one by one.
pub(crate) fn each(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// One record of a frame's lines.
pub(crate) fn record(lines: &[u8], place: u32, path: &Path) -> Result<Record, ArchiveError> {
    let line = each(lines).nth(place as usize).unwrap_or_default();
    serde_json::from_slice(line)
        .map_err(|error| ArchiveError::damaged(path, format!("a stay cannot be understood: {error}")))
}
