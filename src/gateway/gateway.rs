//! Puts the parts together: watches, the model, the routes, and the way from the first list to the last answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use http::{HeaderName, HeaderValue, Method, header};
use innkeeper_ops::config::{self, ConfigWatch};
use innkeeper_ops::metrics::{Metrics, ModelKind};
use innkeeper_ops::probes::{Condition, Health};
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::breaker::Breaker;
use crate::contacts::Contacts;
use crate::contacts::cleaning::Cleaning;
use crate::door::{Door, Inner};
use crate::follow::Watches;
use crate::model::Model;
use crate::overload::Overload;
use crate::partners::Partners;
use crate::past::Past;
use crate::problem::{Kind, Problem};
use crate::pulse::{Pulses, counted};
use crate::rates::Rates;
use crate::session::Cookies;
use crate::sign_in::{self, Guests};
use crate::webhooks;
use crate::writer::Writer;
use crate::{Clock, layers, page, rest, serve, site};

/// How often readiness and the gauges follow what is known.
const EVERY: Duration = Duration::from_millis(250);
/// More than this no body may have, whatever the configuration says later.
const MOST_BODY: usize = 1024 * 1024;

/// The gateway.
pub struct Gateway {
    /// The API server. Must not retry by itself: whoever waits here is a guest.
    pub client: Client,
    /// The configuration; what may change while running is read from it each time.
    pub config: Arc<ConfigWatch>,
    /// Who may come as a partner.
    pub partners: Partners,
    /// How guests are known.
    pub guests: Guests,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// What readiness asks.
    pub health: Health,
}

/// The document that describes the API, as it is served at `/openapi.json`.
#[must_use]
pub fn document() -> String {
    page::document_text(&rest::routes().into_openapi())
}

impl Gateway {
    /// Serves until `stop`: then for a while as before, so that everybody notices that it is no longer ready, and then
    /// until what is under way has been answered.
    pub fn run(self, listener: TcpListener, stop: CancellationToken) -> impl Future<Output = ()> + Send {
        // At once, not when first polled: a process that has not begun must not look ready.
        let known = self.health.condition("read-model");
        async move {
            let settings = self.config.current().gateway.clone();
            let (model, pulses) = (Model::default(), Pulses::default());
            let watches = Watches {
                client: self.client.clone(),
                metrics: self.metrics.clone(),
                namespaces: settings.watch_namespaces.clone(),
                watch_for: settings.model.watch_for,
            };
            let gone = settings.contacts.namespace.is_some().then(|| model.gone());
            let following = tokio::spawn(watches.follow(&model, &pulses));
            let _following = AbortOnDropHandle::new(following);
            let breaker =
                Breaker::new(settings.breaker.failures, settings.breaker.open_for, self.metrics.clone());
            let places = usize::try_from(settings.limits.in_flight).unwrap_or(usize::MAX);
            let streams = usize::try_from(settings.limits.streams).unwrap_or(usize::MAX);
            let past = Past::of(self.config.current().archive.folder.as_deref());
            let _archive = AbortOnDropHandle::new(tokio::spawn(
                past.clone().follow(Arc::clone(&self.config), self.metrics.clone()),
            ));
            let overload = Arc::new(Overload::default());
            let _measuring = AbortOnDropHandle::new(tokio::spawn(
                Arc::clone(&overload).follow(Arc::clone(&self.config), self.metrics.clone()),
            ));
            let client = counted(&self.client, &self.metrics);
            let writer = Writer::new(client.clone(), breaker);
            let namespace = settings.contacts.namespace.as_deref();
            let contacts = namespace.map(|name| Contacts::new(client.clone(), name, writer.clone()));
            let cleaning = namespace.map(|name| Cleaning::new(client.clone(), name, model.clone()));
            let _cleaning = cleaning
                .zip(gone)
                .map(|(cleaning, gone)| AbortOnDropHandle::new(tokio::spawn(cleaning.run(gone))));
            let door = Door::new(Inner {
                model,
                pulses,
                past,
                writer,
                contacts,
                partners: self.partners,
                cookies: Cookies::new(self.guests.keys.clone(), settings.public_url.as_deref()),
                sign_in: self.guests.sign_in,
                rates: Rates::new(&settings.rates),
                overload,
                places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
                streams: Arc::new(Semaphore::new(streams.min(Semaphore::MAX_PERMITS))),
                config: self.config,
                clock: self.clock,
                metrics: self.metrics,
                closing: CancellationToken::new(),
            });
            let _looking = AbortOnDropHandle::new(tokio::spawn(look_after(door.clone(), known)));
            let forgetting = door.clone();
            let _forgetting =
                AbortOnDropHandle::new(tokio::spawn(async move { forgetting.rates.forget().await }));
            let watching = settings.partners_file.clone().map(|file| door.partners.clone().watch(file));
            let _watching = watching.map(|watching| AbortOnDropHandle::new(tokio::spawn(watching)));
            let keys = self.guests.keys;
            let _watching_keys =
                self.guests.keys_file.map(|file| AbortOnDropHandle::new(tokio::spawn(keys.watch(file))));
            let router = router(door.clone(), &settings);
            let (linger, drain) = (settings.ending.linger, settings.ending.drain);
            let lingered = CancellationToken::new();
            let ending = async {
                stop.cancelled().await;
                tokio::time::sleep(linger).await;
                door.closing.cancel();
                lingered.cancel();
            };
            let door = serve::Served { listener, router, metrics: door.metrics.clone() };
            let serving = door.serve(&settings.limits, stop.clone(), lingered.clone(), drain);
            tokio::join!(serving, ending);
        }
    }
}

