//! The definitions as they are installed, made from the types.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

use crate::{Reservation, Room, RoomCalendar};

/// The definitions, in the order in which they are installed.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    [Room::crd(), Reservation::crd(), RoomCalendar::crd()].into_iter().map(finish).collect()
}

/// The definitions as files: each one's name (`innkeeper.dev_rooms.yaml`) and its YAML, in the order in which they are
/// installed. Fails only where a definition cannot be written as YAML.
pub fn crds_yaml() -> Result<Vec<(String, String)>, serde_saphyr::ser::Error> {
    crds()
        .iter()
        .map(|crd| {
            let file = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            Ok((file, serde_saphyr::to_string(crd)?))
        })
        .collect()
}

/// Adds what the derive cannot say.
fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    crd.metadata.labels = Some(BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "innkeeper".to_owned()),
        ("app.kubernetes.io/part-of".to_owned(), "innkeeper".to_owned()),
    ]));
    for version in &mut crd.spec.versions {
        let Some(root) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) else {
            continue;
        };
        tidy(root);
        if let Some(status) = root.properties.as_mut().and_then(|p| p.get_mut("status")) {
            // An object that no controller has seen must not read as current (kstatus). Create drops what a client
            // sent as status, and a default inside it would not apply: it stands on the status itself.
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
            status.nullable = None;
        }
    }
    crd
}

/// Dates and instants are strings whose format bounds them; the rules' cost estimate wants it said. Formats that the
/// API server does not know are dropped.
fn tidy(schema: &mut JSONSchemaProps) {
    match schema.format.as_deref() {
        Some("date") => schema.max_length = Some(10),
        Some("date-time") => schema.max_length = Some(64),
        // Not a format of OpenAPI: the API server warns of it, and the bounds say as much.
        Some("uint32") => schema.format = None,
        _ => {}
    }
    for child in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        tidy(child);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &mut schema.items {
        tidy(item);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &mut schema.additional_properties {
        tidy(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every string and list below `schema` that has no bound, by path.
    fn unbounded(schema: &JSONSchemaProps, path: &str, found: &mut Vec<String>) {
        match schema.type_.as_deref() {
            Some("string") if schema.max_length.is_none() && schema.enum_.is_none() => {
                found.push(format!("{path}: a string without maxLength"));
            }
            Some("array") if schema.max_items.is_none() => {
                found.push(format!("{path}: a list without maxItems"));
            }
            Some("object") if schema.additional_properties.is_some() && schema.max_properties.is_none() => {
                found.push(format!("{path}: a map without maxProperties"));
            }
            None => found.push(format!("{path}: no type")),
            _ => {}
        }
        for (name, child) in schema.properties.iter().flatten() {
            unbounded(child, &format!("{path}.{name}"), found);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            unbounded(item, &format!("{path}[]"), found);
        }
    }

    #[test]
    fn every_string_and_every_list_is_bounded_and_described() {
        let mut found = Vec::new();
        for crd in crds() {
            let root = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            for (name, child) in root.properties.as_ref().unwrap() {
                unbounded(child, &format!("{}.{name}", crd.spec.names.kind), &mut found);
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn every_rule_says_what_to_change() {
        for crd in crds() {
            let text = serde_json::to_value(&crd).unwrap();
            let mut stack = vec![&text];
            let mut rules = 0;
            while let Some(value) = stack.pop() {
                if let Some(list) = value.get("x-kubernetes-validations").and_then(|v| v.as_array()) {
                    for rule in list {
                        rules += 1;
                        assert!(rule["message"].as_str().is_some_and(|m| m.len() > 20), "{rule}");
                    }
                }
                match value {
                    serde_json::Value::Array(items) => stack.extend(items),
                    serde_json::Value::Object(map) => stack.extend(map.values()),
                    _ => {}
                }
            }
            assert!(rules > 0, "{} has no rules", crd.spec.names.kind);
        }
    }

    #[test]
    fn each_definition_is_a_file_that_reads_back_as_itself() {
        let files = crds_yaml().unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "innkeeper.dev_rooms.yaml",
                "innkeeper.dev_reservations.yaml",
                "innkeeper.dev_roomcalendars.yaml"
            ]
        );
        for ((_, yaml), crd) in files.iter().zip(crds()) {
            assert_eq!(serde_saphyr::from_str::<CustomResourceDefinition>(yaml).unwrap(), crd);
        }
    }

    #[test]
    fn an_object_nobody_has_looked_at_reads_as_unobserved() {
        for crd in crds().iter().take(2) {
            let root = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            let default = root.properties.as_ref().unwrap()["status"].default.as_ref().unwrap();
            assert_eq!(default.0["observedGeneration"], -1);
        }
    }
}
