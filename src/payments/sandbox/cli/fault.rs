//! `innkeeper payments fault`: switching faults on and off.

use std::io::Write;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::{CliError, Remote};
use crate::sandbox::faults::{Fault, Kind, Match, When};

/// What to do with faults, and where.
#[derive(Args, Debug)]
pub struct FaultArgs {
    /// The running provider.
    #[command(flatten)]
    pub remote: Remote,
    /// What to do.
    #[command(subcommand)]
    pub command: FaultCommand,
}

/// What can be done with faults.
#[derive(Subcommand, Debug)]
pub enum FaultCommand {
    /// Switch a fault on for the next requests that fit
    Add(AddArgs),
    /// Show the faults that were switched on and how many requests each has met
    List,
    /// Switch one fault off, or all of them
    Clear {
        /// The fault's number; all faults if left out
        id: Option<u64>,
    },
}

/// The fault to switch on.
#[derive(Args, Debug)]
pub struct AddArgs {
    /// What happens to the requests
    #[arg(value_enum)]
    pub kind: KindName,
    /// Before or after the request takes effect
    #[arg(long, value_enum, default_value_t = Moment::Before)]
    pub when: Moment,
    /// For delay: milliseconds
    #[arg(long, default_value_t = 1000)]
    pub millis: u64,
    /// For lag: lists leave out what is younger than this many seconds
    #[arg(long, default_value_t = 60)]
    pub seconds: u32,
    /// For rate-limit: seconds in Retry-After
    #[arg(long, default_value_t = 1)]
    pub retry_after: u32,
    /// For server-error: the 500 is what repeats of the key get, too
    #[arg(long)]
    pub stored: bool,
    /// Only requests of this HTTP method
    #[arg(long)]
    pub method: Option<String>,
    /// Only this path; * stands for any id: /v1/payment_intents/*/cancel
    #[arg(long)]
    pub path: Option<String>,
    /// Only requests whose idempotency key begins like this
    #[arg(long)]
    pub key_prefix: Option<String>,
    /// Only requests about an intent with this metadata (KEY=VALUE); may be given more than once
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub metadata: Vec<(String, String)>,
    /// How many requests that fit it lets pass first
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub skip: u32,
    /// How many requests it meets
    #[arg(long, default_value_t = 1, conflicts_with = "always")]
    pub times: u32,
    /// Meet all requests that fit, until switched off
    #[arg(long)]
    pub always: bool,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KindName {
    /// Wait
    Delay,
    /// Close the connection without an answer
    Drop,
    /// Never answer
    Hang,
    /// Answer 500
    ServerError,
    /// Answer 429; nothing takes effect
    RateLimit,
    /// Answer 401; nothing takes effect
    Unauthorized,
    /// Answer 200 with a body that is not JSON
    Garbage,
    /// Lists lag behind
    Lag,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Moment {
    /// Nothing has happened yet
    Before,
    /// The effect is in the ledger
    After,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be KEY=VALUE".to_owned()),
    }
}

impl From<AddArgs> for Fault {
    fn from(args: AddArgs) -> Self {
        let when = match args.when {
            Moment::Before => When::Before,
            Moment::After => When::After,
        };
        let fault = match args.kind {
            KindName::Delay => Kind::Delay { when, millis: args.millis },
            KindName::Drop => Kind::Drop { when },
            KindName::Hang => Kind::Hang { when },
            KindName::ServerError => Kind::ServerError { when, stored: args.stored },
            KindName::RateLimit => Kind::RateLimit { retry_after: args.retry_after },
            KindName::Unauthorized => Kind::Unauthorized,
            KindName::Garbage => Kind::Garbage { when },
            KindName::Lag => Kind::Lag { seconds: args.seconds },
        };
        let matches = Match {
            method: args.method,
            path: args.path,
            key_prefix: args.key_prefix,
            metadata: args.metadata.into_iter().collect(),
        };
        Self { matches, fault, skip: args.skip, times: (!args.always).then_some(args.times) }
    }
}

pub(super) async fn run(args: FaultArgs, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let remote = &args.remote;
    match args.command {
        FaultCommand::Add(add) => {
            let body = serde_json::to_value(Fault::from(add))
                .map_err(|error| CliError::NotAFault(error.to_string()))?;
            let added = remote.call(http::Method::POST, "/sandbox/faults", Some(&body)).await?;
            writeln!(out, "fault {} is on", added["id"])?;
        }
        FaultCommand::List => {
            let found = remote.call(http::Method::GET, "/sandbox/faults", None).await?;
            let faults = found["faults"].as_array().map_or(&[][..], Vec::as_slice);
            if faults.is_empty() {
                writeln!(out, "No faults.")?;
            }
            for fault in faults {
                writeln!(out, "{}", describe(fault))?;
            }
        }
        FaultCommand::Clear { id } => {
            let path = id.map_or("/sandbox/faults".to_owned(), |id| format!("/sandbox/faults/{id}"));
            let done = remote.call(http::Method::DELETE, &path, None).await?;
            writeln!(out, "{} switched off", done["removed"])?;
        }
    }
    Ok(())
}

fn describe(fault: &Value) -> String {
    let left = fault["times"].as_u64().map_or("always".to_owned(), |times| format!("{times} more"));
    format!("{}: {} for {} ({left}, met {})", fault["id"], fault["fault"], fault["match"], fault["hits"])
}
