//! Filing: once each, by one writer, on the right volume, while there is room.

use std::fs;
use std::os::unix::fs::symlink;

use super::{at, copy, expected, filled, library, names, opened, record, records, reservation};
use crate::{ArchiveError, Folder, Receipt, Record, Writer, finished_at, verify};

fn reason(result: Result<impl Sized, ArchiveError>) -> &'static str {
    result.err().map_or("", |error| error.reason())
}

#[test]
fn filing_again_writes_nothing() {
    let folder = filled(0..4);
    let manifest = || fs::read(folder.path().join("manifest.jsonl")).unwrap();
    let before = manifest();
    let mut writer = opened(folder.path());
    assert_eq!(writer.file(&records(0..4), at(99)).unwrap(), [Receipt::Before; 4]);
    assert_eq!(manifest(), before);
    // A newer version that says the same is the same; one that says more is filed.
    let mut newer = reservation("annex", 0, "2026-11-03");
    newer.metadata.resource_version = Some("5000".to_owned());
    let same = Record::of(&newer, at(9), at(77)).unwrap();
    assert_eq!(writer.file(&[same], at(99)).unwrap(), [Receipt::Before]);
    newer.metadata.generation = Some(2);
    let more = Record::of(&newer, at(9), at(77)).unwrap();
    assert_eq!(writer.file(&[more], at(99)).unwrap(), [Receipt::New]);
    assert_eq!(names(&library(folder.path())), expected(0..4));
}

#[test]
fn a_file_is_plain_zstd_of_json_lines_by_property_and_month_of_check_out() {
    let folder = filled(0..12);
    let mut files: Vec<_> =
        fs::read_dir(folder.path().join("seaside")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["2026-11.jsonl.zst", "2026-12.jsonl.zst"]);
    let text = zstd::stream::decode_all(fs::File::open(&files[0]).unwrap()).unwrap();
    let lines: Vec<serde_json::Value> = text
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|l| l["reservation"]["spec"]["checkOut"] == "2026-11-03"));
}

#[test]
fn what_could_lead_to_the_guest_or_their_money_is_left_out() {
    let kept = serde_json::to_string(&record("seaside", 1, "2026-11-03")).unwrap();
    assert!(!kept.contains("pm_card") && !kept.contains("labels"), "{kept}");
}

#[test]
fn one_at_a_time_may_write() {
    let folder = filled(0..2);
    let first = opened(folder.path());
    assert_eq!(reason(Writer::open(Folder::new(folder.path()), None, at(1))), "ArchiveContended");
    drop(first);
    opened(folder.path());
}

#[test]
fn a_volume_that_keeps_no_locks_does_not_let_two_writers_corrupt_it() {
    let folder = filled(0..2);
    let mut first = opened(folder.path());
    // As on a volume where a lock of another machine is not seen.
    fs::remove_file(folder.path().join("lock")).unwrap();
    let mut second = opened(folder.path());
    second.file(&records(2..4), at(30)).unwrap();
    assert_eq!(reason(first.file(&records(4..6), at(30))), "ArchiveContended", "says so, and files nothing");
    first.file(&records(4..6), at(31)).unwrap();
    assert_eq!(reason(second.file(&records(6..8), at(32))), "ArchiveContended");
    second.file(&records(6..8), at(33)).unwrap();
    assert_eq!(names(&library(folder.path())), expected(0..8), "and nothing acknowledged is lost");
    let report = verify(&Folder::new(folder.path())).unwrap();
    assert_eq!((report.damage, report.unread), (Vec::new(), Vec::new()));
}

#[test]
fn nothing_is_filed_to_another_archive_nor_to_the_mount_point_of_a_missing_one() {
    let (ours, other) = (filled(0..2), filled(5..6));
    let identity = Folder::new(ours.path()).identity().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let open = |folder: &std::path::Path| Writer::open(Folder::new(folder), Some(identity), at(1));
    assert_eq!(reason(open(other.path())), "ArchiveIsAnother");
    assert_eq!(reason(open(empty.path())), "ArchiveMissing");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "and none is made there");
    assert_eq!(reason(open(&empty.path().join("nowhere"))), "ArchiveMissing");

    // And while it runs.
    let mut writer = open(ours.path()).unwrap();
    let filed = &records(0..1)[0];
    assert!(writer.reads_back(filed).unwrap());
    let aside = empty.path().join("aside");
    copy(ours.path(), &aside);
    for file in ["archive.json", "manifest.jsonl"] {
        fs::copy(other.path().join(file), ours.path().join(file)).unwrap();
    }
    assert_eq!(reason(writer.reads_back(filed)), "ArchiveIsAnother");
    assert_eq!(reason(writer.file(&records(2..3), at(1))), "ArchiveIsAnother");
    fs::remove_file(ours.path().join("archive.json")).unwrap();
    assert_eq!(reason(writer.reads_back(filed)), "ArchiveMissing");
    for file in ["archive.json", "manifest.jsonl"] {
        fs::copy(aside.join(file), ours.path().join(file)).unwrap();
    }
    assert!(writer.reads_back(filed).unwrap(), "it is back");
}

