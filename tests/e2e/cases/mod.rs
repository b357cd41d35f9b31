//! The cases, in their order.

mod access;
mod configuring;
mod failover;
mod install;
mod probes;
mod rollout;
mod security;
mod stories;
mod uninstall;
mod volume;

use std::pin::Pin;

use crate::support::World;

/// One case.
pub struct Case {
    /// Its name, as the command line takes it.
    pub name: &'static str,
    /// What it shows.
    pub what: &'static str,
    /// Whether it needs a shell on the node.
    pub needs_node: bool,
    /// Plays it; panics if it is not so.
    pub run: fn(&World) -> Playing<'_>,
}

type Playing<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! case {
    ($name:literal, $what:literal, $run:path) => {
        Case { name: $name, what: $what, needs_node: false, run: |world| Box::pin($run(world)) }
    };
    ($name:literal, $what:literal, $run:path, on the node) => {
        Case { name: $name, what: $what, needs_node: true, run: |world| Box::pin($run(world)) }
    };
}

/// All of them.
pub const ALL: &[Case] = &[
    case!("install", "one line, and everything is ready", install::one_line),
    case!("booked", "story 1, with kubectl on the files of examples/", stories::booked),
    case!("cancelled", "story 2", stories::cancelled),
    case!("rolled_back", "story 3", stories::rolled_back),
    case!("pods_are_restricted", "Pod Security, and what the running processes may do", security::pods),
    case!("processes_are_restricted", "the same, seen from the node", security::processes, on the node),
    case!("access", "who may do what, by impersonation", access::matrix),
    case!("configuring", "a changed ConfigMap reaches running pods", configuring::live),
    case!("configuring_badly", "an invalid ConfigMap is refused", configuring::refused),
    case!("volume_pod_deleted", "the ledger outlives its pod, amid a burst of charges", volume::pod_deleted),
    case!("volume_killed", "the ledger outlives kill -9, amid a burst of charges", volume::killed, on the node),
    case!("readiness", "not ready before draining, and out of its Service", probes::draining),
    case!("wedged", "a process that stands still is restarted", probes::wedged, on the node),
    case!("rollout_restart", "kubectl rollout restart under a stream of bookings", rollout::restart),
    case!("upgrade", "another image tag under a stream of bookings", rollout::upgrade),
    case!("leader_deleted", "kubectl delete pod of the leader under a stream of bookings", failover::deleted),
    case!("leader_killed", "kill -9 of the leader under a stream of bookings", failover::killed, on the node),
    case!("uninstall", "Reservations first; nothing hangs, no money is lost", uninstall::in_order),
];
