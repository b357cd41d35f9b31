//! Generated files are what the code says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::PROJECT;

#[test]
fn the_definitions_in_the_repository_are_those_of_the_types() {
    let folder = Path::new(PROJECT).join("crds");
    let mut wanted = BTreeSet::new();
    for (name, yaml) in innkeeper_api::crds_yaml().unwrap() {
        let stored = fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert!(stored == yaml, "crds/{name} is not what src/api says: run `make generate`");
        wanted.insert(name);
    }
    let found: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "kustomization.yaml")
        .collect();
    assert_eq!(found, wanted, "crds/ has a file that no type stands for, or lacks one");
}

#[test]
fn the_definitions_are_all_installed_by_their_folder() {
    let kustomization = fs::read_to_string(Path::new(PROJECT).join("crds/kustomization.yaml")).unwrap();
    for (name, _) in innkeeper_api::crds_yaml().unwrap() {
        assert!(kustomization.contains(&format!("- {name}\n")), "{name} is not in crds/kustomization.yaml");
    }
}

#[test]
fn the_openapi_document_in_the_repository_is_that_of_the_code() {
    let stored = fs::read_to_string(Path::new(PROJECT).join("docs/openapi.json")).unwrap_or_default();
    assert!(
        stored == innkeeper_gateway::document(),
        "docs/openapi.json is not what src/gateway says: run `make generate`"
    );
}

#[test]
fn the_schemas_of_the_events_in_the_repository_are_those_of_the_types() {
    let folder = Path::new(PROJECT).join("docs/events");
    let mut wanted = BTreeSet::new();
    for (name, schema) in innkeeper_relay::schemas::all() {
        let stored = fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert!(stored == schema, "docs/events/{name} is not what src/relay says: run `make generate`");
        wanted.insert(name);
    }
    let found: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, wanted, "docs/events has a file that no type stands for, or lacks one");
}
