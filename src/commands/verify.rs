//! `innkeeper verify`: recomputes calendars, payments and refunds from what is stored, and tells what does not fit.
//!
//! It reads the API server and the provider, and writes nothing; no operator is needed. What seems wrong is read a
//! second time a little later, since much moves while it is read: only what is still so is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use innkeeper_api::{Reservation, Room, RoomCalendar};
use innkeeper_audit::{Books, Imbalance, Payment, Progress, imbalances};
use innkeeper_booking::provider::{Intent, IntentState, RefundState, Tags};
use innkeeper_ops::config::Config;
use innkeeper_ops::metrics::Metrics;
use innkeeper_payments::driver::{ListQuery, Stripe, StripeConfig};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;

use super::Outcome;
use super::operator::{kube_config, read_key};

/// Objects in one page of a list.
const PAGE: u32 = 500;
/// Pages of payments read at a time.
const PAGES: u32 = 10;

/// What to verify, and where.
#[derive(Args)]
pub struct VerifyArgs {
    /// Configuration file of the operator, for the provider and the installation; without one everything is at its default
    #[arg(long, value_name = "FILE", env = "INNKEEPER_CONFIG")]
    config: Option<PathBuf>,
    /// Kubeconfig of the cluster; without one the pod's own service account
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The operator's own namespace, where its installation's `ConfigMap` is; without it the pod's, or the kubeconfig's
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: Option<String>,
    /// One hotel alone; without it all of them
    #[arg(long, value_name = "NAMESPACE")]
    hotel: Option<String>,
    /// Seconds until what seems wrong is read a second time
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    again_after: u64,
    /// How it is told
    #[arg(long, short, default_value = "text")]
    output: Output,
}

/// How it is told.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table with a line for each imbalance
    Text,
    /// One JSON document
    Json,
}

/// Reads everything, and fails if anything does not fit.
pub async fn run(args: VerifyArgs) -> Outcome {
    let config = args.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let key = read_key(&config.payments.key_file)?;
    let kubeconfig = kube_config(args.kubeconfig.as_deref()).await?;
    let namespace = args.namespace.unwrap_or_else(|| kubeconfig.default_namespace.clone());
    let client = innkeeper_operator::client(kubeconfig, &Metrics::new(env!("CARGO_PKG_VERSION")))?;
    let provider = Stripe::new(&StripeConfig {
        api_base: config.payments.endpoint.clone(),
        connect_timeout: config.payments.connect_timeout,
        request_timeout: config.payments.request_timeout,
        ..StripeConfig::new(key)
    })?;
    let installation = installation(&client, &namespace, &config.installation.config_map).await?;
    let back = SignedDuration::try_from(config.payments.look_back).unwrap_or(SignedDuration::MAX);
    let place = Place { client, provider, installation, hotel: args.hotel, back };

    let (mut counted, mut found) = place.look().await?;
    if !found.is_empty() {
        tokio::time::sleep(Duration::from_secs(args.again_after)).await;
        let (again, still) = place.look().await?;
        found = still.into_iter().filter(|now| found.iter().any(|before| same(before, now))).collect();
        counted = again;
    }
    match args.output {
        Output::Json => {
            let told = serde_json::json!({
                "reservations": counted.reservations.len(),
                "payments": counted.payments.len(),
                "imbalances": found,
            });
            println!("{}", serde_json::to_string_pretty(&told)?);
        }
        Output::Text => {
            if !found.is_empty() {
                print!("{}", table(&found));
            }
            let (reservations, payments) = (counted.reservations.len(), counted.payments.len());
            println!("{reservations} Reservations, {payments} payments: {} imbalances", found.len());
        }
    }
    if found.is_empty() { Ok(()) } else { Err(format!("{} things do not fit", found.len()).into()) }
}

