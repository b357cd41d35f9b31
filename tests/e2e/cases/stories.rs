//! The three stories, as a hotel plays them: `kubectl` on the files of `examples/`.

use innkeeper_checker::Expected;

use crate::support::books::balance;
use crate::support::hotel::Hotel;
use crate::support::report::say;
use crate::support::{OURS, World};

const HOTEL: &str = "seaside";

/// The hotel of the examples, with nothing booked.
fn open(world: &World) {
    world.installed();
    Hotel::forget(world, HOTEL);
    world.show(&["apply", "-f", "examples/hotel.yaml"]);
    world.kubectl(&["label", "namespace", HOTEL, OURS]);
    wait(world, "--for=condition=Ready", &["rooms", "--all"]);
}

fn wait(world: &World, what: &str, which: &[&str]) {
    world.kubectl(&[&["-n", HOTEL, "wait", what, "--timeout=240s"], which].concat());
}

fn show(world: &World, what: &str) {
    world.show(&["-n", HOTEL, "get", what]);
}

fn value(world: &World, of: &str, path: &str) -> String {
    world.kubectl(&["-n", HOTEL, "get", of, "-o", &format!("jsonpath={path}")])
}

fn reason(world: &World, of: &str, condition: &str) -> String {
    value(world, &format!("rsv/{of}"), &format!("{{.status.conditions[?(@.type==\"{condition}\")].reason}}"))
}

/// A Room's status follows within about a second.
fn shows(world: &World, room: &str, field: &str, number: &str) {
    wait(world, &format!("--for=jsonpath={{.status.{field}}}={number}"), &[&format!("room/{room}")]);
}

async fn balanced(world: &World, expected: &Expected) {
    say!("  {:?}", balance(world, HOTEL, expected).await);
}

/// Request, pay, and the nights are there.
pub async fn booked(world: &World) {
    open(world);
    show(world, "rooms");
    world.show(&["apply", "-f", "examples/booked.yaml"]);
    wait(world, "--for=condition=Ready", &["rsv/anna"]);
    assert_eq!(reason(world, "anna", "Settled"), "Confirmed");
    shows(world, "double", "staysAhead", "1");
    shows(world, "double", "fewestFree", "1");
    show(world, "rooms,rsv");
    balanced(world, &Expected::nightly(12_000)).await;
}

/// Booked, cancelled, refunded, and the nights are free again.
pub async fn cancelled(world: &World) {
    open(world);
    world.show(&["apply", "-f", "examples/cancelled.yaml"]);
    wait(world, "--for=condition=Ready", &["rsv/ben"]);
    shows(world, "double", "fewestFree", "1");
    show(world, "rooms,rsv");
    world.show(&[
        "-n",
        HOTEL,
        "patch",
        "rsv",
        "ben",
        "--type=merge",
        "-p",
        r#"{"spec":{"state":"Cancelled"}}"#,
    ]);
    wait(world, "--for=condition=Refunded", &["rsv/ben"]);
    wait(world, "--for=jsonpath={.status.phase}=Cancelled", &["rsv/ben"]);
    assert_eq!(reason(world, "ben", "Settled"), "Cancelled");
    shows(world, "double", "fewestFree", "2");
    show(world, "rooms,rsv");
    balanced(world, &Expected::nightly(12_000)).await;
}

/// Two pay for the one suite; one has it, the other has the money back.
pub async fn rolled_back(world: &World) {
    open(world);
    world.show(&["apply", "-f", "examples/rolled-back.yaml"]);
    wait(world, "--for=condition=Settled", &["rsv/chris", "rsv/dana"]);
    let mut ends =
        ["chris", "dana"].map(|guest| (reason(world, guest, "Settled"), reason(world, guest, "Ready")));
    ends.sort();
    let end = |settled: &str, ready: &str| (settled.to_owned(), ready.to_owned());
    assert_eq!(ends, [end("Confirmed", "Confirmed"), end("Rejected", "OutOfStock")]);
    shows(world, "suite", "fewestFree", "0");
    show(world, "rooms,rsv");
    balanced(world, &Expected::nightly(34_000)).await;
    Hotel::forget(world, HOTEL);
}
