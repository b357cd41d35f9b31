//! A fixed sample of what `make torture` does to the whole of it: every workload, and of its places each third, with the
//! moments taking turns.

#[path = "../torture/cases/mod.rs"]
#[allow(dead_code, reason = "the whole of it is run by another program")]
mod cases;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use innkeeper_api::{ConditionStatus, ConditionType, Reason};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use rstest::rstest;
use serde_json::json;

use self::cases::tap::{Kind, Mishap, Moment, Plan, Tap};
use self::cases::workload::Workload as W;
use self::cases::{clean, matrix, race, schedule, stale, watching};

use crate::support::history::History;
use crate::support::hotel::{Hotel, is, uid};

/// How many guests race, where the environment does not say.
const CONTENDERS: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_guests_as_many_are_confirmed_as_there_are_rooms_and_everybody_else_has_their_money_back() {
    let contenders = std::env::var("INNKEEPER_CONTENDERS").map_or(CONTENDERS, |n| n.parse().unwrap());
    race::overlapping(contenders, 2).await;
}

#[rstest]
#[case::booked(W::Booked)]
#[case::declined(W::Declined)]
#[case::sold_out(W::SoldOut)]
#[case::cancelled_tier_100(W::CancelledTier100)]
#[case::cancelled_tier_50(W::CancelledTier50)]
#[case::cancelled_tier_0(W::CancelledTier0)]
#[case::withdrawn(W::Withdrawn)]
#[case::hold_expired(W::HoldExpired)]
#[case::held(W::Held)]
#[case::held_by_two(W::HeldByTwo)]
#[case::second_month_full(W::SecondMonthFull)]
#[case::two_for_one(W::TwoForOne)]
#[case::pending_then_failed(W::PendingThenFailed)]
#[case::pending_then_cancelled(W::PendingThenCancelled)]
#[case::filed_away(W::FiledAway)]
#[case::cancelled_and_filed(W::CancelledAndFiled)]
#[case::at_the_desk(W::AtTheDesk)]
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_killed_paused_deafened_or_misled_comes_to_the_same_end(#[case] workload: W) {
    let clean = clean(workload).await;
    let turn = workload as usize;
    let places = [Kind::Write, Kind::Call].map(|kind| (1..=clean.of(kind).len()).map(move |n| (kind, n)));
    for (at, (kind, number)) in places.into_iter().flatten().enumerate() {
        if (at + turn).is_multiple_of(3) {
            let moment = Moment::ALL[(at + turn) / 3 % 3];
            matrix::killed(workload, &clean, kind, u32::try_from(number).unwrap(), moment).await;
        }
    }
    let middle = |all: usize| u32::try_from((1 + turn % all.max(1)).min(all)).unwrap();
    let (write, event) = (middle(clean.writes.len()), middle(clean.events.len()));
    matrix::paused(workload, &clean, Kind::Write, write, Moment::Before, false).await;
    let mishap = if turn.is_multiple_of(2) { Mishap::Lost } else { Mishap::Expired };
    watching::mishap(workload, &clean, event, mishap).await;
    let (_, kinds) = stale::KINDS[turn % 3];
    stale::in_the_middle(workload, &clean, write, 1 + turn % 3, kinds).await;
    schedule::failing(workload, &clean, turn as u64).await;
}

