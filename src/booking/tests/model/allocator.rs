//! The allocator of one Room in one operator, as the real one uses `allotment`: a batch of takes and releases, all
//! months loaded before any is written, written in ascending order by compare-and-swap, begun again on a conflict.
//! `Full` is said only on a fresh read, and a release is always decided on one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use innkeeper_api::{
    ConditionStatus, ConditionType, Month, Reservation, Room, RoomCalendarFields, uid_of_holder,
};
use innkeeper_booking::allotment::{self, Ask, RoomSeen, There};
use innkeeper_booking::inventory::{self, Stay};
use innkeeper_booking::knowledge::NightsKnown;
use innkeeper_booking::status::{Stage, stage};

use crate::operator::{Cache, Sabotage};
use crate::outside::Outside;
use crate::server::{Refused, Seen};

/// After so many conflicts the batch is given back as busy.
const TRIES: u32 = 4;
/// Most jobs in a batch.
const BATCH: usize = 4;

/// What an allocator is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    Take(Stay),
    Release(Stay),
    /// Bring a month's capacities to what the Room says.
    Sync(Month),
    /// Drop holders whose Reservation is gone; and, if so said, whose Reservation has ended without nights.
    Sweep(Month, bool),
}

impl Work {
    fn ask(&self) -> Ask {
        match self {
            Self::Take(stay) => Ask::Take(stay.clone()),
            Self::Release(stay) => Ask::Release(stay.clone()),
            Self::Sync(_) => Ask::Sync,
            Self::Sweep(..) => Ask::Sweep,
        }
    }
}

/// Work, and the pass that waits for it.
#[derive(Debug, Clone)]
pub struct Job {
    pub pass: Option<(String, u64)>,
    pub work: Work,
}

struct Loaded {
    rv: Option<u64>,
    fields: RoomCalendarFields,
}

struct Batch {
    jobs: Vec<Job>,
    answers: Vec<NightsKnown>,
    fresh: bool,
    tries: u32,
    loading: Vec<Month>,
    months: BTreeMap<Month, Loaded>,
    room: Option<Seen<Room>>,
    /// Months still to be written, ascending; `None` before it was decided.
    writing: Option<VecDeque<Month>>,
    /// Missing calendars were made anew: they are stored as they are before anything is judged.
    again: bool,
}

/// One Room's allocator.
pub struct Allocator {
    pub room: String,
    pub queue: VecDeque<Job>,
    /// What our own writes returned.
    kept: BTreeMap<String, Seen<RoomCalendarFields>>,
    batch: Option<Batch>,
}

/// Answers for passes.
pub type Answers = Vec<(String, u64, NightsKnown)>;

impl Allocator {
    pub fn new(room: &str) -> Self {
        Self { room: room.to_owned(), queue: VecDeque::new(), kept: BTreeMap::new(), batch: None }
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.batch.is_none()
    }

    /// What is known here of a calendar without asking: the newer of the watch's view and our own write.
    pub fn view(&self, cache: &Cache, out: &Outside, name: &str) -> Option<Seen<RoomCalendarFields>> {
        let watched = cache.calendar(&out.server, name);
        let kept = self.kept.get(name).cloned();
        match (watched, kept) {
            (Some(w), Some(k)) => Some(if w.rv > k.rv { w } else { k }),
            (w, k) => w.or(k),
        }
    }

    /// One step. Gives the answers that were reached by it.
    pub fn step(&mut self, who: &str, cache: &Cache, sabotage: Sabotage, out: &mut Outside) -> Answers {
        let Some(mut batch) = self.batch.take() else {
            self.batch = self.form(cache, out);
            return Vec::new();
        };
        if let Some(month) = batch.loading.pop() {
            self.load(who, &mut batch, month, cache, sabotage, out);
        } else if batch.writing.is_none() {
            Self::decide(who, &mut batch, out);
        } else if let Some(month) = batch.writing.as_mut().and_then(VecDeque::pop_front) {
            self.write(who, &mut batch, month, sabotage, out);
        } else if batch.again {
            restart(&mut batch);
        } else {
            let answers = batch.jobs.into_iter().zip(batch.answers);
            return answers.filter_map(|(job, a)| job.pass.map(|(name, id)| (name, id, a))).collect();
        }
        self.batch = Some(batch);
        Vec::new()
    }

