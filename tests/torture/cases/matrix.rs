//! The crash matrix: an operator is killed, or paused and resumed, at every request that a workload makes.

use std::time::Duration;

use futures::future::maybe_done;

use super::end::End;
use super::tap::{Kind, Moment, Tap};
use super::workload::{Stage, Workload};
use super::{Clean, Done, Tapped, place};
use crate::support::history::History;

/// How long a Lease lasts, where there is one.
pub const LEASE: Duration = Duration::from_secs(2);

/// Without faults. And whoever looks again at what came of it writes nothing and asks the provider nothing (I14).
pub async fn clean(workload: Workload) -> Clean {
    let stage = workload.open().await;
    let history = History::of(&stage.hotel).await;
    let operator = Tapped::start(&stage, Tap::recording()).await;
    workload.play(&stage).await;
    over(workload, &stage, &[&operator.tap]).await;
    operator.running.stop().await;
    workload.checker(&stage).check().await;
    let end = End::of(&stage, &history).await;
    match workload {
        Workload::HoldExpired => assert_ne!(end, end.with_a_charge_before_the_fence()),
        Workload::Held => assert_eq!(end, end.with_a_charge_before_the_fence(), "the words of a booked hold"),
        _ => {}
    }
    let blind = operator.tap.blind();
    assert!(blind.is_empty(), "without the resourceVersion they were decided on: {blind:#?}");

    let again = Tapped::start(&stage, Tap::recording()).await;
    again.tap.quiet().await;
    again.tap.quiet().await;
    again.running.stop().await;
    // What a Room shows may have been due; and a month that is past goes when somebody looks.
    let past = workload == Workload::FiledAway;
    let mut written = again.tap.seen(Kind::Write);
    written.retain(|what| !(what.contains(" rooms/") || past && what.contains(" roomcalendars/")));
    assert!(written.is_empty(), "I14: {written:?}");
    let asked = again.tap.seen(Kind::Call);
    assert!(asked.is_empty(), "I14: {asked:?}");
    history.check().await;
    let seen = |kind| operator.tap.seen(kind);
    Clean { end, or: None, writes: seen(Kind::Write), calls: seen(Kind::Call), events: seen(Kind::Event) }
}

/// Until nobody sends anything any more and everything is at rest. In this order: what somebody was about to send may be
/// what somebody else has to put right, and for that they must be there.
pub async fn over(workload: Workload, stage: &Stage, taps: &[&Tap]) {
    for tap in taps {
        tap.quiet().await;
    }
    workload.checker(stage).check().await;
}

/// Holds the end to the one without faults.
pub async fn compare(workload: Workload, stage: &Stage, history: History, clean: &Clean, at: &str) {
    workload.checker(stage).check().await;
    let end = End::of(stage, &history).await;
    let differs = end.differs(workload, &clean.end);
    let legal = clean.or.as_ref().is_some_and(|or| end.differs(workload, or).is_none());
    assert!(legal || differs.is_none(), "{at}: {}", differs.unwrap_or_default());
    history.check().await;
}

/// Plays until the request has come at which this operator is stopped; says whether it came before all was over.
pub async fn comes_to_it(
    workload: Workload,
    stage: &Stage,
    operator: &Tapped,
    play: impl Future<Output = ()>,
) -> bool {
    let whole = async {
        play.await;
        over(workload, stage, &[&operator.tap]).await;
    };
    operator.tap.before(whole).await
}

/// Killed at one request; then another operator comes.
pub async fn killed(workload: Workload, clean: &Clean, kind: Kind, number: u32, moment: Moment) -> Done {
    let stage = workload.open().await;
    let history = History::of(&stage.hotel).await;
    let first = Tapped::start(&stage, Tap::stopping(kind, number, moment)).await;
    let play = maybe_done(workload.play(&stage));
    tokio::pin!(play);
    let reached = comes_to_it(workload, &stage, &first, play.as_mut()).await;
    first.running.kill().await;
    let second = Tapped::start(&stage, Tap::recording()).await;
    play.await;
    over(workload, &stage, &[&second.tap]).await;
    second.running.stop().await;
    compare(workload, &stage, history, clean, &place(clean, kind, number)).await;
    Done { reached, faults: u32::from(reached) }
}

/// Paused at one request, with all that it hears; another operator finishes; then it goes on in the middle of its call.
pub async fn paused(
    workload: Workload,
    clean: &Clean,
    kind: Kind,
    number: u32,
    moment: Moment,
    in_turn: bool,
) -> Done {
    let stage = workload.open().await;
    let history = History::of(&stage.hotel).await;
    let start = async |tap| {
        if in_turn { Tapped::start_in_turn(&stage, tap).await } else { Tapped::start(&stage, tap).await }
    };
    let first = start(Tap::stopping(kind, number, moment)).await;
    let play = maybe_done(workload.play(&stage));
    tokio::pin!(play);
    let reached = comes_to_it(workload, &stage, &first, play.as_mut()).await;
    // With a Lease, it has to run out first.
    let second = start(Tap::recording()).await;
    play.await;
    over(workload, &stage, &[&second.tap]).await;
    first.tap.thaw();
    over(workload, &stage, &[&first.tap, &second.tap]).await;
    first.running.stop().await;
    second.running.stop().await;
    compare(workload, &stage, history, clean, &place(clean, kind, number)).await;
    Done { reached, faults: u32::from(reached) }
}
