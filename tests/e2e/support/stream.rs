//! A constant stream of guests: some book, some cancel, some cannot pay, some meet a room that is sold.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use innkeeper_api::{Reason, Reservation};
use innkeeper_checker::{Expected, claimed};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::World;
use super::books::{Balance, balance};
use super::hotel::{Hotel, NIGHTLY};

/// A guest comes this often.
const EVERY: Duration = Duration::from_millis(200);

/// What a guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Books a night that is free.
    Book,
    /// Books, and cancels at once, whatever it has come to.
    CancelAtOnce,
    /// Books, and cancels what was confirmed.
    CancelLater,
    /// Has a card that is declined.
    Declined,
    /// Wants the one unit of a night for which two come.
    Compete,
}

/// In turn.
const WISHES: [Wish; 8] = [
    Wish::Book,
    Wish::CancelAtOnce,
    Wish::Book,
    Wish::Compete,
    Wish::Compete,
    Wish::Declined,
    Wish::CancelLater,
    Wish::Book,
];

#[derive(Default)]
struct Seen {
    wishes: BTreeMap<String, (Wish, Instant)>,
    settled: BTreeMap<String, Instant>,
    refused: Vec<String>,
}

/// Guests who come until the stream is ended.
pub struct Stream {
    hotel: Hotel,
    stop: CancellationToken,
    guests: JoinHandle<()>,
    _watching: AbortOnDropHandle<()>,
    seen: Arc<Mutex<Seen>>,
    begun: Instant,
}

impl Stream {
    /// Opens a hotel, and guests begin to come; returns when the first of them has been served.
    pub async fn begin(world: &World, name: &str) -> Self {
        let hotel = Hotel::open(world, name);
        hotel.room("double", 100).await;
        hotel.room("suite", 1).await;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = CancellationToken::new();
        let watching = AbortOnDropHandle::new(tokio::spawn(watch(hotel.clone(), Arc::clone(&seen))));
        let guests = tokio::spawn(guests(hotel.clone(), Arc::clone(&seen), stop.clone()));
        let stream = Self { hotel, stop, guests, _watching: watching, seen, begun: Instant::now() };
        stream.served(10).await;
        stream
    }

    /// Waits until so many more guests have come to an end.
    pub async fn served(&self, more: usize) {
        let settled = || self.seen.lock().unwrap().settled.len();
        let wanted = settled() + more;
        super::until(&format!("{more} more guests are served"), async || {
            let now = settled();
            if now >= wanted { Ok(()) } else { Err(format!("{now} of {wanted} are")) }
        })
        .await;
    }

    /// No more guests; waits until all are served, and holds every one of them, the money and the nights to what should
    /// have become of them.
    pub async fn end(self, world: &World) -> Served {
        self.stop.cancel();
        self.guests.await.unwrap();
        let lasted = self.begun.elapsed();
        let all = self.hotel.all_settled().await;
        let balance = balance(world, &self.hotel.namespace, &Expected::nightly(NIGHTLY)).await;
        // The watch brings the last ones a moment later.
        let seen = &self.seen;
        super::until("the watch has shown every end", async || {
            let shown = seen.lock().unwrap().settled.len();
            if shown == all.len() { Ok(()) } else { Err(format!("{shown} of {}", all.len())) }
        })
        .await;
        let seen = seen.lock().unwrap();
        let harmed = harmed(&seen, &all);
        let mut ends: Vec<Instant> = seen.settled.values().copied().collect();
        ends.sort();
        let gap = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        let slowest = seen.settled.iter().map(|(name, at)| *at - seen.wishes[name].1).max();
        let served = Served {
            made: all.len(),
            lasted,
            harmed,
            refused: seen.refused.clone(),
            gap,
            slowest: slowest.unwrap_or_default(),
            balance,
        };
        assert!(served.harmed.is_empty() && served.refused.is_empty(), "{served}");
        self.hotel.close(world);
        served
    }
}

