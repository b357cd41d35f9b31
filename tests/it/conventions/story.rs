//! A story: a hotel with an operator, and a record of every version of everything in it. At its end everything is
//! checked, and what became of each Reservation is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use innkeeper_api::{Collect, Payment, Reason, Reservation, Room, RoomCalendar};
use innkeeper_operator::{Clock, system_clock};
use jiff::SignedDuration;
use serde_json::Value;

use super::checks;
use super::kstatus::{Kstatus, judge};
use super::recorder::{Recorder, Version};
use super::recording;
use crate::support::hotel::{Hotel, Running};

/// A hotel under observation.
pub struct Story {
    /// The hotel.
    pub hotel: Hotel,
    operator: Option<Running>,
    reservations: Recorder,
    rooms: Recorder,
    calendars: Recorder,
}

/// What became of one Reservation.
pub struct Told {
    /// Every version of it.
    pub versions: Vec<Version>,
}

impl Story {
    /// Opens a hotel with an operator.
    pub async fn begin(name: &str) -> Self {
        let mut story = Self::without_an_operator(Hotel::open(name).await).await;
        story.start();
        story
    }

    /// Observes a hotel that has no operator yet.
    pub async fn without_an_operator(mut hotel: Hotel) -> Self {
        hotel.clock = ticking();
        let (client, namespace) = (&hotel.client, &hotel.namespace);
        let reservations = Recorder::of::<Reservation>(client.clone(), namespace).await;
        let rooms = Recorder::of::<Room>(client.clone(), namespace).await;
        let calendars = Recorder::of::<RoomCalendar>(client.clone(), namespace).await;
        Self { hotel, operator: None, reservations, rooms, calendars }
    }

    /// All versions of a Room until now.
    pub async fn room_versions(&mut self, name: &str) -> Vec<Version> {
        self.rooms.versions(name).await
    }

    /// Starts the operator.
    pub fn start(&mut self) {
        self.operator = Some(self.hotel.operator());
    }

    /// Stops the operator.
    pub async fn stop(&mut self) {
        if let Some(operator) = self.operator.take() {
            operator.stop().await;
        }
    }

    /// Has an operator that starts afresh look at everything again, which must change nothing; then checks every version
    /// of everything, and tells what became of these Reservations.
    pub async fn end<const N: usize>(mut self, names: [&str; N]) -> [Told; N] {
        self.stop().await;
        let mut before = Vec::new();
        for name in self.reservations.names() {
            before.push(self.reservations.versions(&name).await.len());
        }
        self.look_again().await;
        let mut told = names.map(|_| None);
        let all: Vec<_> = self.reservations.names().into_iter().filter(|n| n != WITNESS).collect();
        for (name, before) in all.iter().zip(before) {
            let versions = self.reservations.versions(name).await;
            assert_eq!(
                versions.len(),
                before,
                "looking at {name} again changed something: {:#}",
                versions[before].object
            );
            for life in versions.split_inclusive(|v| v.gone) {
                checks::reservation(life);
            }
            if let Some(index) = names.iter().position(|n| n == name) {
                told[index] = Some(Told { versions });
            }
        }
        for name in self.rooms.names() {
            for life in self.rooms.versions(&name).await.split_inclusive(|v| v.gone) {
                checks::room(life);
            }
        }
        for name in self.calendars.names() {
            for life in self.calendars.versions(&name).await.split_inclusive(|v| v.gone) {
                checks::every_write_changes_something(life);
            }
        }
        told.map(|t| t.expect("the Reservation was seen"))
    }

    /// A new operator looks at what there is first; what is booked after that is the witness that it has.
    async fn look_again(&self) {
        let operator = self.hotel.operator();
        self.hotel.room(WITNESS, 1).await;
        self.hotel
            .reserve_with(WITNESS, WITNESS, |s| {
                s.payment = Payment { collect: Collect::AtProperty, method: None, reference: None };
            })
            .await;
        self.hotel.settled(WITNESS, Reason::Confirmed).await;
        operator.stop().await;
    }
}

/// A clock that never shows the same second twice, so that a time that moved can be told from one that did not.
fn ticking() -> Clock {
    let (system, reads) = (system_clock(), AtomicI64::new(0));
    Arc::new(move || {
        let ahead = SignedDuration::from_secs(reads.fetch_add(1, Ordering::Relaxed));
        system().checked_add(ahead).unwrap()
    })
}

const WITNESS: &str = "witness";

impl Told {
    /// The last version.
    pub fn last(&self) -> &Value {
        &self.versions.last().unwrap().object
    }

    /// The same, as it was told up to this version.
    pub fn up_to(&self, last: usize) -> Self {
        Self { versions: self.versions[..=last].to_vec() }
    }

    /// The phases that it went through.
    pub fn phases(&self) -> Vec<&str> {
        let mut phases: Vec<_> =
            self.versions.iter().filter_map(|v| v.object["status"]["phase"].as_str()).collect();
        phases.dedup();
        phases
    }

    /// The facts of its history, in the end.
    pub fn facts(&self) -> Vec<&str> {
        let history = self.last()["status"]["history"].as_array();
        history.into_iter().flatten().map(|f| f["fact"].as_str().unwrap()).collect()
    }

    /// Checks how it went: how many versions there were in all (its creation and every write since), the phases, the facts,
    /// and what kstatus says of the last.
    pub fn went(&self, versions: usize, phases: &[&str], facts: &[&str], end: Kstatus) {
        assert_eq!(self.phases(), phases);
        assert_eq!(self.facts(), facts);
        assert_eq!(judge(self.last()), end);
        let told: Vec<_> = self.versions.iter().map(|v| &v.object["status"]).collect();
        assert_eq!(self.versions.len(), versions, "{told:#?}");
    }

    /// Checks that the objects on file, on which the health script for Argo CD is tested, are what is written today.
    pub fn is_as_recorded(&self, story: &str) {
        let file: PathBuf = recording::file(story);
        let now = recording::text(&self.versions);
        if std::env::var_os("INNKEEPER_RECORD").is_some() {
            std::fs::write(&file, now).unwrap();
            return;
        }
        let on_file = std::fs::read_to_string(&file).unwrap_or_default();
        let differs = on_file.lines().zip(now.lines()).position(|(then, now)| then != now);
        assert!(
            on_file == now,
            "{} is not what is written today, from line {differs:?}; INNKEEPER_RECORD=1 writes it again",
            file.display()
        );
    }
}
