//! A bare client that does the writes of a booking and nothing else: the most that any operator could reach here.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use innkeeper_api::Reservation;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::Result;
use crate::bed::wish;
use crate::load::AT_ONCE;

/// The two statuses that the operator writes, taken from a booking of this run.
#[derive(Clone)]
pub struct Writes {
    /// With the intent.
    pub intent: Value,
    /// With the outcome.
    pub outcome: Value,
}

/// Creates so many Reservations in a namespace that no operator watches, and patches the status of each twice, with as
/// many at once as the operator has workers and with the same bodies: how long that took.
pub async fn run(
    reservations: &Api<Reservation>,
    count: usize,
    name: &str,
    writes: &Writes,
) -> Result<Duration> {
    let begun = Instant::now();
    stream::iter(0..count)
        .map(Ok::<usize, kube::Error>)
        .try_for_each_concurrent(AT_ONCE, |number| async move {
            let wish = wish(&format!("{name}-{number}"), "double", number, true);
            let made = reservations.create(&PostParams::default(), &wish).await?;
            let accepted = patch(reservations, &made, &writes.intent).await?;
            patch(reservations, &accepted, &writes.outcome).await.map(|_| ())
        })
        .await?;
    Ok(begun.elapsed())
}

/// Patches a status as the operator does: with the version that it was decided on.
pub async fn patch(
    reservations: &Api<Reservation>,
    object: &Reservation,
    status: &Value,
) -> kube::Result<Reservation> {
    let patch = json!({
        "metadata": { "resourceVersion": object.resource_version(), "uid": object.uid() },
        "status": status,
    });
    let params = PatchParams {
        field_manager: Some(innkeeper_api::OPERATOR_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    reservations.patch_status(&object.name_any(), &params, &Patch::Merge(patch)).await
}
