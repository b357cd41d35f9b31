//! A deleted Reservation stays until the last of it is out, and filed where there is an archive.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use innkeeper_api::{FINALIZER, RELAY_FINALIZER, Reason, Reservation};
use innkeeper_relay::{Filed, Filing, FilingError};
use kube::ResourceExt;

use super::post::{Folder, Making, hotel, told_of};

fn only_the_relay_keeps(reservation: Option<&Reservation>) -> bool {
    reservation
        .is_some_and(|r| r.metadata.deletion_timestamp.is_some() && r.finalizers() == [RELAY_FINALIZER])
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_deleted_while_the_relay_is_down_stays_until_it_is_told() {
    let hotel = hotel("stays").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    hotel.reserve("anna", "double").await;
    let anna = hotel.settled("anna", Reason::Confirmed).await;
    assert_eq!(anna.finalizers(), [FINALIZER, RELAY_FINALIZER]);
    hotel.delete("anna").await;
    hotel.until("anna", only_the_relay_keeps).await;
    // One that is refused has nothing to settle, and still its end is to be told.
    hotel
        .reserve_with("dear", "double", |spec| {
            let money = serde_json::json!({ "currency": "EUR", "minorUnits": 1 });
            spec.max_total = Some(serde_json::from_value(money).unwrap());
        })
        .await;
    hotel.settled("dear", Reason::Rejected).await;
    hotel.delete("dear").await;
    hotel.until("dear", only_the_relay_keeps).await;

    let folder = Folder::new();
    let relay = Making::of(&hotel).file(&folder.file()).start(&hotel, &folder.state()).await;
    hotel.gone("anna").await;
    hotel.gone("dear").await;
    let events = folder.events();
    assert_eq!(told_of(&events, "anna"), "requested paid confirmed refunded withdrawn");
    assert_eq!(told_of(&events, "dear"), "rejected");
    relay.counts("innkeeper_relay_released_total", &[], 2.0).await;
    relay.stop().await;
    operator.stop().await;
}

/// An archive that can be shut.
#[derive(Clone, Default)]
struct Archive {
    shut: Arc<AtomicBool>,
    filed: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Filing for Archive {
    fn file<'a>(&'a self, reservation: &'a Reservation) -> BoxFuture<'a, Result<Filed, FilingError>> {
        async move {
            if self.shut.load(Ordering::SeqCst) {
                return Err(FilingError::Nothing("the volume is missing".to_owned()));
            }
            let facts = reservation.status.as_ref().unwrap().history.len();
            self.filed.lock().unwrap().push((reservation.name_any(), facts));
            Ok(Filed::Now)
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_filed_stays_and_others_that_move_are_not_filed() {
    let hotel = hotel("filed").await;
    let operator = hotel.operator();
    hotel.room("double", 2).await;
    let archive = Archive::default();
    archive.shut.store(true, Ordering::SeqCst);
    let folder = Folder::new();
    let making = Making::of(&hotel).file(&folder.file()).filing(archive.clone());
    let relay = making.start(&hotel, &folder.state()).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.reserve("ben", "double").await;
    hotel.settled("ben", Reason::Confirmed).await;
    hotel.delete("anna").await;
    hotel.until("anna", only_the_relay_keeps).await;
    folder.until("told", |events| told_of(events, "anna").ends_with("withdrawn")).await;
    hotel.until("anna", only_the_relay_keeps).await;
    archive.shut.store(false, Ordering::SeqCst);
    hotel.gone("anna").await;
    // Ben's stay is years ahead: it is not finished.
    assert_eq!(*archive.filed.lock().unwrap(), [("anna".to_owned(), 5)]);
    relay.stop().await;
    operator.stop().await;
}
