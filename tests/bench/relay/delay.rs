//! From the write of a status until its events are there.

use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::PostParams;

use super::ground::Ground;
use super::topic::Arrivals;
use crate::bare::patch;
use crate::bed::wish;
use crate::report::{Aim, Report, median, quantile};
use crate::{Result, say};

/// Between two changes, so that none waits behind another.
const PAUSE: Duration = Duration::from_millis(60);

/// Patches statuses as the operator does, one at a time, and waits for the events at an independent consumer, which has them
/// later than the broker's acknowledgement: what is measured is more than the time to the ack.
pub async fn run(ground: &Ground<'_>, changes: usize, report: &mut Report) -> Result<()> {
    say("  from a status to its event");
    // In a namespace that no operator watches.
    let hotel = ground.bed.hotel("delay");
    let sender = ground.relay(&hotel.namespace, "delay").await?;
    sender.is_ready().await?;
    let mut arrivals = Arrivals::of(&ground.address, "delay")?;
    let reservations = hotel.reservations();
    let (mut sent, mut answered, mut patches) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..=changes {
        let made = reservations
            .create(&PostParams::default(), &wish(&format!("guest-{number}"), "double", number, true))
            .await?;
        let uid = made.uid().unwrap_or_default();
        let mut now = made;
        for (status, facts) in [(&ground.writes.intent, 1), (&ground.writes.outcome, 2)] {
            tokio::time::sleep(PAUSE).await;
            let begun = Instant::now();
            now = patch(&reservations, &now, status).await?;
            let done = Instant::now();
            let came = arrivals.of_one(&uid, facts).await?;
            // The first pays for the topic and its group.
            if number > 0 {
                patches.push(done.duration_since(begun).as_secs_f64());
                sent.push(came.duration_since(begun).as_secs_f64());
                answered.push(came.saturating_duration_since(done).as_secs_f64());
            }
        }
    }
    sender.ends().await?;
    let patch = median(&patches);
    for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
        let value = quantile(&sent, share);
        report.figure(
            "delay",
            &format!("status sent until its events are consumed, {what}, ms"),
            value * 1000.0,
            Aim::None,
        );
        report.figure(
            "delay",
            &format!("the same, {what}, in PATCH round trips (p50)"),
            value / patch,
            Aim::None,
        );
    }
    report.note(format!(
        "delay of {} writes of a status: a PATCH was answered after {:.1} ms (p50), {:.1} ms (p99); from its answer until the events were consumed {:.1} ms (p50), {:.1} ms (p99)",
        patches.len(),
        patch * 1000.0,
        quantile(&patches, 0.99) * 1000.0,
        median(&answered) * 1000.0,
        quantile(&answered, 0.99) * 1000.0,
    ));
    Ok(())
}
