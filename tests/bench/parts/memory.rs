//! Resident memory with more and more Reservations, and a restart with all of them there.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use innkeeper_api::{Reservation, Room, RoomCalendar};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::bed::{Bed, Hotel, wish};
use crate::load::{all_are_confirmed, book};
use crate::process::{peak, resident};
use crate::program::Program;
use crate::report::{Aim, Report, median};
use crate::server::quiet;
use crate::{Result, say};

const PART: &str = "memory";
const MB: f64 = 1_000_000.0;
/// Guests of one Room, so that a Room's calendars stay of a usual size.
const A_ROOM: usize = 100;
const RESTARTS: usize = 3;

/// Books, and looks at the memory in between; then restarts.
pub async fn run(bed: &Bed, reservations: usize, report: &mut Report) -> Result<()> {
    let hotel = bed.hotel("memory");
    let operator = hotel.operator().await?;
    let rooms = reservations.div_ceil(A_ROOM);
    for room in 0..rooms {
        hotel.room(&format!("room-{room}")).await?;
    }
    quiet(&bed.client).await?;
    let empty = resident(operator.pid)?;
    report.figure(PART, "resident with no Reservation, MB", empty / MB, Aim::None);
    let (mut booked, mut sizes) = (0, Vec::new());
    for wanted in [reservations / 10, reservations] {
        say(&format!("  booking up to {wanted} Reservations"));
        let wishes = (booked..wanted)
            .map(|n| wish(&format!("guest-{n}"), &format!("room-{}", n % rooms), n / rooms, true));
        book(&hotel.reservations(), &operator, wishes.collect()).await?;
        booked = wanted;
        quiet(&bed.client).await?;
        let size = resident(operator.pid)?;
        sizes.push(size);
        let what = format!("resident with {wanted}, booked by this process, MB");
        report.figure(PART, &what, size / MB, Aim::None);
    }
    all_are_confirmed(&hotel.reservations(), reservations).await?;
    // What the first of them cost once (connections, buffers) is not counted for the others.
    let grown = (sizes[1] - sizes[0]) / (reservations - reservations / 10) as f64;
    report.figure(PART, "for each 10,000 more, MB", grown * 10_000.0 / MB, Aim::AtMost(12.0));
    operator.ends().await?;
    restarts(&hotel, reservations, empty, report).await
}

async fn restarts(hotel: &Hotel<'_>, reservations: usize, empty: f64, report: &mut Report) -> Result<()> {
    let bed = hotel.bed;
    let (mut raw, mut leading, mut caught_up) = (Vec::new(), Vec::new(), Vec::new());
    let (mut memory, mut peaks, mut writes) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..RESTARTS {
        raw.push(list_watch(&bed.control_plane.client(), &hotel.namespace).await?.as_secs_f64());
        let before = bed.counts().await?;
        let begun = Instant::now();
        let operator = hotel.operator_starts().await?;
        operator.leads().await?;
        leading.push(begun.elapsed().as_secs_f64());
        has_looked_at(&operator, reservations).await?;
        caught_up.push(begun.elapsed().as_secs_f64());
        quiet(&bed.client).await?;
        memory.push(resident(operator.pid)?);
        peaks.push(peak(operator.pid)?);
        let spent = bed.counts().await?.since(&before);
        writes += spent.all() as f64;
        operator.ends().await?;
    }
    let raw = median(&raw);
    report.figure("restart", "ready, caches filled, in raw list-watches", median(&leading) / raw, Aim::None);
    report.figure(
        "restart",
        "caught up: every Reservation looked at, in raw list-watches",
        median(&caught_up) / raw,
        Aim::None,
    );
    report.figure("restart", "writes of Innkeeper's kinds", writes, Aim::AtMost(0.0));
    report.figure("restart", "resident after it, MB", median(&memory) / MB, Aim::None);
    report.figure("restart", "the most that was resident during it, MB", median(&peaks) / MB, Aim::None);
    let grown = (median(&memory) - empty) / MB * 10_000.0 / reservations as f64;
    report.figure("restart", "more than with none, for each 10,000, after it, MB", grown, Aim::AtMost(12.0));
    report.note(format!(
        "restart with {reservations} Reservations, median of {RESTARTS}: a raw list-watch {raw:.2} s, ready {:.2} s, caught up {:.2} s, \
         the start of the process and taking the Lease included",
        median(&leading), median(&caught_up),
    ));
    Ok(())
}

/// Waits until every Reservation was looked at once and nobody is being looked at.
async fn has_looked_at(operator: &Program, reservations: usize) -> Result<()> {
    let begun = Instant::now();
    let mine = [("controller", "reservation")];
    loop {
        let metrics = operator.metrics().await?;
        let looked = metrics.sum("controller_runtime_reconcile_total", &mine);
        if looked >= reservations as f64 && metrics.sum("controller_runtime_active_workers", &mine) < 1.0 {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(300) {
            return Err(format!("after a restart {looked} of {reservations} were looked at").into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A bare client that lists and watches the three kinds into a store each: how long until it has them.
async fn list_watch(client: &Client, namespace: &str) -> Result<Duration> {
    let begun = Instant::now();
    tokio::try_join!(
        fill::<Reservation>(client, namespace),
        fill::<Room>(client, namespace),
        fill::<RoomCalendar>(client, namespace),
    )?;
    Ok(begun.elapsed())
}

async fn fill<K>(client: &Client, namespace: &str) -> Result<()>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let (_, writer) = reflector::store();
    let mut events = watcher(api, watcher::Config::default()).reflect(writer).boxed();
    while let Some(event) = events.try_next().await? {
        if matches!(event, watcher::Event::InitDone) {
            return Ok(());
        }
    }
    Err("a watch ended".into())
}
