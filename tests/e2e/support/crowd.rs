//! A crowd at the guests' door: people who look for rooms and at what is theirs, at a bounded pace, and some who book.
//! Every request and every failure is counted. Nobody tries again, except who books: with the same key, as a client
//! should.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use reqwest::{Method, StatusCode};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::door::{Door, stranger};
use super::hotel::Hotel;
use super::{PATIENCE, World};

/// How many ask at the same time, at most.
const PEOPLE: u64 = 16;
/// After so many requests somebody has gone, and another comes, with a connection of their own.
const REQUESTS: usize = 40;
/// Somebody books this often.
const BOOKING: Duration = Duration::from_millis(400);

/// What was counted.
#[derive(Default, Clone)]
pub struct Tally {
    /// Requests that were answered or failed.
    pub asked: u64,
    /// Bookings that were made.
    pub booked: u64,
    /// Every request that was not answered with success: when, and why.
    pub failed: Vec<(Duration, String)>,
    slow: Vec<Duration>,
}

impl Tally {
    /// The time within which so many hundredths of the requests were answered.
    fn percentile(&self, hundredths: usize) -> Duration {
        let mut all = self.slow.clone();
        all.sort_unstable();
        let index = (all.len() * hundredths / 100).min(all.len().saturating_sub(1));
        all.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests and {} bookings, {} failed; answered in {:.1} ms (half), {:.1} ms (99 of 100), {:.0} ms (all)",
            self.asked,
            self.booked,
            self.failed.len(),
            self.percentile(50).as_secs_f64() * 1000.0,
            self.percentile(99).as_secs_f64() * 1000.0,
            self.percentile(100).as_secs_f64() * 1000.0,
        )?;
        for (at, why) in self.failed.iter().take(10) {
            write!(f, "\n    after {:.1} s: {why}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

struct Shared {
    door: Door,
    property: String,
    /// Requests a second, of all together.
    pace: AtomicU64,
    tally: Mutex<Tally>,
    begun: Instant,
    stop: CancellationToken,
}

impl Shared {
    /// Counts a request, and why it failed.
    fn count(&self, failed: Option<String>) {
        let mut tally = self.tally.lock().unwrap();
        tally.asked += 1;
        tally.failed.extend(failed.map(|why| (self.begun.elapsed(), why)));
    }
}

/// People who come until they are asked to go.
pub struct Crowd {
    /// Where they book.
    pub hotel: Hotel,
    shared: Arc<Shared>,
    people: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Opens a hotel, and people begin to come, so many requests a second; with `booking` some of them book.
    pub async fn begin(world: &World, name: &str, pace: u64, booking: bool) -> Self {
        let door = Door::open(world).await;
        let hotel = Hotel::open(world, name);
        for room in ["double", "twin", "suite", "attic"] {
            hotel.room(room, 100).await;
        }
        // Every replica knows the hotel before anybody asks for it.
        for _ in 0..50 {
            door.shows_free(&hotel.namespace, ("twin", date(2031, 4, 1), date(2031, 4, 3)), 100).await;
        }
        let shared = Arc::new(Shared {
            door,
            property: hotel.namespace.clone(),
            pace: AtomicU64::new(pace),
            tally: Mutex::default(),
            begun: Instant::now(),
            stop: CancellationToken::new(),
        });
        let mut people: Vec<_> = (0..PEOPLE).map(|_| tokio::spawn(look(Arc::clone(&shared)))).collect();
        if booking {
            people.push(tokio::spawn(book(Arc::clone(&shared))));
        }
        Self { hotel, shared, people }
    }

    /// So many requests a second from now on.
    pub fn pace(&self, pace: u64) {
        self.shared.pace.store(pace, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn so_far(&self) -> Tally {
        self.shared.tally.lock().unwrap().clone()
    }

    /// Waits until so many more requests have been answered.
    pub async fn answered(&self, more: u64) {
        let wanted = self.shared.tally.lock().unwrap().asked + more;
        super::until(&format!("{more} more requests are answered"), async || {
            let asked = self.shared.tally.lock().unwrap().asked;
            if asked >= wanted { Ok(()) } else { Err(format!("{asked} of {wanted}")) }
        })
        .await;
    }

    /// Everybody goes; what was counted.
    pub async fn end(self) -> (Hotel, Tally) {
        self.shared.stop.cancel();
        for person in self.people {
            tokio::time::timeout(PATIENCE, person).await.expect("they go").unwrap();
        }
        let tally = self.shared.tally.lock().unwrap().clone();
        (self.hotel, tally)
    }
}

async fn look(shared: Arc<Shared>) {
    let search = format!("/v1/properties/{}/rooms?checkIn=2031-04-01&checkOut=2031-04-08", shared.property);
    let asks = [search.as_str(), search.as_str(), "/v1/reservations?limit=20", search.as_str()];
    let mut next = tokio::time::Instant::now();
    while !shared.stop.is_cancelled() {
        let client = stranger();
        for path in asks.iter().cycle().take(REQUESTS) {
            let pace = shared.pace.load(Ordering::Relaxed).max(1);
            // Who is late does not make up for it: then there is as much as the door bears.
            next = (next + Duration::from_secs(PEOPLE) / u32::try_from(pace).unwrap_or(u32::MAX))
                .max(tokio::time::Instant::now());
            if shared.stop.run_until_cancelled(tokio::time::sleep_until(next)).await.is_none() {
                return;
            }
            let begun = Instant::now();
            let answer = Door::send(shared.door.request(&client, Method::GET, path)).await;
            let took = begun.elapsed();
            shared.count(match answer {
                Ok(answer) if answer.status == StatusCode::OK => None,
                Ok(answer) => Some(format!("{path}: {} {}", answer.status, answer.body)),
                Err(why) => Some(format!("{path}: {why}")),
            });
            shared.tally.lock().unwrap().slow.push(took);
        }
    }
}

async fn book(shared: Arc<Shared>) {
    for number in 0_i64.. {
        if shared.stop.run_until_cancelled(tokio::time::sleep(BOOKING)).await.is_none() {
            return;
        }
        let client = stranger();
        let from: Date = date(2031, 4, 1).checked_add((number % 25).days()).unwrap();
        let stay = ("double", from, from.tomorrow().unwrap());
        let guest = format!("guest-{number}");
        let begun = Instant::now();
        // With the same key, until it is answered: what was booked is booked once, whatever became of the answer.
        loop {
            let answer = Door::send(shared.door.booking(&client, &shared.property, stay, &guest)).await;
            let failed = match answer {
                Ok(answer) if answer.status.is_success() => None,
                Ok(answer) => Some(format!("{} {}", answer.status, answer.body)),
                Err(why) => Some(why),
            };
            let booked = failed.is_none();
            shared.count(failed.map(|why| format!("booking {guest}: {why}")));
            if booked {
                shared.tally.lock().unwrap().booked += 1;
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{guest} cannot book");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
