//! `innkeeper gateway`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use innkeeper_gateway::{Gateway, Guests, Partners, document};
use innkeeper_ops::config::{Config, ConfigWatch, watch};
use innkeeper_ops::metrics::Metrics;
use innkeeper_ops::probes::{self, Health};
use innkeeper_ops::shutdown::Shutdown;
use innkeeper_ops::telemetry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::operator::{follow_log_filter, kube_config};

/// What is left for ending after the last request has been answered or dropped.
const REST: Duration = Duration::from_secs(5);

/// How the gateway is started.
#[derive(Args)]
pub struct GatewayArgs {
    #[command(subcommand)]
    command: Option<GatewayCommand>,
    /// Configuration file; without one everything is at its default
    #[arg(long, value_name = "FILE", env = "INNKEEPER_CONFIG")]
    config: Option<PathBuf>,
    /// Kubeconfig of the cluster; without one the pod's own service account
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

#[derive(Subcommand)]
enum GatewayCommand {
    /// Print the OpenAPI document that describes the API
    Openapi,
}

/// Serves guests and partners until SIGTERM or Ctrl-C.
pub async fn run(args: GatewayArgs) -> Outcome {
    if matches!(args.command, Some(GatewayCommand::Openapi)) {
        print!("{}", document());
        return Ok(());
    }
    let loaded = args.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let telemetry = telemetry::init(&loaded.log)?;
    let metrics = Metrics::of_gateway(env!("CARGO_PKG_VERSION"));
    let health = Health::new(Instant::now());
    let starting = health.condition("started");
    let shutdown = Shutdown::on_signals(health.clone())?;
    let config = Arc::new(match &args.config {
        Some(file) => ConfigWatch::start(file, &metrics, watch::EVERY, shutdown.token())?,
        None => ConfigWatch::fixed(Config::default()),
    });
    let partners = loaded.gateway.partners_file.as_deref().map(Partners::load).transpose()?;
    let guests = Guests::load(&loaded.gateway)?;
    if partners.is_none() && loaded.gateway.sign_in.issuer.is_none() {
        tracing::warn!(
            "no partners (gateway.partnersFile) and no issuer (gateway.signIn.issuer): nobody can book"
        );
    }
    if loaded.gateway.session.keys_file.is_none() {
        tracing::warn!(
            "no keys of cookies (gateway.session.keysFile): visits end with this process, and no other replica knows them"
        );
    }
    let mut kubeconfig = kube_config(args.kubeconfig.as_deref()).await?;
    // A guest waits for every answer; the gateway decides by itself what to try again.
    kubeconfig.default_retry = false;
    let client = kube::Client::try_from(kubeconfig)?;

    let probing = listen(loaded.http.listen, "http.listen").await?;
    let serving = listen(loaded.gateway.listen, "gateway.listen").await?;
    tracing::info!(address = %probing.local_addr()?, "probes and metrics");
    tracing::info!(address = %serving.local_addr()?, "guests and partners");
    let after_draining = CancellationToken::new();
    let _probes_end = after_draining.clone().drop_guard();
    tokio::spawn(probes::serve(probing, health.clone(), metrics.clone(), after_draining));
    tokio::spawn(follow_log_filter(Arc::clone(&config), telemetry));
    let gateway = Gateway {
        client,
        config,
        partners: partners.unwrap_or_default(),
        guests,
        clock: Arc::new(jiff::Timestamp::now),
        metrics,
        health,
    };
    let work = gateway.run(serving, shutdown.token());
    starting.met();
    let limit = loaded.gateway.ending.linger + loaded.gateway.ending.drain + REST;
    let drained = shutdown.drain(work, limit).await;
    tracing::info!(?drained, "ended");
    Ok(())
}

async fn listen(
    address: SocketAddr,
    setting: &str,
) -> Result<TcpListener, Box<dyn std::error::Error + Send + Sync>> {
    let listener = TcpListener::bind(address).await;
    Ok(listener.map_err(|e| format!("cannot listen on {address} ({setting}): {e}"))?)
}
