//! What an operator hears from its watches, line by line.

use axum::body::{Body as Bytewise, BodyDataStream, Bytes};
use futures::StreamExt;
use http::Response;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::tap::{Mishap, Tap, Trouble};

struct Overheard {
    tap: Tap,
    body: BodyDataStream,
    expiry: watch::Receiver<u32>,
    rest: Vec<u8>,
    over: bool,
}

/// The same answer, whose lines pass by the tap.
pub fn overhear(tap: Tap, answer: Response<Body>) -> Response<Bytewise> {
    let (parts, body) = answer.into_parts();
    let expiry = tap.expiry();
    let body = Bytewise::new(body).into_data_stream();
    let overheard = Overheard { tap, body, expiry, rest: Vec::new(), over: false };
    let lines = futures::stream::unfold(overheard, |mut overheard| async {
        let line = overheard.next().await?;
        Some((line, overheard))
    });
    Response::from_parts(parts, Bytewise::from_stream(lines))
}

impl Overheard {
    async fn next(&mut self) -> Option<Result<Bytes, Trouble>> {
        loop {
            if self.over {
                return None;
            }
            if let Some(line) = self.line() {
                let heard: Value = serde_json::from_slice(&line).unwrap_or_default();
                self.tap.heard(&plural(&heard)).await;
                self.tap.thawed().await;
                if ["ADDED", "MODIFIED", "DELETED"].iter().any(|kind| heard["type"] == *kind) {
                    match self.tap.event(&named(&heard)) {
                        Some(Mishap::Lost) => continue,
                        Some(Mishap::Expired) => return Some(Ok(self.too_old())),
                        None => {}
                    }
                }
                return Some(Ok(line.into()));
            }
            let chunk = tokio::select! {
                chunk = self.body.next() => chunk,
                Ok(()) = self.expiry.changed() => return Some(Ok(self.too_old())),
            };
            match chunk? {
                Ok(chunk) => self.rest.extend_from_slice(&chunk),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    /// The next whole line, with its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let rest = self.rest.split_off(end + 1);
        Some(std::mem::replace(&mut self.rest, rest))
    }

    /// What the API server says of a resourceVersion that it has forgotten; then it closes.
    fn too_old(&mut self) -> Bytes {
        self.over = true;
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 410,
            "message": "too old resource version: 1 (2)", "reason": "Expired",
        });
        format!("{}\n", json!({ "type": "ERROR", "object": status })).into()
    }
}

fn plural(event: &Value) -> String {
    format!("/{}s", event["object"]["kind"].as_str().unwrap_or_default().to_lowercase())
}

fn named(event: &Value) -> String {
    let (object, word) = (&event["object"], event["type"].as_str().unwrap_or_default());
    let kind = object["kind"].as_str().unwrap_or_default();
    format!("{word} {kind} {}", object["metadata"]["name"].as_str().unwrap_or_default())
}

/// A path without what all of them begin with.
pub fn resource(path: &str) -> &str {
    path.split_once("/namespaces/").and_then(|(_, rest)| rest.split_once('/')).map_or(path, |(_, rest)| rest)
}

/// Whether this is a write of money or of nights without the `resourceVersion` that it was decided on. A calendar that is
/// made has none, and one that is deleted has it as a precondition.
pub fn lacks_its_version(what: &str, body: &[u8]) -> bool {
    let (method, path) = what.split_once(' ').unwrap_or_default();
    let of_money = path.starts_with("reservations/") && path.ends_with("/status");
    let of_nights = path.starts_with("roomcalendars/");
    if !(of_money || of_nights) {
        return false;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let at = if method == "DELETE" { "/preconditions/resourceVersion" } else { "/metadata/resourceVersion" };
    body.pointer(at).and_then(Value::as_str).is_none_or(str::is_empty)
}

/// The same list, the other way round.
pub async fn reversed(answer: Response<Body>) -> Result<Response<Bytewise>, Trouble> {
    let (mut parts, body) = answer.into_parts();
    let bytes = body.collect_bytes().await?;
    let mut list: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let Some(items) = list.get_mut("items").and_then(Value::as_array_mut) else {
        return Ok(Response::from_parts(parts, Bytewise::from(bytes)));
    };
    items.reverse();
    parts.headers.remove(http::header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Bytewise::from(list.to_string())))
}
