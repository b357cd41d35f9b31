//! A Room's book: its calendars as our own writes returned them, and how a batch of asks is settled on them.
//!
//! All months of a stay are read before any is taken, and written in ascending order. A write that meets a conflict
//! or a refusal throws the whole view away and decides anew on what the API server has. That nothing is left is only
//! said after an uncached read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use innkeeper_api::{Month, OPERATOR_MANAGER, Room, RoomCalendar, RoomCalendarFields, UID_LABEL};
use innkeeper_booking::allotment::{self, Ask, RoomSeen, There};
use innkeeper_booking::inventory::{self, Stay};
use innkeeper_booking::knowledge::NightsKnown;
use innkeeper_ops::metrics::{CalendarWrite, Metrics};
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};

use crate::Clock;
use crate::cache::{Cache, Key};
use crate::error::WriteError;
use crate::occupant::{self, Occupant};

/// How often a batch is decided anew before everybody is told to come back.
const ROUNDS: usize = 8;

/// A Room's calendars.
pub struct Book {
    room: Key,
    cache: Arc<Cache>,
    clock: Clock,
    metrics: Metrics,
    rooms: Api<Room>,
    reservations: Api<Occupant>,
    calendars: Api<RoomCalendar>,
    /// As our own writes and reads returned them; `None` is a month that has no calendar.
    view: BTreeMap<Month, Option<RoomCalendar>>,
    written: u64,
}

/// A batch could not be settled in this round.
enum Setback {
    /// The view was old: decide anew on a fresh one.
    Stale,
    /// The API server is in trouble: everybody comes back later.
    Trouble(String),
}

impl From<WriteError> for Setback {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Conflict | WriteError::Gone | WriteError::Refused(_) => Self::Stale,
            WriteError::Api(error) => Self::Trouble(error.to_string()),
        }
    }
}

impl From<kube::Error> for Setback {
    fn from(error: kube::Error) -> Self {
        Self::Trouble(error.to_string())
    }
}

impl Book {
    /// A book with nothing read yet.
    pub fn new(client: &Client, room: Key, cache: Arc<Cache>, clock: Clock, metrics: Metrics) -> Self {
        Self {
            rooms: Api::namespaced(client.clone(), &room.0),
            reservations: occupant::api(client, &room.0),
            calendars: Api::namespaced(client.clone(), &room.0),
            room,
            cache,
            clock,
            metrics,
            view: BTreeMap::new(),
            written: 0,
        }
    }

    /// Bytes written since this was last asked.
    pub fn take_written(&mut self) -> u64 {
        std::mem::take(&mut self.written)
    }

    /// Settles a batch: one answer for each ask, in their order.
    pub async fn settle(&mut self, asks: &[Ask]) -> Vec<NightsKnown> {
        // A release must see what is really there: "nothing held" on an old view would leave a holder behind.
        let mut fresh = asks.iter().any(|a| matches!(a, Ask::Release(_) | Ask::Sweep | Ask::Retire(_)));
        for _ in 0..ROUNDS {
            match self.round(asks, fresh).await {
                Ok(Some(answers)) => return answers,
                Ok(None) | Err(Setback::Stale) => fresh = true,
                Err(Setback::Trouble(error)) => {
                    tracing::warn!(
                        namespace = self.room.0,
                        room = self.room.1,
                        error,
                        "the calendars cannot be reached"
                    );
                    break;
                }
            }
        }
        self.view.clear();
        vec![NightsKnown::Busy; asks.len()]
    }

