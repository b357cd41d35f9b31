//! `innkeeper payments`: starting the embedded provider, looking at its ledger, switching faults on.
//!
//! Only what belongs to a command line is here; nothing in it ends the process.

mod fault;
mod key_file;
mod list;
mod serve;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use thiserror::Error;

pub use fault::{FaultArgs, FaultCommand};
pub use key_file::{read_key, read_or_make_key};
pub use list::{ListArgs, Output};
pub use serve::{ServeArgs, serve};

use super::key::InvalidKey;
use super::ledger::LedgerError;
use super::server::ServerError;

/// The embedded payment provider: speaks the part of Stripe's API that Innkeeper uses, with test money only
#[derive(Args, Debug)]
pub struct PaymentsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PaymentsCommand,
}

/// What `innkeeper payments` can do.
#[derive(Subcommand, Debug)]
pub enum PaymentsCommand {
    /// Run the provider until it is told to stop
    Serve(ServeArgs),
    /// Show the payments of a running provider, or of a ledger file
    List(ListArgs),
    /// Make a running provider misbehave, to see how Innkeeper takes it
    Fault(FaultArgs),
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// The key file could not be read or written.
    #[error("the key file {path}: {source}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in the key file is not a key.
    #[error("the key file {path}: {source}")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InvalidKey,
    },
    /// The server did not start or end well.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The provider could not be reached.
    #[error("cannot reach the payment provider at {url}: {reason}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The provider refused.
    #[error("the payment provider answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// A fault that cannot be.
    #[error("this is not a fault: {0}")]
    NotAFault(String),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// Runs a command, with its output on `out`. Serving ends with SIGTERM or Ctrl-C.
pub async fn run(args: PaymentsArgs, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    match args.command {
        PaymentsCommand::Serve(args) => serve(args, serve::signal()).await,
        PaymentsCommand::List(args) => list::run(&args, out).await,
        PaymentsCommand::Fault(args) => fault::run(args, out).await,
    }
}

/// Where a running provider is and how to show that one may ask it.
#[derive(Args, Clone, Debug)]
pub struct Remote {
    /// Base URL of the running provider
    #[arg(
        long,
        value_name = "URL",
        env = "INNKEEPER_PAYMENTS_URL",
        default_value = "http://127.0.0.1:12111"
    )]
    pub server: String,
    /// File with the provider's secret key (sk_test_...)
    #[arg(long, value_name = "PATH", env = "INNKEEPER_PAYMENTS_KEY_FILE", default_value = "payments.key")]
    pub key_file: PathBuf,
}

impl Remote {
    /// Sends a request; answers that are not a success become errors with the provider's own message.
    async fn call(
        &self,
        method: http::Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<serde_json::Value, CliError> {
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        let unreachable = |error: reqwest::Error| CliError::Unreachable {
            url: self.server.clone(),
            reason: causes(&error),
        };
        let key = read_key(&self.key_file)?;
        let mut client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(30));
        if url.starts_with("http://") {
            client = client.no_proxy().tls_certs_only([]);
        }
        let mut request =
            client.build().map_err(unreachable)?.request(method, &url).bearer_auth(key.expose());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        let value: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        match value {
            Some(value) if status.is_success() => Ok(value),
            other => {
                let message = other.as_ref().and_then(|value| value["error"]["message"].as_str());
                Err(CliError::Refused {
                    status: status.as_u16(),
                    message: message.unwrap_or(&text).to_owned(),
                })
            }
        }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