#[test]
fn a_full_volume_says_so_and_what_was_there_stays() {
    let folder = filled(0..4);
    let mut writer = opened(folder.path());
    // Linux's own full device, where the file of a new month is to be.
    symlink("/dev/full", folder.path().join("seaside/2027-01.jsonl.zst")).unwrap();
    let late = record("seaside", 50, "2027-01-05");
    let full = writer.file(std::slice::from_ref(&late), at(30)).unwrap_err();
    assert!(full.is_full(), "{full}");
    assert_eq!(full.reason(), "ArchiveFull");
    assert!(!writer.reads_back(&late).unwrap());
    writer.file(&records(4..5), at(31)).unwrap();
    fs::remove_file(folder.path().join("seaside/2027-01.jsonl.zst")).unwrap();
    writer.file(std::slice::from_ref(&late), at(32)).unwrap();
    assert!(writer.reads_back(&late).unwrap());
    assert_eq!(verify(&Folder::new(folder.path())).unwrap().damage, []);
}

#[test]
fn an_archive_of_a_later_format_is_left_alone() {
    let folder = filled(0..2);
    let about = folder.path().join("archive.json");
    let text = fs::read_to_string(&about).unwrap().replace("\"format\":1", "\"format\":2");
    fs::write(&about, text).unwrap();
    assert_eq!(reason(Writer::open(Folder::new(folder.path()), None, at(1))), "ArchiveFormat");
}

#[test]
fn finished_is_what_cannot_change_any_more() {
    use innkeeper_api::{ConditionStatus, ConditionType, Reason, WantedState};
    let cancelled = reservation("seaside", 1, "2026-11-03");
    assert_eq!(finished_at(&cancelled, at(10)), Some(at(9)));
    let with = |change: &dyn Fn(&mut innkeeper_api::Reservation)| {
        let mut changed = cancelled.clone();
        change(&mut changed);
        finished_at(&changed, at(1000))
    };
    let settled = |reason: Reason| {
        move |r: &mut innkeeper_api::Reservation| {
            let conditions = &mut r.status.as_mut().unwrap().conditions;
            conditions.set(ConditionType::Settled, ConditionStatus::True, reason.clone(), "so it is", at(9));
        }
    };
    assert_eq!(with(&|r| r.metadata.generation = Some(2)), None, "nobody has looked at that yet");
    assert_eq!(with(&|r| r.status = None), None);
    for reason in [Reason::Rejecting, Reason::Cancelling, Reason::InProgress] {
        assert_eq!(with(&settled(reason)), None);
    }
    for reason in [Reason::RefundFailed, Reason::Pending] {
        let money = |r: &mut innkeeper_api::Reservation| {
            let conditions = &mut r.status.as_mut().unwrap().conditions;
            conditions.set(ConditionType::Refunded, ConditionStatus::False, reason.clone(), "no", at(9));
        };
        assert_eq!(with(&money), None, "money is still due");
    }
    // A confirmed one once its last day is over, and not while somebody asks for it to be cancelled.
    let quote = serde_json::json!({
        "currency": "EUR", "total": 100, "collectOnline": 100, "flow": "PayFirst", "lines": [],
        "refundDeadlines": [], "checkInAt": at(100), "finishedAt": at(500),
        "roomUID": "room", "roomGeneration": 1,
    });
    let confirmed = |r: &mut innkeeper_api::Reservation| {
        settled(Reason::Confirmed)(r);
        r.status.as_mut().unwrap().quote = Some(serde_json::from_value(quote.clone()).unwrap());
    };
    assert_eq!(with(&confirmed), Some(at(500)));
    let mut early = cancelled.clone();
    confirmed(&mut early);
    assert_eq!(finished_at(&early, at(499)), None);
    assert_eq!(
        with(&|r| {
            confirmed(r);
            r.spec.state = Some(WantedState::Cancelled);
        }),
        None
    );
}

#[test]
fn many_filed_in_one_go_are_frames_of_a_few_each() {
    let folder = filled(0..0);
    let many: Vec<Record> = (0..50).map(|n| record("seaside", n, "2026-11-03")).collect();
    opened(folder.path()).file(&many, at(20)).unwrap();
    let report = verify(&Folder::new(folder.path())).unwrap();
    assert_eq!((report.lines, report.frames, report.stays), (1, 4, 50));
    assert_eq!(names(&library(folder.path())), expected(0..50));
}
