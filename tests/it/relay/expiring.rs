//! After `ttlAfterFinished`, and only what was read back from the archive just before: then a Reservation expires.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::Ordering;

use innkeeper_api::{Reason, Reservation};
use innkeeper_archive::{Folder as Place, Writer};
use jiff::{Timestamp, ToSpan};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::filing::{cancelled, facts, filed};
use super::post::{Folder, Making, Post, hotel, reserve_at_the_desk, told_of};
use crate::support::hotel::{Hotel, uid};
use crate::support::valve::{Moment, Valve, Which};
use crate::support::{PATIENCE, eventually};

const HELD: &str = "innkeeper_relay_expiry_held";

/// Says how long it is kept once it has finished.
pub async fn keep_for(hotel: &Hotel, name: &str, ttl: &str) -> Reservation {
    let patch = Patch::Merge(json!({ "spec": { "ttlAfterFinished": ttl } }));
    hotel.reservations().patch(name, &PatchParams::default(), &patch).await.unwrap()
}

/// A relay with a file and an archive.
pub async fn start(hotel: &Hotel, folder: &Folder) -> Post {
    let making = Making::of(hotel).file(&folder.file()).archive(&folder.archive());
    making.start(hotel, &folder.state()).await
}

/// What was said of a Reservation for this reason.
pub async fn said(hotel: &Hotel, reason: &str, name: &str) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(hotel.client.clone(), &hotel.namespace);
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let of = events.into_iter().filter(|event| {
        event.reason.as_deref() == Some(reason)
            && event.regarding.as_ref().and_then(|about| about.name.as_deref()) == Some(name)
    });
    of.filter_map(|event| event.note).collect()
}

/// Whether it is there and not being deleted.
pub async fn is_there(hotel: &Hotel, name: &str) -> bool {
    let found = hotel.reservations().get_opt(name).await.unwrap();
    found.is_some_and(|found| found.metadata.deletion_timestamp.is_none())
}

