//! What the archive does not take: one file that is spoilt, a volume that is read-only; and filing with no other rights than
//! those that the manifests give.

use std::path::{Path, PathBuf};
use std::process::Command;

use futures::{StreamExt, stream};
use innkeeper_api::{Reason, Reservation};
use innkeeper_archive::{Folder as Place, verify};
use jiff::civil::date;

use super::expiring::{held, is_there, keep_for, nothing_is_held, said, start};
use super::filing::{cancelled, filed, library};
use super::post::{Folder, Making, hotel};
use super::rights;
use crate::support::hotel::{Hotel, uid};
use crate::support::{PATIENCE, eventually};

const HELD_BACK: &str = "innkeeper_relay_held_back";

/// Asks for a stay that is too dear, so that it ends at once, to be filed with those of its month.
async fn refused(hotel: &Hotel, name: &str, month: i8) {
    hotel
        .reserve_with(name, "double", |spec| {
            (spec.check_in, spec.check_out) = (date(2030, month, 1), date(2030, month, 3));
            spec.max_total = Some(
                serde_json::from_value(serde_json::json!({ "currency": "EUR", "minorUnits": 1 })).unwrap(),
            );
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_that_cannot_be_filed_hold_up_nobody_behind_them() {
    /// More than are looked at together.
    const SPOILT: usize = 300;
    const OTHERS: usize = 20;
    let hotel = hotel("filing-spoilt").await;
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let folder = Folder::new();
    // Their file can be neither read nor written, by nobody.
    let spoilt = folder.archive().join(&hotel.namespace).join("2030-07.jsonl.zst");
    std::fs::create_dir_all(&spoilt).unwrap();
    let names = (0..SPOILT).map(|n| (format!("spoilt-{n}"), 7));
    let all: Vec<_> = names.chain((0..OTHERS).map(|n| (format!("other-{n}"), 8))).collect();
    let asked = stream::iter(all.clone()).map(|(name, month)| {
        let hotel = &hotel;
        async move {
            refused(hotel, &name, month).await;
            hotel.settled(&name, Reason::Rejected).await
        }
    });
    let ended: Vec<Reservation> = asked.buffered(16).collect().await;
    let relay = start(&hotel, &folder).await;
    relay.counts("innkeeper_relay_filed_total", &[], 20.0).await;
    relay.counts(HELD_BACK, &[("step", "file")], 300.0).await;
    let of = |object: &Reservation| filed(&folder.archive(), &uid(object)).is_some();
    assert!(ended[SPOILT..].iter().all(of), "the others are filed");
    assert!(!of(&ended[0]));
    let begun = std::time::Instant::now();
    loop {
        let said = said(&hotel, "NotFiled", "spoilt-0").await;
        if said.iter().any(|note| note.contains("ArchiveUnavailable") && note.contains("2030-07")) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is said: {said:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(said(&hotel, "NotFiled", "other-0").await.is_empty());
    // And once it can be written, they follow by themselves.
    std::fs::remove_dir(&spoilt).unwrap();
    relay.counts(HELD_BACK, &[("step", "file")], 0.0).await;
    assert_eq!(library(&folder.archive()).shelf().stays, SPOILT + OTHERS);
    assert!(ended.iter().all(of));
    assert!(verify(&Place::new(folder.archive())).unwrap().damage.is_empty());
    relay.stop().await;
    operator.stop().await;
}

/// A folder that nobody can write to, until this goes: the administrator neither.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn of(folder: &Path) -> Option<Self> {
        let ran = |program: &str, arguments: &[&str]| {
            let ran = Command::new(program).args(arguments).arg(folder).output();
            ran.is_ok_and(|ran| ran.status.success())
        };
        let path = folder.to_str().unwrap();
        let probe = folder.join("probe");
        // Enough for everybody but the administrator, for whom it takes a mount.
        let made = ran("chmod", &["-R", "a-w"])
            && (std::fs::write(&probe, "").is_err()
                || (std::fs::remove_file(&probe).is_ok()
                    && ran("mount", &["--bind", path])
                    && ran("mount", &["-o", "remount,bind,ro"])));
        let this = Self(folder.to_owned());
        if made && std::fs::write(&probe, "").is_err() {
            return Some(this);
        }
        eprintln!("not run: a folder cannot be made read-only here");
        None
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let quietly = |program: &str, arguments: &[&str]| {
            let _ = Command::new(program).args(arguments).arg(&self.0).output();
        };
        quietly("umount", &[]);
        quietly("chmod", &["-R", "u+w"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_is_read_only_holds_what_was_filed_and_what_was_not() {
    let hotel = hotel("filing-read-only").await;
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let folder = Folder::new();
    let archive = folder.archive();
    let relay = start(&hotel, &folder).await;
    let anna = cancelled(&hotel, "anna").await;
    assert!(eventually(|| filed(&archive, &uid(&anna)).is_some()).await);
    relay.stop().await;
    let Some(read_only) = ReadOnly::of(&archive) else { return };
    let relay = start(&hotel, &folder).await;
    let ben = cancelled(&hotel, "ben").await;
    keep_for(&hotel, "ben", "0s").await;
    held(&hotel, &relay, "ben", "ArchiveUnavailable").await;
    keep_for(&hotel, "anna", "0s").await;
    relay.counts("innkeeper_relay_archive_usable", &[], 0.0).await;
    assert!(is_there(&hotel, "anna").await && is_there(&hotel, "ben").await);
    assert!(filed(&archive, &uid(&ben)).is_none());
    // What is there can still be read, as gateways do.
    assert!(filed(&archive, &uid(&anna)).is_some());
    drop(read_only);
    hotel.gone("anna").await;
    hotel.gone("ben").await;
    assert!(filed(&archive, &uid(&ben)).is_some());
    nothing_is_held(&relay).await;
    relay.stop().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filing_holding_and_expiring_need_no_rights_but_those_of_the_manifests() {
    rights::install();
    let mut hotel = hotel("filing-rights").await;
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let folder = Folder::new();
    let administrator = std::mem::replace(&mut hotel.client, rights::client());
    let making = Making::of(&hotel);
    hotel.client = administrator;
    let archive = folder.archive();
    let making = making.file(&folder.file()).archive(&archive);
    let relay = making.start(&hotel, &folder.state()).await;
    let anna = cancelled(&hotel, "anna").await;
    assert!(eventually(|| filed(&archive, &uid(&anna)).is_some()).await);
    keep_for(&hotel, "anna", "0s").await;
    hotel.gone("anna").await;
    relay.counts("innkeeper_relay_expired_total", &[], 1.0).await;
    // Saying on an object that it is held takes rights too.
    let away = archive.with_extension("away");
    std::fs::rename(&archive, &away).unwrap();
    cancelled(&hotel, "ben").await;
    keep_for(&hotel, "ben", "0s").await;
    held(&hotel, &relay, "ben", "ArchiveMissing").await;
    std::fs::rename(&away, &archive).unwrap();
    hotel.gone("ben").await;
    // And one that somebody deletes goes once it is filed.
    let carl = cancelled(&hotel, "carl").await;
    hotel.delete("carl").await;
    hotel.gone("carl").await;
    assert!(filed(&archive, &uid(&carl)).is_some());
    relay.stop().await;
    operator.stop().await;
}
