//! Reservations and Rooms, as they are changed: a stay's terms are immutable, and a cancellation stays.

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, core::DynamicObject};
use rstest::rstest;
use serde_json::{Value, json};

use super::{api_of, changed, message_of, reservation, room};
use crate::support::{control_plane, kubectl_with, stderr};

const IMMUTABLE: &str = "a stay's terms cannot be changed: delete this Reservation and create a new one";
const KEPT: &str = "state cannot be taken away once it is set";

/// Everything that can be said of a stay.
fn full() -> Value {
    let spec = json!({
        "payment": { "reference": "A-1" },
        "maxTotal": { "currency": "EUR", "minorUnits": 50_000 },
    });
    changed(&reservation(), &json!({ "spec": spec }))
}

/// Makes an object in a namespace of the test's own.
async fn made(object: &Value) -> (Api<DynamicObject>, String) {
    let namespace = control_plane().namespace("rules");
    let api = api_of(control_plane().client(), &namespace, object);
    api.create(&PostParams::default(), &serde_json::from_value(object.clone()).unwrap()).await.unwrap();
    (api, namespace)
}

async fn patch(api: &Api<DynamicObject>, change: &Value) -> Result<DynamicObject, String> {
    api.patch("anna", &PatchParams::default(), &Patch::Merge(change)).await.map_err(|e| message_of(&e))
}

async fn apply(api: &Api<DynamicObject>, manager: &str, object: &Value) -> Result<DynamicObject, String> {
    api.patch("anna", &PatchParams::apply(manager).force(), &Patch::Apply(object))
        .await
        .map_err(|e| message_of(&e))
}

async fn state(api: &Api<DynamicObject>) -> Value {
    api.get("anna").await.unwrap().data["spec"]["state"].clone()
}

#[rstest]
#[case::room(json!({"roomName": "single"}))]
#[case::arrival(json!({"checkIn": "2030-06-30"}))]
#[case::departure(json!({"checkOut": "2030-07-04"}))]
#[case::units(json!({"units": 2}))]
#[case::guest(json!({"guestID": "g-2"}))]
#[case::adults(json!({"guests": {"adults": 2}}))]
#[case::children(json!({"guests": {"children": 1}}))]
#[case::collector(json!({"payment": {"collect": "AtProperty", "method": null}}))]
#[case::method(json!({"payment": {"method": "pm_card_mastercard"}}))]
#[case::reference(json!({"payment": {"reference": "A-2"}}))]
#[case::reference_taken_away(json!({"payment": {"reference": null}}))]
#[case::max_total(json!({"maxTotal": {"minorUnits": 50_001}}))]
#[case::max_total_in_another_currency(json!({"maxTotal": {"currency": "USD"}}))]
#[case::max_total_taken_away(json!({"maxTotal": null}))]
#[tokio::test]
async fn a_term_of_a_stay_is_immutable(#[case] change: Value) {
    let (api, _) = made(&full()).await;
    let change = json!({ "spec": change });
    let said = patch(&api, &change).await.expect_err("by merge patch");
    assert!(said.contains(IMMUTABLE), "{said}");

    let mut replaced = changed(&full(), &change);
    replaced["metadata"]["resourceVersion"] = json!(api.get("anna").await.unwrap().metadata.resource_version);
    let replaced = serde_json::from_value(replaced).unwrap();
    let said = api.replace("anna", &PostParams::default(), &replaced).await.expect_err("by replace");
    assert!(message_of(&said).contains(IMMUTABLE), "{said}");
}

#[tokio::test]
async fn max_total_cannot_be_added_later() {
    let (api, _) = made(&reservation()).await;
    let said =
        patch(&api, &json!({"spec": {"maxTotal": {"currency": "EUR", "minorUnits": 1}}})).await.unwrap_err();
    assert!(said.contains(IMMUTABLE), "{said}");
}