/// What became of a stream.
pub struct Served {
    made: usize,
    lasted: Duration,
    harmed: Vec<String>,
    /// Requests of guests that failed.
    refused: Vec<String>,
    /// The longest time in which nobody was served.
    gap: Duration,
    /// The longest that anybody waited for the first end.
    slowest: Duration,
    balance: Balance,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Balance { charges, refunds, kept, nights } = &self.balance;
        write!(
            f,
            "{} bookings in {:.0} s, {} harmed, {} requests failed; longest time without a booking served {:.1} s, \
             slowest booking {:.1} s; {charges} charges, {refunds} refunds, {kept} kept, {nights} nights held: balanced",
            self.made,
            self.lasted.as_secs_f64(),
            self.harmed.len(),
            self.refused.len(),
            self.gap.as_secs_f64(),
            self.slowest.as_secs_f64(),
        )?;
        for line in self.harmed.iter().chain(&self.refused).take(20) {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// Everybody who did not get what they should have got.
fn harmed(seen: &Seen, all: &[Reservation]) -> Vec<String> {
    let mut harmed = Vec::new();
    let mut competed: BTreeMap<Date, usize> = BTreeMap::new();
    for reservation in all {
        let name = reservation.name_any();
        let end = claimed(reservation);
        let should = match seen.wishes[&name].0 {
            Wish::Book => [Some(Reason::Confirmed), None],
            Wish::CancelAtOnce | Wish::CancelLater => [Some(Reason::Cancelled), None],
            Wish::Declined => [Some(Reason::Rejected), None],
            Wish::Compete => [Some(Reason::Confirmed), Some(Reason::Rejected)],
        };
        if end.is_none() || !should.contains(&end) {
            harmed.push(format!("{name} ended {end:?}, not {should:?}"));
        }
        if seen.wishes[&name].0 == Wish::Compete {
            *competed.entry(reservation.spec.check_in).or_default() +=
                usize::from(end == Some(Reason::Confirmed));
        }
    }
    for (night, confirmed) in competed {
        if confirmed != 1 {
            harmed.push(format!("of those who wanted the suite on {night}, {confirmed} have it"));
        }
    }
    harmed
}

async fn guests(hotel: Hotel, seen: Arc<Mutex<Seen>>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut later: Vec<String> = Vec::new();
    let mut competing = 0;
    for number in 0_i64.. {
        tick.tick().await;
        let wish = WISHES[usize::try_from(number).unwrap() % WISHES.len()];
        let day = |n: i64| date(2031, 1, 1).checked_add(n.days()).unwrap();
        let (room, from) = match wish {
            // Two for each night, and nobody else there. The last pair is completed before the stream ends.
            Wish::Compete => {
                competing += 1;
                ("suite", day((competing - 1) / 2))
            }
            _ => ("double", day(number % 25)),
        };
        if stop.is_cancelled() && competing % 2 == 0 {
            break;
        }
        let card = if wish == Wish::Declined { "pm_card_chargeDeclined" } else { "pm_card_visa" };
        let name = format!("guest-{number}");
        seen.lock().unwrap().wishes.insert(name.clone(), (wish, Instant::now()));
        let to = from.tomorrow().unwrap();
        if let Err(error) = hotel.reserve(&name, room, (from, to), card).await {
            let mut seen = seen.lock().unwrap();
            seen.wishes.remove(&name);
            seen.refused.push(format!("booking {name}: {error}"));
            continue;
        }
        if wish == Wish::CancelAtOnce {
            cancel(&hotel, &seen, &name).await;
        }
        if wish == Wish::CancelLater {
            later.push(name);
        }
        // Once settled: a decided stay is cancelled by its policy.
        let ready = |name: &String| seen.lock().unwrap().settled.contains_key(name);
        for name in later.extract_if(.., |name| ready(name)) {
            cancel(&hotel, &seen, &name).await;
        }
    }
    for name in later {
        cancel(&hotel, &seen, &name).await;
    }
}

async fn cancel(hotel: &Hotel, seen: &Mutex<Seen>, name: &str) {
    if let Err(error) = hotel.cancel(name).await {
        seen.lock().unwrap().refused.push(format!("cancelling {name}: {error}"));
    }
}

/// Notes when each came to its first end.
async fn watch(hotel: Hotel, seen: Arc<Mutex<Seen>>) {
    let mut objects =
        watcher(hotel.reservations, watcher::Config::default()).default_backoff().applied_objects().boxed();
    while let Some(event) = objects.next().await {
        let Ok(reservation) = event else { continue };
        if claimed(&reservation).is_some() {
            seen.lock().unwrap().settled.entry(reservation.name_any()).or_insert_with(Instant::now);
        }
    }
}