    fn form(&mut self, cache: &Cache, out: &mut Outside) -> Option<Batch> {
        let count = self.queue.len().min(1 + out.rng.below(BATCH));
        let jobs: Vec<Job> = self.queue.drain(..count).collect();
        if jobs.is_empty() {
            return None;
        }
        let takes = jobs.iter().filter(|j| matches!(j.work, Work::Take(_))).count();
        if takes > 1 {
            out.saw("nights: several taken in one batch");
        }
        let mut batch = Batch {
            fresh: takes < jobs.len(),
            answers: vec![NightsKnown::Busy; jobs.len()],
            jobs,
            tries: 0,
            loading: Vec::new(),
            months: BTreeMap::new(),
            room: cache.room(&out.server, &self.room),
            writing: None,
            again: false,
        };
        restart(&mut batch);
        Some(batch)
    }

    fn load(
        &mut self,
        who: &str,
        batch: &mut Batch,
        month: Month,
        cache: &Cache,
        sabotage: Sabotage,
        out: &mut Outside,
    ) {
        let name = month.calendar_name(&self.room);
        let known = if batch.fresh { None } else { self.view(cache, out, &name) };
        let found = known.or_else(|| {
            // A read of the server; what it shows is newer than anything known.
            let fresh = out.server.calendar(&name);
            match &fresh {
                Some(seen) => self.kept.insert(name.clone(), seen.clone()),
                None => self.kept.remove(&name),
            };
            fresh
        });
        if batch.fresh {
            batch.room = out.server.room(&self.room);
        }
        if let Some(seen) = found {
            let loaded = Loaded { rv: Some(seen.rv), fields: (*seen.value).clone() };
            batch.months.insert(month, loaded);
            return;
        }
        let wanted =
            batch.jobs.iter().any(|j| matches!(&j.work, Work::Take(stay) if stay.months().contains(&month)));
        let Some(room) = out.server.room(&self.room).filter(|_| wanted) else { return };
        batch.room = Some(room.clone());
        let of_room = out.server.list().filter(|r| r.value.spec.room_name == self.room);
        let mut there: Vec<Stay> = of_room.filter_map(|r| allocated(&r.value)).collect();
        if sabotage == Sabotage::CalendarMadeEmpty {
            there.clear();
        }
        let (uid, generation) = identity(&room.value);
        let fields = inventory::rebuild(&self.room, &uid, month, &room.value.spec, generation, &there);
        if fields.nights.iter().any(|n| !n.holders.is_empty()) {
            out.saw("nights: a missing calendar is made anew with its holders");
            out.say(who, || format!("makes {name} anew with those who are there"));
        }
        batch.months.insert(month, Loaded { rv: None, fields });
    }

    /// What the real one does: the same decision, on what was loaded.
    fn decide(who: &str, batch: &mut Batch, out: &mut Outside) {
        // A missing calendar is stored as it is made before anything is judged on it.
        let made: VecDeque<Month> =
            batch.months.iter().filter(|(_, l)| l.rv.is_none()).map(|(m, _)| *m).collect();
        if !made.is_empty() {
            let crowded = |m: &Month| batch.months[m].fields.nights.iter().any(|n| n.room_generation == 0);
            if made.iter().any(crowded) {
                out.saw("nights: a calendar made anew holds more than the Room has now");
            }
            batch.writing = Some(made);
            batch.again = true;
            return;
        }
        let asks: Vec<Ask> = batch.jobs.iter().map(|job| job.work.ask()).collect();
        let calendars = batch.months.iter().map(|(m, l)| (*m, l.fields.clone())).collect();
        let room = batch.room.as_ref().map(|room| (identity(&room.value), room));
        let seen = room.as_ref().map(|((uid, generation), room)| RoomSeen {
            uid,
            generation: *generation,
            spec: &room.value.spec,
        });
        let there = There { may_hold: who_may_hold(batch, out), unfinished: BTreeSet::new() };
        let Some(decided) = allotment::decide(&asks, &calendars, seen, batch.fresh, &there) else {
            out.saw("nights: full in the cache, so read again");
            batch.fresh = true;
            restart(batch);
            return;
        };
        if asks.contains(&Ask::Sweep) {
            for fields in calendars.values() {
                for gone in held(fields).difference(&there.may_hold) {
                    out.saw("nights: a holder that nobody stands for is swept away");
                    out.say(who, || format!("sweeps {gone} out of {}", fields.month));
                }
            }
        }
        if decided.changed.len() > 1 {
            out.saw("nights: two months are written for one batch");
        }
        batch.answers = decided.answers;
        batch.writing = Some(decided.changed.keys().copied().collect());
        for (month, fields) in decided.changed {
            if let Some(loaded) = batch.months.get_mut(&month) {
                loaded.fields = fields;
            }
        }
    }

