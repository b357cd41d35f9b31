//! A crash at every byte of an append. What was acknowledged is read, what was not is not read in part, and the next
//! writer goes on as if nothing had been.

use std::fs;
use std::path::{Path, PathBuf};

use super::{at, copy, expected, filled, library, names, opened, records};
use crate::{Folder, verify};

/// What an append adds to a file: where it begins, and the bytes.
struct Added {
    file: PathBuf,
    from: usize,
    bytes: Vec<u8>,
}

fn added(before: &Path, after: &Path, file: &str) -> Added {
    let old = fs::read(before.join(file)).unwrap_or_default();
    let new = fs::read(after.join(file)).unwrap();
    assert_eq!(old, new[..old.len()], "an append changes nothing that was there");
    Added { file: file.into(), from: old.len(), bytes: new[old.len()..].to_vec() }
}

impl Added {
    /// As it looks after a crash that came when so many bytes had reached the disk. With `holes`, the file has its full
    /// length and what had not reached it is zeros.
    fn leave(&self, folder: &Path, bytes: usize, holes: bool) {
        let path = folder.join(&self.file);
        let mut now = fs::read(&path).unwrap_or_default();
        now.truncate(self.from);
        now.extend_from_slice(&self.bytes[..bytes]);
        if holes && bytes > 0 {
            now.resize(self.from + self.bytes.len(), 0);
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, now).unwrap();
    }
}

/// Everybody reads what was acknowledged and nothing else, the archive is whole, and filing goes on.
fn check(folder: &Path, acknowledged: u32, more: bool) {
    let reader = library(folder);
    let seen = names(&reader);
    assert_eq!(seen, expected(0..acknowledged));
    assert_eq!(reader.shelf().damaged, 0);
    let report = verify(&Folder::new(folder)).unwrap();
    assert_eq!((&report.damage, report.stays), (&Vec::new(), u64::from(acknowledged)));
    if more {
        let mut writer = opened(folder);
        writer.file(&records(0..8), at(40)).unwrap();
        drop(writer);
        assert_eq!(names(&library(folder)), expected(0..8));
        reader.refresh().unwrap();
        assert_eq!(names(&reader), expected(0..8), "one that was reading goes on");
        let report = verify(&Folder::new(folder)).unwrap();
        assert_eq!((report.damage, report.unread), (Vec::new(), Vec::new()), "nothing of the crash is left");
    }
}

#[test]
fn a_crash_at_any_byte_of_an_append_loses_nothing_and_shows_nothing_torn() {
    let before = filled(0..4);
    let after = tempfile::tempdir().unwrap();
    copy(before.path(), after.path());
    // Two files and one line.
    opened(after.path()).file(&records(4..6), at(30)).unwrap();
    let data = [
        added(before.path(), after.path(), "seaside/2026-11.jsonl.zst"),
        added(before.path(), after.path(), "seaside/2026-12.jsonl.zst"),
    ];
    let line = added(before.path(), after.path(), "manifest.jsonl");
    assert!(data.iter().all(|added| added.bytes.len() > 100) && line.bytes.len() > 100);

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("archive");
    let fresh = || {
        let _ = fs::remove_dir_all(&folder);
        copy(before.path(), &folder);
    };
    for holes in [false, true] {
        for (nth, file) in data.iter().enumerate() {
            for bytes in 0..=file.bytes.len() {
                fresh();
                for whole in &data[..nth] {
                    whole.leave(&folder, whole.bytes.len(), false);
                }
                file.leave(&folder, bytes, holes);
                check(&folder, 4, bytes % 40 == 0);
            }
        }
        for bytes in 0..=line.bytes.len() {
            fresh();
            for whole in &data {
                whole.leave(&folder, whole.bytes.len(), false);
            }
            line.leave(&folder, bytes, holes);
            let whole = bytes == line.bytes.len();
            check(&folder, if whole { 6 } else { 4 }, bytes % 40 == 0 || whole);
        }
    }
}

#[test]
fn a_file_that_was_begun_and_never_named_is_begun_anew() {
    let folder = filled(0..0);
    fs::create_dir(folder.path().join("seaside")).unwrap();
    fs::write(folder.path().join("seaside/2026-11.jsonl.zst"), b"half a frame").unwrap();
    let report = verify(&Folder::new(folder.path())).unwrap();
    assert_eq!((report.damage.len(), report.unread.len()), (0, 1));
    check(folder.path(), 0, true);
}
