//! What each subcommand does: reads its arguments, puts parts together, runs them.

pub mod archive;
pub mod config;
pub mod crd;
pub mod dev;
pub mod events;
pub mod gateway;
pub mod import;
pub mod issuer;
pub mod keys;
pub mod operator;
pub mod relay;
pub mod verify;
mod webhooks;

use std::error::Error;

use innkeeper_ops::config::Log;
use innkeeper_ops::telemetry;
use innkeeper_payments::sandbox::cli::{self, PaymentsArgs, PaymentsCommand};

/// What a subcommand comes to.
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// `innkeeper payments`.
pub async fn payments(args: PaymentsArgs) -> Outcome {
    if matches!(args.command, PaymentsCommand::Serve(_)) {
        telemetry::init(&Log::default())?;
    }
    let mut out = Vec::new();
    let result = cli::run(args, &mut out).await;
    std::io::Write::write_all(&mut std::io::stdout(), &out)?;
    Ok(result?)
}