    /// One round. `None` where an answer needs a fresh view.
    async fn round(&mut self, asks: &[Ask], fresh: bool) -> Result<Option<Vec<NightsKnown>>, Setback> {
        let mut room = if fresh { None } else { self.read_room(false).await? };
        let months = self.months_of(asks);
        for month in &months {
            if fresh || !self.view.contains_key(month) {
                let name = month.calendar_name(&self.room.1);
                let found = self.calendars.get_opt(&name).await?;
                self.view.insert(*month, found.map(bare));
            }
        }
        // After the calendars, so that none of them can rightly know a newer one.
        if fresh {
            room = self.read_room(true).await?;
        }
        let wanted: BTreeSet<Month> = asks.iter().filter_map(Ask::taken).flat_map(Stay::months).collect();
        let lacking = self.lacking(room.as_ref(), &wanted);
        if !lacking.is_empty() {
            // What is made anew knows no older generation that would keep an old view of the Room out.
            if !fresh {
                room = self.read_room(true).await?;
            }
            if let Some(room) = &room {
                self.make(room, &lacking).await?;
            }
        }
        // Listed after the calendars were read: who comes in between is met as a conflict.
        let housekeeping = asks.iter().any(|a| matches!(a, Ask::Sweep | Ask::Retire(_)));
        let there = if housekeeping { self.who_is_left().await? } else { There::default() };
        let calendars = self.view.iter().filter_map(|(m, c)| Some((*m, c.as_ref()?.spec.clone()))).collect();
        let uid = room.as_ref().and_then(ResourceExt::uid).unwrap_or_default();
        let seen = room.as_ref().map(|room| RoomSeen {
            uid: &uid,
            generation: room.metadata.generation.unwrap_or(0),
            spec: &room.spec,
        });
        let Some(decided) = allotment::decide(asks, &calendars, seen, fresh, &there) else { return Ok(None) };
        for (month, fields) in decided.changed {
            self.write(month, fields).await?;
        }
        Ok(Some(decided.answers))
    }

    async fn read_room(&self, fresh: bool) -> Result<Option<Room>, Setback> {
        let seen = if fresh { None } else { self.cache.room(&self.room) };
        let room = match seen.as_deref().and_then(|guarded| guarded.0.as_ref().ok()) {
            Some(room) => Some(room.clone()),
            None => self.rooms.get_opt(&self.room.1).await?,
        };
        Ok(room.filter(|r| r.metadata.deletion_timestamp.is_none()))
    }

    fn months_of(&self, asks: &[Ask]) -> BTreeSet<Month> {
        let mut months = BTreeSet::new();
        for ask in asks {
            match ask {
                Ask::Take(stay) | Ask::Release(stay) => months.extend(stay.months()),
                Ask::Retire(month) => drop(months.insert(*month)),
                Ask::Sync | Ask::Sweep => {
                    let prefix = format!("{}-", self.room.1);
                    let names = self.cache.calendars_of(&self.room);
                    months.extend(names.iter().filter_map(|n| Month::parse(n.strip_prefix(&prefix)?)));
                }
            }
        }
        months
    }

    /// The months that have no calendar of this Room, nor one of an earlier Room with guests in it.
    fn lacking(&self, room: Option<&Room>, wanted: &BTreeSet<Month>) -> BTreeSet<Month> {
        let uid = room.and_then(ResourceExt::uid);
        let serves =
            |c: &RoomCalendar| Some(&c.spec.room_uid) == uid.as_ref() || !inventory::is_empty(&c.spec);
        let there = |month: &&Month| self.view.get(month).and_then(Option::as_ref).is_some_and(serves);
        wanted.iter().filter(|month| !there(month)).copied().collect()
    }

    /// Makes calendars that are missing, with everybody who is known to be there: never empty on faith.
    async fn make(&mut self, room: &Room, lacking: &BTreeSet<Month>) -> Result<(), Setback> {
        let uid = room.uid().unwrap_or_default();
        for month in lacking {
            if let Some(Some(old)) = self.view.get(month) {
                if old.spec.room_uid == uid {
                    continue;
                }
                // Of a Room that was deleted and made anew under the same name, and nobody is in it.
                let old = old.clone();
                self.delete(&old).await?;
                self.view.insert(*month, None);
            }
            let there = self.who_is_there(*month).await?;
            let generation = room.metadata.generation.unwrap_or(0);
            let fields = inventory::rebuild(&self.room.1, &uid, *month, &room.spec, generation, &there);
            let mut calendar = RoomCalendar::new(&month.calendar_name(&self.room.1), fields);
            calendar.metadata.labels = Some(labels(&uid));
            let params =
                PostParams { field_manager: Some(OPERATOR_MANAGER.to_owned()), ..PostParams::default() };
            let made = self.calendars.create(&params, &calendar).await.map_err(WriteError::from);
            self.count(&calendar.name_any(), made.as_ref());
            let made = made?;
            self.written += size(&made);
            self.view.insert(*month, Some(bare(made)));
        }
        Ok(())
    }

