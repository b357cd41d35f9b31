//! Many guests at once: on one Room, the same on 1,000 Rooms, and a bare client that does the same writes.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use innkeeper_api::Reservation;
use kube::Api;

use crate::bare::{self, Writes};
use crate::bed::{Bed, Hotel, wish};
use crate::load::{AT_ONCE, all_are_confirmed, book};
use crate::process::cpu_seconds;
use crate::program::Program;
use crate::report::{Aim, Report, median};
use crate::server::{Counts, quiet};
use crate::watching::Watching;
use crate::{Result, say};

const PART: &str = "throughput";
const ROOMS: usize = 1_000;

/// Where guests ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    OneRoom,
    ManyRooms,
}

/// What one load came to.
struct Load {
    rate: f64,
    /// Of the bare client's rate just before and just after.
    share: f64,
    counts: Counts,
    operator: f64,
    apiserver: f64,
    etcd: f64,
    provider: f64,
}

struct Ground<'a> {
    hotel: Hotel<'a>,
    operator: Program,
    contenders: usize,
    booked: usize,
    loads: usize,
}

/// Rounds of all three, in turn.
pub async fn run(bed: &Bed, contenders: usize, rounds: usize, report: &mut Report) -> Result<()> {
    let hotel = bed.hotel("many");
    let operator = hotel.operator().await?;
    let mut ground = Ground { hotel, operator, contenders, booked: 0, loads: 0 };
    let writes = ground.prepare().await?;
    let apart = bed.hotel("bare").reservations();
    let (mut rates, mut hot, mut many) = (Vec::new(), Vec::new(), Vec::new());
    let mut bare_cpu = Vec::new();
    for round in 0..rounds {
        // Before and after each load, so that a machine that others use too slows both.
        let (first, cpu) = bare_rate(bed, &apart, contenders, &format!("{round}-a"), &writes).await?;
        hot.push(ground.load(On::OneRoom, true).await?);
        let (second, _) = bare_rate(bed, &apart, contenders, &format!("{round}-b"), &writes).await?;
        many.push(ground.load(On::ManyRooms, true).await?);
        let (third, _) = bare_rate(bed, &apart, contenders, &format!("{round}-c"), &writes).await?;
        hot[round].share = hot[round].rate / first.midpoint(second);
        many[round].share = many[round].rate / second.midpoint(third);
        rates.extend([first, second, third]);
        bare_cpu.push(cpu);
        let (h, m) = (hot[round].rate, many[round].rate);
        say(&format!(
            "  round {round}: one Room {h:.0}/s, {ROOMS} Rooms {m:.0}/s, a bare client {first:.0}, {second:.0} and {third:.0}/s"
        ));
    }
    let plain = ground.load(On::OneRoom, false).await?;
    all_are_confirmed(&ground.hotel.reservations(), ground.booked).await?;

    let each = |count: i64| count as f64 / contenders as f64;
    let middle =
        |loads: &[Load], of: &dyn Fn(&Load) -> f64| median(&loads.iter().map(of).collect::<Vec<_>>());
    let share = |loads: &[Load]| middle(loads, &|load| load.share);
    let of_many = hot.iter().zip(&many).map(|(h, m)| h.rate / m.rate).collect::<Vec<_>>();
    let mut add = |what: &str, value: f64, aim: Aim| report.figure(PART, what, value, aim);
    add(
        "revisions, one hot Room, born with the finalizer",
        middle(&hot, &|l| each(l.counts.revisions())),
        Aim::AtMost(3.1),
    );
    add("revisions, one hot Room, not born with it", each(plain.counts.revisions()), Aim::AtMost(4.1));
    add(
        "revisions, 1,000 Rooms, born with the finalizer",
        middle(&many, &|l| each(l.counts.revisions())),
        Aim::None,
    );
    let all = || hot.iter().chain(&many).chain([&plain]);
    let worst = |of: &dyn Fn(&Counts) -> i64| all().map(|l| each(of(&l.counts))).fold(0.0, f64::max);
    add("conflicts a Reservation, the worst load", worst(&|c| c.conflicts), Aim::AtMost(0.01));
    add("no-op writes a Reservation, the worst load", worst(&Counts::no_ops), Aim::AtMost(0.0));
    add("confirmed a second, one hot Room, share of R", share(&hot), Aim::AtLeast(0.85));
    add("confirmed a second, 1,000 Rooms, share of R", share(&many), Aim::None);
    add("one hot Room, share of 1,000 Rooms", median(&of_many), Aim::AtLeast(0.9));
    add(
        "operator's CPU, share of the API server's, one hot Room",
        middle(&hot, &|l| l.operator / l.apiserver),
        Aim::AtMost(0.15),
    );
    add(
        "operator's CPU, share of the API server's, 1,000 Rooms",
        middle(&many, &|l| l.operator / l.apiserver),
        Aim::AtMost(0.15),
    );
    let rate = |loads: &[Load]| middle(loads, &|l| l.rate);
    report.note(format!(
        "throughput, {contenders} guests, {AT_ONCE} at once, median of {rounds} rounds: R {:.0}/s, one Room {:.0}/s, {ROOMS} Rooms {:.0}/s",
        median(&rates), rate(&hot), rate(&many),
    ));
    report.note(format!("a bare client: CPU ms a booking: API server {:.2}", median(&bare_cpu)));
    for (what, loads) in [("one Room", &hot), ("1,000 Rooms", &many)] {
        let cpu = |of: &dyn Fn(&Load) -> f64| middle(loads, of) * 1000.0 / contenders as f64;
        report.note(format!(
            "{what}: CPU ms a booking: operator {:.2}, API server {:.2}, etcd {:.2}, provider {:.2}; writes: {}",
            cpu(&|l| l.operator), cpu(&|l| l.apiserver), cpu(&|l| l.etcd), cpu(&|l| l.provider),
            loads[0].counts.by_resource(contenders),
        ));
    }
    ground.operator.ends().await
}

