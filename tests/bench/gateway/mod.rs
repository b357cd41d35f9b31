//! The guests' door: how fast it answers, how old what it answers is, and how much memory that takes; against what the
//! API server would take for the same question.

mod ground;
mod load;
mod stale;
mod wire;

use std::time::{Duration, Instant};

use crate::bed::Bed;
use crate::process::{cpu_seconds, peak, resident, run_on};
use crate::report::{Aim, Report, median, quantile};
use crate::{Result, say};
use ground::{Ground, Pages};
use load::{closed, open};
use wire::Wire;

const PART: &str = "gateway";
const MB: f64 = 1_000_000.0;
/// Connections that ask one request after the other.
const CONNECTIONS: usize = 16;
/// Connections that an open loop may use; as many requests may wait for their answers.
const OPEN_CONNECTIONS: usize = 4096;
/// Long enough that a tick of processor time (a hundredth of a second) is no part of it that counts.
const A_WHILE: Duration = Duration::from_secs(8);

/// What is measured with.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Reservations at first.
    pub few: usize,
    /// Reservations in the end.
    pub many: usize,
    /// Changes that are waited for, one after the other.
    pub changes: usize,
}

/// Measures everything, with few Reservations and with many.
pub async fn run(bed: &Bed, sizes: Sizes, report: &mut Report) -> Result<()> {
    let mut ground = Ground::make(bed).await?;
    let gateway = ground.gateway().await?;
    let empty = resident(gateway.program.pid)?;
    report.figure("memory", "resident with no Reservation, MB", empty / MB, Aim::None);
    gateway.program.ends().await?;
    for (count, deep) in [(sizes.few, true), (sizes.many, false)] {
        say(&format!("  storing {count} Reservations"));
        let begun = Instant::now();
        ground.fill(count).await?;
        say(&format!("  stored and listed after {:.0} s", begun.elapsed().as_secs_f64()));
        let begun = Instant::now();
        let gateway = ground.gateway().await?;
        let ready = begun.elapsed();
        let (now, most) = (resident(gateway.program.pid)?, peak(gateway.program.pid)?);
        report.figure("memory", &format!("resident with {count}, MB"), now / MB, Aim::None);
        report.figure("memory", &format!("the most during its start with {count}, MB"), most / MB, Aim::None);
        let each = (now - empty) / count as f64;
        report.figure("memory", &format!("for each of {count}, bytes"), each, Aim::AtMost(1000.0));
        report
            .note(format!("with {count} the gateway was ready {:.1} s after its start", ready.as_secs_f64()));
        against_lists(bed, &ground, &gateway, count, report).await?;
        if deep {
            under_load(&gateway, &ground, report).await?;
            stale::run(bed, &ground, &gateway, sizes.changes, report).await?;
        }
        gateway.program.ends().await?;
    }
    Ok(())
}

/// Pages a second and core, and lists by label through the API server a second and core.
async fn against_lists(
    bed: &Bed,
    ground: &Ground<'_>,
    gateway: &ground::Door,
    count: usize,
    report: &mut Report,
) -> Result<()> {
    let apiserver = bed.pid("kube-apiserver")?;
    let mut lists = Vec::new();
    // What the API server does anyway, with its Leases and its watches, is not a list's. Once, and when it has come to
    // rest: what it still does for the lists before is no part of that.
    tokio::time::sleep(A_WHILE).await;
    let idle = (cpu_seconds(apiserver)?, Instant::now());
    tokio::time::sleep(A_WHILE).await;
    let idle = (cpu_seconds(apiserver)? - idle.0) / idle.1.elapsed().as_secs_f64();
    for (what, any_version) in [("of the newest", false), ("of any version", true)] {
        let (before, begun) = (cpu_seconds(apiserver)?, Instant::now());
        let (done, times) = ground.lists(any_version, A_WHILE).await?;
        let used = cpu_seconds(apiserver)? - before - idle * begun.elapsed().as_secs_f64();
        let rate = done as f64 / used;
        report.figure(
            PART,
            &format!("lists by label {what}, {count} stored, a second and core"),
            rate,
            Aim::None,
        );
        report.note(format!("such a list took {:.1} ms (p50)", median(&times) * 1000.0));
        lists.push(rate);
    }
    let list = lists.iter().copied().fold(0.0, f64::max);
    for (what, pages) in [("My Page", Pages::Mine), ("search", Pages::Search)] {
        let requests = ground.pages_requested().await?;
        let before = cpu_seconds(gateway.program.pid)?;
        let told = closed(&gateway.url, CONNECTIONS, A_WHILE, |n| ground.page(pages, n)).await?;
        let used = cpu_seconds(gateway.program.pid)? - before;
        let asked = ground.pages_requested().await?.since(&requests);
        let rate = told.answered as f64 / used;
        report.figure(PART, &format!("{what}, {count} known, a second and core"), rate, Aim::None);
        let ratio = rate / list;
        report.figure(PART, &format!("{what}, {count} known, in lists by label"), ratio, Aim::AtLeast(500.0));
        let each = asked.reads as f64 / told.answered as f64;
        report.figure(PART, &format!("API server requests for each {what}"), each, Aim::AtMost(0.0));
        report.note(format!(
            "{what}, {count} known: {} answers of {:.1} kB on {CONNECTIONS} connections, {:.0} a second, p50 {:.2} ms, p99 {:.2} ms; meanwhile {} watches were begun anew",
            told.answered,
            told.bytes as f64 / told.answered as f64 / 1000.0,
            told.rate(),
            quantile(&told.times, 0.5) * 1000.0,
            quantile(&told.times, 0.99) * 1000.0,
            asked.watches,
        ));
        if told.answered < told.sent {
            return Err(format!(
                "{} of {} pages were not answered with 200",
                told.sent - told.answered,
                told.sent
            )
            .into());
        }
    }
    Ok(())
}