/// A line for each, under a head; only the last column has blanks in it.
fn table(found: &[Imbalance]) -> String {
    let head = ["HOTEL", "NAME", "ABOUT", "WHAT IS SO, AND WHAT TO DO"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(head)
        .chain(found.iter().map(|i| {
            let words = format!("{} {}", i.what, i.to_do);
            [i.namespace.clone(), i.name.clone(), format!("{:?}", i.about), words]
        }))
        .collect();
    let width = |cell: fn(&[String; 4]) -> &String| rows.iter().map(|r| cell(r).chars().count()).max();
    let [hotel, name, about] =
        [width(|[h, ..]| h), width(|[_, n, ..]| n), width(|[_, _, a, _]| a)].map(Option::unwrap_or_default);
    let line = |[h, n, a, words]: &[String; 4]| format!("{h:hotel$}  {n:name$}  {a:about$}  {words}\n");
    rows.iter().map(line).collect::<Vec<_>>().concat()
}

/// The same thing, whatever its figures are by now.
fn same(before: &Imbalance, now: &Imbalance) -> bool {
    (&before.namespace, &before.name, before.about) == (&now.namespace, &now.name, now.about)
}

/// The id by which the installation knows its own money. It is read, never made.
async fn installation(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let found = config_maps.get(name).await.map_err(|e| {
        format!("cannot read the installation's ConfigMap {namespace}/{name} (installation.configMap): {e}")
    })?;
    let id = found.data.and_then(|data| data.get("id").cloned()).filter(|id| !id.is_empty());
    id.ok_or_else(|| format!("the ConfigMap {namespace}/{name} holds no id").into())
}

/// Where everything is read.
struct Place {
    client: Client,
    provider: Stripe,
    installation: String,
    hotel: Option<String>,
    back: SignedDuration,
}

impl Place {
    async fn look(&self) -> Result<(Books, Vec<Imbalance>), Box<dyn std::error::Error + Send + Sync>> {
        // First what is claimed, then what is so: a claim is never younger than its proof.
        let books = Books {
            reservations: self.all::<Reservation>().await?,
            rooms: self.all::<Room>().await?,
            calendars: self.all::<RoomCalendar>().await?,
            payments: self.payments().await?,
        };
        let found = imbalances(&books, Timestamp::now());
        Ok((books, found))
    }

    async fn all<K>(&self) -> Result<Vec<K>, kube::Error>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = match &self.hotel {
            Some(hotel) => Api::namespaced(self.client.clone(), hotel),
            None => Api::all(self.client.clone()),
        };
        let (mut all, mut next) = (Vec::new(), None::<String>);
        loop {
            let page = ListParams { continue_token: next, ..ListParams::default().limit(PAGE) };
            let list = api.list(&page).await?;
            next = list.metadata.continue_.clone().filter(|token| !token.is_empty());
            all.extend(list.items.into_iter().map(|mut object| {
                object.managed_fields_mut().clear();
                object
            }));
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    async fn payments(&self) -> Result<Vec<Payment>, Box<dyn std::error::Error + Send + Sync>> {
        let since = Timestamp::now().saturating_sub(self.back).unwrap_or(Timestamp::MIN);
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let installation = self.installation.clone();
            let query = ListQuery { installation, since, after, pages: PAGES, refunds: true };
            let listing = self.provider.list(&query).await?;
            all.extend(listing.intents.into_iter().filter_map(|(tags, intent)| payment(tags?, &intent)));
            after = listing.next;
            if after.is_none() {
                break;
            }
        }
        all.retain(|payment| self.hotel.as_ref().is_none_or(|hotel| *hotel == payment.namespace));
        Ok(all)
    }
}

fn payment(tags: Tags, intent: &Intent) -> Option<Payment> {
    let progress = match &intent.state {
        IntentState::Captured => Progress::Captured,
        // A fence that is about to be cancelled takes no money.
        IntentState::Open if intent.fence => return None,
        IntentState::Processing | IntentState::Open => Progress::UnderWay,
        IntentState::Declined { .. } | IntentState::Cancelled => Progress::Over,
    };
    Some(Payment {
        id: intent.id.clone(),
        namespace: tags.namespace,
        name: tags.name,
        uid: tags.uid,
        check_in: Some(tags.check_in),
        currency: intent.currency.clone(),
        progress,
        captured: intent.captured,
        returning: intent.returning(),
        refund_pending: intent.refunds.iter().any(|refund| refund.state == RefundState::Pending),
        settled: intent.settled,
    })
}
