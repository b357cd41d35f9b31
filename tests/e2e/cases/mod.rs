//! The cases, in their order.

mod access;
mod configuring;
mod door;
mod events;
mod failover;
mod guests;
mod install;
mod page;
mod probes;
mod rollout;
mod scaling;
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
    /// What it needs besides the cluster.
    pub needs: Needs,
    /// For which of the demands it gives evidence.
    pub shows: &'static [&'static str],
    /// Plays it; panics if it is not so.
    pub run: fn(&World) -> Playing<'_>,
}

/// What a case needs besides the cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A shell on the node.
    Node,
    /// The metrics of pods, such as metrics-server gives them: autoscalers look at them.
    Metrics,
    /// Java, Kafka's jars, and an address at which pods reach this machine.
    Kafka,
}

type Playing<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! case {
    ($name:literal, $what:literal, $run:path $(, shows $($demand:literal)+)?) => {
        case!(@ $name, $what, $run, Nothing $(, $($demand)+)?)
    };
    ($name:literal, $what:literal, $run:path, on the node $(, shows $($demand:literal)+)?) => {
        case!(@ $name, $what, $run, Node $(, $($demand)+)?)
    };
    ($name:literal, $what:literal, $run:path, with metrics $(, shows $($demand:literal)+)?) => {
        case!(@ $name, $what, $run, Metrics $(, $($demand)+)?)
    };
    ($name:literal, $what:literal, $run:path, with kafka $(, shows $($demand:literal)+)?) => {
        case!(@ $name, $what, $run, Kafka $(, $($demand)+)?)
    };
    (@ $name:literal, $what:literal, $run:path, $needs:ident $(, $($demand:literal)+)?) => {
        Case {
            name: $name,
            what: $what,
            needs: Needs::$needs,
            shows: &[$($($demand),+)?],
            run: |world| Box::pin($run(world)),
        }
    };
}

/// All of them.
pub const ALL: &[Case] = &[
    case!("install", "one line, and everything is ready", install::one_line, shows "S7" "S8"),
    case!("booked", "story 1, with kubectl on the files of examples/", stories::booked),
    case!("cancelled", "story 2", stories::cancelled),
    case!("rolled_back", "story 3", stories::rolled_back),
    case!("door_booked", "story 1 by HTTP, through the gateway's port on the node", door::booked, shows "S1"),
    case!("door_cancelled", "story 2 by HTTP", door::cancelled, shows "S2"),
    case!("door_rolled_back", "story 3 by HTTP: a race for the last suite", door::rolled_back, shows "S3"),
    case!("door_signs_in", "a guest signs in at that port, and books for themselves", guests::sign_in),
    case!("door_is_the_only_one", "nothing but the gateway is reached from outside", door::the_only_one, shows "S5"),
    case!("my_page", "reading is apart from writing", page::apart, shows "S4"),
    case!("pods_are_restricted", "Pod Security, and what the running processes may do", security::pods),
    case!("processes_are_restricted", "the same, seen from the node", security::processes, on the node),
    case!("access", "who may do what, by impersonation", access::matrix),
    case!("configuring", "a changed ConfigMap reaches running pods", configuring::live),
    case!("configuring_badly", "an invalid ConfigMap is refused", configuring::refused),
    case!("configuring_the_door", "a changed ConfigMap reaches running gateways", configuring::the_door, shows "S10"),
    case!("volume_pod_deleted", "the ledger outlives its pod, amid a burst of charges", volume::pod_deleted),
    case!("volume_killed", "the ledger outlives kill -9, amid a burst of charges", volume::killed, on the node),
    case!("readiness", "not ready before draining, and out of its Service", probes::draining),
    case!("wedged", "a process that stands still is restarted", probes::wedged, on the node),
    case!("rollout_restart", "kubectl rollout restart under a stream of bookings", rollout::restart),
    case!("upgrade", "another image tag under a stream of bookings", rollout::upgrade),
    case!("leader_deleted", "kubectl delete pod of the leader under a stream of bookings", failover::deleted),
    case!("leader_killed", "kill -9 of the leader under a stream of bookings", failover::killed, on the node),
    case!("door_scales", "a rush adds gateways, its end removes them, no request fails", scaling::by_load, with metrics, shows "S9"),
    case!("door_rollout", "a rollout of the gateway under load fails no request", scaling::rollout, shows "S12"),
    case!("door_pod_deleted", "nor does the end of one of its pods", scaling::deleted),
    case!("door_killed", "kill -9 of a gateway: who asks again is served, once", scaling::killed, on the node),
    case!("door_evicted", "the disruption budget holds an eviction", scaling::evicted),
    case!("events", "every step is an event: Kafka has it, and the hotel is told", events::told, with kafka, shows "S6" "S11"),
    case!("uninstall", "Reservations first; nothing hangs, no money is lost", uninstall::in_order),
];
