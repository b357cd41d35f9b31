//! Events as lines that people read, from the file sink or from the objects themselves.

use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use innkeeper_api::Reservation;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event as Watched, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncSeekExt, BufReader};

use crate::event::{Event, PREFIX, of_fact};

/// How often a file that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How many objects a page of a list has.
const PAGE: u32 = 200;

/// One event in one line: when, what, of whom, and what else there is to say.
#[must_use]
pub fn line(event: &Event) -> String {
    let kind = event.kind.strip_prefix(PREFIX).unwrap_or(&event.kind);
    let namespace = event.data["namespace"].as_str().unwrap_or("-");
    let number = event.sequence.as_deref().map(|number| format!("  #{number}")).unwrap_or_default();
    let time = event.time.round(jiff::Unit::Second).unwrap_or(event.time);
    format!("{time}  {namespace}/{}{number}  {kind}{}", event.subject, rest(&event.data))
}

fn rest(data: &Value) -> String {
    let number = |value: &Value| value.as_i64().map(|number| number.to_string());
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let stay = &data["stay"];
    let said = [
        number(&data["amount"]["minorUnits"])
            .zip(text(&data["amount"]["currency"]))
            .map(|(m, c)| format!("{m} {c}")),
        text(&data["reason"]),
        number(&data["from"]).map(|from| format!("from #{from}")),
        number(&data["tonight"]["free"]).map(|free| format!("{free} free tonight")),
        text(&stay["room"])
            .zip(text(&stay["checkIn"]))
            .zip(text(&stay["checkOut"]))
            .map(|((room, check_in), check_out)| format!("{room} {check_in} to {check_out}")),
    ];
    said.into_iter().flatten().flat_map(|said| ["  ".to_owned(), said]).collect()
}

/// Reads a file of JSON lines to its end, and where it is followed, for good. A line that is no event is told of as it is.
pub async fn file(path: &Path, follow: bool, mut out: impl FnMut(&str)) -> std::io::Result<()> {
    let mut reader = BufReader::new(File::open(path).await?);
    let mut at = 0;
    loop {
        let mut text = String::new();
        let read = reader.read_line(&mut text).await?;
        if text.ends_with('\n') {
            at += u64::try_from(read).unwrap_or(0);
            match serde_json::from_str::<Event>(&text) {
                Ok(event) => out(&line(&event)),
                Err(error) => out(&format!("no event ({error}): {}", text.trim_end())),
            }
            continue;
        }
        // The end, or a line that is still being written.
        if !follow {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
        reader.seek(SeekFrom::Start(at)).await?;
    }
}

/// Shows the facts of all Reservations (of one namespace), in the order of their times.
pub async fn objects(
    client: Client,
    namespace: Option<&str>,
    mut out: impl FnMut(&str),
) -> Result<(), kube::Error> {
    let api = api(client, namespace);
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await?;
        for object in page.items {
            lines.extend(facts(object, 0).1);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    lines.sort();
    for (_, line) in &lines {
        out(line);
    }
    Ok(())
}

/// Shows the facts of all Reservations as they are stored, from now on, for good.
pub async fn follow_objects(client: Client, namespace: Option<&str>, mut out: impl FnMut(&str)) {
    let mut shown = std::collections::HashMap::new();
    let api = api(client, namespace);
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        match event {
            Ok(Watched::InitApply(object)) => {
                let uid = object.0.as_ref().ok().and_then(|o| o.metadata.uid.clone()).unwrap_or_default();
                // What is there already is not shown, and what comes to it is, even if the watch began anew.
                let known = shown.get(&uid).copied();
                let (count, lines) = facts(object, known.unwrap_or(usize::MAX));
                for (_, line) in &lines {
                    out(line);
                }
                shown.insert(uid, count);
            }
            Ok(Watched::Apply(object)) => {
                let uid = object.0.as_ref().ok().and_then(|o| o.metadata.uid.clone()).unwrap_or_default();
                let (count, lines) = facts(object, shown.get(&uid).copied().unwrap_or(0));
                for (_, line) in &lines {
                    out(line);
                }
                shown.insert(uid, count);
            }
            Ok(Watched::Delete(object)) => {
                if let Some(uid) = object.0.ok().and_then(|o| o.metadata.uid) {
                    shown.remove(&uid);
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "the watch failed; it is begun again");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// How many facts there are, and a line for each after so many.
fn facts(object: DeserializeGuard<Reservation>, after: usize) -> (usize, Vec<(Timestamp, String)>) {
    let object = match object.0 {
        Ok(object) => object,
        Err(error) => return (after, vec![(Timestamp::now(), format!("cannot be read: {error}"))]),
    };
    let history = object.status.as_ref().map(|status| status.history.as_slice()).unwrap_or_default();
    let lines = history.iter().skip(after).filter_map(|fact| {
        let event = of_fact("-", &object, fact);
        let data = serde_json::to_value(&event.data).ok()?;
        Some((fact.time, line(&event.with(data))))
    });
    (history.len(), lines.collect())
}

fn api(client: Client, namespace: Option<&str>) -> Api<DeserializeGuard<Reservation>> {
    match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    }
}
