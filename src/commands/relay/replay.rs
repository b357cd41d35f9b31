//! `innkeeper relay replay`: sends again.

use std::path::PathBuf;

use clap::Args;
use innkeeper_ops::config::Config;
use innkeeper_relay::{Store, Wanted, installation_id};
use kube::Client;

use super::super::Outcome;
use super::super::operator::kube_config;

/// What is sent again. A relay that runs with the same state sends it; else the next one that is started does.
#[derive(Args)]
pub struct ReplayArgs {
    /// Only to this sink: `file`, `kafka`, or a receiver's name; without it to all
    #[arg(long, value_name = "SINK")]
    sink: Option<String>,
    /// What was refused, instead of what the objects say
    #[arg(long)]
    dead_letters: bool,
    /// Show what was refused, and send nothing
    #[arg(long)]
    list: bool,
    /// Only Reservations of this namespace
    #[arg(long = "in", value_name = "NAMESPACE", conflicts_with = "dead_letters")]
    namespace: Option<String>,
    /// Only this Reservation of that namespace
    #[arg(long, value_name = "NAME", requires = "namespace")]
    name: Option<String>,
    /// The namespace of the installation's id; without it the pod's, or the kubeconfig's
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    installed_in: Option<String>,
}

pub async fn run(args: ReplayArgs, config: Option<PathBuf>, kubeconfig: Option<PathBuf>) -> Outcome {
    let loaded = config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let store = Store::beside(&loaded.relay.state)?;
    let sink = args.sink.as_deref();
    if args.list {
        for letter in store.dead_letters(sink).await? {
            println!("{}  {}  {}  {}", letter.sink, letter.kind, letter.id, letter.reason);
        }
        return Ok(());
    }
    let again = if args.dead_letters {
        store.send_again(sink).await?
    } else {
        let routes = super::routes(&loaded.relay)?;
        let wanted: Vec<Wanted> = routes
            .into_iter()
            .map(|route| route.wanted)
            .filter(|wanted| sink.is_none_or(|sink| wanted.sink == sink))
            .collect();
        if wanted.is_empty() {
            return Err("no sink of the configuration has this name".into());
        }
        let kubeconfig = kube_config(kubeconfig.as_deref()).await?;
        let home = args.installed_in.unwrap_or_else(|| kubeconfig.default_namespace.clone());
        let client = Client::try_from(kubeconfig)?;
        let id = installation_id(&client, &home, &loaded.installation.config_map).await?;
        let id = id.ok_or_else(|| format!("there is no installation's id in the namespace {home}"))?;
        store.replay(client, &id, wanted, args.namespace.as_deref(), args.name.as_deref()).await?
    };
    println!("{again} events are sent again");
    Ok(())
}
