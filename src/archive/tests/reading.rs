//! Lists, names, and following an archive that grows.

use rstest::rstest;

use super::{
    ALL_OF_THEM, at, expected, filled, library, names, opened, owners, record, records, reservation,
};
use crate::{Folder, Library, Record};

#[rstest]
#[case::a_guest("acme:guest-3", &[43, 33, 23, 13, 3])]
#[case::a_partner_sees_those_of_all_its_guests("acme:", &(0..45).rev().collect::<Vec<_>>())]
#[case::a_stranger("other:guest-3", &[])]
#[case::not_by_the_beginning_of_a_name("acme", &[])]
fn an_owner_sees_their_own_newest_first_in_parts(#[case] owner: &str, #[case] wanted: &[u32]) {
    let folder = filled(0..45);
    let library = library(folder.path());
    for limit in [1, 2, 100] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = library.page(owner, after.as_ref(), limit, ALL_OF_THEM).unwrap();
            assert!(page.stays.len() <= limit);
            seen.extend(page.stays.iter().map(Record::name));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let wanted: Vec<String> = wanted.iter().map(|n| format!("stay-{n}")).collect();
        assert_eq!(seen, wanted);
    }
}

#[test]
fn what_is_left_out_does_not_shorten_a_part() {
    let folder = filled(0..10);
    let library = library(folder.path());
    let page = library.page("acme:", None, 4, |property, _, _| property == "annex").unwrap();
    assert_eq!(page.stays.len(), 4);
    assert!(page.stays.iter().all(|stay| stay.property() == "seaside"));
    assert!(page.next.is_some());
}

#[test]
fn a_reader_follows_what_is_filed_and_begins_anew_with_another_archive() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Library::new(Folder::new(folder.path()), owners);
    assert!(reader.refresh().is_err(), "there is none yet");
    let mut writer = opened(folder.path());
    for n in 0..5 {
        writer.file(&records(n..n + 1), at(20)).unwrap();
        assert_eq!(reader.refresh().unwrap(), 1);
        assert_eq!(reader.refresh().unwrap(), 0);
        assert_eq!(names(&reader), expected(0..n + 1));
    }
    drop(writer);
    let other = filled(7..9);
    std::fs::remove_dir_all(folder.path()).unwrap();
    super::copy(other.path(), folder.path());
    reader.refresh().unwrap();
    assert_eq!(names(&reader), expected(7..9));
}

#[test]
fn of_one_name_the_newest_counts_and_of_one_stay_the_last_version() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = opened(folder.path());
    let mut again = reservation("seaside", 9, "2026-11-03");
    again.metadata.name = Some("stay-1".to_owned());
    let again = Record::of(&again, at(9), at(10)).unwrap();
    let mut later = reservation("seaside", 1, "2026-11-03");
    later.metadata.resource_version = Some("999".to_owned());
    later.metadata.generation = Some(2);
    let later = Record::of(&later, at(9), at(10)).unwrap();
    let first = record("seaside", 1, "2026-11-03");
    for one in [first, again.clone(), later.clone()] {
        writer.file(&[one], at(20)).unwrap();
    }
    let library = library(folder.path());
    assert_eq!(library.shelf().stays, 2);
    let named = library.named("seaside", "stay-1").unwrap();
    assert_eq!(named.iter().map(Record::uid).collect::<Vec<_>>(), [again.uid(), later.uid()]);
    assert_eq!(library.with_uid(later.uid()).unwrap().unwrap().version(), "999");
    assert!(library.named("annex", "stay-1").unwrap().is_empty(), "another property");
}

#[test]
fn every_replica_reads_the_same() {
    let folder = filled(0..30);
    let all = |library: &Library| -> Vec<String> {
        library.each().map(|record| serde_json::to_string(&record.unwrap()).unwrap()).collect()
    };
    let (early, late) = (library(folder.path()), library(folder.path()));
    opened(folder.path()).file(&records(30..35), at(30)).unwrap();
    early.refresh().unwrap();
    late.refresh().unwrap();
    assert_eq!(all(&early), all(&late));
    assert_eq!(all(&early), all(&library(folder.path())));
}
