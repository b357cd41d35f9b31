//! `innkeeper dev`: the operator, the embedded payment provider and the relay in one process, for a laptop.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use innkeeper_api::RELAY_FINALIZER;
use innkeeper_operator::client;
use innkeeper_ops::config::{Config, ConfigWatch, watch};
use innkeeper_ops::metrics::Metrics;
use innkeeper_ops::probes::Health;
use innkeeper_ops::shutdown::Shutdown;
use innkeeper_ops::telemetry;
use innkeeper_payments::driver::ApiKey;
use innkeeper_payments::sandbox::cli::read_or_make_key;
use innkeeper_payments::sandbox::{self, Server};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::{Api, Client};

use super::Outcome;
use super::operator::{Parts, kube_config};
use super::relay::Beside;

/// How everything is started.
#[derive(Args)]
pub struct DevArgs {
    /// Kubeconfig of the cluster to work on; it must be named, so that no other is touched by mistake
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// Folder for the payment ledger and its key, and for the events and the relay's state
    #[arg(long, value_name = "FOLDER", default_value = ".innkeeper")]
    state: PathBuf,
    /// Configuration file; `payments.endpoint`, `payments.keyFile` and `relay.state` in it are not used here
    #[arg(long, value_name = "FILE", env = "INNKEEPER_CONFIG")]
    config: Option<PathBuf>,
    /// Namespace for the installation's id; made when it is not there
    #[arg(long, default_value = "innkeeper-system")]
    namespace: String,
    /// Where the embedded payment provider listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:12111")]
    payments_listen: SocketAddr,
    /// Where probes and metrics are; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// File that is written once everything is up, with the payment provider's address in it; removed at the end
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// Runs everything until SIGTERM or Ctrl-C.
pub async fn run(args: DevArgs) -> Outcome {
    let mut loaded = args.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let telemetry = telemetry::init(&loaded.log)?;
    let metrics = Metrics::of_all(env!("CARGO_PKG_VERSION"));
    let health = Health::new(Instant::now());
    let shutdown = Shutdown::on_signals(health.clone())?;
    std::fs::create_dir_all(&args.state)
        .map_err(|e| format!("cannot make the state folder {}: {e}", args.state.display()))?;

    let key_file = args.state.join("payments.key");
    let key = read_or_make_key(&key_file)?;
    let secret = std::fs::read_to_string(&key_file)?;
    let payments = Server::start(sandbox::Config {
        listen: args.payments_listen,
        ledger: sandbox::Location::File(args.state.join("payments.db")),
        ..sandbox::Config::new(key)
    })
    .await?;
    let url = payments.url();
    tracing::info!(url, key_file = %key_file.display(), "the embedded payment provider; test money only");

    let client = client(kube_config(Some(&args.kubeconfig)).await?, &metrics)?;
    make_namespace(&client, &args.namespace).await?;
    let config = match &args.config {
        Some(file) => ConfigWatch::start(file, &metrics, watch::EVERY, shutdown.token())?,
        None => {
            loaded.operator.extra_finalizers.push(RELAY_FINALIZER.to_owned());
            ConfigWatch::fixed(loaded)
        }
    };
    let config = Arc::new(config);
    let relay = Beside {
        client: client.clone(),
        config: Arc::clone(&config),
        namespace: args.namespace.clone(),
        state: args.state.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
    };
    let relay = tokio::spawn(relay.start(shutdown.token())?);
    let ready_file = args.ready_file.clone();
    // Of a run that was killed.
    args.ready_file.as_deref().map_or(Ok(()), remove)?;
    let parts = Parts {
        config,
        telemetry,
        metrics,
        health,
        shutdown,
        client,
        listen: args.listen,
        listen_setting: "--listen",
        endpoint: url.clone(),
        key: ApiKey::new(secret.trim()),
        namespace: args.namespace,
        pod: None,
        lease: None,
    };
    let outcome = parts
        .run(move || {
            tracing::info!("ready");
            if let Some(file) = ready_file
                && let Err(error) = std::fs::write(&file, format!("payments={url}\n"))
            {
                tracing::error!(%error, file = %file.display(), "cannot write the ready file");
            }
        })
        .await;
    let removed = args.ready_file.as_deref().map_or(Ok(()), remove);
    // What is on its way is in its queue too, should this take too long.
    let _ = tokio::time::timeout(Duration::from_secs(10), relay).await;
    tokio::time::timeout(Duration::from_secs(10), payments.shutdown()).await.ok().transpose()?;
    outcome.and(removed)
}

fn remove(file: &Path) -> Outcome {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {error}", file.display()).into())
        }
        _ => Ok(()),
    }
}

async fn make_namespace(client: &Client, name: &str) -> Result<(), kube::Error> {
    let api: Api<Namespace> = Api::all(client.clone());
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    match api.create(&PostParams::default(), &namespace).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) => Err(error),
    }
}
