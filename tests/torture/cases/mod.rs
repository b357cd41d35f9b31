//! What an operator is put through, case by case. Each is a function that fails by panicking; `tests/torture` runs all of
//! them, `tests/it` a fixed sample.

pub mod chaos;
pub mod end;
pub mod hearing;
pub mod matrix;
pub mod race;
pub mod schedule;
pub mod stale;
pub mod tap;
pub mod till;
pub mod watching;
pub mod workload;

use self::end::End;
use self::tap::{Kind, Tap};
use self::till::Till;
use self::workload::{Stage, Workload};
use crate::support::hotel::Running;

/// A run in which nothing went wrong: what all others are compared with, and where their places come from.
#[derive(Debug, Clone)]
pub struct Clean {
    /// How it ended.
    pub end: End,
    /// How else it may end.
    pub or: Option<End>,
    /// Every write to the API server, in order.
    pub writes: Vec<String>,
    /// Every call of the provider, in order.
    pub calls: Vec<String>,
    /// Every event that the operator heard.
    pub events: Vec<String>,
}

impl Clean {
    /// What there was of a kind.
    pub fn of(&self, kind: Kind) -> &[String] {
        match kind {
            Kind::Write => &self.writes,
            Kind::Call => &self.calls,
            Kind::Event => &self.events,
        }
    }
}

/// What a case has done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Done {
    /// It came to its place: requests overtake each other, and the last of them may not be there every time.
    pub reached: bool,
    /// How often something went wrong.
    pub faults: u32,
}

/// An operator with its tap.
pub struct Tapped {
    /// The operator.
    pub running: Running,
    /// All that it says and hears.
    pub tap: Tap,
    _till: Till,
}

impl Tapped {
    /// Starts one without a Lease.
    pub async fn start(stage: &Stage, tap: Tap) -> Self {
        let hotel = &stage.hotel;
        let till = Till::open(hotel.provider.url(), tap.clone()).await;
        let running = hotel.operator_with(tap.on(&hotel.client), till.url());
        Self { running, tap, _till: till }
    }

    /// Starts one that waits for its turn.
    pub async fn start_in_turn(stage: &Stage, tap: Tap) -> Self {
        let hotel = &stage.hotel;
        let till = Till::open(hotel.provider.url(), tap.clone()).await;
        let running = hotel.operator_in_turn(tap.on(&hotel.client), till.url(), matrix::LEASE);
        Self { running, tap, _till: till }
    }
}

/// What a failed case says besides what was wrong: at which request it was.
pub fn place(clean: &Clean, kind: Kind, number: u32) -> String {
    let what = clean.of(kind).get(number as usize - 1).map_or("beyond the recorded ones", String::as_str);
    format!("{} {number}: {what}", kind.word())
}

/// Runs a workload without faults.
pub async fn clean(workload: Workload) -> Clean {
    matrix::clean(workload).await
}
