//! Whether an event is as `docs/events` says: what is checked against are the files that consumers get.

use std::collections::HashMap;
use std::sync::OnceLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use super::PROJECT;

struct All {
    schemas: Schemas,
    of: HashMap<String, SchemaIndex>,
}

fn all() -> &'static All {
    static ALL: OnceLock<All> = OnceLock::new();
    ALL.get_or_init(|| {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        let mut of = HashMap::new();
        for file in std::fs::read_dir(format!("{PROJECT}/docs/events")).unwrap() {
            let file = file.unwrap().path();
            let kind = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&file).unwrap();
            let place = format!("https://events.example/{kind}");
            compiler.add_resource(&place, serde_json::from_str(&text).unwrap()).unwrap();
            let schema = compiler.compile(&place, &mut schemas).unwrap_or_else(|e| panic!("{kind}: {e:#}"));
            of.insert(kind, schema);
        }
        assert!(!of.is_empty(), "there are no schemas");
        All { schemas, of }
    })
}

/// What is wrong with an event by the schema of its type.
pub fn judge(event: &Value) -> Result<(), String> {
    let kind = event["type"].as_str().ok_or("it has no type")?;
    let schema = all().of.get(kind).ok_or_else(|| format!("there is no schema of {kind}"))?;
    all().schemas.validate(event, *schema).map_err(|error| format!("{error:#}"))
}

/// An event that came over a wire, which must be as the schema of its type says.
pub fn checked(event: Value) -> Value {
    if let Err(error) = judge(&event) {
        panic!("{error}\n{event:#}");
    }
    event
}
