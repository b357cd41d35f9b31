//! Every event of a watch, in turn, is lost, or comes with the word that the watch is too old.

use std::time::Duration;

use super::matrix::{compare, over};
use super::tap::{Kind, Mishap, Plan, Tap};
use super::workload::Workload;
use super::{Clean, Done, Tapped, place};
use crate::support::history::History;

/// How long an operator has to do harm with what it has not heard, before it may hear all anew.
const DEAF: Duration = Duration::from_millis(700);

/// One event goes wrong. One that is lost is never told again, until the watch is told that it is too old.
pub async fn mishap(workload: Workload, clean: &Clean, number: u32, mishap: Mishap) -> Done {
    let stage = workload.open().await;
    let history = History::of(&stage.hotel).await;
    let plan = Plan { mishap: Some((number, mishap)), ..Plan::default() };
    let operator = Tapped::start(&stage, Tap::with(plan)).await;
    let anew = async {
        operator.tap.reached().await;
        if mishap == Mishap::Lost {
            tokio::time::sleep(DEAF).await;
            operator.tap.expire_all();
        }
        std::future::pending::<()>().await;
    };
    let whole = async {
        workload.play(&stage).await;
        over(workload, &stage, &[&operator.tap]).await;
    };
    tokio::select! {
        () = whole => {}
        () = anew => {}
    }
    operator.running.stop().await;
    compare(workload, &stage, history, clean, &place(clean, Kind::Event, number)).await;
    Done { reached: operator.tap.has_come(), faults: operator.tap.faults() }
}
