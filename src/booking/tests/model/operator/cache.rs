//! What an operator has seen: a position in the history of each object, always a little old.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_api::{Reservation, Room, RoomCalendarFields};

use innkeeper_booking::status::{Stage, stage};

use crate::outside::Outside;
use crate::server::{Seen, Server, Versions};

/// How far each object has been seen: positions in the server's histories.
#[derive(Default)]
pub struct Cache {
    pub reservations: BTreeMap<String, usize>,
    pub rooms: BTreeMap<String, usize>,
    pub calendars: BTreeMap<String, usize>,
    /// Objects that have gone from a name while money of theirs may be with the provider.
    pub gone: BTreeMap<String, BTreeSet<String>>,
    /// The provider's list has been read since the beginning.
    pub listed: bool,
}

impl Cache {
    pub fn reservation(&self, server: &Server, name: &str) -> Option<Seen<Reservation>> {
        server.reservations.get(name)?.at(*self.reservations.get(name)?)
    }

    pub fn room(&self, server: &Server, name: &str) -> Option<Seen<Room>> {
        server.rooms.get(name)?.at(*self.rooms.get(name)?)
    }

    pub fn calendar(&self, server: &Server, name: &str) -> Option<Seen<RoomCalendarFields>> {
        server.calendars.get(name)?.at(*self.calendars.get(name)?)
    }

    /// Everything as it is now.
    pub fn catch_up(&mut self, server: &Server) {
        fn all<T>(of: &BTreeMap<String, Versions<T>>) -> BTreeMap<String, usize> {
            of.iter().map(|(name, versions)| (name.clone(), versions.0.len())).collect()
        }
        let before = std::mem::replace(&mut self.reservations, all(&server.reservations));
        self.see_going(server, &before);
        self.rooms = all(&server.rooms);
        self.calendars = all(&server.calendars);
    }

    /// A watch shows what goes, even where it is seen late; whoever has asked nothing or has it all back leaves nothing.
    fn see_going(&mut self, server: &Server, before: &BTreeMap<String, usize>) {
        for (name, to) in &self.reservations {
            let Some(versions) = server.reservations.get(name) else { continue };
            let from = before.get(name).copied().unwrap_or(0);
            for position in from.max(1)..*to {
                let (Some(old), new) = (versions.at(position), versions.at(position + 1)) else { continue };
                let uid = old.value.metadata.uid.clone().unwrap_or_default();
                if new.is_some_and(|new| new.value.metadata.uid.as_ref() == Some(&uid)) {
                    continue;
                }
                let status = old.value.status.clone().unwrap_or_default();
                let kept = status.payment.as_ref().is_some_and(|p| p.captured > p.refunded);
                if !matches!(stage(&status), Stage::Closed(_)) || kept {
                    self.gone.entry(name.clone()).or_default().insert(uid);
                }
            }
        }
    }

    /// Moves one object of its kind forward, perhaps over several versions. Says whether it moved.
    pub fn deliver(&mut self, out: &mut Outside) {
        fn forward<T>(
            seen: &mut BTreeMap<String, usize>,
            all: &BTreeMap<String, Versions<T>>,
            choose: impl FnOnce(usize) -> usize,
            by: impl FnOnce(usize) -> usize,
        ) {
            let behind: Vec<(&String, usize)> = all
                .iter()
                .map(|(name, versions)| (name, versions.0.len() - seen.get(name).copied().unwrap_or(0)))
                .filter(|(_, lag)| *lag > 0)
                .collect();
            if behind.is_empty() {
                return;
            }
            let (name, lag) = behind[choose(behind.len())];
            *seen.entry(name.clone()).or_default() += by(lag);
        }
        let kind = out.rng.weighted(&[6, 1, 4]);
        let (first, all_at_once) = (out.rng.below(1 << 20), out.rng.in_thousand(700));
        let second = out.rng.below(1 << 20);
        let choose = |n: usize| first % n;
        let by = |lag: usize| if all_at_once { lag } else { 1 + second % lag };
        match kind {
            0 => {
                let before = self.reservations.clone();
                forward(&mut self.reservations, &out.server.reservations, choose, by);
                self.see_going(&out.server, &before);
            }
            1 => forward(&mut self.rooms, &out.server.rooms, choose, by),
            _ => forward(&mut self.calendars, &out.server.calendars, choose, by),
        }
    }
}
