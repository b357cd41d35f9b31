//! Finished Reservations are filed in a real archive: all of them, each once, and a deleted one before it goes.

use std::path::Path;

use innkeeper_api::{RELAY_FINALIZER, Reason, Reservation};
use innkeeper_archive::{Folder as Place, Library, Record, verify};
use kube::ResourceExt;
use serde_json::json;

use super::post::{Folder, Making, hotel, reserve_at_the_desk, told_of};
use super::process;
use crate::support::eventually;
use crate::support::hotel::{Hotel, uid};

/// What is in the archive.
pub fn library(folder: &Path) -> Library {
    let library = Library::new(Place::new(folder), |_| Vec::new());
    let _ = library.refresh();
    library
}

/// What was filed of a Reservation, if anything was.
pub fn filed(folder: &Path, uid: &str) -> Option<Record> {
    library(folder).with_uid(uid).unwrap()
}

/// What has happened to it.
pub fn facts(reservation: &Reservation) -> String {
    let history = reservation.status.as_ref().map(|status| status.history.as_slice()).unwrap_or_default();
    let kinds = history.iter().map(|fact| serde_json::to_value(&fact.fact).unwrap());
    kinds.map(|kind| kind.as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
}

/// Books at the desk, and cancels.
pub async fn cancelled(hotel: &Hotel, name: &str) -> Reservation {
    reserve_at_the_desk(hotel, name, "double").await;
    hotel.settled(name, Reason::Confirmed).await;
    hotel.cancel(name).await;
    hotel.settled(name, Reason::Cancelled).await
}

fn only_the_relay_keeps(reservation: Option<&Reservation>) -> bool {
    reservation
        .is_some_and(|r| r.metadata.deletion_timestamp.is_some() && r.finalizers() == [RELAY_FINALIZER])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_finished_is_filed_and_what_is_deleted_goes_only_then() {
    let hotel = hotel("filing").await;
    let operator = hotel.operator();
    hotel.room("double", 4).await;
    let folder = Folder::new();
    let archive = folder.archive();
    let making = || Making::of(&hotel).file(&folder.file()).archive(&archive);
    let relay = making().start(&hotel, &folder.state()).await;
    let anna = cancelled(&hotel, "anna").await;
    reserve_at_the_desk(&hotel, "ben", "double").await;
    let ben = hotel.settled("ben", Reason::Confirmed).await;
    assert!(eventually(|| filed(&archive, &uid(&anna)).is_some()).await);
    let record = filed(&archive, &uid(&anna)).unwrap();
    assert_eq!(record.reservation.status, anna.status);
    relay.counts("innkeeper_relay_archive_usable", &[], 1.0).await;
    // It says nothing of expiring, and a stay that is years ahead has not finished.
    assert!(hotel.reservations().get_opt("anna").await.unwrap().is_some());
    assert!(filed(&archive, &uid(&ben)).is_none());

    // The volume is gone: who is deleted waits for it.
    let away = archive.with_extension("away");
    std::fs::rename(&archive, &away).unwrap();
    hotel.delete("ben").await;
    folder.until("told", |events| told_of(events, "ben").ends_with("withdrawn")).await;
    relay.counts("innkeeper_relay_archive_usable", &[], 0.0).await;
    let ben = hotel.until("ben", only_the_relay_keeps).await;
    // So it does behind an empty folder in the same place, which is no archive of this relay.
    let empty = folder.archive();
    relay.stop().await;
    let relay = making().start(&hotel, &folder.state()).await;
    relay.counts("innkeeper_relay_archive_usable", &[], 0.0).await;
    assert!(only_the_relay_keeps(hotel.reservations().get_opt("ben").await.unwrap().as_ref()));
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
    std::fs::remove_dir(&empty).unwrap();
    std::fs::rename(&away, &archive).unwrap();
    hotel.gone("ben").await;
    let record = filed(&archive, &uid(&ben)).unwrap();
    assert_eq!(facts(&record.reservation), facts(&ben));
    assert!(facts(&ben).ends_with("Withdrawn"), "{}", facts(&ben));
    relay.counts("innkeeper_relay_archive_usable", &[], 1.0).await;
    relay.stop().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_files_everything_and_nothing_twice() {
    const GUESTS: usize = 24;
    let hotel = hotel("filing-killed").await;
    let operator = hotel.operator();
    hotel.room("double", 40).await;
    let (mut files, arguments) = process::files(&hotel).await;
    let archive = files.path("archive");
    std::fs::create_dir_all(&archive).unwrap();
    files.set("archive", json!({ "folder": archive }));
    let mut all = Vec::new();
    for number in 0..GUESTS {
        all.push(cancelled(&hotel, &format!("guest-{number}")).await);
    }
    let stays = || library(&archive).shelf().stays;
    let mut relay = process::start(&arguments);
    for _ in 0..3 {
        let before = stays();
        assert!(eventually(|| stays() > before || stays() == GUESTS).await);
        relay.signal("KILL");
        relay.exit().await;
        relay = process::start(&arguments);
    }
    assert!(eventually(|| stays() == GUESTS).await, "{} of {GUESTS}", stays());
    relay.ready().await;
    assert_eq!(relay.terminate().await, Some(0));

    // It has forgotten everything but which archive it is: what it files again is recognised.
    let state = files.path("state");
    for file in std::fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()) {
        if !file.ends_with("archive-id") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let mut relay = process::start(&arguments);
    let again = format!("innkeeper_relay_filed_total {GUESTS}");
    relay.answers("/metrics", |_, text| text.contains(&again)).await;
    let shelf = library(&archive).shelf();
    assert_eq!((shelf.stays, shelf.frames, shelf.damaged), (GUESTS, GUESTS, 0));
    let report = verify(&Place::new(&archive)).unwrap();
    assert!(report.damage.is_empty(), "{report:?}");
    for object in all {
        let record = filed(&archive, &uid(&object)).unwrap();
        assert_eq!(record.reservation.status, object.status);
    }
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}
