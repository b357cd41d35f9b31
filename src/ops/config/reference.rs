//! The reference of all fields, made from the schema (the meaning), the rules (what is allowed) and the defaults.

use std::fmt::Write as _;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Config;
use super::rules::{self, FIELDS};

const HEAD: &str = "\
# Configuration

Innkeeper reads one YAML file. Every field has a default, an empty file is valid, and a field that is not listed here
is refused. Spans of time are whole numbers with the units `h`, `m`, `s` and `ms`, the greatest first: `90s`, `15m`, `1h30m`.

The file is read again when it changes. An invalid file is refused as a whole, with the line and the reason, and the
last good one stays in force. Fields that take effect at the next start say so.

This page is generated from the code.
";

/// The page, ending in one line break.
pub(super) fn markdown() -> String {
    let schema = schema();
    let defaults = rules::as_values(&Config::default());
    let mut page = HEAD.to_owned();
    let mut section = "";
    for field in FIELDS {
        let (parent, name) = field.path.rsplit_once('.').unwrap_or(("", field.path));
        if parent != section {
            section = parent;
            line(&mut page, &format!("\n## `{parent}`\n\n{}\n", meaning(&schema, parent)));
            line(&mut page, "| field | meaning | allowed | default | takes effect |");
            line(&mut page, "| --- | --- | --- | --- | --- |");
        }
        let effect = if field.live { "at once" } else { "at the next start" };
        let default = shown(rules::value_at(&defaults, field.path));
        line(
            &mut page,
            &format!(
                "| `{name}` | {} | {} | {default} | {effect} |",
                meaning(&schema, field.path),
                field.rule
            ),
        );
    }
    line(&mut page, "\n## All defaults\n\n```yaml");
    page.push_str(&serde_saphyr::to_string(&Config::default()).unwrap_or_default());
    line(&mut page, "```");
    page
}

/// The schema of the file, every section in its place.
pub(super) fn schema() -> Value {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<Config>()
        .to_value()
}

fn line(page: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{text}");
}

fn meaning(schema: &Value, path: &str) -> String {
    let field = path.split('.').fold(schema, |schema, step| &schema["properties"][step]);
    field["description"].as_str().unwrap_or_default().replace('\n', " ")
}

fn shown(default: &Value) -> String {
    match default {
        Value::Null => "none".to_owned(),
        Value::Array(items) if items.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}
