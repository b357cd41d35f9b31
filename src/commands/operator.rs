//! `innkeeper operator`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use innkeeper_operator::{
    Cashier, CashierConfig, Doorbell, Home, LeaseConfig, Operator, client, crds_installed, installation_id,
    lease_identity,
};
use innkeeper_ops::config::{Config, ConfigWatch, watch};
use innkeeper_ops::metrics::{Metrics, ProviderOp, ProviderOutcome};
use innkeeper_ops::probes::{self, Health};
use innkeeper_ops::shutdown::Shutdown;
use innkeeper_ops::telemetry::{self, Telemetry};
use innkeeper_payments::driver::{ApiKey, CallReport, Op, Outcome as CallOutcome, Stripe, StripeConfig};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::events::{PodArgs, tell_of_reloads};
use super::webhooks;

/// How long what is under way may take to finish after SIGTERM; a pod has thirty seconds.
const DRAIN: Duration = Duration::from_secs(25);

/// How the operator is started.
#[derive(Args)]
pub struct OperatorArgs {
    /// Configuration file; without one everything is at its default
    #[arg(long, value_name = "FILE", env = "INNKEEPER_CONFIG")]
    config: Option<PathBuf>,
    /// Kubeconfig of the cluster; without one the pod's own service account
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The operator's own namespace, for its Lease and its installation's id; without it the pod's, or the kubeconfig's
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: Option<String>,
    /// Run at once and without a Lease; for trying, since two operators then do the same work
    #[arg(long)]
    no_lease: bool,
    #[command(flatten)]
    pod: PodArgs,
}

/// Runs the controllers until SIGTERM or Ctrl-C.
pub async fn run(args: OperatorArgs) -> Outcome {
    let loaded = args.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let telemetry = telemetry::init(&loaded.log)?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    let health = Health::new(Instant::now());
    let shutdown = Shutdown::on_signals(health.clone())?;
    let config = match &args.config {
        Some(file) => ConfigWatch::start(file, &metrics, watch::EVERY, shutdown.token())?,
        None => ConfigWatch::fixed(Config::default()),
    };
    let key = read_key(&loaded.payments.key_file)?;
    let kubeconfig = kube_config(args.kubeconfig.as_deref()).await?;
    let namespace = args.namespace.unwrap_or_else(|| kubeconfig.default_namespace.clone());
    let lease = (!args.no_lease).then(|| LeaseConfig {
        name: loaded.operator.lease.name.clone(),
        namespace: loaded.operator.lease.namespace.clone().unwrap_or_else(|| namespace.clone()),
        identity: lease_identity(),
        duration: loaded.operator.lease.duration,
        renew: loaded.operator.lease.renew,
    });
    let client = client(kubeconfig, &metrics)?;
    let parts = Parts {
        config: Arc::new(config),
        telemetry,
        metrics,
        health,
        shutdown,
        client,
        listen: loaded.http.listen,
        listen_setting: "http.listen",
        endpoint: loaded.payments.endpoint.clone(),
        key,
        pod: args.pod.reference(&namespace),
        namespace,
        lease,
    };
    parts.run(|| ()).await
}

/// Everything an operator is made of.
pub struct Parts {
    /// Its configuration.
    pub config: Arc<ConfigWatch>,
    /// Its log.
    pub telemetry: Telemetry,
    /// What it counts.
    pub metrics: Metrics,
    /// Its readiness.
    pub health: Health,
    /// Its end.
    pub shutdown: Shutdown,
    /// Its API server.
    pub client: Client,
    /// Where its probes and metrics are.
    pub listen: SocketAddr,
    /// What says so.
    pub listen_setting: &'static str,
    /// Where its payment provider is.
    pub endpoint: String,
    /// Its key at the payment provider.
    pub key: ApiKey,
    /// Its own namespace.
    pub namespace: String,
    /// Its own pod, where it is in one.
    pub pod: Option<ObjectReference>,
    /// Its Lease, where it wants one.
    pub lease: Option<LeaseConfig>,
}

impl Parts {
    /// Runs until the end is asked for, with probes and metrics. `ready` is called once, when everything is up.
    pub async fn run(self, ready: impl FnOnce() + Send) -> Outcome {
        let config = self.config.current();
        // Before anybody can ask.
        let starting = self.health.condition("started");
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(|e| format!("cannot listen on {} ({}): {e}", self.listen, self.listen_setting))?;
        tracing::info!(address = %listener.local_addr()?, "probes and metrics");
        let after_draining = CancellationToken::new();
        let _probes_end = after_draining.clone().drop_guard();
        let probes = probes::serve(listener, self.health.clone(), self.metrics.clone(), after_draining);
        tokio::spawn(probes);
        tokio::spawn(follow_log_filter(Arc::clone(&self.config), self.telemetry));
        let doorbell = Doorbell::new(self.metrics.clone());
        webhooks::take(&config.payments.webhooks, doorbell.clone(), self.shutdown.token()).await?;
        if let Some(pod) = self.pod {
            let (config, client) = (Arc::clone(&self.config), self.client.clone());
            tokio::spawn(async move { tell_of_reloads(&config, client, pod).await });
        }

        let stop = self.shutdown.token();
        let somewhere = config.operator.watch_namespaces.first().map(String::as_str);
        let installed = wait_for_crds(&self.client, somewhere, &self.health);
        if stop.run_until_cancelled(installed).await.is_none() {
            return Ok(());
        }
        let installation = installation_id(&self.client, &self.namespace, &config.installation.config_map);
        let Some(installation) = stop.run_until_cancelled(installation).await else { return Ok(()) };
        let installation = installation?;
        let cashier = cashier(&config, self.endpoint.clone(), self.key, &self.metrics)?;
        tokio::spawn(ask_provider(cashier.clone(), self.endpoint));
        tracing::info!(installation, namespace = self.namespace, "starting");
        let operator = Operator {
            client: self.client,
            cashier,
            config: self.config,
            home: Home {
                installation,
                namespace: self.namespace,
                config_map: config.installation.config_map.clone(),
            },
            lease: self.lease,
            clock: innkeeper_operator::system_clock(),
            metrics: self.metrics,
            health: self.health,
            doorbell,
        };
        let operator = operator.run(stop);
        starting.met();
        ready();
        let mut outcome = Ok(());
        let work = async { outcome = operator.await };
        let drained = self.shutdown.drain(work, DRAIN).await;
        tracing::info!(?drained, "ended");
        Ok(outcome?)
    }
}

