//! What the API server refuses by itself, and what it lets pass: every rule and every bound of the definitions, each
//! with its neighbour that is just good enough. And what `kubectl` makes of the objects.

mod calendars;
mod columns;
mod reservations;
mod rooms;
mod terms;

use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::support::control_plane;

/// Lays a JSON merge patch (RFC 7386) over a value: null takes a field away.
fn lay_over(base: &mut Value, change: &Value) {
    let Value::Object(fields) = change else {
        *base = change.clone();
        return;
    };
    if !base.is_object() {
        *base = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(name);
        } else {
            lay_over(&mut base[name], value);
        }
    }
}

fn changed(base: &Value, change: &Value) -> Value {
    let mut object = base.clone();
    lay_over(&mut object, change);
    object
}

fn room() -> Value {
    json!({
        "apiVersion": "innkeeper.dev/v1alpha1",
        "kind": "Room",
        "metadata": { "name": "double" },
        "spec": { "units": 2, "rate": { "currency": "EUR", "minorUnits": 12_000 }, "timeZone": "Europe/Lisbon" },
    })
}

fn reservation() -> Value {
    json!({
        "apiVersion": "innkeeper.dev/v1alpha1",
        "kind": "Reservation",
        "metadata": { "name": "anna" },
        "spec": {
            "roomName": "double",
            "checkIn": "2030-07-01",
            "checkOut": "2030-07-03",
            "guestID": "g-1",
            "payment": { "method": "pm_card_visa" },
        },
    })
}

/// The API of an object's kind in a namespace.
fn api_of(client: Client, namespace: &str, object: &Value) -> Api<DynamicObject> {
    let kind = object["kind"].as_str().unwrap();
    let resource = ApiResource {
        group: innkeeper_api::GROUP.to_owned(),
        version: innkeeper_api::VERSION.to_owned(),
        api_version: format!("{}/{}", innkeeper_api::GROUP, innkeeper_api::VERSION),
        kind: kind.to_owned(),
        plural: format!("{}s", kind.to_lowercase()),
    };
    Api::namespaced_with(client, namespace, &resource)
}

/// What the API server says to an object that is to be created, without creating it: the error's message.
async fn offer(object: &Value) -> Result<(), String> {
    let api = api_of(control_plane().client(), "default", object);
    let asked = PostParams { dry_run: true, ..PostParams::default() };
    let object = serde_json::from_value(object.clone()).unwrap();
    api.create(&asked, &object).await.map(|_| ()).map_err(|error| message_of(&error))
}

fn message_of(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => panic!("not an answer of the API server: {other}"),
    }
}

/// Refused with these words, and its neighbour is not.
async fn check(base: &Value, refused: &Value, words: &str, passes: &Value) {
    let said = offer(&changed(base, refused)).await.expect_err("must be refused");
    assert!(said.contains(words), "{refused} was refused with other words: {said}");
    let neighbour = offer(&changed(base, passes)).await;
    assert_eq!(neighbour, Ok(()), "{passes} must pass");
}
