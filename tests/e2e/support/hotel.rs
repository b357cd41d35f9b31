//! A hotel of one case's own: a namespace with Rooms in it.

use std::time::{Duration, Instant};

use innkeeper_api::{Guests, Payment, Reason, Reservation, ReservationSpec, Room, WantedState};
use innkeeper_checker::claimed;
use jiff::civil::Date;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::{OURS, PATIENCE, World};

/// What a unit costs for a night, in minor units.
pub const NIGHTLY: i64 = 12_000;

/// A namespace that is a hotel.
#[derive(Clone)]
pub struct Hotel {
    /// Its name.
    pub namespace: String,
    /// Its Reservations.
    pub reservations: Api<Reservation>,
    /// Its Rooms.
    pub rooms: Api<Room>,
}

impl Hotel {
    /// Opens one. Its name is another one each time: the provider remembers those of earlier runs.
    pub fn open(world: &World, name: &str) -> Self {
        let namespace = format!("e2e-{name}-{}", jiff::Timestamp::now().as_second() % 1_000_000);
        world.kubectl(&["create", "namespace", &namespace]);
        world.kubectl(&["label", "namespace", &namespace, OURS]);
        Self {
            reservations: Api::namespaced(world.client.clone(), &namespace),
            rooms: Api::namespaced(world.client.clone(), &namespace),
            namespace,
        }
    }

    /// Reservations first, then the rest.
    pub fn forget(world: &World, namespace: &str) {
        if world.try_kubectl(&["get", "namespace", namespace]).is_ok() {
            let limit = format!("--timeout={}s", PATIENCE.as_secs());
            let _ = world.try_kubectl(&["-n", namespace, "delete", "reservations", "--all", &limit]);
            world.kubectl(&["delete", "namespace", namespace, &limit]);
        }
    }

    /// Gives everybody their money back, without waiting for it.
    pub fn close(&self, world: &World) {
        world.kubectl(&["-n", &self.namespace, "delete", "reservations", "--all", "--wait=false"]);
    }

    /// Declares a Room.
    pub async fn room(&self, name: &str, units: u32) {
        let spec = serde_json::from_value(json!({
            "units": units,
            "rate": { "currency": "EUR", "minorUnits": NIGHTLY },
            "timeZone": "Europe/Lisbon",
        }));
        self.rooms.create(&PostParams::default(), &Room::new(name, spec.unwrap())).await.unwrap();
    }

    /// Asks for a stay.
    pub async fn reserve(
        &self,
        name: &str,
        room: &str,
        (from, to): (Date, Date),
        card: &str,
    ) -> Result<Reservation, kube::Error> {
        let spec = ReservationSpec {
            room_name: room.to_owned(),
            check_in: from,
            check_out: to,
            units: 1,
            guest_id: "g-1".to_owned(),
            guests: Guests::default(),
            payment: Payment {
                collect: innkeeper_api::Collect::Online,
                method: Some(card.to_owned()),
                reference: None,
            },
            max_total: None,
            state: None,
            ttl_after_finished: None,
        };
        self.reservations.create(&PostParams::default(), &Reservation::new(name, spec)).await
    }

    /// Sets `state: Cancelled`.
    pub async fn cancel(&self, name: &str) -> Result<Reservation, kube::Error> {
        let patch = Patch::Merge(json!({ "spec": { "state": WantedState::Cancelled } }));
        self.reservations.patch(name, &PatchParams::default(), &patch).await
    }

    /// Waits until every Reservation has come to an end, and gives them.
    pub async fn all_settled(&self) -> Vec<Reservation> {
        let begun = Instant::now();
        loop {
            let all = self.reservations.list(&ListParams::default()).await.unwrap().items;
            let waiting: Vec<_> = all.iter().filter(|r| claimed(r).is_none() || !is_seen(r)).collect();
            if waiting.is_empty() {
                return all;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{} of {} are not settled, such as {:#?}",
                waiting.len(),
                all.len(),
                waiting[0]
            );
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Waits until one has come to this end.
    pub async fn settled(&self, name: &str, reason: &Reason) -> Reservation {
        super::until(&format!("{name} is {reason:?}"), async || {
            let found = self.reservations.get(name).await.map_err(|e| e.to_string())?;
            if claimed(&found).as_ref() == Some(reason) {
                Ok(found)
            } else {
                Err(format!("{:?}", found.status))
            }
        })
        .await
    }
}

/// Whether the status is about the spec as it is now.
fn is_seen(reservation: &Reservation) -> bool {
    reservation.status.as_ref().map(|s| s.observed_generation) == reservation.metadata.generation
}