fn of_old(version: u64, kinds: &'static [&'static str]) -> Tap {
    Tap::with(Plan { stale: Some((version, kinds)), ..Plan::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn capacity_is_never_written_from_an_older_room() {
    let hotel = Hotel::open("old-room").await;
    let room = hotel.room("double", 2).await;
    let history = History::of(&hotel).await;
    let operator = hotel.operator();
    hotel.reserve("ann", "double").await;
    hotel.settled("ann", Reason::Confirmed).await;
    operator.stop().await;
    let patch = Patch::Merge(json!({ "spec": { "units": 1 } }));
    hotel.rooms().patch("double", &PatchParams::default(), &patch).await.unwrap();
    let operator = hotel.operator();
    hotel.check().await;
    operator.stop().await;

    // It sees two units, and a guest who would fit in.
    let tap = of_old(room.resource_version().unwrap().parse().unwrap(), &["rooms"]);
    let late = hotel.operator_with(tap.on(&hotel.client), &hotel.provider.url());
    hotel.reserve("bob", "double").await;
    let bob = hotel.settled("bob", Reason::Rejected).await;
    assert!(is(&bob, &ConditionType::Ready, ConditionStatus::False, &Reason::OutOfStock));
    hotel.check().await;
    tap.catch_up();
    tap.quiet().await;
    hotel.check().await;
    late.stop().await;
    history.check().await;
}

#[rstest]
#[case::reservations_are_old(&["reservations"])]
#[case::everything_is_old(&["reservations", "roomcalendars", "rooms"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_stay_made_anew_under_its_name_is_not_taken_for_the_one_that_was(
    #[case] kinds: &'static [&'static str],
) {
    let hotel = Hotel::open("namesake").await;
    hotel.room("double", 1).await;
    let history = History::of(&hotel).await;
    let operator = hotel.operator();
    hotel.reserve("ann", "double").await;
    let booked = hotel.settled("ann", Reason::Confirmed).await;
    hotel.delete("ann").await;
    hotel.gone("ann").await;
    operator.stop().await;
    let anew = hotel.reserve("ann", "double").await;

    let tap = of_old(booked.resource_version().unwrap().parse().unwrap(), kinds);
    let late = hotel.operator_with(tap.on(&hotel.client), &hotel.provider.url());
    tap.quiet().await;
    assert_eq!(hotel.money_kept().await, 0, "the one that was is over");
    tap.catch_up();
    let ann = hotel.settled("ann", Reason::Confirmed).await;
    assert_eq!(uid(&ann), uid(&anew));
    assert!(hotel.holders().await.iter().all(|(_, holder)| *holder == uid(&anew)));
    late.stop().await;
    hotel.check().await;
    history.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_in_another_order_change_nothing() {
    let hotel = Hotel::open("shuffled").await;
    hotel.room("double", 4).await;
    let history = History::of(&hotel).await;
    let names: Vec<String> = (0..12).map(|n| format!("guest-{n}")).collect();
    for name in &names {
        hotel.reserve(name, "double").await;
    }
    let tap = Tap::with(Plan { reversed: true, ..Plan::default() });
    let operator = hotel.operator_with(tap.on(&hotel.client), &hotel.provider.url());
    let mut confirmed = 0;
    for name in &names {
        let over = |r: Option<&innkeeper_api::Reservation>| {
            r.is_some_and(|r| crate::support::checker::claimed(r).is_some())
        };
        let guest = hotel.until(name, over).await;
        confirmed +=
            u32::from(is(&guest, &ConditionType::Settled, ConditionStatus::True, &Reason::Confirmed));
    }
    assert_eq!(confirmed, 4);
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

/// A clock that fails is the nearest thing to a bug anywhere in a reconcile.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_reconcile_is_tried_again_and_stops_nobody_else() {
    let mut hotel = Hotel::open("panic").await;
    let (asked, left) = (AtomicU32::new(0), Arc::new(AtomicU32::new(6)));
    let fails = Arc::clone(&left);
    hotel.clock = Arc::new(move || {
        let third = asked.fetch_add(1, Ordering::SeqCst) % 3 == 2;
        let one = |left: u32| left.checked_sub(1);
        assert!(!third || fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one).is_err(), "as told");
        jiff::Timestamp::now()
    });
    hotel.room("double", 2).await;
    let history = History::of(&hotel).await;
    let operator = hotel.operator();
    for name in ["ann", "bob"] {
        hotel.reserve(name, "double").await;
    }
    for name in ["ann", "bob"] {
        hotel.settled(name, Reason::Confirmed).await;
        hotel.cancel(name).await;
        hotel.settled(name, Reason::Cancelled).await;
    }
    assert_eq!(left.load(Ordering::SeqCst), 0, "it never failed as often as it should have");
    operator.stop().await;
    hotel.check().await;
    history.check().await;
}

/// What docs/bug-classes.md promises to try is tried.
#[test]
fn every_class_of_bugs_has_the_tests_that_are_named_for_it() {
    fn sources(folder: &Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else if path.extension().is_some_and(|e| e == "rs") {
                all.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let project = Path::new(crate::support::PROJECT);
    let text = std::fs::read_to_string(project.join("docs/bug-classes.md")).unwrap();
    let (mut tests, mut groups) = (String::new(), String::new());
    sources(&project.join("tests/it"), &mut tests);
    sources(&project.join("tests/torture"), &mut groups);
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")).skip(1);
    let mut count = 0;
    for row in rows {
        let named: Vec<&str> = row.rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "nothing is named: {row}");
        for name in named {
            let there = match name.split_once('/') {
                Some((group, "")) => {
                    groups.contains(&format!("\"{group}\"")) || groups.contains(&format!("\"{group}/"))
                }
                Some((group, workload)) => {
                    groups.contains(&format!("\"{group}/")) && groups.contains(&format!("\"{workload}\""))
                }
                None => tests.contains(&format!("fn {name}(")),
            };
            assert!(there, "there is no {name}");
        }
        count += 1;
    }
    assert_eq!(count, 17, "the classes of the table");
}
