//! Recorded objects: all versions of a Reservation in a file, without its
//! `spec` and without what differs from run to run.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::recorder::Version;
use crate::support::PROJECT;

/// What every recorded instant is.
const INSTANT: &str = "2030-01-01T00:00:00Z";

/// Fields that hold the time at which something was done.
const TIMES: &[&str] = &[
    "lastTransitionTime",
    "time",
    "attemptedAt",
    "deadline",
    "at",
    "nextAttempt",
    "creationTimestamp",
    "deletionTimestamp",
];

/// Where the record of a story is.
pub fn file(story: &str) -> PathBuf {
    [PROJECT, "tests", "argocd", "recorded", &format!("{story}.json")].iter().collect()
}

/// The record's text.
pub fn text(versions: &[Version]) -> String {
    let mut json = serde_json::to_string_pretty(&versions.iter().map(record).collect::<Vec<_>>()).unwrap();
    let last = &versions.last().unwrap().object;
    for (path, name) in [
        ("/metadata/uid", "the-uid"),
        ("/status/payment/id", "pi_recorded"),
        ("/status/quote/roomUID", "the-uid-of-the-room"),
    ] {
        if let Some(value) = last.pointer(path).and_then(Value::as_str) {
            json = json.replace(value, name);
        }
    }
    json.push('\n');
    json
}

fn record(version: &Version) -> Value {
    let mut object = version.object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for gone in ["managedFields", "resourceVersion", "selfLink"] {
        metadata.remove(gone);
    }
    metadata.insert("namespace".to_owned(), "seaside".into());
    object.as_object_mut().unwrap().remove("spec");
    still(&mut object);
    sorted(object)
}

/// Stops the clocks.
fn still(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if TIMES.contains(&name.as_str()) && value.is_string() {
                    *value = INSTANT.into();
                } else {
                    still(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(still),
        _ => {}
    }
}

/// Names in order, whether or not the JSON library keeps the order in which they came.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(fields))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
