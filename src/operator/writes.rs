//! Writes to the API server. Each carries the resourceVersion it was decided on; there is no other way to write here.

use innkeeper_api::{OPERATOR_MANAGER, ReservationStatus};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::WriteError;

fn params() -> PatchParams {
    PatchParams { field_manager: Some(OPERATOR_MANAGER.to_owned()), ..PatchParams::default() }
}

/// Writes a status as the difference to the one before, so that fields of a newer version survive.
pub async fn status<K>(api: &Api<K>, object: &K, before: &Value, after: &Value) -> Result<K, WriteError>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let patch = json!({
        "metadata": { "resourceVersion": object.resource_version(), "uid": object.uid() },
        "status": merge_patch(before, after),
    });
    Ok(api.patch_status(&object.name_any(), &params(), &Patch::Merge(patch)).await?)
}

/// Sets the list of finalizers.
pub async fn finalizers<K>(api: &Api<K>, object: &K, list: &[String]) -> Result<K, WriteError>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let patch = json!({
        "metadata": { "resourceVersion": object.resource_version(), "uid": object.uid(), "finalizers": list },
    });
    Ok(api.patch(&object.name_any(), &params(), &Patch::Merge(patch)).await?)
}

/// A status as JSON; what cannot be written down is written as nothing, which the schema then refuses.
pub fn status_value(status: &ReservationStatus) -> Value {
    serde_json::to_value(status).unwrap_or(Value::Null)
}

/// The JSON merge patch (RFC 7386) that turns `before` into `after`.
fn merge_patch(before: &Value, after: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return after.clone() };
    let mut patch = Map::new();
    for (key, value) in after {
        match before.get(key) {
            Some(old) if old == value => {}
            Some(old) => {
                patch.insert(key.clone(), merge_patch(old, value));
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in before.keys().filter(|k| !after.contains_key(*k)) {
        patch.insert(key.clone(), Value::Null);
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(json!({"a": 1}), json!({"a": 1}), json!({}))]
    #[case(json!({"a": 1}), json!({"a": 2, "b": [1]}), json!({"a": 2, "b": [1]}))]
    #[case(json!({"a": {"x": 1, "y": 2}, "b": 1}), json!({"a": {"x": 1}}), json!({"a": {"y": null}, "b": null}))]
    #[case(json!({"a": [1, 2]}), json!({"a": [2]}), json!({"a": [2]}))]
    #[case(json!(null), json!({"a": 1}), json!({"a": 1}))]
    fn a_patch_says_what_changed_and_nothing_else(
        #[case] before: Value,
        #[case] after: Value,
        #[case] patch: Value,
    ) {
        assert_eq!(merge_patch(&before, &after), patch);
    }
}
