//! The guests' door, as whoever is outside of the cluster reaches it: at the port of its Service on a node.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::Date;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::operator::PodId;
use super::{SYSTEM, World, until};

/// The Deployment, its autoscaler, its Service and its disruption budget have this name.
pub const GATEWAY: &str = "innkeeper-gateway";

/// So many new connections reach each of a few replicas, but for one time in thousands.
const ROUND: u32 = 12;

/// The way in.
#[derive(Clone)]
pub struct Door {
    /// Where it is.
    pub url: String,
    token: String,
    http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body, where that is JSON.
    pub body: Value,
    /// The address of what was made.
    pub location: Option<String>,
    /// How long to wait before asking again.
    pub wait: Option<Duration>,
}

/// A client as a new guest has one: with no connection yet.
pub fn stranger() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(30));
    client.build().unwrap()
}

impl Door {
    /// Finds it as somebody does who has just installed: the port is on the Service, a token in a Secret.
    pub async fn open(world: &World) -> Self {
        let secrets: Api<Secret> = Api::namespaced(world.client.clone(), SYSTEM);
        let secret = secrets.get("innkeeper-gateway-trial-partner").await.unwrap();
        let token = String::from_utf8(secret.data.unwrap()["token"].0.clone()).unwrap();
        let services: Api<Service> = Api::namespaced(world.client.clone(), SYSTEM);
        let port = services.get(GATEWAY).await.unwrap().spec.unwrap().ports.unwrap()[0].node_port.unwrap();
        let door = Self { url: format!("http://{}:{port}", world.address), token, http: stranger() };
        until("the gateway answers at its port", async || {
            let answer = door.http.get(format!("{}/openapi.json", door.url)).send().await;
            let status = answer.map_err(|e| format!("{e:?}"))?.status();
            if status == StatusCode::OK { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
        door
    }

    /// A request of the partner's, by this client.
    pub fn request(&self, client: &reqwest::Client, method: Method, path: &str) -> reqwest::RequestBuilder {
        client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Sends one, and reads its answer.
    pub async fn send(request: reqwest::RequestBuilder) -> Result<Answer, String> {
        // Only `{:?}` says what lies below.
        let response = request.send().await.map_err(|e| format!("{e:?}"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.map_err(|e| format!("{e:?}"))?;
        let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let location = said("location").map(ToOwned::to_owned);
        let wait = said("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default(), location, wait })
    }

    /// Reads an address.
    pub async fn get(&self, path: &str) -> Answer {
        Self::send(self.request(&self.http, Method::GET, path)).await.unwrap()
    }

    /// Sends to an address.
    pub async fn post(&self, path: &str) -> Answer {
        Self::send(self.request(&self.http, Method::POST, path)).await.unwrap()
    }

    /// A booking of one unit for a guest, not yet sent.
    pub fn booking(
        &self,
        client: &reqwest::Client,
        property: &str,
        (room, from, to): (&str, Date, Date),
        guest: &str,
    ) -> reqwest::RequestBuilder {
        let body = json!({
            "room": room,
            "checkIn": from,
            "checkOut": to,
            "guestID": guest,
            "payment": { "method": "pm_card_visa" },
        });
        self.request(client, Method::POST, &format!("/v1/properties/{property}/reservations"))
            .header("idempotency-key", format!("key-of-{guest}"))
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// Books one unit for a guest.
    pub async fn book(&self, property: &str, stay: (&str, Date, Date), guest: &str) -> Answer {
        Self::send(self.booking(&self.http, property, stay, guest)).await.unwrap()
    }

    /// Reads an address by a new connection each time, until every answer of a round is as `fits` says: replicas are a
    /// moment apart, and which one answers a connection is chance. Whoever has no requests left is asked again when it
    /// says so: a round that began anew each time would use up whatever comes back meanwhile, and never be a whole one.
    pub async fn everywhere(&self, what: &str, path: &str, fits: impl Fn(&Answer) -> bool) -> Answer {
        until(what, async || {
            let mut last = None;
            let (mut asked, mut waited) = (0, 0);
            while asked < ROUND {
                let answer = Self::send(self.request(&stranger(), Method::GET, path)).await?;
                if answer.status == StatusCode::TOO_MANY_REQUESTS && waited < ROUND {
                    tokio::time::sleep(answer.wait.expect("429 says when")).await;
                    waited += 1;
                    continue;
                }
                if !fits(&answer) {
                    return Err(format!("{answer:?}"));
                }
                asked += 1;
                last = Some(answer);
            }
            Ok(last.expect("a round has answers"))
        })
        .await
    }

    /// Waits until every replica says that so many of a Room are free.
    pub async fn shows_free(&self, property: &str, (room, from, to): (&str, Date, Date), free: u64) {
        let path = format!("/v1/properties/{property}/rooms?checkIn={from}&checkOut={to}");
        // A property that was made just now is not known everywhere yet either.
        self.everywhere(&format!("{free} of {room} are free"), &path, |found| {
            let rooms = found.body["rooms"].as_array().map(Vec::as_slice).unwrap_or_default();
            rooms.iter().any(|offer| offer["room"] == room && offer["free"] == free)
        })
        .await;
    }

    /// Waits until a reservation has settled in this phase, and gives it.
    pub async fn settled(&self, path: &str, phase: &str) -> Value {
        until(&format!("{path} is {phase}"), async || {
            let body = self.get(path).await.body;
            if body["settled"] == true && body["phase"] == phase { Ok(body) } else { Err(body.to_string()) }
        })
        .await
    }
}

/// What happened to a reservation, as the gateway tells it.
pub fn facts(reservation: &Value) -> Vec<&str> {
    let history = reservation["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    history.iter().filter_map(|fact| fact["fact"].as_str()).collect()
}

impl World {
    /// The gateway's pods that are ready and not on their way out.
    pub async fn gateways(&self) -> BTreeSet<PodId> {
        let of_gateway = ListParams::default().labels("app.kubernetes.io/component=gateway");
        let pods = self.pods().list(&of_gateway).await.unwrap();
        let ready = |pod: &&Pod| {
            let conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
            let mut ready = conditions.filter(|c| c.type_ == "Ready" && c.status == "True");
            pod.metadata.deletion_timestamp.is_none() && ready.next().is_some()
        };
        pods.iter().filter(ready).map(|p| PodId { name: p.name_any(), uid: p.uid().unwrap() }).collect()
    }
}