#[tokio::test]
async fn terms_are_immutable_for_server_side_apply_too() {
    let (api, _) = made(&full()).await;
    let dearer = changed(&full(), &json!({"spec": {"units": 2}}));
    let said = apply(&api, "git", &dearer).await.unwrap_err();
    assert!(said.contains(IMMUTABLE), "{said}");
    apply(&api, "git", &full()).await.expect("the same again");
}

#[rstest]
#[case::cancelling(json!({"state": "Cancelled"}))]
#[case::keeping_it_for_a_month(json!({"ttlAfterFinished": "720h"}))]
#[case::both(json!({"state": "Cancelled", "ttlAfterFinished": "1h"}))]
#[tokio::test]
async fn what_is_no_term_may_change(#[case] change: Value) {
    let (api, _) = made(&full()).await;
    let before = api.get("anna").await.unwrap().metadata.generation;
    let after = patch(&api, &json!({ "spec": change })).await.unwrap();
    assert!(after.metadata.generation > before, "it is another generation");
}

#[tokio::test]
async fn ttl_may_be_taken_away_again() {
    let (api, _) = made(&changed(&full(), &json!({"spec": {"ttlAfterFinished": "1h"}}))).await;
    patch(&api, &json!({"spec": {"ttlAfterFinished": null}})).await.unwrap();
}

/// Cancelled by the gateway, as a guest asked.
async fn cancelled() -> (Api<DynamicObject>, String) {
    let namespace = control_plane().namespace("rules");
    let api = api_of(control_plane().client(), &namespace, &full());
    apply(&api, "git", &full()).await.unwrap();
    let change = json!({"spec": {"state": "Cancelled"}});
    let gateway = PatchParams { field_manager: Some("gateway".to_owned()), ..PatchParams::default() };
    api.patch("anna", &gateway, &Patch::Merge(change)).await.unwrap();
    (api, namespace)
}

#[tokio::test]
async fn a_cancellation_cannot_be_taken_away_by_merge_patch() {
    let (api, _) = cancelled().await;
    let said = patch(&api, &json!({"spec": {"state": null}})).await.unwrap_err();
    assert!(said.contains(KEPT), "{said}");
    assert!(said.contains("delete this Reservation and create a new one"), "says what to do: {said}");
    assert_eq!(state(&api).await, "Cancelled");
}

/// A null that is written out is neither a value nor a way around.
#[rstest]
#[case::state("state", "Unsupported value: null")]
#[case::max_total("maxTotal", IMMUTABLE)]
#[tokio::test]
async fn null_takes_nothing_away(#[case] field: &str, #[case] words: &str) {
    let (api, _) = cancelled().await;
    let mut object = api.get("anna").await.unwrap();
    object.data["spec"][field] = Value::Null;
    let said = api.replace("anna", &PostParams::default(), &object).await.unwrap_err();
    assert!(message_of(&said).contains(words), "{said}");
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    let forced = PatchParams::apply("git").force();
    let said = api.patch("anna", &forced, &Patch::Apply(&object)).await.unwrap_err();
    assert!(message_of(&said).contains(words), "{said}");
}

#[tokio::test]
async fn a_cancellation_cannot_be_taken_away_by_replace() {
    let (api, namespace) = cancelled().await;
    let mut without = full();
    without["metadata"]["resourceVersion"] = json!(api.get("anna").await.unwrap().metadata.resource_version);
    let without = serde_json::from_value(without).unwrap();
    let said = api.replace("anna", &PostParams::default(), &without).await.unwrap_err();
    assert!(message_of(&said).contains(KEPT), "{said}");
    let output = kubectl_with(&["replace", "-n", &namespace, "-f", "-"], &full().to_string());
    assert!(!output.status.success() && stderr(&output).contains(KEPT), "{output:?}");
    assert_eq!(state(&api).await, "Cancelled");
}

