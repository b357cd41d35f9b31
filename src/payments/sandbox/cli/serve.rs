//! `innkeeper payments serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{CliError, read_or_make_key};
use crate::sandbox::ledger::Location;
use crate::sandbox::server::{Config, Server};
use crate::sandbox::webhooks::Webhooks;

/// How to serve.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "INNKEEPER_PAYMENTS_LISTEN",
        default_value = "127.0.0.1:12111"
    )]
    pub listen: SocketAddr,
    /// SQLite file of the ledger; made when it is not there
    #[arg(long, value_name = "PATH", required_unless_present = "in_memory", conflicts_with = "in_memory")]
    pub ledger: Option<PathBuf>,
    /// Keep the ledger in memory: every payment is forgotten when the provider stops
    #[arg(long)]
    pub in_memory: bool,
    /// File with the secret key that callers must send (sk_test_...); made with a random key when it is not there
    #[arg(long, value_name = "PATH", env = "INNKEEPER_PAYMENTS_KEY_FILE", default_value = "payments.key")]
    pub key_file: PathBuf,
    /// Leave out /sandbox (faults, clock, log of calls). It is there by default: it takes the same key, and there is
    /// only test money here
    #[arg(long)]
    pub no_admin: bool,
    /// Seconds after which pending refunds and processing charges end by themselves
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub settle_after: u64,
    /// How many calls the log keeps
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    pub calls_limit: u32,
    /// URL that is told of every payment and refund that changes, by a signed POST as Stripe sends it
    #[arg(
        long,
        value_name = "URL",
        env = "INNKEEPER_PAYMENTS_WEBHOOK_URL",
        requires = "webhook_secret_file"
    )]
    pub webhook_url: Option<String>,
    /// File with the secret that those are signed with (whsec_...)
    #[arg(long, value_name = "PATH", env = "INNKEEPER_PAYMENTS_WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,
    /// Seconds to go on serving when told to stop, not ready any more: until then somebody may still be sent here
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub linger: u64,
    /// Seconds to wait for requests under way when told to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub drain: u64,
}

impl ServeArgs {
    /// The server's configuration; reads the key file, or makes it.
    pub fn config(&self) -> Result<Config, CliError> {
        Ok(Config {
            listen: self.listen,
            ledger: self.ledger.clone().map_or(Location::Memory, Location::File),
            key: read_or_make_key(&self.key_file)?,
            admin: !self.no_admin,
            settle_after: Duration::from_secs(self.settle_after),
            calls_limit: self.calls_limit,
            drain: Duration::from_secs(self.drain),
            webhooks: self.webhooks()?,
        })
    }

    fn webhooks(&self) -> Result<Option<Webhooks>, CliError> {
        let (Some(url), Some(file)) = (&self.webhook_url, &self.webhook_secret_file) else { return Ok(None) };
        let unusable = |source| CliError::KeyFile { path: file.clone(), source };
        let secret = std::fs::read_to_string(file).map_err(unusable)?;
        if secret.trim().is_empty() {
            return Err(unusable(std::io::Error::other("it is empty")));
        }
        Ok(Some(Webhooks::new(url, &secret)))
    }
}

/// Serves until `stop` is over, then drains.
pub async fn serve(args: ServeArgs, stop: impl Future<Output = ()>) -> Result<(), CliError> {
    let server = Server::start(args.config()?).await?;
    stop.await;
    if args.linger > 0 {
        tracing::info!(seconds = args.linger, "told to stop; not ready any more");
        server.leave();
        tokio::time::sleep(Duration::from_secs(args.linger)).await;
    }
    tracing::info!("the embedded payment provider stops");
    Ok(server.shutdown().await?)
}

/// Over when the process is told to stop.
pub(super) async fn signal() {
    let interrupted = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "cannot listen for Ctrl-C");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
