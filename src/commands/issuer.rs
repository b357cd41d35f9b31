//! `innkeeper issuer`: the test issuer by which guests sign in where no real one is set up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use innkeeper_issuer::{Config as IssuerConfig, Guard, Server};
use innkeeper_ops::config::{Config, Log};
use innkeeper_ops::probes::Health;
use innkeeper_ops::shutdown::Shutdown;
use innkeeper_ops::telemetry;

use super::Outcome;

/// How the issuer is started.
#[derive(Args)]
pub struct IssuerArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", env = "INNKEEPER_ISSUER_LISTEN", default_value = "127.0.0.1:8093")]
    listen: SocketAddr,
    /// What its tokens name as their issuer, and where the gateway asks it; without it the address it listens on
    #[arg(long, value_name = "URL", env = "INNKEEPER_ISSUER_URL")]
    url: Option<String>,
    /// Where guests' browsers reach it, if that is not the same
    #[arg(long, value_name = "URL", env = "INNKEEPER_ISSUER_BROWSER_URL")]
    browser_url: Option<String>,
    /// File with its signing keys; made when it is not there. Without it they end with the process
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Sign with a new key from now on; the one before stays published
    #[arg(long)]
    rotate: bool,
    /// An address that guests may be sent back to, such as the gateway's; those of this machine always may be
    #[arg(long, value_name = "URL")]
    redirect: Vec<String>,
    /// Configuration file, to see that `payments.keyFile` has no live key
    #[arg(long, value_name = "FILE", env = "INNKEEPER_CONFIG")]
    config: Option<PathBuf>,
    /// Another file that must not have a live key of a payment provider in it
    #[arg(long, value_name = "FILE")]
    payments_key_file: Vec<PathBuf>,
}

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(args: IssuerArgs) -> Outcome {
    telemetry::init(&Log::default())?;
    let loaded = args.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let shutdown = Shutdown::on_signals(Health::new(Instant::now()))?;
    let mut files = args.payments_key_file;
    files.push(loaded.payments.key_file);
    let server = Server::start(IssuerConfig {
        listen: args.listen,
        url: args.url,
        browser_url: args.browser_url,
        key_file: args.key_file,
        rotate: args.rotate,
        redirects: args.redirect,
        client_secret: None,
        guard: Guard { files },
    })
    .await?;
    shutdown.token().cancelled().await;
    server.stop().await;
    Ok(())
}