fn router(door: Door, settings: &config::Gateway) -> Router {
    let (api, document) = rest::routes().split_for_parts();
    // The first to see a request stands last.
    let answered = api
        .merge(sign_in::routes())
        .merge(site::routes())
        .layer(from_fn_with_state(door.clone(), layers::in_time))
        .layer(from_fn_with_state(door.clone(), layers::identify))
        .layer(from_fn_with_state(door.clone(), layers::admit));
    answered
        .merge(page::routes(&document))
        .merge(site::assets())
        .fallback(async || Problem::not_found("address"))
        .method_not_allowed_fallback(async || {
            let detail = "This address does not take this method; see /openapi.json.";
            Problem::new(Kind::MethodNotAllowed, detail)
        })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .merge(webhooks::routes(settings.webhooks_to.as_deref()))
        .layer(from_fn_with_state(door.clone(), site::dress))
        .layer(cors(&settings.allowed_origins))
        .layer(from_fn_with_state(door.clone(), layers::count))
        .with_state(door)
}

/// Which pages may call the API. Tokens travel in a header that no browser adds by itself, so there are no credentials.
fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let ours = |name: &'static str| HeaderName::from_static(name);
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            ours("idempotency-key"),
            ours("traceparent"),
            ours("x-request-id"),
        ])
        .expose_headers([
            header::AGE,
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            ours("idempotency-replayed"),
            ours("ratelimit"),
            ours("ratelimit-policy"),
            ours("x-request-id"),
        ])
        .max_age(Duration::from_secs(600))
}

/// Keeps readiness and the gauges in step with what is known, for good.
async fn look_after(door: Door, known: Condition) {
    loop {
        let (now, bound) = (Instant::now(), door.settings().model.stale_after);
        let missing = door.pulses.missing(now, bound);
        if missing.is_empty() {
            known.met();
        } else {
            known.unmet(missing.join("; "));
        }
        if let Some(age) = door.pulses.age(now) {
            door.metrics.gateway_model_age(age);
        }
        let size = door.model.size();
        for (kind, count) in [
            (ModelKind::Room, size.rooms),
            (ModelKind::RoomCalendar, size.calendars),
            (ModelKind::Reservation, size.reservations),
        ] {
            door.metrics.gateway_model_objects(kind, count);
        }
        tokio::time::sleep(EVERY).await;
    }
}