/// How long an answer takes when half as many ask as can be answered, and when twice as many do. The gateway has a core,
/// and who asks has the others: where they share them, twice as many cannot even ask.
async fn under_load(gateway: &ground::Door, ground: &Ground<'_>, report: &mut Report) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let apart = cores > 1 && run_on(gateway.program.pid, &(0..1)) && run_on(std::process::id(), &(1..cores));
    let how =
        if apart { "the gateway has one core, and who asks has the others" } else { "they share the cores" };
    report.note(format!("under load {how}"));
    let done = loads(gateway, ground, report).await;
    // Also where only one of the two could be set.
    for pid in [gateway.program.pid, std::process::id()] {
        run_on(pid, &(0..cores));
    }
    done
}

async fn loads(gateway: &ground::Door, ground: &Ground<'_>, report: &mut Report) -> Result<()> {
    let capacity = closed(&gateway.url, CONNECTIONS, A_WHILE, |n| ground.mixed(n)).await?.rate();
    report.note(format!("capacity, My Page and search in turns: {capacity:.0} a second"));
    for (what, share) in [("half of", 0.5), ("twice", 2.0)] {
        let told =
            open(&gateway.url, OPEN_CONNECTIONS, A_WHILE, capacity * share, |n| ground.mixed(n)).await?;
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            let value = quantile(&told.times, share) * 1000.0;
            report.figure("load", &format!("{name} at {what} capacity, ms"), value, Aim::None);
        }
        let due = (told.sent + told.unsent) as f64;
        for (name, count) in [
            ("answered", told.answered),
            ("turned away", told.turned_away),
            ("failed", told.failed),
            ("not sent in time", told.unsent),
        ] {
            report.figure(
                "load",
                &format!("{name} at {what} capacity, share"),
                count as f64 / due,
                Aim::None,
            );
        }
        let goodput = told.rate() / capacity;
        report.figure("load", &format!("pages a second at {what} capacity, share of it"), goodput, Aim::None);
        report.note(format!(
            "{what} capacity: {:.0} a second were due, {} sent and {} not in time, {} answered with a page, {} turned away (503 or 429), {} failed; late by the measuring itself: {:.2} ms (p99)",
            capacity * share, told.sent, told.unsent, told.answered, told.turned_away, told.failed,
            quantile(&told.late, 0.99) * 1000.0,
        ));
    }
    // It stands: afterwards it answers as before, everybody, soon.
    let (mut wire, begun) = (Wire::open(&gateway.url, 0).await?, Instant::now());
    let (mut in_a_row, mut answered_since) = (0, begun);
    while in_a_row < 100 {
        let answer = wire.ask(&ground.page(Pages::Mine, 0)).await?;
        if answer.status == 200 {
            in_a_row += 1;
        } else if begun.elapsed() < A_WHILE {
            (in_a_row, answered_since) = (0, Instant::now());
        } else {
            return Err(format!("after the load My Page was still answered with {}", answer.status).into());
        }
    }
    let calm = answered_since - begun;
    report.note(format!("after the load nobody was turned away any more after {:.1} s", calm.as_secs_f64()));
    Ok(())
}
