//! From create to confirmed while nothing else happens, in multiples of a PATCH measured in between.

use std::time::{Duration, Instant};

use crate::Result;
use crate::bed::{Bed, wish};
use crate::report::{Aim, Report, median, quantile};
use crate::watching::{Watching, Yardstick};

const PART: &str = "latency";

/// Long enough for what follows a booking (the Room's status) not to fall into the next one every time.
const PAUSE: Duration = Duration::from_millis(150);

/// Books one at a time.
pub async fn run(bed: &Bed, samples: usize, report: &mut Report) -> Result<()> {
    let hotel = bed.hotel("latency");
    let operator = hotel.operator().await?;
    hotel.room("double").await?;
    let reservations = hotel.reservations();
    let mut watching = Watching::start(&reservations).await?;
    let first = watching.book(&reservations, &wish("first", "double", 0, true)).await?;
    let mut yardstick = Yardstick::make(bed.hotel("yardstick").reservations(), &first.writes()?).await?;

    let (mut whole, mut patches) = (Vec::new(), Vec::new());
    let mut steps: [Vec<f64>; 4] = Default::default();
    for number in 0..samples {
        tokio::time::sleep(PAUSE).await;
        patches.push(yardstick.measure().await?);
        let name = format!("guest-{number}");
        let booking = watching.book(&reservations, &wish(&name, "double", number, true)).await?;
        let seen = |index: usize| booking.versions.get(index).map_or(booking.made, |(at, _)| *at);
        let last = seen(booking.versions.len() - 1);
        let between = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64();
        whole.push(between(booking.asked, last));
        for (step, value) in steps.iter_mut().zip([
            between(booking.asked, booking.made),
            between(booking.asked, seen(0)),
            between(seen(0), seen(1)),
            between(seen(1), last),
        ]) {
            step.push(value);
        }
    }
    let metrics = operator.metrics().await?;
    let charge = [("op", "charge")];
    let charging = metrics.sum("innkeeper_provider_call_seconds_sum", &charge)
        / metrics.sum("innkeeper_provider_call_seconds_count", &charge);
    let patch = median(&patches);
    report.figure(
        PART,
        "create to confirmed, p50, in PATCH round trips (p50)",
        median(&whole) / patch,
        Aim::AtMost(4.0),
    );
    report.figure(
        PART,
        "the same, p99, in PATCH round trips (p50)",
        quantile(&whole, 0.99) / patch,
        Aim::None,
    );
    report.figure(
        PART,
        "the same, p99, in PATCH round trips (p99)",
        quantile(&whole, 0.99) / quantile(&patches, 0.99),
        Aim::None,
    );
    report.note(format!(
        "latency, {samples} bookings, in PATCH round trips (p50 of each): the create answered {:.2}; the create seen by a \
         watch {:.2}; from there to the stored intent {:.2}; from there to the outcome {:.2}, of which the provider's \
         charge takes {:.2} (mean)",
        median(&steps[0]) / patch,
        median(&steps[1]) / patch,
        median(&steps[2]) / patch,
        median(&steps[3]) / patch,
        charging / patch,
    ));
    report.note(format!("a PATCH of a status took {:.1} ms (p50)", patch * 1000.0));
    operator.ends().await
}
