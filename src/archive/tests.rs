//! The format, tried at every byte: crashes, damage, two writers, a volume that is full or another.

mod crash;
mod damage;
mod measure;
mod reading;
mod writing;

use std::fs;
use std::path::Path;

use innkeeper_api::{
    Collect, ConditionStatus, ConditionType, Fact, FactKind, Guests, Payment, Phase, Reason, Reservation,
    ReservationSpec, ReservationStatus,
};
use jiff::Timestamp;
use jiff::civil::Date;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ObjectMeta;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Folder, Library, Record, Writer};

/// Leaves nothing out.
const ALL_OF_THEM: fn(&str, &str, u128) -> bool = |_, _, _| false;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

/// A stay that was cancelled: the `n`th, of one of ten guests of the partner `acme`.
fn reservation(property: &str, n: u32, check_out: &str) -> Reservation {
    let uid = Uuid::from_u128(u128::from(n) + 1).to_string();
    let check_out: Date = check_out.parse().unwrap();
    let mut status = ReservationStatus {
        observed_generation: 1,
        phase: Some(Phase::Cancelled),
        history: vec![
            Fact { number: 1, fact: FactKind::Requested, time: at(0), reason: None, minor_units: None },
            Fact { number: 2, fact: FactKind::Cancelled, time: at(9), reason: None, minor_units: None },
        ],
        ..ReservationStatus::default()
    };
    let message = "Cancelled; nothing went back.";
    status.conditions.set(ConditionType::Settled, ConditionStatus::True, Reason::Cancelled, message, at(9));
    Reservation {
        metadata: ObjectMeta {
            name: Some(format!("stay-{n}")),
            namespace: Some(property.to_owned()),
            uid: Some(uid),
            generation: Some(1),
            resource_version: Some(format!("{}", 100 + n)),
            creation_timestamp: Some(Time(at(i64::from(n)))),
            labels: Some([("who".to_owned(), "nobody".to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: ReservationSpec {
            room_name: "sea-view".to_owned(),
            check_in: check_out.yesterday().unwrap(),
            check_out,
            units: 1,
            guest_id: format!("acme:guest-{}", n % 10),
            guests: Guests::default(),
            payment: Payment {
                collect: Collect::Online,
                method: Some("pm_card_visa".to_owned()),
                reference: None,
            },
            max_total: None,
            state: None,
            ttl_after_finished: None,
        },
        status: Some(status),
    }
}

fn record(property: &str, n: u32, check_out: &str) -> Record {
    Record::of(&reservation(property, n, check_out), at(9), at(10)).unwrap()
}

/// Stays of two properties and two months.
fn records(range: std::ops::Range<u32>) -> Vec<Record> {
    let of = |n: u32| {
        let property = if n.is_multiple_of(3) { "annex" } else { "seaside" };
        record(property, n, if n.is_multiple_of(2) { "2026-11-03" } else { "2026-12-24" })
    };
    range.map(of).collect()
}

fn owners(guest: &str) -> Vec<&str> {
    let partner = guest.find(':').map(|at| &guest[..=at]);
    std::iter::once(guest).chain(partner).collect()
}

fn opened(folder: &Path) -> Writer {
    Writer::open(Folder::new(folder), None, at(0)).unwrap()
}

fn library(folder: &Path) -> Library {
    let library = Library::new(Folder::new(folder), owners);
    library.refresh().unwrap();
    library
}

/// An archive with some stays in it, each filed by itself.
fn filled(range: std::ops::Range<u32>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = opened(folder.path());
    for record in records(range) {
        writer.file(&[record], at(20)).unwrap();
    }
    folder
}

/// The names of all stays, as a reader finds them.
fn names(library: &Library) -> Vec<String> {
    let mut names: Vec<String> = library.each().map(|record| record.unwrap().name()).collect();
    names.sort();
    names
}

fn expected(range: std::ops::Range<u32>) -> Vec<String> {
    let mut names: Vec<String> = range.map(|n| format!("stay-{n}")).collect();
    names.sort();
    names
}

/// A copy of a folder, by the names of its files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &there);
        } else {
            fs::copy(entry.path(), there).unwrap();
        }
    }
}
