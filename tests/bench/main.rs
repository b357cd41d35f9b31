//! Measures the operator, the gateway, or the relay on a real API server and prints what came out, as a table and as JSON.
//! `make bench`, `make bench-gateway` and `make bench-relay` run it.
//!
//! The operator, the gateway and the payment provider are the real program, each a process of its own, so that their
//! processor time and memory are the kernel's own figures. Times are only ever compared with times of the same run: the rate of a bare
//! client, a PATCH, a raw list-watch, the API server's processor time. What can be counted is counted.
#![allow(clippy::cast_precision_loss, reason = "counts and times, far below what a float holds exactly")]

mod bare;
mod bed;
mod gateway;
mod load;
mod parts;
mod process;
mod program;
mod relay;
mod report;
mod server;
mod watching;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use bed::Bed;
use report::Report;

/// What may go wrong here only ever ends a part, with its words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures Innkeeper's operator, its gateway, or its relay, on an API server of its own
#[derive(Parser, Debug)]
#[command(name = "bench")]
struct Args {
    /// The innkeeper to measure, built as it is shipped
    #[arg(long, value_name = "FILE")]
    innkeeper: PathBuf,
    /// Where the JSON goes
    #[arg(long, value_name = "FILE")]
    json: PathBuf,
    /// The gateway, not the operator
    #[arg(long, conflicts_with = "only")]
    gateway: bool,
    /// The relay and the archive, not the operator
    #[arg(long, conflicts_with_all = ["only", "gateway"], requires = "kafka")]
    relay: bool,
    /// The folder with Kafka's jars, for the relay
    #[arg(long, value_name = "FOLDER")]
    kafka: Option<PathBuf>,
    /// Facts that the relay has missed
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    facts: usize,
    /// Stays in the archive
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    stays: usize,
    /// Reservations that the gateway knows at first
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    few: usize,
    /// Reservations that the gateway knows in the end, and the relay
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    many: usize,
    /// Only these parts
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// A tenth of everything, to see whether it runs
    #[arg(long)]
    quick: bool,
    /// Reservations that memory and the restart are measured with
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    reservations: usize,
    /// Guests who ask at the same time, on one Room and on 1,000
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    contenders: usize,
    /// Bookings one at a time, for the latency
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    samples: usize,
    /// How often the bare client, the hot Room and the many Rooms take turns
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    rounds: usize,
}

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Revisions of one booking alone.
    Cost,
    /// Create to confirmed, one at a time, against a PATCH.
    Latency,
    /// Many at once: on one Room, on 1,000, and by a bare client.
    Throughput,
    /// Resident memory, and a restart with everything there.
    Memory,
}

impl Args {
    fn scaled(mut self) -> Self {
        if self.quick {
            for number in [&mut self.reservations, &mut self.contenders, &mut self.samples] {
                *number = (*number / 10).max(10);
            }
            for number in [&mut self.few, &mut self.many, &mut self.facts, &mut self.stays] {
                *number = (*number / 10).max(100);
            }
            self.rounds = 1;
        }
        self
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse().scaled();
    match run(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every part could be measured.
async fn run(args: &Args) -> Result<bool> {
    say("starting etcd, kube-apiserver and the payment provider");
    let bed = Bed::open(&args.innkeeper).await?;
    let mut report = Report::new(bed.version().await?);
    if args.gateway {
        say("the gateway");
        let sizes = gateway::Sizes { few: args.few, many: args.many, changes: args.samples };
        if let Err(error) = gateway::run(&bed, sizes, &mut report).await {
            say(&format!("FAILED: {error}"));
            report.failed("gateway", &error.to_string());
        }
    }
    if let Some(kafka) = args.kafka.clone().filter(|_| args.relay) {
        say("the relay");
        let (changes, contenders) = (args.samples, args.contenders);
        let (facts, many, stays, rounds) = (args.facts, args.many, args.stays, args.rounds);
        let sizes = relay::Sizes { facts, many, stays, changes, contenders, rounds, kafka };
        relay::run(&bed, sizes, &mut report).await;
    }
    let parts: &[Part] = if args.gateway || args.relay { &[] } else { Part::value_variants() };
    for part in parts.iter().copied().filter(|part| args.wants(*part)) {
        say(&format!("{part:?}"));
        let outcome = match part {
            Part::Cost => parts::cost::run(&bed, &mut report).await,
            Part::Latency => parts::latency::run(&bed, args.samples, &mut report).await,
            Part::Throughput => parts::throughput::run(&bed, args.contenders, args.rounds, &mut report).await,
            Part::Memory => parts::memory::run(&bed, args.reservations, &mut report).await,
        };
        if let Err(error) = outcome {
            say(&format!("{part:?} FAILED: {error}"));
            report.failed(&format!("{part:?}"), &error.to_string());
        }
    }
    report.ends();
    std::fs::write(&args.json, format!("{:#}\n", report.json()))
        .map_err(|error| format!("cannot write {}: {error}", args.json.display()))?;
    println!("{}", report.table());
    println!("JSON: {}", args.json.display());
    bed.close();
    Ok(report.is_whole())
}

/// A line of progress. Not on standard output, where the table goes.
fn say(what: &str) {
    eprintln!("bench: {what}");
}