/// It is held for this reason, says so everywhere, and is still there after it was looked at again.
pub async fn held(hotel: &Hotel, relay: &Post, name: &str, reason: &str) {
    relay.counts(HELD, &[("reason", reason)], 1.0).await;
    let begun = std::time::Instant::now();
    loop {
        let said = said(hotel, "ExpiryHeld", name).await;
        if said.iter().any(|note| note.contains(reason)) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is said of {reason}: {said:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(is_there(hotel, name).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_expires_when_it_says_so_and_stays_otherwise() {
    let hotel = hotel("expiring").await;
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let folder = Folder::new();
    for name in ["anna", "ben", "carl"] {
        cancelled(&hotel, name).await;
    }
    keep_for(&hotel, "ben", "720h").await;
    reserve_at_the_desk(&hotel, "dora", "double").await;
    hotel.settled("dora", Reason::Confirmed).await;
    keep_for(&hotel, "dora", "0s").await;
    let carl = keep_for(&hotel, "carl", "0s").await;
    let relay = start(&hotel, &folder).await;
    hotel.gone("carl").await;
    relay.counts("innkeeper_relay_expired_total", &[], 1.0).await;
    relay.counts("innkeeper_relay_filed_total", &[], 3.0).await;
    let record = filed(&folder.archive(), &uid(&carl)).unwrap();
    assert_eq!(facts(&record.reservation), facts(&carl));
    assert!(told_of(&folder.events(), "carl").ends_with("cancelled"));
    // One says nothing, one says thirty days, and one has not finished: its stay is years ahead.
    for name in ["anna", "ben", "dora"] {
        assert!(is_there(&hotel, name).await, "{name}");
    }
    // From now on anna's is over too. It is filed as it is now.
    let anna = keep_for(&hotel, "anna", "1s").await;
    hotel.gone("anna").await;
    let record = filed(&folder.archive(), &uid(&anna)).unwrap();
    assert_eq!(record.reservation.spec.ttl_after_finished, anna.spec.ttl_after_finished);
    assert!(record.reservation.spec.ttl_after_finished.is_some());
    relay.stop().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_that_is_over_expires_and_nothing_is_given_back() {
    let mut hotel = hotel("expiring-stay").await;
    // The operator's day is that of the stay.
    let ahead = hotel.movable_clock();
    ahead.store(-30 * 24 * 3600, Ordering::SeqCst);
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    hotel
        .reserve_with("anna", "double", |spec| {
            spec.check_in = today.checked_sub(20.days()).unwrap();
            spec.check_out = today.checked_sub(18.days()).unwrap();
            spec.ttl_after_finished = Some(serde_json::from_value(json!("1h")).unwrap());
        })
        .await;
    let anna = hotel.settled("anna", Reason::Confirmed).await;
    let paid = hotel.money_kept().await;
    assert_eq!(paid, 24_000);
    ahead.store(0, Ordering::SeqCst);
    let folder = Folder::new();
    let relay = start(&hotel, &folder).await;
    hotel.gone("anna").await;
    let record = filed(&folder.archive(), &uid(&anna)).unwrap();
    assert_eq!(facts(&record.reservation), facts(&anna));
    assert_eq!(hotel.money_kept().await, paid);
    assert_eq!(told_of(&folder.events(), "anna"), "requested paid confirmed");
    relay.stop().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_volume_holds_it_until_there_is_room() {
    let hotel = hotel("expiring-full").await;
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let folder = Folder::new();
    let property = folder.archive().join(&hotel.namespace);
    std::fs::create_dir_all(&property).unwrap();
    let full = property.join("2030-07.jsonl.zst");
    symlink("/dev/full", &full).unwrap();
    cancelled(&hotel, "anna").await;
    let anna = keep_for(&hotel, "anna", "0s").await;
    let relay = start(&hotel, &folder).await;
    held(&hotel, &relay, "anna", "ArchiveFull").await;
    assert!(filed(&folder.archive(), &uid(&anna)).is_none());
    std::fs::remove_file(&full).unwrap();
    hotel.gone("anna").await;
    assert!(filed(&folder.archive(), &uid(&anna)).is_some());
    nothing_is_held(&relay).await;
    relay.stop().await;
    operator.stop().await;
}

/// Waits until expiry is not held any more.
pub async fn nothing_is_held(relay: &Post) {
    let free = eventually(|| !relay.metrics.text().contains(&format!("{HELD}{{"))).await;
    assert!(free, "{}", relay.metrics.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_an_empty_and_another_volume_hold_it_although_it_was_filed() {
    let hotel = hotel("expiring-missing").await;
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let folder = Folder::new();
    let archive = folder.archive();
    let away = archive.with_extension("away");
    let anna = cancelled(&hotel, "anna").await;
    let relay = start(&hotel, &folder).await;
    assert!(eventually(|| filed(&archive, &uid(&anna)).is_some()).await);
    std::fs::rename(&archive, &away).unwrap();
    keep_for(&hotel, "anna", "0s").await;
    held(&hotel, &relay, "anna", "ArchiveMissing").await;
    // The mount point without its volume.
    folder.archive();
    looked_again(&relay).await;
    assert!(is_there(&hotel, "anna").await);
    // A new volume, on which somebody has made an archive.
    drop(Writer::open(Place::new(&archive), None, Timestamp::now()).unwrap());
    held(&hotel, &relay, "anna", "ArchiveIsAnother").await;
    // A file of the right one is gone: it is filed again, and only then it goes.
    std::fs::remove_dir_all(&archive).unwrap();
    let frames = away.join(&hotel.namespace).join("2030-07.jsonl.zst");
    assert!(frames.metadata().unwrap().len() > 0);
    std::fs::rename(&away, &archive).unwrap();
    hotel.gone("anna").await;
    assert!(reads_back(&archive, &anna));
    nothing_is_held(&relay).await;
    relay.stop().await;
    operator.stop().await;
}

fn reads_back(archive: &Path, reservation: &Reservation) -> bool {
    filed(archive, &uid(reservation)).is_some_and(|record| facts(&record.reservation) == facts(reservation))
}

/// Waits until the archive was asked again, in vain.
async fn looked_again(relay: &Post) {
    relay.counts("innkeeper_relay_archive_usable", &[], 0.0).await;
    relay.counts(HELD, &[("reason", "ArchiveMissing")], 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_in_the_archive_is_filed_again_before_it_goes() {
    let hotel = hotel("expiring-damaged").await;
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let folder = Folder::new();
    let archive = folder.archive();
    let anna = cancelled(&hotel, "anna").await;
    let relay = start(&hotel, &folder).await;
    assert!(eventually(|| filed(&archive, &uid(&anna)).is_some()).await);
    let file = archive.join(&hotel.namespace).join("2030-07.jsonl.zst");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    std::fs::write(&file, bytes).unwrap();
    assert!(super::filing::library(&archive).with_uid(&uid(&anna)).map_or(true, |found| found.is_none()));
    keep_for(&hotel, "anna", "0s").await;
    hotel.gone("anna").await;
    assert!(reads_back(&archive, &anna));
    relay.stop().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_changes_at_the_last_moment_stays() {
    let mut hotel = hotel("expiring-conflict").await;
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let folder = Folder::new();
    cancelled(&hotel, "anna").await;
    keep_for(&hotel, "anna", "0s").await;
    let valve = Valve::stopping(1, Which::WritesOf("/reservations/anna"), Moment::Before);
    let client = valve.on(&hotel.client);
    let plain = std::mem::replace(&mut hotel.client, client);
    let making = Making::of(&hotel);
    hotel.client = plain;
    let making = making.file(&folder.file()).archive(&folder.archive());
    let relay = making.start(&hotel, &folder.state()).await;
    valve.reached().await;
    // It has been read back, and is about to be deleted.
    let anna = keep_for(&hotel, "anna", "720h").await;
    assert!(filed(&folder.archive(), &uid(&anna)).is_some());
    valve.open();
    // Who comes later goes; the one that changed does not.
    cancelled(&hotel, "ben").await;
    keep_for(&hotel, "ben", "0s").await;
    hotel.gone("ben").await;
    assert!(is_there(&hotel, "anna").await);
    relay.counts("innkeeper_relay_expired_total", &[], 1.0).await;
    let now = hotel.reservations().get("anna").await.unwrap();
    assert_eq!(now.uid(), anna.uid());
    relay.stop().await;
    operator.stop().await;
}
