//! Uninstalling, in the order of docs/install.md.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use innkeeper_api::Reason;
use jiff::civil::date;

use crate::support::books::{Books, is_of};
use crate::support::hotel::Hotel;
use crate::support::report::say;
use crate::support::{EVENTS, OURS, PATIENCE, QUICKSTART, SYSTEM, World, until};

/// Where a halt of money is told and acknowledged.
const INSTALLATION: &str = "innkeeper-installation";

/// Reservations, Rooms, then Innkeeper itself, then its definitions.
pub async fn in_order(world: &World) {
    world.installed();
    let hotel = Hotel::open(world, "uninstall");
    hotel.room("double", 4).await;
    let guests = ["ann", "ben", "cho"];
    for guest in guests {
        hotel.reserve(guest, "double", (date(2031, 7, 1), date(2031, 7, 3)), "pm_card_visa").await.unwrap();
    }
    for guest in guests {
        hotel.settled(guest, &Reason::Confirmed).await;
    }
    let begun = Instant::now();
    delete_reservations(world).await;
    let books = Books::open(world).await;
    let accounts = books.accounts().await.unwrap();
    let mut kept: BTreeMap<String, i64> = BTreeMap::new();
    for account in accounts.iter().filter(|a| is_of(a, &hotel.namespace)) {
        *kept.entry(account.intent.metadata["innkeeper_name"].clone()).or_default() +=
            innkeeper_checker::kept(account);
    }
    assert_eq!(kept, guests.iter().map(|g| ((*g).to_owned(), 0)).collect(), "all of it went back");
    drop(books);
    say!("  {} stays withdrawn and refunded after {:.1} s", guests.len(), begun.elapsed().as_secs_f64());
    remove_the_rest(world);
    say!("  everything is gone after {:.1} s", begun.elapsed().as_secs_f64());
    let left = world.kubectl(&[
        "get",
        "crd,clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding",
        "-A",
        "-l",
        "app.kubernetes.io/part-of=innkeeper",
        "-o",
        "name",
    ]);
    assert_eq!(left, "");
    assert!(world.try_kubectl(&["get", "namespace", SYSTEM]).is_err());
}

/// Of an earlier run nothing is left, whatever state it was left in.
pub async fn remove_everything(world: &World) {
    if world.try_kubectl(&["get", "crd", "reservations.innkeeper.dev"]).is_ok()
        || world.try_kubectl(&["get", "namespace", SYSTEM]).is_ok()
    {
        say!("  removing what an earlier run left");
        if world.try_kubectl(&["get", "reservations", "-A", "-o", "name"]).is_ok_and(|left| !left.is_empty())
        {
            // Somebody has to give the money back.
            world.change_to(left_by(world));
            delete_reservations(world).await;
        }
        remove_the_rest(world);
    }
}

/// The overlay that an earlier run was at.
fn left_by(world: &World) -> &'static str {
    let relay = ["-n", SYSTEM, "get", "statefulset/innkeeper-relay"];
    if world.try_kubectl(&relay).is_ok() { EVENTS } else { QUICKSTART }
}

fn limit() -> String {
    format!("--timeout={}s", PATIENCE.as_secs())
}

/// The cases before have deleted theirs too, so that more than a day lets out may wait at the brake.
pub async fn delete_reservations(world: &World) {
    world.show(&["delete", "reservations", "--all", "-A", "--wait=false"]);
    let count = || world.kubectl(&["get", "reservations", "-A", "-o", "name"]).lines().count();
    let (mut acknowledged, mut left) = (String::new(), count());
    // However many there are: it hangs when none goes any more.
    while left > 0 {
        left = until("fewer Reservations are left", async || {
            let now = count();
            if now < left {
                return Ok(now);
            }
            let halt = annotation(world, "money-halted");
            if !halt.is_empty() && halt != acknowledged {
                // Until all who have to wait do so: the word lets out as many as wait then.
                tokio::time::sleep(Duration::from_secs(5)).await;
                say!("  {now} wait at the brake");
                let said = format!("innkeeper.dev/money-acknowledged={halt}");
                world.show(&["annotate", "configmap", INSTALLATION, "-n", SYSTEM, "--overwrite", &said]);
                acknowledged = halt;
            }
            Err(format!("{now} are left"))
        })
        .await;
    }
}

/// What the installation's `ConfigMap` is annotated with; empty if it is not.
fn annotation(world: &World, name: &str) -> String {
    let path = format!("jsonpath={{.metadata.annotations.innkeeper\\.dev/{name}}}");
    world.try_kubectl(&["get", "configmap", INSTALLATION, "-n", SYSTEM, "-o", &path]).unwrap_or_default()
}

/// The order of docs/install.md.
fn remove_the_rest(world: &World) {
    let limit = limit();
    if world.try_kubectl(&["get", "rooms", "-A", "-o", "name"]).is_ok_and(|rooms| !rooms.is_empty()) {
        let none_ahead = ["wait", "rooms", "--all", "-A", "--for=jsonpath={.status.staysAhead}=0", &limit];
        // Of a Room that no operator ever saw nothing is known, and nothing is there.
        let _ = world.try_kubectl(&none_ahead);
        world.show(&["delete", "rooms", "--all", "-A", &limit]);
    }
    if world.try_kubectl(&["get", "roomcalendars", "-A", "-o", "name"]).is_ok_and(|left| !left.is_empty()) {
        world.kubectl(&["wait", "roomcalendars", "--all", "-A", "--for=delete", &limit]);
    }
    world.kubectl(&["delete", "namespace", "-l", OURS, "--ignore-not-found", &limit]);
    let overlay = ["delete", "-k", left_by(world), "--ignore-not-found", &limit];
    let workloads = ["-l", "app.kubernetes.io/component notin (api,namespace)"];
    world.show(&[&overlay[..], &workloads].concat());
    world.show(&["delete", "-k", "crds", "--ignore-not-found", &limit]);
    let claims = world.try_kubectl(&["-n", SYSTEM, "get", "pvc", "-o", "name"]).unwrap_or_default();
    say!("  left in {SYSTEM}: {}", claims.replace('\n', ", "));
    world.kubectl(&["delete", "namespace", SYSTEM, "innkeeper-contacts", "--ignore-not-found", &limit]);
    world.uninstalled();
}
