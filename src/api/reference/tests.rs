use super::*;
use crate::{ConditionType, Reason};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

/// `UPDATE_GENERATED=1 cargo test -p innkeeper-api reference` writes the page anew.
#[test]
fn the_reference_in_docs_is_the_generated_one() {
    let file = format!("{DOCS}/api.md");
    let page = reference();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let stored = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        stored == page,
        "docs/api.md has drifted; run: UPDATE_GENERATED=1 cargo test -p innkeeper-api reference"
    );
}

#[test]
fn every_field_has_a_type_and_a_meaning() {
    let page = reference();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|l| l.starts_with("| `") && l.matches(" | ").count() == 4)
        .map(|l| l.split(" | ").collect())
        .collect();
    assert!(rows.len() > 100, "{} rows", rows.len());
    for row in rows {
        assert!(row[1] != "any" && row[4].len() > 8, "{row:?}");
    }
}

/// The first cells, in backquotes, of the tables under a heading and its subheadings.
fn listed(page: &str, heading: &str) -> Vec<String> {
    let level = format!("{} ", heading.split(' ').next().unwrap());
    let body = page.lines().skip_while(|l| *l != heading).skip(1).take_while(|l| !l.starts_with(&level));
    let names = body.filter_map(|l| l.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned()));
    names.collect()
}

#[test]
fn every_condition_is_explained() {
    let page = std::fs::read_to_string(format!("{DOCS}/conditions.md")).unwrap();
    let listed = listed(&page, "## Conditions");
    let known: Vec<_> = ConditionType::ALL.iter().map(|c| c.as_str().to_owned()).collect();
    assert_eq!(listed, known, "docs/conditions.md lists the conditions in their order, each once");
}

#[test]
fn every_reason_is_explained_and_no_other() {
    let page = std::fs::read_to_string(format!("{DOCS}/conditions.md")).unwrap();
    let listed = listed(&page, "## Reasons");
    for reason in Reason::ALL {
        assert!(
            listed.iter().any(|name| name == reason.as_str()),
            "docs/conditions.md says nothing of {reason}"
        );
    }
    for name in &listed {
        assert!(
            !matches!(Reason::from(name.clone()), Reason::Unknown(_)),
            "docs/conditions.md explains {name:?}, which is no reason"
        );
    }
}
