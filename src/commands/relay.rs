//! `innkeeper relay`.

mod replay;
mod sinks;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use innkeeper_ops::config::{Config, ConfigWatch, watch};
use innkeeper_ops::metrics::Metrics;
use innkeeper_ops::probes::{self, Health};
use innkeeper_ops::shutdown::Shutdown;
use innkeeper_ops::telemetry;
use innkeeper_relay::{Archiving, Filing, Relay, Store, installation_id, schemas, tail};
use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::operator::{follow_log_filter, kube_config};
pub use sinks::routes;

/// How long what is on its way may take to be acknowledged after SIGTERM; a pod has thirty seconds.
const DRAIN: Duration = Duration::from_secs(20);
/// How often it is looked whether the operator has made the installation's id.
const LOOK: Duration = Duration::from_secs(2);

/// How the relay is started.
#[derive(Args)]
pub struct RelayArgs {
    #[command(subcommand)]
    command: Option<RelayCommand>,
    /// Configuration file; without one everything is at its default
    #[arg(long, value_name = "FILE", env = "INNKEEPER_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Kubeconfig of the cluster; without one the pod's own service account
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,
    /// The namespace of the installation's id; without it the pod's, or the kubeconfig's
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: Option<String>,
}

#[derive(Subcommand)]
enum RelayCommand {
    /// Show events in readable lines: from a file of JSON lines, or from the objects
    Tail(TailArgs),
    /// Send events again: those that were refused, or all of what the objects say
    Replay(replay::ReplayArgs),
    /// Write the JSON Schema of every event type into a folder
    Schemas {
        /// The folder; made when it is not there
        #[arg(long, value_name = "FOLDER")]
        output: PathBuf,
    },
}

/// What is shown.
#[derive(Args)]
struct TailArgs {
    /// A file of JSON lines; without one the objects are read
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Go on with what comes
    #[arg(long, short)]
    follow: bool,
    /// Only Reservations of this namespace, where the objects are read
    #[arg(long = "in", value_name = "NAMESPACE")]
    namespace: Option<String>,
}

/// Publishes until SIGTERM or Ctrl-C, or does what is asked of it.
pub async fn run(args: RelayArgs) -> Outcome {
    match args.command {
        None => publish(args).await,
        Some(RelayCommand::Tail(tail)) => show(tail, args.kubeconfig).await,
        Some(RelayCommand::Replay(replay)) => replay::run(replay, args.config, args.kubeconfig).await,
        Some(RelayCommand::Schemas { output }) => {
            std::fs::create_dir_all(&output)?;
            for (name, schema) in schemas::all() {
                std::fs::write(output.join(name), schema)?;
            }
            Ok(())
        }
    }
}

async fn publish(args: RelayArgs) -> Outcome {
    let loaded = args.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let telemetry = telemetry::init(&loaded.log)?;
    let metrics = Metrics::of_relay(env!("CARGO_PKG_VERSION"));
    let health = Health::new(Instant::now());
    let starting = health.condition("started");
    let shutdown = Shutdown::on_signals(health.clone())?;
    let stop = shutdown.token();
    let config = Arc::new(match &args.config {
        Some(file) => ConfigWatch::start(file, &metrics, watch::EVERY, stop.clone())?,
        None => ConfigWatch::fixed(Config::default()),
    });
    let routes = routes(&loaded.relay)?;
    if routes.is_empty() {
        return Err(
            "there is nowhere to publish to: set relay.file.path, relay.http or relay.kafka.brokers".into()
        );
    }
    let store = Store::open(&loaded.relay.state)?;
    let archive =
        loaded.archive.folder.as_deref().map(|at| Archiving::new(at, &loaded.relay.state, metrics.clone()));
    let kubeconfig = kube_config(args.kubeconfig.as_deref()).await?;
    let namespace = args.namespace.unwrap_or_else(|| kubeconfig.default_namespace.clone());
    let client = innkeeper_operator::client(kubeconfig, &metrics)?;

    let listener = TcpListener::bind(loaded.http.listen)
        .await
        .map_err(|e| format!("cannot listen on {} (http.listen): {e}", loaded.http.listen))?;
    tracing::info!(address = %listener.local_addr()?, "probes and metrics");
    let after_draining = CancellationToken::new();
    let _probes_end = after_draining.clone().drop_guard();
    tokio::spawn(probes::serve(listener, health.clone(), metrics.clone(), after_draining));
    tokio::spawn(follow_log_filter(Arc::clone(&config), telemetry));

    let id = installed(&client, &namespace, &loaded.installation.config_map, &health);
    let Some(installation) = stop.run_until_cancelled(id).await else { return Ok(()) };
    let sinks: Vec<&str> = routes.iter().map(|route| route.wanted.sink.as_str()).collect();
    tracing::info!(installation, sinks = sinks.join(" "), "starting");
    let relay = Relay {
        client,
        config,
        installation,
        namespaces: loaded.relay.watch_namespaces.clone(),
        routes,
        filing: archive.clone().map(|archive| Arc::new(archive) as Arc<dyn Filing>),
        archive,
        store,
        metrics,
        health,
    };
    let work = relay.run(stop);
    starting.met();
    let mut outcome = Ok(());
    let drained = shutdown.drain(async { outcome = work.await }, DRAIN).await;
    tracing::info!(?drained, "ended");
    Ok(outcome?)
}