/// The cluster to work on. Only a file that is named, or the pod's own account: never whatever a person's kubeconfig
/// happens to point at.
pub async fn kube_config(
    file: Option<&Path>,
) -> Result<kube::Config, Box<dyn std::error::Error + Send + Sync>> {
    match file {
        Some(file) => {
            let unusable = |e| format!("cannot use the kubeconfig {}: {e}", file.display());
            let read = Kubeconfig::read_from(file).map_err(unusable)?;
            Ok(kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
                .await
                .map_err(unusable)?)
        }
        None => kube::Config::incluster()
            .map_err(|e| format!("not in a pod ({e}); name a cluster with --kubeconfig FILE").into()),
    }
}

/// The provider's key, from its file.
pub fn read_key(file: &Path) -> Result<ApiKey, Box<dyn std::error::Error + Send + Sync>> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        format!("cannot read the payment provider's key {} (payments.keyFile): {e}", file.display())
    })?;
    let key = text.trim();
    if key.is_empty() {
        return Err(
            format!("the payment provider's key {} (payments.keyFile) is empty", file.display()).into()
        );
    }
    Ok(ApiKey::new(key))
}

/// Waits until the custom resources are served, and says what it waits for.
async fn wait_for_crds(client: &Client, namespace: Option<&str>, health: &Health) {
    let installed = health.condition("crds-installed");
    loop {
        let problem = match crds_installed(client, namespace).await {
            Ok(None) => return installed.met(),
            Ok(Some(missing)) => format!("not installed: {missing}; apply the files in crds/"),
            Err(kube::Error::Api(refusal)) => format!("the API server refuses: {}", refusal.message),
            Err(error) => format!("the API server does not answer: {error}"),
        };
        installed.unmet(problem.as_str());
        tracing::warn!(problem, "waiting for the custom resources");
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

/// Says early on what is wrong with the provider or the key. Nobody waits for it: a provider that is down is no reason
/// not to start.
async fn ask_provider(cashier: Cashier, endpoint: String) {
    if let Err(error) = cashier.check().await {
        tracing::warn!(%error, endpoint, "the payment provider does not answer yet");
    }
}

/// Logs as the configuration says, for as long as it may change.
pub async fn follow_log_filter(config: Arc<ConfigWatch>, telemetry: Telemetry) {
    let mut changes = config.subscribe();
    while changes.changed().await.is_ok() {
        let filter = changes.borrow_and_update().log.filter.clone();
        if let Err(error) = telemetry.set_filter(&filter) {
            tracing::warn!(%error, "the log filter stays as it was");
        }
    }
}

fn cashier(
    config: &Config,
    api_base: String,
    key: ApiKey,
    metrics: &Metrics,
) -> Result<Cashier, Box<dyn std::error::Error + Send + Sync>> {
    let payments = &config.payments;
    let stripe = Stripe::new(&StripeConfig {
        api_base,
        connect_timeout: payments.connect_timeout,
        request_timeout: payments.request_timeout,
        ..StripeConfig::new(key)
    })?;
    let counted = metrics.clone();
    let stripe = stripe.with_observer(Arc::new(move |report: &CallReport| count(&counted, report)));
    let limits = CashierConfig {
        failures: u32::from(payments.breaker.failures),
        open_for: payments.breaker.open_for,
        at_once: usize::from(config.operator.workers.max(1)),
    };
    Ok(Cashier::new(stripe, limits, metrics.clone()))
}

fn count(metrics: &Metrics, report: &CallReport) {
    let op = match report.op {
        Op::Charge => ProviderOp::Charge,
        Op::Fence => ProviderOp::Fence,
        Op::Cancel => ProviderOp::Cancel,
        Op::Refund => ProviderOp::Refund,
        Op::ListIntents | Op::Check => ProviderOp::List,
        Op::MarkSettled => ProviderOp::MarkSettled,
        Op::Adopt => ProviderOp::Adopt,
        _ => ProviderOp::LookUp,
    };
    let outcome = match report.outcome {
        CallOutcome::Declined => ProviderOutcome::Declined,
        CallOutcome::Refused => ProviderOutcome::Invalid,
        CallOutcome::Conflict => ProviderOutcome::InFlight,
        CallOutcome::RateLimited => ProviderOutcome::RateLimited,
        CallOutcome::Unauthorized => ProviderOutcome::Unauthorized,
        CallOutcome::Server => ProviderOutcome::Server,
        CallOutcome::Unreachable => ProviderOutcome::Unreachable,
        CallOutcome::Unknown => ProviderOutcome::OutcomeUnknown,
        _ => ProviderOutcome::Ok,
    };
    metrics.provider_call(op, outcome, Duration::from_secs_f64(report.seconds.max(0.0)));
}
