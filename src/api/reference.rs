//! The reference of every field, as Markdown, made from the definitions themselves: what the page says is what the
//! API server enforces. It knows schemas and nothing of what the fields come to mean.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};

use crate::{GROUP, VERSION, crds};

const HEAD: &str = "\
# API reference

Fields of a list are written as `list[].field`. Text is bounded in characters, lists in items. Dates are days such as
`2030-07-01`, instants are UTC. The API server refuses by itself what is outside these bounds or breaks a rule below;
what only the operator can see (an unknown currency, a stay in the past) ends in a condition: see
[conditions](conditions.md).

This page is generated from the code.
";

/// The page, ending in one line break.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for crd in crds() {
        kind(&mut page, &crd);
    }
    page
}

fn kind(page: &mut String, crd: &CustomResourceDefinition) {
    let names = &crd.spec.names;
    let root = crd.spec.versions.iter().find(|v| v.name == VERSION).and_then(|v| v.schema.as_ref());
    let Some(root) = root.and_then(|s| s.open_api_v3_schema.as_ref()) else { return };
    let short = names.short_names.iter().flatten().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    line(page, &format!("\n## {}\n", names.kind));
    line(page, &format!("{}\n", text(root.description.as_deref())));
    line(page, &format!("`apiVersion: {GROUP}/{VERSION}`, `kubectl get {}`, short {short}.", names.plural));
    for (part, heading) in [
        ("spec", format!("### What you write: `{}.spec`", names.kind)),
        ("status", format!("### What the operator writes: `{}.status`", names.kind)),
    ] {
        if let Some(schema) = properties(root).find(|(name, _)| *name == part).map(|(_, schema)| schema) {
            table(page, &heading, schema);
        }
    }
    // A calendar has no spec: its fields stand beside its metadata.
    if !properties(root).any(|(name, _)| name == "spec") {
        table(page, "### What the operator writes", root);
    }
    rules(page, root);
}

fn table(page: &mut String, heading: &str, schema: &JSONSchemaProps) {
    let mut rows = Vec::new();
    fields(schema, "", &mut rows);
    line(page, &format!("\n{heading}\n"));
    line(page, "| field | type | default | bounds | meaning |");
    line(page, "| --- | --- | --- | --- | --- |");
    for (path, schema, required) in rows {
        let default = match (&schema.default, required) {
            (Some(JSON(value)), _) => format!("`{value}`"),
            (None, true) => "required".to_owned(),
            (None, false) => String::new(),
        };
        let meaning = text(schema.description.as_deref());
        line(
            page,
            &format!("| `{path}` | {} | {default} | {} | {meaning} |", type_of(schema), bounds(schema)),
        );
    }
}

/// Every field below `schema`, a parent before its children, with whether it must be given.
fn fields<'a>(schema: &'a JSONSchemaProps, path: &str, rows: &mut Vec<(String, &'a JSONSchemaProps, bool)>) {
    for (name, field) in properties(schema).filter(|(name, _)| !path.is_empty() || !is_envelope(name)) {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let required = schema.required.iter().flatten().any(|r| r == name);
        rows.push((path.clone(), field, required));
        fields(field, &path, rows);
        if let Some(item) = item(field) {
            fields(item, &format!("{path}[]"), rows);
        }
    }
}

/// What every object has.
fn is_envelope(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

fn properties(schema: &JSONSchemaProps) -> impl Iterator<Item = (&str, &JSONSchemaProps)> {
    schema.properties.iter().flatten().map(|(name, schema)| (name.as_str(), schema))
}

fn item(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => Some(item),
        _ => None,
    }
}

fn type_of(schema: &JSONSchemaProps) -> String {
    if let Some(item) = item(schema) {
        return format!("list of {}", type_of(item));
    }
    match (schema.type_.as_deref(), schema.format.as_deref()) {
        (Some("string"), Some("date")) => "date".to_owned(),
        (Some("string"), Some("date-time")) => "instant".to_owned(),
        (Some(other), _) => other.to_owned(),
        (None, _) => "any".to_owned(),
    }
}

fn bounds(schema: &JSONSchemaProps) -> String {
    if let Some(values) = &schema.enum_ {
        let values = values.iter().filter(|JSON(v)| !v.is_null()).map(|JSON(v)| format!("`{}`", bare(v)));
        return values.collect::<Vec<_>>().join(", ");
    }
    if schema.format.as_deref().is_some_and(|f| f.starts_with("date")) {
        return String::new();
    }
    let mut parts = Vec::new();
    match (schema.minimum, schema.maximum) {
        (Some(low), Some(high)) => parts.push(format!("{low} to {high}")),
        (Some(low), None) => parts.push(format!("{low} or more")),
        (None, Some(high)) => parts.push(format!("at most {high}")),
        (None, None) => {}
    }
    match (schema.min_length, schema.max_length) {
        (Some(low), Some(high)) if low == high => parts.push(format!("{low} characters")),
        (Some(low), Some(high)) => parts.push(format!("{low} to {high} characters")),
        (None, Some(high)) => parts.push(format!("at most {high} characters")),
        _ => {}
    }
    if let Some(most) = schema.max_items {
        parts.push(format!("at most {most} items"));
    }
    // The fields of an object have rows of their own.
    if let Some(each) = item(schema).filter(|i| i.properties.is_none()).map(bounds).filter(|b| !b.is_empty())
    {
        parts.push(format!("each {each}"));
    }
    parts.join(", ")
}

fn bare(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// The rules of a kind by what they say; one that many fields have is said once.
fn rules(page: &mut String, root: &JSONSchemaProps) {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    collect_rules(root, "", &mut found);
    line(page, "\n### Rules\n");
    line(page, "| the API server says | about |");
    line(page, "| --- | --- |");
    for (message, paths) in found {
        line(page, &format!("| {} | {} |", text(Some(&message)), paths.join(", ")));
    }
}

fn collect_rules(schema: &JSONSchemaProps, path: &str, found: &mut Vec<(String, Vec<String>)>) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let message = rule.message.clone().unwrap_or_default();
        let at = format!("{path}{}", rule.field_path.as_deref().unwrap_or_default());
        let at =
            if at.is_empty() { "the object".to_owned() } else { format!("`{}`", at.trim_start_matches('.')) };
        match found.iter_mut().find(|(known, _)| *known == message) {
            Some((_, paths)) if paths.contains(&at) => {}
            Some((_, paths)) => paths.push(at),
            None => found.push((message, vec![at])),
        }
    }
    for (name, field) in properties(schema) {
        let path = format!("{path}.{name}");
        collect_rules(field, &path, found);
        if let Some(item) = item(field) {
            collect_rules(item, &format!("{path}[]"), found);
        }
    }
}

/// One line that a table's cell can hold.
fn text(text: Option<&str>) -> String {
    let text = text.unwrap_or_default().replace('\n', " ").replace('|', "\\|");
    // Outside of code, an angle bracket would begin a tag.
    let plain = |part: &str| part.replace('<', "&lt;").replace('>', "&gt;");
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(i, part)| if i % 2 == 0 { plain(part) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`")
}

fn line(page: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests;
