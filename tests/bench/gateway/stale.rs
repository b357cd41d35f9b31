//! How long after a write has been answered a page may still show what was before.

use std::time::Instant;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::ground::{Door, Ground};
use super::wire::Wire;
use crate::Result;
use crate::bed::Bed;
use crate::report::{Aim, Report, median, quantile};

/// Changes one Reservation after the other, and asks for its page again and again until it shows the change.
pub async fn run(
    bed: &Bed,
    ground: &Ground<'_>,
    gateway: &Door,
    changes: usize,
    report: &mut Report,
) -> Result<()> {
    let before = bed.counts().await?;
    let reservations = ground.reservations();
    let mut wire = Wire::open(&gateway.url, 0).await?;
    let (mut patches, mut late, mut asked) = (Vec::new(), Vec::new(), 0);
    for number in 0..changes {
        let (page, name) = ground.one(number);
        let word = format!("Probe-{number}");
        let patch = Patch::Merge(json!({ "status": { "phase": word } }));
        let params = PatchParams::default();
        let change = async {
            let begun = Instant::now();
            let written = reservations.patch_status(&name, &params, &patch).await.map(|_| ());
            written.map(|()| (begun.elapsed().as_secs_f64(), Instant::now()))
        };
        // Asked all the while, so that what is measured is not how often one asks.
        let seen = async {
            loop {
                asked += 1;
                let answer = wire.ask(&page).await?;
                let text = String::from_utf8_lossy(&answer.body);
                if text.contains(&word) {
                    return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Instant::now());
                }
            }
        };
        let (written, seen) = tokio::join!(change, seen);
        let (took, answered) = written?;
        patches.push(took);
        late.push(seen?.saturating_duration_since(answered).as_secs_f64());
    }
    let patch = median(&patches);
    let figure = |report: &mut Report, what: &str, value: f64, aim| {
        report.figure("staleness", what, value / patch, aim);
    };
    figure(report, "p50, in PATCH round trips", median(&late), Aim::None);
    figure(report, "p99, in PATCH round trips", quantile(&late, 0.99), Aim::AtMost(5.0));
    report.note(format!(
        "staleness: {changes} changes, from the answer to the PATCH to the end of the first page that shows it, {asked} pages asked for; a PATCH took {:.1} ms (p50); {} writes in all",
        patch * 1000.0,
        bed.counts().await?.since(&before).all(),
    ));
    Ok(())
}
