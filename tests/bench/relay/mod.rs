//! The relay and the archive: how fast events reach a broker and how late, how it catches up, how much memory it takes, what
//! an archived stay costs, and what bookings cost with the relay and without it. The broker is a real one.

mod archive;
mod bookings;
mod delay;
mod ground;
mod topic;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use innkeeper_testbed::kafka::Broker;

use crate::bed::Bed;
use crate::process::{cpu_seconds, peak, resident};
use crate::report::{Aim, Report, median};
use crate::{Result, say};
use ground::{FACTS_OF_ONE, Ground, Sender};
use topic::bare_rate;

const MB: f64 = 1_000_000.0;
/// Nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(1800);
/// How often the bare producer sends everything.
const ROUNDS: usize = 3;

/// What is measured with.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Facts that are missed.
    pub facts: usize,
    /// Reservations that memory is measured with.
    pub many: usize,
    /// Stays in the archive.
    pub stays: usize,
    /// Changes that are waited for, one after the other.
    pub changes: usize,
    /// Guests who book at the same time.
    pub contenders: usize,
    /// How often bookings are made with the relay, and without it.
    pub rounds: usize,
    /// Kafka's jars.
    pub kafka: PathBuf,
}

/// Measures everything; a part that cannot be measured takes no other with it.
pub async fn run(bed: &Bed, sizes: Sizes, report: &mut Report) {
    say("  starting a broker");
    let broker = Broker::open(sizes.kafka).await;
    let ground = match Ground::make(bed, &broker).await {
        Ok(ground) => ground,
        Err(error) => return report.failed("relay", &error.to_string()),
    };
    let outcomes = [
        ("delay", delay::run(&ground, sizes.changes, report).await),
        ("events", catching_up(&ground, sizes.facts, report).await),
        ("bookings", bookings::run(bed, &broker, sizes.contenders, sizes.rounds, report).await),
        ("memory", memory(&ground, sizes.many, report).await),
        ("archive", archive::run(&ground, sizes.stays, report).await),
    ];
    for (part, outcome) in outcomes {
        if let Err(error) = outcome {
            say(&format!("{part} FAILED: {error}"));
            report.failed(part, &error.to_string());
        }
    }
}

/// Facts that were stored while no relay ran: how long until the broker has acknowledged all of them, and how many a second
/// once it goes; against a producer that has nothing to do but send the same.
async fn catching_up(ground: &Ground<'_>, facts: usize, report: &mut Report) -> Result<()> {
    let reservations = facts.div_ceil(FACTS_OF_ONE);
    let facts = reservations * FACTS_OF_ONE;
    say(&format!("  storing {reservations} Reservations with {facts} facts"));
    let namespace = ground.fill("missed", reservations)?;
    let events = ground.events(&namespace, reservations)?;
    let bytes = events.iter().map(|(_, event)| event.len()).sum::<usize>() as f64 / events.len() as f64;
    let (mut bare, mut rates, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    let (mut spent, mut late) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bare.push(bare_rate(&ground.address, &format!("bare-{round}"), &events).await?);
        let begun = Instant::now();
        let sender = ground.relay(&namespace, &format!("missed-{round}")).await?;
        let (mut first, mut told) = (None, 0.0);
        while told < facts as f64 {
            told = sender.published().await?;
            if told > 0.0 && first.is_none() {
                first = Some((Instant::now(), told));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{told} of {facts} facts went out").into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let (since, already) = first.ok_or("nothing went out")?;
        rates.push((told - already) / since.elapsed().as_secs_f64());
        late.push(since.saturating_duration_since(begun).as_secs_f64());
        whole.push(begun.elapsed().as_secs_f64());
        spent.push(cpu_seconds(sender.pid())? * 1e6 / facts as f64);
        sender.ends().await?;
    }
    let (bare, rate, whole) = (median(&bare), median(&rates), median(&whole));
    report.figure("events", "bare producer, events a second to the broker's ack", bare, Aim::None);
    report.figure("events", "relay, the same, once the first was acknowledged", rate, Aim::None);
    report.figure("events", "relay, as a share of the bare producer", rate / bare, Aim::None);
    let what = format!("caught up with {facts} missed facts, s from the start of the process");
    report.figure("events", &what, whole, Aim::None);
    report.figure("events", "the same, events a second", facts as f64 / whole, Aim::None);
    report.note(format!(
        "catching up, median of {ROUNDS}: an event has {bytes:.0} bytes; until the first was acknowledged {:.2} s; \
         processor time of the relay {:.0} µs an event; in the bare producer's times for the same events: {:.1}",
        median(&late),
        median(&spent),
        whole * bare / facts as f64,
    ));
    Ok(())
}

/// Resident memory with many Reservations, all of them published.
async fn memory(ground: &Ground<'_>, many: usize, report: &mut Report) -> Result<()> {
    let sender = ground.relay(&ground.empty(), "nobody").await?;
    let none = resident(sender.pid())?;
    report.figure("memory", "relay, resident with no Reservation, MB", none / MB, Aim::None);
    sender.ends().await?;
    say(&format!("  storing {many} Reservations"));
    let namespace = ground.fill("many", many)?;
    let sender = ground.relay(&namespace, "many").await?;
    all_out(&sender, many * FACTS_OF_ONE).await?;
    let (now, most) = (resident(sender.pid())?, peak(sender.pid())?);
    sender.ends().await?;
    // And started again, with nothing to send.
    let begun = Instant::now();
    let sender = ground.relay_again(&namespace, "many").await?;
    sender.is_ready().await?;
    let ready = begun.elapsed().as_secs_f64();
    let again = resident(sender.pid())?;
    if sender.published().await? > 0.0 {
        return Err("after a restart something was sent again".into());
    }
    sender.ends().await?;
    report.figure("memory", &format!("relay, resident with {many}, all published, MB"), now / MB, Aim::None);
    report.figure("memory", "the most while it published them, MB", most / MB, Aim::None);
    report.figure("memory", "started again with nothing to send, MB", again / MB, Aim::None);
    report.figure(
        "memory",
        "more than with none, bytes for each Reservation",
        (now - none) / many as f64,
        Aim::None,
    );
    report.note(format!(
        "with {many} Reservations known, started again, the relay was ready after {ready:.1} s; its state had {:.0} bytes a Reservation",
        ground.state_bytes("many")? as f64 / many as f64,
    ));
    Ok(())
}

async fn all_out(sender: &Sender, facts: usize) -> Result<()> {
    let (begun, mut told) = (Instant::now(), Instant::now());
    loop {
        let published = sender.published().await?;
        if published >= facts as f64 {
            return Ok(());
        }
        if told.elapsed() > Duration::from_secs(15) {
            told = Instant::now();
            say(&format!("  {published} of {facts} facts are out"));
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{published} of {facts} facts went out").into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
