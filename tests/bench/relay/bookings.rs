//! Many guests at once on one hot Room, in turns with a relay that publishes what happens and with none.

use innkeeper_api::RELAY_FINALIZER;
use innkeeper_testbed::kafka::Broker;

use super::ground::relay;
use crate::bed::{Bed, wish};
use crate::load::{all_are_confirmed, book};
use crate::report::{Aim, Report, median};
use crate::server::quiet;
use crate::{Result, say};

/// What came of one load.
struct Load {
    rate: f64,
    revisions: f64,
    writes: String,
}

/// Books, with the relay and without.
pub async fn run(
    bed: &Bed,
    broker: &Broker,
    contenders: usize,
    rounds: usize,
    report: &mut Report,
) -> Result<()> {
    say("  bookings with the relay, and with it down");
    let mut hotel = bed.hotel("booked");
    hotel.extra_finalizers = vec![RELAY_FINALIZER];
    let operator = hotel.operator().await?;
    let reservations = hotel.reservations();
    let (mut up, mut down, mut booked) = (Vec::new(), Vec::new(), 0);
    let mut missed = 0.0;
    for turn in 0..rounds * 2 {
        // Who goes first changes from round to round.
        let running = (turn % 2 == 0) == (turn / 2 % 2 == 0);
        let sender = if running {
            let sender = relay(bed, &broker.address(), &hotel.namespace, &hotel.namespace, "booked").await?;
            sender.is_ready().await?;
            Some(sender)
        } else {
            None
        };
        let room = format!("hot-{turn}");
        hotel.room(&room).await?;
        let one = |n: usize| {
            let mut wish = wish(&format!("{room}-{n}"), &room, n, true);
            wish.metadata.finalizers.get_or_insert_default().push(RELAY_FINALIZER.to_owned());
            wish
        };
        book(&reservations, &operator, vec![one(contenders)]).await?;
        quiet(&bed.client).await?;
        let before = bed.counts().await?;
        let took = book(&reservations, &operator, (0..contenders).map(one).collect()).await?;
        booked += contenders + 1;
        quiet(&bed.client).await?;
        let counts = bed.counts().await?.since(&before);
        let load = Load {
            rate: contenders as f64 / took.as_secs_f64(),
            revisions: counts.revisions() as f64 / contenders as f64,
            writes: counts.by_resource(contenders),
        };
        match sender {
            Some(sender) => {
                missed += sender.published().await?;
                sender.ends().await?;
                up.push(load);
            }
            None => down.push(load),
        }
    }
    all_are_confirmed(&reservations, booked).await?;
    // What happened while it was down is told when it is back.
    let sender = relay(bed, &broker.address(), &hotel.namespace, &hotel.namespace, "booked").await?;
    super::all_out(&sender, booked * 3 - usize_of(missed)).await?;
    sender.ends().await?;
    operator.ends().await?;
    let middle =
        |loads: &[Load], of: &dyn Fn(&Load) -> f64| median(&loads.iter().map(of).collect::<Vec<_>>());
    report.figure(
        "bookings",
        "etcd revisions a booking, relay down",
        middle(&down, &|l| l.revisions),
        Aim::AtMost(3.1),
    );
    report.figure("bookings", "the same, relay running", middle(&up, &|l| l.revisions), Aim::AtMost(3.1));
    let (with, without) = (middle(&up, &|l| l.rate), middle(&down, &|l| l.rate));
    report.figure(
        "bookings",
        "confirmed a second, relay down, as a share of with it running",
        without / with,
        Aim::AtLeast(0.95),
    );
    report.note(format!(
        "bookings, {contenders} guests on one hot Room, median of {rounds} turns each: relay running {with:.0}/s, down {without:.0}/s; writes: relay running {}, down {}",
        up.first().map_or("", |load| &load.writes),
        down.first().map_or("", |load| &load.writes),
    ));
    Ok(())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn usize_of(count: f64) -> usize {
    count as usize
}
