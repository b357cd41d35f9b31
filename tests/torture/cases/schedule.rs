//! Several operators at once and no Lease, delayed by a seed, with failures or without.

use std::time::Duration;

use super::chaos::{Chaos, Dice};
use super::matrix::{compare, over};
use super::tap::{Kind, Plan, Tap};
use super::workload::Workload;
use super::{Clean, Done, Tapped};
use crate::support::history::History;

/// So many operators, delayed.
pub async fn together(workload: Workload, clean: &Clean, operators: u64, seed: u64) -> Done {
    let chaos = |n: u64| Chaos::delays(seed * 8 + n);
    run(workload, clean, &format!("seed {seed}"), (0..operators).map(chaos).collect(), None).await
}

/// One to three operators whose requests are delayed and fail, and of whom one is killed somewhere and replaced.
pub async fn failing(workload: Workload, clean: &Clean, seed: u64) -> Done {
    let mut dice = Dice(seed);
    let operators = 1 + dice.below(3);
    let chaos = |n: u64| Chaos::failures(seed * 8 + n, 80, 10);
    let lives_for = 1 + u32::try_from(dice.below(20)).unwrap();
    let all = (0..operators).map(chaos).collect();
    run(workload, clean, &format!("seed {seed}"), all, Some(lives_for)).await
}

async fn run(
    workload: Workload,
    clean: &Clean,
    seed: &str,
    chaos: Vec<Chaos>,
    lives_for: Option<u32>,
) -> Done {
    let mut clean = clean.clone();
    if workload == Workload::HoldExpired {
        // A charge that is delayed until the provider works again can overtake the fence.
        clean.or = Some(clean.end.with_a_charge_before_the_fence());
    }
    let stage = workload.open().await;
    let history = History::of(&stage.hotel).await;
    let mut operators = Vec::new();
    for chaos in chaos {
        let plan = Plan { chaos: Some(chaos), ..Plan::default() };
        operators.push(Tapped::start(&stage, Tap::with(plan)).await);
    }
    let mut faults = 0;
    let play = workload.play(&stage);
    tokio::pin!(play);
    let mut played = false;
    if let Some(requests) = lives_for {
        let mortal = operators.remove(0);
        let lives = async {
            while mortal.tap.count(Kind::Write) + mortal.tap.count(Kind::Call) < requests {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        played = tokio::select! {
            () = lives => false,
            () = &mut play => true,
        };
        mortal.running.kill().await;
        faults += 1 + mortal.tap.faults();
        operators.push(Tapped::start(&stage, Tap::recording()).await);
    }
    if !played {
        play.await;
    }
    over(workload, &stage, &operators.iter().map(|operator| &operator.tap).collect::<Vec<_>>()).await;
    for operator in operators {
        operator.running.stop().await;
        faults += operator.tap.faults();
    }
    compare(workload, &stage, history, &clean, seed).await;
    Done { reached: true, faults }
}
