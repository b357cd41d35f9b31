//! Looks at every byte of an archive, and names what is not as it was written.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::ErrorKind;

use serde::Serialize;

use crate::digest::Digest;
use crate::error::ArchiveError;
use crate::folder::{Folder, Identity};
use crate::frame;
use crate::manifest::{Found, Frame, Mark, bytes_from, read_after};
use crate::record::Record;

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Where {
    /// The file, from the archive's folder.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// How many bytes, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Where.
    #[serde(flatten)]
    pub at: Where,
    /// What is wrong.
    pub what: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Which archive.
    pub archive: Identity,
    /// Lines of the manifest.
    pub lines: u64,
    /// Frames that are whole.
    pub frames: u64,
    /// Different stays in them.
    pub stays: u64,
    /// Bytes of those frames.
    pub bytes: u64,
    /// Bytes of what is in them, unpacked.
    pub unpacked: u64,
    /// What is not as it was written.
    pub damage: Vec<Damage>,
    /// What nobody reads: what an append that was cut short, or is under way, has left behind.
    pub unread: Vec<Where>,
}

/// Looks at everything.
pub fn verify(folder: &Folder) -> Result<Report, ArchiveError> {
    let archive = folder.identity()?;
    let mut report = Report {
        archive,
        lines: 0,
        frames: 0,
        stays: 0,
        bytes: 0,
        unpacked: 0,
        damage: Vec::new(),
        unread: Vec::new(),
    };
    let bytes = bytes_from(folder, 0)?.unwrap_or_default();
    let part = read_after(&bytes, Mark::default());
    let mut frames: BTreeMap<String, Vec<Frame>> = BTreeMap::new();
    let (mut number, mut last) = (0, Digest::default());
    let mut from = 0;
    for found in part.found {
        match found {
            Found::Damaged { offset } => {
                report.wrong(MANIFEST, offset, None, "this line is not as it was written");
            }
            Found::Line(line, mark) => {
                if line.number != number + 1 || line.before != last {
                    let what = format!("line {} does not go on from what stands before it", line.number);
                    report.wrong(MANIFEST, from, None, &what);
                }
                (number, last) = (line.number, mark.last);
                report.lines += 1;
                for frame in line.frames {
                    frames.entry(frame.file.clone()).or_default().push(frame);
                }
                from = mark.end;
            }
        }
    }
    if !part.tail.is_empty() {
        let whole = part.tail.split_inclusive(|b| *b == b'\n').any(|l| l.ends_with(b"\n") && !l.contains(&0));
        let length = Some(part.tail.len() as u64);
        if whole {
            report.wrong(MANIFEST, part.mark.end, length, "this line is not as it was written");
        } else {
            report.unread.push(Where { file: MANIFEST.to_owned(), offset: part.mark.end, length });
        }
    }
    let mut uids = HashSet::new();
    for (file, frames) in &mut frames {
        report.file(folder, file, frames, &mut uids);
    }
    report.stays = uids.len() as u64;
    report.strangers(folder, &frames);
    Ok(report)
}

/// What the manifest is called.
const MANIFEST: &str = "manifest.jsonl";

impl Report {
    fn wrong(&mut self, file: &str, offset: u64, length: Option<u64>, what: &str) {
        let at = Where { file: file.to_owned(), offset, length };
        self.damage.push(Damage { at, what: what.to_owned() });
    }

    fn file(&mut self, folder: &Folder, name: &str, frames: &mut [Frame], uids: &mut HashSet<String>) {
        frames.sort_by_key(|frame| frame.offset);
        let path = folder.file(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) => {
                let what = match error.kind() {
                    ErrorKind::NotFound => "this file is not there".to_owned(),
                    _ => format!("this file cannot be opened: {error}"),
                };
                return self.wrong(name, 0, None, &what);
            }
        };
        let mut end = 0;
        for frame in frames.iter() {
            if frame.offset > end {
                let length = Some(frame.offset - end);
                self.unread.push(Where { file: name.to_owned(), offset: end, length });
            } else if frame.offset < end {
                self.wrong(name, frame.offset, Some(frame.length), "this frame lies over the one before it");
            }
            end = end.max(frame.offset + frame.length);
            if let Err(what) = self.frame(&file, folder, frame, uids) {
                self.wrong(name, frame.offset, Some(frame.length), &what);
            }
        }
        let length = file.metadata().as_ref().map_or(end, fs::Metadata::len);
        if length > end {
            self.unread.push(Where { file: name.to_owned(), offset: end, length: Some(length - end) });
        }
    }

    fn frame(
        &mut self,
        file: &File,
        folder: &Folder,
        frame: &Frame,
        uids: &mut HashSet<String>,
    ) -> Result<(), String> {
        let path = folder.file(&frame.file);
        let lines = frame::unpack(file, &path, frame).map_err(|error| match error {
            ArchiveError::Damaged { what, .. } => what,
            other => other.to_string(),
        })?;
        for line in frame::each(&lines) {
            let record: Record = serde_json::from_slice(line)
                .map_err(|error| format!("a stay in this frame cannot be understood: {error}"))?;
            if record.file() != frame.file {
                return Err(format!("{} in this frame belongs into {}", record.name(), record.file()));
            }
            uids.insert(record.uid().to_owned());
        }
        self.frames += 1;
        self.bytes += frame.length;
        self.unpacked += frame.size;
        Ok(())
    }

    /// Files that no line of the manifest names.
    fn strangers(&mut self, folder: &Folder, known: &BTreeMap<String, Vec<Frame>>) {
        let folders = fs::read_dir(folder.path()).into_iter().flatten().flatten();
        for property in folders.filter(|entry| entry.path().is_dir()) {
            for file in fs::read_dir(property.path()).into_iter().flatten().flatten() {
                let name = format!(
                    "{}/{}",
                    property.file_name().to_string_lossy(),
                    file.file_name().to_string_lossy()
                );
                if !known.contains_key(&name) && name.ends_with(".jsonl.zst") {
                    let length = file.metadata().as_ref().ok().map(fs::Metadata::len);
                    self.unread.push(Where { file: name, offset: 0, length });
                }
            }
        }
        self.unread.sort_by(|a, b| (&a.file, a.offset).cmp(&(&b.file, b.offset)));
    }
}
