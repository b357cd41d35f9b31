//! Every file of `examples/` is applied, and ends as its comment says.

use std::collections::BTreeSet;

use innkeeper_api::Reason;

use crate::support::hotel::Hotel;
use crate::support::{PROJECT, kubectl_with, stderr};

/// What becomes of a file, once the hotel is there: its Reservations, and as what they are settled, in any order.
const ENDS: &[(&str, &[(&str, Reason)])] = &[
    ("booked.yaml", &[("anna", Reason::Confirmed)]),
    ("cancelled.yaml", &[("ben", Reason::Confirmed)]),
    ("declined.yaml", &[("erik", Reason::Rejected)]),
    ("everything.yaml", &[("olga", Reason::Confirmed)]),
    ("front-desk.yaml", &[("phone-20300801", Reason::Confirmed)]),
    ("hotel.yaml", &[]),
];

/// Files that end in one of several ways have a test of their own.
const APART: &[&str] = &["rolled-back.yaml"];

/// A file of the folder, in a namespace of the test's own.
fn example(file: &str, hotel: &Hotel) -> String {
    let text = std::fs::read_to_string(format!("{PROJECT}/examples/{file}")).unwrap();
    text.replace("namespace: seaside", &format!("namespace: {}", hotel.namespace))
        .replace("name: seaside", &format!("name: {}", hotel.namespace))
}

fn apply(file: &str, hotel: &Hotel) {
    for dry_run in [&["--dry-run=server"][..], &[]] {
        let output =
            kubectl_with(&[&["apply", "--server-side", "-f", "-"], dry_run].concat(), &example(file, hotel));
        assert!(output.status.success(), "{file}: {}", stderr(&output));
        assert!(!stderr(&output).contains("Warning"), "{file}: {}", stderr(&output));
    }
}

#[test]
fn every_file_has_a_case() {
    let files: BTreeSet<String> = std::fs::read_dir(format!("{PROJECT}/examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // That one is run by relay::process.
        .filter(|file| file != "receiver.py")
        .collect();
    let cases = ENDS.iter().map(|(file, _)| *file).chain(APART.iter().copied());
    assert_eq!(files, cases.map(ToOwned::to_owned).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_ends_as_it_says() {
    for (file, ends) in ENDS {
        let hotel = Hotel::open("examples").await;
        let operator = hotel.operator();
        apply("hotel.yaml", &hotel);
        apply(file, &hotel);
        for room in ["double", "suite"] {
            hotel.room_until(room, |r| r.status.as_ref().is_some_and(|s| s.observed_generation == 1)).await;
        }
        for (name, reason) in *ends {
            hotel.settled(name, reason.clone()).await;
        }
        operator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stay_that_is_to_be_cancelled_is_cancelled_as_its_comment_says() {
    let hotel = Hotel::open("examples").await;
    let operator = hotel.operator();
    apply("hotel.yaml", &hotel);
    apply("cancelled.yaml", &hotel);
    hotel.settled("ben", Reason::Confirmed).await;
    hotel.cancel("ben").await;
    hotel.settled("ben", Reason::Cancelled).await;
    assert_eq!(hotel.money_kept().await, 0);
    assert_eq!(hotel.holders().await, []);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_two_who_want_the_suite_one_has_it_and_the_other_is_refunded() {
    let hotel = Hotel::open("examples").await;
    let operator = hotel.operator();
    apply("hotel.yaml", &hotel);
    apply("rolled-back.yaml", &hotel);
    let mut reasons = Vec::new();
    for name in ["chris", "dana"] {
        let settled = |r: Option<&innkeeper_api::Reservation>| {
            let condition = r
                .and_then(|r| r.status.as_ref())
                .and_then(|s| s.conditions.get(&innkeeper_api::ConditionType::Settled));
            condition.is_some_and(|c| c.status == innkeeper_api::ConditionStatus::True)
        };
        let status = hotel.until(name, settled).await.status.unwrap();
        reasons.push(status.conditions.reason(&innkeeper_api::ConditionType::Ready).unwrap().to_string());
    }
    reasons.sort();
    assert_eq!(reasons, ["Confirmed", "OutOfStock"]);
    assert_eq!(hotel.money_kept().await, 68_000, "two nights of the suite");
    operator.stop().await;
}
