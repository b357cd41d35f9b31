//! Old views: an operator starts from what was so before, and acts on it for as long as it likes, before it hears what
//! has become of it since.

use futures::future::{join, maybe_done};

use super::matrix::{comes_to_it, compare, over};
use super::tap::{Kind, Moment, Plan, Tap};
use super::workload::Workload;
use super::{Clean, Done, Tapped, place};
use crate::support::history::History;

/// Which kinds are old, by the word that names of cases have.
pub const KINDS: [(&str, &[&str]); 4] = [
    ("all", &["reservations", "roomcalendars", "rooms"]),
    ("reservations", &["reservations"]),
    ("roomcalendars", &["roomcalendars"]),
    ("rooms", &["rooms"]),
];

fn old(version: u64, kinds: &'static [&'static str]) -> Tap {
    Tap::with(Plan { stale: Some((version, kinds)), ..Plan::default() })
}

/// When all is over, an operator after the other starts from every version of the past. None of them changes anything.
pub async fn of_the_end(workload: Workload, clean: &Clean, kinds: &'static [&'static str]) -> Done {
    let stage = workload.open().await;
    let history = History::of(&stage.hotel).await;
    let first = Tapped::start(&stage, Tap::recording()).await;
    workload.play(&stage).await;
    over(workload, &stage, &[&first.tap]).await;
    first.running.stop().await;
    history.caught_up().await;
    let mut faults = 0;
    let versions = history.moments();
    for version in &versions[..versions.len() - 1] {
        let late = Tapped::start(&stage, old(*version, kinds)).await;
        late.tap.quiet().await;
        let wrong = workload.checker(&stage).never_to_be().await;
        assert!(wrong.is_empty(), "from version {version} of {versions:?}: {wrong:#?}");
        late.tap.catch_up();
        over(workload, &stage, &[&late.tap]).await;
        late.running.stop().await;
        faults += 1;
    }
    compare(workload, &stage, history, clean, "after all old views").await;
    Done { reached: true, faults }
}

/// An operator is killed after a write of its; the next one starts from so many versions before it.
pub async fn in_the_middle(
    workload: Workload,
    clean: &Clean,
    number: u32,
    back: usize,
    kinds: &'static [&'static str],
) -> Done {
    let stage = workload.open().await;
    let history = History::of(&stage.hotel).await;
    let first = Tapped::start(&stage, Tap::stopping(Kind::Write, number, Moment::AfterEffect)).await;
    let play = maybe_done(workload.play(&stage));
    tokio::pin!(play);
    let reached = comes_to_it(workload, &stage, &first, play.as_mut()).await;
    first.running.kill().await;
    history.caught_up().await;
    let versions = history.moments();
    let version = versions[versions.len().saturating_sub(1 + back)];
    let second = Tapped::start(&stage, old(version, kinds)).await;
    let hears = async {
        second.tap.quiet().await;
        second.tap.catch_up();
    };
    join(play.as_mut(), hears).await;
    over(workload, &stage, &[&second.tap]).await;
    second.running.stop().await;
    let at = format!("{back} versions back at {}", place(clean, Kind::Write, number));
    compare(workload, &stage, history, clean, &at).await;
    Done { reached, faults: 2 * u32::from(reached) }
}
