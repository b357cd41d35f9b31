//! Many guests at once, and the wait until all of them are confirmed.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use innkeeper_api::{ConditionStatus, ConditionType, Reason, Reservation};
use kube::Api;
use kube::api::{ListParams, PostParams};

use crate::program::Program;
use crate::{Result, say};

/// Requests at once: as many as the operator has workers.
pub const AT_ONCE: usize = 64;

/// Seldom enough to cost the operator next to nothing, often enough for loads that take seconds.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(900);

/// Reservations that this operator has confirmed. Fails where one has ended otherwise.
pub async fn confirmed(operator: &Program) -> Result<f64> {
    let metrics = operator.metrics().await?;
    let name = "innkeeper_reservations_settled_total";
    let (all, confirmed) = (metrics.sum(name, &[]), metrics.sum(name, &[("outcome", "confirmed")]));
    if all > confirmed {
        return Err(format!("{} Reservations ended without being confirmed", all - confirmed).into());
    }
    Ok(confirmed)
}

/// Asks for all of these at once and waits until the operator has confirmed them: how long that took.
pub async fn book(
    reservations: &Api<Reservation>,
    operator: &Program,
    wishes: Vec<Reservation>,
) -> Result<Duration> {
    let wanted = confirmed(operator).await? + wishes.len() as f64;
    let begun = Instant::now();
    let asking = stream::iter(wishes).map(Ok).try_for_each_concurrent(AT_ONCE, |wish| async move {
        reservations.create(&PostParams::default(), &wish).await.map(|_| ())
    });
    let waiting = async {
        let mut told = Instant::now();
        loop {
            let now = confirmed(operator).await?;
            if now >= wanted {
                return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(begun.elapsed());
            }
            if told.elapsed() > Duration::from_secs(15) {
                told = Instant::now();
                say(&format!("  {} still to be confirmed", wanted - now));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{} were never confirmed", wanted - now).into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let (asked, took) = tokio::join!(asking, waiting);
    asked?;
    took
}

/// Fails unless every Reservation there is says that it is confirmed, and they are as many as they should be.
pub async fn all_are_confirmed(reservations: &Api<Reservation>, wanted: usize) -> Result<()> {
    let mut params = ListParams::default().limit(500);
    let (mut all, mut confirmed) = (0, 0);
    loop {
        let page = reservations.list(&params).await?;
        all += page.items.len();
        confirmed += page.items.iter().filter(|r| is_confirmed(r)).count();
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None if all == wanted && confirmed == wanted => return Ok(()),
            None => return Err(format!("{confirmed} of {all} are confirmed, of {wanted} asked").into()),
        }
    }
}

/// Whether a Reservation says that it is confirmed.
pub fn is_confirmed(reservation: &Reservation) -> bool {
    let conditions = reservation.status.as_ref().map(|status| &status.conditions);
    conditions.is_some_and(|c| c.is(&ConditionType::Settled, ConditionStatus::True, &Reason::Confirmed))
}
