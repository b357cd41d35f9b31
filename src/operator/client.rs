//! The client of the API server, with its requests counted.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use innkeeper_api::{Reservation, Room, RoomCalendar};
use innkeeper_ops::metrics::Metrics;
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::client::ClientBuilder;
use kube::{Api, Client, Config};
use tower::{Layer, Service};

/// A client that counts its requests.
pub fn client(config: Config, metrics: &Metrics) -> Result<Client, kube::Error> {
    Ok(ClientBuilder::try_from(config)?.with_layer(&Counting(metrics.clone())).build())
}

/// Whether the API server serves the three kinds; says what is missing. Asks in the namespace given, where the rights of
/// an operator of some namespaces end.
pub async fn crds_installed(client: &Client, namespace: Option<&str>) -> Result<Option<String>, kube::Error> {
    async fn served<K>(client: &Client, namespace: Option<&str>) -> Result<bool, kube::Error>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let api: Api<K> = match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        match api.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => Ok(true),
            // Where the whole group is unknown the answer is no Status, so its reason says nothing.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }
    let missing: Vec<&str> = [
        ("Room", served::<Room>(client, namespace).await?),
        ("Reservation", served::<Reservation>(client, namespace).await?),
        ("RoomCalendar", served::<RoomCalendar>(client, namespace).await?),
    ]
    .into_iter()
    .filter_map(|(kind, there)| (!there).then_some(kind))
    .collect();
    Ok((!missing.is_empty()).then(|| missing.join(", ")))
}

#[derive(Clone)]
struct Counting(Metrics);

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;
    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: self.0.clone() }
    }
}

#[derive(Clone)]
struct Counted<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (metrics, method) = (self.metrics.clone(), request.method().clone());
        let answer = self.inner.call(request);
        answer
            .inspect(move |answer| {
                metrics.api_request(&method, answer.as_ref().ok().map(|a| a.status().as_u16()));
            })
            .boxed()
    }
}
