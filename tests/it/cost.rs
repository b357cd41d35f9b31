//! What a booking costs: etcd revisions per settled Reservation, alone and many on one Room.
//!
//! Counts, on a control plane of its own, because a revision counts every write of the cluster. And the pace of a hot Room's
//! calendar, as the least time that may pass, which no machine can be too slow for.

use std::time::{Duration, Instant};

use innkeeper_api::Reason;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use crate::support::hotel::Hotel;
use crate::support::process::value;
use crate::support::{eventually_async, own_control_plane};

/// Revisions that `count` bookings cost on one Room with room for all, all asked for at once.
async fn revisions(count: u32, born_with_finalizer: bool) -> f64 {
    let control_plane = own_control_plane();
    let mut hotel = Hotel::open_on(&control_plane, "cost").await;
    hotel.config.operator.room_status_interval = Duration::from_secs(1);
    let operator = hotel.operator();
    hotel.room("double", 150).await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.observed_generation == 1)).await;
    // The month's calendar is there already, as it is for all but the first booking of a month.
    hotel.reserve("first", "double").await;
    hotel.settled("first", Reason::Confirmed).await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 1)).await;

    let before = control_plane.etcd_revision();
    let names: Vec<String> = (0..count).map(|n| format!("guest-{n}")).collect();
    let asked = names.iter().map(|name| hotel.reserve_born(name, "double", born_with_finalizer));
    futures::future::join_all(asked).await;
    for name in &names {
        hotel.settled(name, Reason::Confirmed).await;
    }
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == count + 1)).await;
    let spent = control_plane.etcd_revision() - before;
    operator.stop().await;
    #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
    let spent = spent as f64;
    spent / f64::from(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_costs_no_more_writes_than_it_must() {
    // Alone: create, finalizer, intent, calendar, outcome, and the Room's status.
    let alone = revisions(1, false).await;
    let alone_born = revisions(1, true).await;
    // Together the calendar's and the Room's writes are shared.
    let hot = revisions(100, false).await;
    let hot_born = revisions(100, true).await;
    println!(
        "etcd revisions per booking: alone {alone} (born with the finalizer {alone_born}), 100 on one Room {hot} (born {hot_born})"
    );
    assert!(alone <= 6.0, "{alone}");
    assert!(alone_born <= 5.0, "{alone_born}");
    assert!(hot < 5.0, "{hot}");
    assert!(hot_born < 4.0, "{hot_born}");
}

/// Never sooner than that, however fast the machine: else hot Rooms could fill etcd's quota within a compaction interval.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_write_of_a_calendar_waits_until_the_bytes_of_the_last_one_are_due() {
    const BYTES_PER_SECOND: u64 = 500;
    let mut hotel = Hotel::open("pace").await;
    hotel.config.operator.calendar_bytes_per_second = BYTES_PER_SECOND;
    let operator = hotel.operator();
    hotel.room("double", 150).await;
    let begun = Instant::now();
    hotel.reserve("first", "double").await;
    hotel.settled("first", Reason::Confirmed).await;
    let mut calendar = hotel.calendars().list(&ListParams::default()).await.unwrap().items.remove(0);
    calendar.metadata.managed_fields = None;
    let bytes = serde_json::to_vec(&calendar).unwrap().len() as u64;
    let due = Duration::from_millis(bytes * 1000 / BYTES_PER_SECOND);
    assert!(due > Duration::from_secs(3), "{bytes} bytes are not worth waiting for");
    hotel.reserve("second", "double").await;
    hotel.settled("second", Reason::Confirmed).await;
    assert!(begun.elapsed() >= due, "{:?} for {bytes} bytes", begun.elapsed());
    // A calendar that follows its Room is written too, and nobody waited for that.
    let patch = Patch::Merge(json!({ "spec": { "units": 140 } }));
    hotel.rooms().patch("double", &PatchParams::default(), &patch).await.unwrap();
    let follows = async || {
        let calendar = hotel.calendars().list(&ListParams::default()).await.unwrap().items.remove(0);
        calendar.spec.nights.iter().all(|night| night.capacity == 140)
    };
    assert!(eventually_async(follows).await, "the calendar does not follow its Room");
    let batches = |of: &str| {
        value(&operator.metrics.text(), &format!("innkeeper_allocator_batch_size_{of}"), &[]).unwrap()
    };
    assert_eq!((batches("count"), batches("sum")), (2.0, 2.0), "each was a batch of its own");
    operator.stop().await;
}