/// A bare client's rate, and the API server's processor time for one of its bookings, in milliseconds.
async fn bare_rate(
    bed: &Bed,
    apart: &Api<Reservation>,
    count: usize,
    name: &str,
    writes: &Writes,
) -> Result<(f64, f64)> {
    quiet(&bed.client).await?;
    let apiserver = bed.pid("kube-apiserver")?;
    let before = cpu_seconds(apiserver)?;
    let took = bare::run(apart, count, &format!("bare-{name}"), writes).await?;
    Ok((rate(count, took), (cpu_seconds(apiserver)? - before) * 1000.0 / count as f64))
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

impl Ground<'_> {
    /// Makes the Rooms, each with its month's calendar, as it is for all but the first booking of a month.
    async fn prepare(&mut self) -> Result<Writes> {
        say(&format!("  making {ROOMS} Rooms with a calendar each"));
        let hotel = &self.hotel;
        stream::iter(0..ROOMS)
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE, |n| async move { hotel.room(&format!("room-{n}")).await })
            .await?;
        let wishes = (0..ROOMS).map(|n| wish(&format!("warm-{n}"), &format!("room-{n}"), n, true)).collect();
        let reservations = hotel.reservations();
        book(&reservations, &self.operator, wishes).await?;
        // One more, seen by a watch, to learn what the operator writes.
        let mut watching = Watching::start(&reservations).await?;
        let sample = watching.book(&reservations, &wish("sample", "room-0", 0, true)).await?;
        self.booked = ROOMS + 1;
        sample.writes()
    }

    async fn load(&mut self, on: On, born: bool) -> Result<Load> {
        let (bed, reservations) = (self.hotel.bed, self.hotel.reservations());
        self.loads += 1;
        let load = self.loads;
        let hot = format!("hot-{load}");
        if on == On::OneRoom {
            self.hotel.room(&hot).await?;
            book(&reservations, &self.operator, vec![wish(&format!("{hot}-warm"), &hot, 0, true)]).await?;
            self.booked += 1;
        }
        let wishes = (0..self.contenders)
            .map(|n| {
                let room = if on == On::OneRoom { hot.clone() } else { format!("room-{}", n % ROOMS) };
                wish(&format!("load-{load}-{n}"), &room, n, born)
            })
            .collect();
        quiet(&bed.client).await?;
        let before = bed.counts().await?;
        let pids = [self.operator.pid, bed.pid("kube-apiserver")?, bed.pid("etcd")?, bed.provider.pid];
        let cpu = || pids.iter().map(|pid| cpu_seconds(*pid)).collect::<Result<Vec<f64>>>();
        let begun = cpu()?;
        let took = book(&reservations, &self.operator, wishes).await?;
        let used: Vec<f64> = cpu()?.iter().zip(&begun).map(|(now, before)| now - before).collect();
        self.booked += self.contenders;
        quiet(&bed.client).await?;
        let counts = bed.counts().await?.since(&before);
        let [operator, apiserver, etcd, provider] = used[..] else {
            return Err("a process is missing".into());
        };
        Ok(Load {
            rate: rate(self.contenders, took),
            share: f64::NAN,
            counts,
            operator,
            apiserver,
            etcd,
            provider,
        })
    }
}
