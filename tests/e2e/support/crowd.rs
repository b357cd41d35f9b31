//! A crowd at the guests' door: strangers who look for rooms, at a bounded pace, and a partner who books and looks at what is
//! booked. Every request and every failure is counted. Nobody tries again, except who books: with the same key, as a
//! client should.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use reqwest::Method;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::door::{Answer, Door, stranger};
use super::hotel::Hotel;
use super::{PATIENCE, World};

/// How many ask at the same time, at most.
const PEOPLE: u64 = 16;
/// After so many requests somebody has gone, and another comes, with a connection of their own.
const REQUESTS: usize = 40;
/// The partner books this often; its limit is 600 requests a minute at each gateway.
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
    /// Opens a hotel, and people begin to come: so many requests a second of strangers.
    pub async fn begin(world: &World, name: &str, pace: u64) -> Self {
        let door = Door::open(world).await;
        let hotel = Hotel::open(world, name);
        for room in ["double", "twin", "suite", "attic"] {
            hotel.room(room, 100).await;
        }
        // Every replica knows the hotel before anybody asks for it: so many rounds miss none, and use up a small part of
        // the partner's limit.
        for _ in 0..4 {
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
        people.push(tokio::spawn(book(Arc::clone(&shared))));
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

/// Why a request failed, if it did.
fn failure(answer: &Result<Answer, String>) -> Option<String> {
    match answer {
        Ok(answer) if answer.status.is_success() => None,
        Ok(answer) => Some(format!("{} {}", answer.status, answer.body)),
        Err(why) => Some(why.clone()),
    }
}

async fn look(shared: Arc<Shared>) {
    let (url, property) = (&shared.door.url, &shared.property);
    let search = format!("{url}/v1/properties/{property}/rooms?checkIn=2031-04-01&checkOut=2031-04-08");
    let mut next = tokio::time::Instant::now();
    while !shared.stop.is_cancelled() {
        let client = stranger();
        for _ in 0..REQUESTS {
            let pace = shared.pace.load(Ordering::Relaxed).max(1);
            // Who is late does not make up for it: then there is as much as the door bears.
            next = (next + Duration::from_secs(PEOPLE) / u32::try_from(pace).unwrap_or(u32::MAX))
                .max(tokio::time::Instant::now());
            if shared.stop.run_until_cancelled(tokio::time::sleep_until(next)).await.is_none() {
                return;
            }
            let begun = Instant::now();
            let answer = Door::send(client.get(&search)).await;
            let took = begun.elapsed();
            shared.count(failure(&answer).map(|why| format!("looking for rooms: {why}")));
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
            let failed = failure(&answer);
            let booked = failed.is_none();
            shared.count(failed.map(|why| format!("booking {guest}: {why}")));
            if booked {
                shared.tally.lock().unwrap().booked += 1;
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{guest} cannot book");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let page = Door::send(shared.door.request(&client, Method::GET, "/v1/reservations?limit=20")).await;
        shared.count(failure(&page).map(|why| format!("what is booked: {why}")));
    }
}