/// The installation's id, once the operator has made it.
pub async fn installed(client: &Client, namespace: &str, name: &str, health: &Health) -> String {
    let known = health.condition("installation-known");
    loop {
        let problem = match installation_id(client, namespace, name).await {
            Ok(Some(id)) => {
                known.met();
                return id;
            }
            Ok(None) => format!("the operator has not made the ConfigMap {namespace}/{name} yet"),
            Err(error) => error.to_string(),
        };
        known.unmet(problem.as_str());
        tracing::warn!(problem, "waiting for the installation's id");
        tokio::time::sleep(LOOK).await;
    }
}

/// A relay beside the other parts in one process, for a laptop: to the sinks that are configured, and to a file where
/// that is none of them.
pub struct Beside {
    /// The API server.
    pub client: Client,
    /// The configuration.
    pub config: Arc<ConfigWatch>,
    /// The namespace of the installation's id.
    pub namespace: String,
    /// The folder for its state and its file.
    pub state: PathBuf,
    /// The folder of the archive.
    pub archive: PathBuf,
    /// What is counted.
    pub metrics: Metrics,
    /// What readiness asks.
    pub health: Health,
}

impl Beside {
    /// Prepares it, and gives what runs until `stop`. Fails where a sink or the state cannot be used.
    pub fn start(
        self,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + use<>, Box<dyn std::error::Error + Send + Sync>> {
        let mut settings = self.config.current().relay.clone();
        let file = settings.file.path.get_or_insert_with(|| self.state.join("events.jsonl"));
        tracing::info!(file = %file.display(), "events");
        let routes = routes(&settings)?;
        let state = self.state.join("relay");
        let store = Store::open(&state)?;
        let archive = Archiving::new(&self.archive, &state, self.metrics.clone());
        let mut namespaces = settings.watch_namespaces;
        if namespaces.is_empty() {
            namespaces.clone_from(&self.config.current().operator.watch_namespaces);
        }
        let name = self.config.current().installation.config_map.clone();
        Ok(async move {
            let id = installed(&self.client, &self.namespace, &name, &self.health);
            let Some(installation) = stop.run_until_cancelled(id).await else { return };
            let relay = Relay {
                client: self.client,
                config: self.config,
                installation,
                namespaces,
                routes,
                filing: Some(Arc::new(archive.clone())),
                archive: Some(archive),
                store,
                metrics: self.metrics,
                health: self.health,
            };
            if let Err(error) = relay.run(stop).await {
                tracing::error!(%error, "the relay has ended");
            }
        })
    }
}

/// Shows events until there are no more, or Ctrl-C.
async fn show(args: TailArgs, kubeconfig: Option<PathBuf>) -> Outcome {
    tokio::select! {
        shown = print(&args, kubeconfig) => shown,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn print(args: &TailArgs, kubeconfig: Option<PathBuf>) -> Outcome {
    let out = |line: &str| println!("{line}");
    if let Some(file) = &args.file {
        let read = tail::file(file, args.follow, out).await;
        return Ok(read.map_err(|e| format!("cannot read {}: {e}", file.display()))?);
    }
    let client = Client::try_from(kube_config(kubeconfig.as_deref()).await?)?;
    let namespace = args.namespace.as_deref();
    if args.follow {
        tail::follow_objects(client, namespace, out).await;
        return Ok(());
    }
    Ok(tail::objects(client, namespace, out).await?)
}
