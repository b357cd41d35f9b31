//! Bytes that change later: named, left out, and nothing else is lost with them.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{at, expected, filled, library, names, opened, records};
use crate::{ArchiveError, Folder, Writer, verify};

fn flip(folder: &Path, file: &str, at: usize, bit: u8) {
    let path = folder.join(file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_bit_in_a_frame_is_named_and_costs_that_frame_alone(place in 0.0..1.0_f64, bit in 0..8_u8) {
        let folder = filled(0..6);
        let file = "seaside/2026-11.jsonl.zst";
        let length = fs::metadata(folder.path().join(file)).unwrap().len();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let byte = (length as f64 * place) as usize;
        flip(folder.path(), file, byte, bit);
        let report = verify(&Folder::new(folder.path())).unwrap();
        prop_assert_eq!(report.damage.len(), 1);
        let found = &report.damage[0].at;
        prop_assert_eq!(&found.file, file);
        let (from, to) = (found.offset, found.offset + found.length.unwrap());
        prop_assert!((from..to).contains(&(byte as u64)));
        let reader = library(folder.path());
        prop_assert_eq!((reader.shelf().stays, reader.shelf().damaged), (5, 1));
    }

    #[test]
    fn a_flipped_bit_in_the_manifest_is_named_and_nothing_wrong_is_read(place in 0.0..1.0_f64, bit in 0..8_u8) {
        let folder = filled(0..6);
        let file = "manifest.jsonl";
        let length = fs::metadata(folder.path().join(file)).unwrap().len();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let byte = (length as f64 * place) as usize;
        flip(folder.path(), file, byte, bit);
        let report = verify(&Folder::new(folder.path())).unwrap();
        // The very last end of line makes a tail of the last line, which reads as an append that was cut short.
        prop_assert!(!report.damage.is_empty() || !report.unread.is_empty());
        let seen = names(&library(folder.path()));
        prop_assert!((4..6).contains(&seen.len()), "one line, or two that have become one: {seen:?}");
        prop_assert!(seen.iter().all(|name| expected(0..6).contains(name)));
    }
}

#[test]
fn a_writer_leaves_a_manifest_alone_that_is_damaged_at_its_end() {
    let folder = filled(0..4);
    let manifest = folder.path().join("manifest.jsonl");
    let length = fs::metadata(&manifest).unwrap().len();
    flip(folder.path(), "manifest.jsonl", usize::try_from(length).unwrap() - 50, 0);
    let whole = fs::read(&manifest).unwrap();
    let refused = Writer::open(Folder::new(folder.path()), None, at(1));
    assert!(matches!(refused.err(), Some(ArchiveError::Damaged { .. })));
    assert_eq!(fs::read(&manifest).unwrap(), whole, "it may have been acknowledged");
    assert_eq!(verify(&Folder::new(folder.path())).unwrap().damage.len(), 1);
}

#[test]
fn what_can_no_longer_be_read_is_filed_again_and_does_not_read_back_before() {
    let folder = filled(0..4);
    flip(folder.path(), "seaside/2026-11.jsonl.zst", 20, 3);
    let mut writer = opened(folder.path());
    let hurt = &records(2..3)[0];
    assert!(!matches!(writer.reads_back(hurt), Ok(true)));
    writer.file(std::slice::from_ref(hurt), at(50)).unwrap();
    assert!(writer.reads_back(hurt).unwrap());
    assert_eq!(names(&library(folder.path())), expected(0..4));
}

#[test]
fn a_file_that_is_gone_or_shorter_is_named() {
    for cut in [None, Some(30)] {
        let folder = filled(0..4);
        let file = folder.path().join("annex/2026-11.jsonl.zst");
        match cut {
            None => fs::remove_file(&file).unwrap(),
            Some(length) => fs::write(&file, &fs::read(&file).unwrap()[..length]).unwrap(),
        }
        let report = verify(&Folder::new(folder.path())).unwrap();
        assert_eq!(report.damage.len(), 1, "{report:?}");
        assert_eq!(report.damage[0].at.file, "annex/2026-11.jsonl.zst");
        let mut writer = opened(folder.path());
        let more = super::record("annex", 90, "2026-11-09");
        assert!(
            matches!(writer.file(&[more], at(50)), Err(ArchiveError::Damaged { .. })),
            "not written over"
        );
    }
}
