//! `innkeeper dev`: the operator, the gateway, the embedded payment provider, the test issuer and the relay in one
//! process, for a laptop.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use innkeeper_api::RELAY_FINALIZER;
use innkeeper_gateway::{Gateway, Guests, Partners, make_key};
use innkeeper_issuer::{Config as IssuerConfig, Guard, Server as Issuer};
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
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Outcome;
use super::operator::{Parts, kube_config};
use super::relay::Beside;

/// How everything is started.
#[derive(Args)]
pub struct DevArgs {
    /// Kubeconfig of the cluster to work on; it must be named, so that no other is touched by mistake
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// Folder for the payment ledger, all keys, the events and the relay's state
    #[arg(long, value_name = "FOLDER", default_value = ".innkeeper")]
    state: PathBuf,
    /// Configuration file; where the provider, the issuer and the gateway are, their keys and `relay.state` are not used
    /// from it. The gateway's part of it is read at the start
    #[arg(long, value_name = "FILE", env = "INNKEEPER_CONFIG")]
    config: Option<PathBuf>,
    /// Namespace for the installation's id; made when it is not there
    #[arg(long, default_value = "innkeeper-system")]
    namespace: String,
    /// Where the embedded payment provider listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:12111")]
    payments_listen: SocketAddr,
    /// Where guests reach the gateway; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    gateway_listen: SocketAddr,
    /// Where the test issuer listens, at which guests sign in; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8093")]
    issuer_listen: SocketAddr,
    /// Where probes and metrics are; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// File that is written once everything is up, with the addresses of provider, gateway and issuer; removed at the end
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

    let archive = loaded.archive.folder.get_or_insert_with(|| args.state.join("archive")).clone();
    std::fs::create_dir_all(&archive)
        .map_err(|e| format!("cannot make the archive's folder {}: {e}", archive.display()))?;

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

    let issuer = Issuer::start(IssuerConfig {
        listen: args.issuer_listen,
        key_file: Some(args.state.join("issuer.keys")),
        guard: Guard { files: vec![loaded.payments.key_file.clone()] },
        ..IssuerConfig::default()
    })
    .await?;

    let client = client(kube_config(Some(&args.kubeconfig)).await?, &metrics)?;
    make_namespace(&client, &args.namespace).await?;
    let door = Door::open(&args, loaded.clone(), &issuer, &health).await?;
    let config = if let Some(file) = &args.config {
        ConfigWatch::start(file, &metrics, watch::EVERY, shutdown.token())?
    } else {
        loaded.operator.extra_finalizers.push(RELAY_FINALIZER.to_owned());
        ConfigWatch::fixed(loaded)
    };
    let config = Arc::new(config);
    let relay = Beside {
        client: client.clone(),
        config: Arc::clone(&config),
        namespace: args.namespace.clone(),
        state: args.state.clone(),
        archive,
        metrics: metrics.clone(),
        health: health.clone(),
    };
    let relay = tokio::spawn(relay.start(shutdown.token())?);
    let ready_file = args.ready_file.clone();
    // Of a run that was killed.
    args.ready_file.as_deref().map_or(Ok(()), remove)?;
    let addresses = format!("payments={url}\ngateway={}\nissuer={}\n", door.url, issuer.url());
    let door_task = door.serve(&shutdown);
    let (everything, ending) = (health.clone(), shutdown.clone());
    let parts = Parts {
        config,
        telemetry,
        metrics,
        health,
        shutdown,
        client,
        listen: args.listen,
        listen_setting: "--listen",
        endpoint: url,
        key: ApiKey::new(secret.trim()),
        namespace: args.namespace,
        pod: None,
        lease: None,
    };
    let (begun, telling) = tokio::sync::oneshot::channel();
    let telling = tokio::spawn(tell(telling, everything, ready_file, addresses));
    let outcome = parts
        .run(move || {
            let _ = begun.send(());
        })
        .await;
    // It may have ended by itself, with an error.
    ending.request();
    telling.abort();
    // Its last word may be under way: then the file is there, and goes.
    let _ = telling.await;
    door_task.await?;
    issuer.stop().await;
    let removed = args.ready_file.as_deref().map_or(Ok(()), remove);
    // What is on its way is in its queue too, should this take too long.
    let _ = tokio::time::timeout(Duration::from_secs(10), relay).await;
    tokio::time::timeout(Duration::from_secs(10), payments.shutdown()).await.ok().transpose()?;
    outcome.and(removed)
}

/// Tells that everything is up, in the log and in the file, once it is.
async fn tell(
    begun: tokio::sync::oneshot::Receiver<()>,
    health: Health,
    file: Option<PathBuf>,
    addresses: String,
) {
    if begun.await.is_err() {
        return;
    }
    while !health.missing().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tracing::info!("ready");
    if let Some(file) = file
        && let Err(error) = std::fs::write(&file, addresses)
    {
        tracing::error!(%error, file = %file.display(), "cannot write the ready file");
    }
}

/// The gateway, before it serves.
struct Door {
    url: String,
    listener: TcpListener,
    gateway: Gateway,
}

impl Door {
    /// With keys in the folder of the state, and guests who sign in at this issuer.
    async fn open(
        args: &DevArgs,
        mut config: Config,
        issuer: &Issuer,
        health: &Health,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let (cookies, guests) = (args.state.join("cookies.keys"), args.state.join("guests.key"));
        for file in [&cookies, &guests] {
            make_key(file).map_err(|e| format!("cannot make the key {}: {e}", file.display()))?;
        }
        let listener = TcpListener::bind(args.gateway_listen).await;
        let listener = listener
            .map_err(|e| format!("cannot listen on {} (--gateway-listen): {e}", args.gateway_listen))?;
        let url = format!("http://{}", listener.local_addr()?);
        let gateway = &mut config.gateway;
        gateway.public_url = Some(url.clone());
        gateway.session.keys_file = Some(cookies);
        gateway.sign_in.issuer = Some(issuer.url().to_owned());
        gateway.sign_in.client_secret_file = None;
        gateway.sign_in.guest_key_file = Some(guests);
        // Nobody else has to notice that it is ending.
        gateway.ending.linger = Duration::from_millis(1);
        let contacts = format!("{}-contacts", args.namespace);
        let mut kubeconfig = kube_config(Some(&args.kubeconfig)).await?;
        // A guest waits for every answer; the gateway decides by itself what to try again.
        kubeconfig.default_retry = false;
        let client = Client::try_from(kubeconfig)?;
        make_namespace(&client, &contacts).await?;
        gateway.contacts.namespace = Some(contacts);
        let partners = gateway.partners_file.as_deref().map(Partners::load).transpose()?;
        let gateway = Gateway {
            client,
            guests: Guests::load(gateway)?,
            config: Arc::new(ConfigWatch::fixed(config)),
            partners: partners.unwrap_or_default(),
            clock: Arc::new(jiff::Timestamp::now),
            // The probes' address shows the operator's.
            metrics: Metrics::of_gateway(env!("CARGO_PKG_VERSION")),
            health: health.clone(),
        };
        tracing::info!(url, "the gateway: guests and partners come here");
        Ok(Self { url, listener, gateway })
    }

    /// Serves until the end is asked for.
    fn serve(self, shutdown: &Shutdown) -> JoinHandle<()> {
        tokio::spawn(self.gateway.run(self.listener, shutdown.token()))
    }
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