    fn write(&mut self, who: &str, batch: &mut Batch, month: Month, sabotage: Sabotage, out: &mut Outside) {
        let Some(loaded) = batch.months.get_mut(&month) else { return };
        let name = month.calendar_name(&self.room);
        let result = match loaded.rv {
            None => out.server.create_calendar(&name, &loaded.fields),
            Some(_) if sabotage == Sabotage::CalendarWithoutVersion => {
                out.server.write_calendar(&name, None, &loaded.fields)
            }
            Some(rv) => out.server.write_calendar(&name, Some(rv), &loaded.fields),
        };
        match result {
            Ok(seen) if out.fault(20) => {
                out.say(who, || format!("writes {name} (rv {}), and the answer is lost", seen.rv));
                out.saw("nights: the answer to a calendar write is lost");
                self.kept.remove(&name);
                batch.fresh = true;
                batch.tries += 1;
                restart(batch);
            }
            Ok(seen) => {
                out.say(who, || format!("writes {name} (rv {}): {}", seen.rv, holders(&loaded.fields)));
                loaded.rv = Some(seen.rv);
                self.kept.insert(name, seen);
            }
            Err(refused) => {
                out.say(who, || format!("may not write {name}: {refused:?}"));
                if let Refused::Invalid(rule) = refused {
                    out.saw("nights: the API server refuses a calendar");
                    if sabotage == Sabotage::None {
                        out.fail(
                            "I2",
                            format!("{who} decided on a calendar that the API server refuses: {rule}"),
                        );
                    }
                }
                out.saw("nights: a conflict on a calendar");
                self.kept.remove(&name);
                batch.fresh = true;
                batch.tries += 1;
                if batch.tries > TRIES {
                    batch.answers = vec![NightsKnown::Busy; batch.jobs.len()];
                    batch.writing = Some(VecDeque::new());
                    batch.again = false;
                } else {
                    restart(batch);
                }
            }
        }
    }
}

/// Begins a batch again from loading.
fn restart(batch: &mut Batch) {
    let months: BTreeSet<Month> = batch
        .jobs
        .iter()
        .flat_map(|job| match &job.work {
            Work::Take(stay) | Work::Release(stay) => stay.months(),
            Work::Sync(month) | Work::Sweep(month, _) => vec![*month],
        })
        .collect();
    batch.loading = months.into_iter().collect();
    batch.months.clear();
    batch.writing = None;
    batch.again = false;
}

/// Who may hold nights: listed after the calendars were read, and an end is never left, so nobody who is still to be
/// confirmed can be dropped. Housekeeping that is not thorough leaves it to the planner to release who has ended.
fn who_may_hold(batch: &Batch, out: &Outside) -> BTreeSet<String> {
    let ended = batch.jobs.iter().any(|j| matches!(j.work, Work::Sweep(_, true)));
    out.server
        .list()
        .filter(|r| !ended || !matches!(stage(&r.value.status.clone().unwrap_or_default()), Stage::Closed(_)))
        .filter_map(|r| r.value.metadata.uid.clone())
        .collect()
}

fn held(fields: &RoomCalendarFields) -> BTreeSet<String> {
    fields.nights.iter().flat_map(|n| n.holders.iter().map(|h| uid_of_holder(h).to_owned())).collect()
}

/// The nights of a Reservation that is known to have them.
fn allocated(reservation: &Reservation) -> Option<Stay> {
    let status = reservation.status.as_ref()?;
    let allocated = status.conditions.get(&ConditionType::Allocated)?.status == ConditionStatus::True;
    (allocated || stage(status) == Stage::Confirmed).then(|| stay_of(reservation))
}

pub fn stay_of(reservation: &Reservation) -> Stay {
    let spec = &reservation.spec;
    let uid = reservation.metadata.uid.clone().unwrap_or_default();
    Stay { uid, from: spec.check_in, to: spec.check_out, units: spec.units }
}

fn identity(room: &Room) -> (String, i64) {
    (room.metadata.uid.clone().unwrap_or_default(), room.metadata.generation.unwrap_or(0))
}

fn holders(fields: &RoomCalendarFields) -> String {
    let sold = fields.nights.iter().filter(|n| !n.holders.is_empty());
    let nights: Vec<String> =
        sold.map(|n| format!("{} {}/{}", n.date.day(), n.holders.join("+"), n.capacity)).collect();
    if nights.is_empty() { "nobody".to_owned() } else { nights.join(", ") }
}