#[rstest]
#[case::as_git_does(&["apply", "--server-side", "--field-manager=git"])]
#[case::by_force(&["apply", "--server-side", "--field-manager=git", "--force-conflicts"])]
#[case::by_force_of_somebody_else(&["apply", "--server-side", "--field-manager=flux", "--force-conflicts"])]
#[case::from_the_client(&["apply", "--warnings-as-errors=false"])]
#[tokio::test]
async fn applying_the_manifest_again_succeeds_and_the_stay_stays_cancelled(#[case] arguments: &[&str]) {
    let (api, namespace) = cancelled().await;
    let arguments = [arguments, &["-n", &namespace, "-f", "-"]].concat();
    let output = kubectl_with(&arguments, &full().to_string());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(state(&api).await, "Cancelled");
}

#[tokio::test]
async fn whoever_applied_the_cancellation_cannot_apply_it_away() {
    let (api, _) = made(&full()).await;
    apply(&api, "git", &changed(&full(), &json!({"spec": {"state": "Cancelled"}}))).await.unwrap();
    let said = apply(&api, "git", &full()).await.unwrap_err();
    assert!(said.contains(KEPT), "{said}");
    assert_eq!(state(&api).await, "Cancelled");
}

#[rstest]
#[case::room(room(), "double")]
#[case::reservation(reservation(), "anna")]
#[tokio::test]
async fn an_object_that_nobody_has_looked_at_reads_as_unobserved(#[case] object: Value, #[case] name: &str) {
    // Whatever status a client sends along is dropped.
    let sent = changed(&object, &json!({"status": {"observedGeneration": 1, "phase": "Confirmed"}}));
    let (api, _) = made(&sent).await;
    let status = &api.get(name).await.unwrap().data["status"];
    assert_eq!(status["observedGeneration"], -1, "{status}");
    assert_eq!(status["conditions"], json!([]));
    assert!(status.get("phase").is_none(), "{status}");
}

#[tokio::test]
async fn defaults_are_filled_in() {
    let (api, _) = made(&reservation()).await;
    let spec = &api.get("anna").await.unwrap().data["spec"];
    assert_eq!(spec["units"], 1);
    assert_eq!(spec["guests"], json!({"adults": 1, "children": 0}));
    assert_eq!(spec["payment"]["collect"], "Online");
    let (api, _) = made(&room()).await;
    let spec = &api.get("double").await.unwrap().data["spec"];
    assert_eq!((&spec["sale"], &spec["flow"]), (&json!("Open"), &json!("PayFirst")));
    assert_eq!((&spec["overbooking"], &spec["checkInTime"]), (&json!(0), &json!("15:00")));
}

#[tokio::test]
async fn a_status_does_not_touch_the_spec_and_the_spec_does_not_touch_the_status() {
    let (api, _) = made(&full()).await;
    let both =
        json!({"spec": {"state": "Cancelled"}, "status": {"observedGeneration": 1, "phase": "Pending"}});
    api.patch_status("anna", &PatchParams::default(), &Patch::Merge(&both)).await.unwrap();
    let object = api.get("anna").await.unwrap();
    assert_eq!(object.data["status"]["phase"], "Pending");
    assert!(object.data["spec"].get("state").is_none());
    assert_eq!(object.metadata.generation, Some(1), "a status is no new generation");
    patch(&api, &json!({"status": {"phase": "Confirmed"}})).await.unwrap();
    assert_eq!(api.get("anna").await.unwrap().data["status"]["phase"], "Pending");
}

#[tokio::test]
async fn a_misspelt_field_is_refused_with_its_name() {
    let namespace = control_plane().namespace("rules");
    let misspelt = changed(&reservation(), &json!({"spec": {"chekOut": "2030-07-03"}}));
    let output = kubectl_with(&["create", "-n", &namespace, "-f", "-"], &misspelt.to_string());
    assert!(stderr(&output).contains("unknown field \"spec.chekOut\""), "{}", stderr(&output));
}