    /// Who holds nights of this month, from an uncached list of the Room's Reservations.
    async fn who_is_there(&self, month: Month) -> Result<Vec<Stay>, Setback> {
        Ok(self.list().await?.iter().filter_map(|r| occupant::stay_in(r, month)).collect())
    }

    /// The Room's Reservations that may hold nights, and those whose stay is not over.
    async fn who_is_left(&self) -> Result<There, Setback> {
        let now = (self.clock)();
        let all = self.list().await?;
        let left = || all.iter().filter(|r| !occupant::has_ended(r));
        Ok(There {
            may_hold: left().filter_map(ResourceExt::uid).collect(),
            unfinished: left().filter(|r| !occupant::is_over(r, now)).filter_map(ResourceExt::uid).collect(),
        })
    }

    /// The Room's Reservations, past the cache.
    async fn list(&self) -> Result<Vec<Occupant>, Setback> {
        let selector = format!("spec.roomName={}", self.room.1);
        let mut params = ListParams::default().fields(&selector).limit(500);
        let mut all = Vec::new();
        loop {
            let page = self.reservations.list(&params).await?;
            all.extend(page.items);
            match page.metadata.continue_.filter(|t| !t.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    async fn delete(&self, calendar: &RoomCalendar) -> Result<(), WriteError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: calendar.uid(),
                resource_version: calendar.resource_version(),
            }),
            ..DeleteParams::default()
        };
        self.calendars.delete(&calendar.name_any(), &params).await?;
        Ok(())
    }

    async fn write(&mut self, month: Month, fields: RoomCalendarFields) -> Result<(), Setback> {
        let Some(Some(before)) = self.view.remove(&month) else { return Err(Setback::Stale) };
        // Replaced as a whole, with the resourceVersion it was read at: nothing unseen is written over.
        let mut next = before;
        next.spec = fields;
        let params = PostParams { field_manager: Some(OPERATOR_MANAGER.to_owned()), ..PostParams::default() };
        let written =
            self.calendars.replace(&next.name_any(), &params, &next).await.map_err(WriteError::from);
        self.count(&next.name_any(), written.as_ref());
        let written = written?;
        self.written += size(&written);
        self.view.insert(month, Some(bare(written)));
        Ok(())
    }

    fn count(&self, calendar: &str, result: Result<&RoomCalendar, &WriteError>) {
        if let Err(WriteError::Refused(why)) = result {
            tracing::warn!(
                namespace = self.room.0,
                calendar,
                why,
                "the API server refuses to write a calendar"
            );
        }
        self.metrics.calendar_write(match result {
            Ok(_) => CalendarWrite::Ok,
            Err(WriteError::Refused(_)) => CalendarWrite::Refused,
            Err(WriteError::Conflict | WriteError::Gone) => CalendarWrite::Conflict,
            Err(WriteError::Api(_)) => CalendarWrite::Error,
        });
    }
}

fn labels(room_uid: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/managed-by".to_owned(), "innkeeper".to_owned()),
        ("app.kubernetes.io/part-of".to_owned(), "innkeeper".to_owned()),
        (UID_LABEL.to_owned(), room_uid.to_owned()),
    ])
}

/// Without who set which field, which takes more memory than all the rest. Not sent back either: the API server knows.
fn bare(mut calendar: RoomCalendar) -> RoomCalendar {
    calendar.metadata.managed_fields = None;
    calendar
}

fn size(calendar: &RoomCalendar) -> u64 {
    serde_json::to_vec(calendar).map_or(0, |bytes| bytes.len() as u64)
}
