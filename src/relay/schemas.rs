//! The JSON Schema of every event type, made from the types: `docs/events/`.

use innkeeper_api::FactKind;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::event::{
    AVAILABILITY, Event, HistoryRewound, REWOUND, ReservationFact, RoomAvailability, type_of,
};

/// What a kind of fact always carries beside what every fact does.
fn carries(kind: &FactKind) -> &'static [&'static str] {
    match kind {
        FactKind::Requested | FactKind::Paid | FactKind::Refunded => &["amount"],
        FactKind::RefundFailed => &["amount", "reason"],
        FactKind::Declined => &["reason"],
        _ => &[],
    }
}

fn about(kind: &FactKind) -> &'static str {
    match kind {
        FactKind::Requested => "A stay was asked for and quoted; the amount is its price.",
        FactKind::Paid => "The money was taken; the amount says how much.",
        FactKind::Declined => "The means of payment was refused; the reason is the provider's code.",
        FactKind::Confirmed => "The nights are the guest's.",
        FactKind::OutOfStock => "A night was full.",
        FactKind::CancelRequested => "The guest or the front desk asked to cancel.",
        FactKind::Refunded => "Money went back; the amount says how much.",
        FactKind::RefundFailed => "Money could not be given back; the amount is what is due.",
        FactKind::Cancelled => "Settled as cancelled.",
        FactKind::Rejected => "Settled as refused; the reason says why.",
        FactKind::Withdrawn => "Settled as withdrawn by the hotel.",
        FactKind::Unknown(_) => "",
    }
}

/// Every schema with the name of its file, in the order of the types' names.
#[must_use]
pub fn all() -> Vec<(String, String)> {
    let mut all: Vec<(String, Value)> = FactKind::ALL
        .iter()
        .map(|kind| {
            let mut schema = of::<ReservationFact>(&type_of(kind), about(kind));
            let data = &mut schema["properties"]["data"];
            data["properties"]["fact"] = json!({ "const": kind.as_str(), "description": "What happened." });
            if let Some(required) = data["required"].as_array_mut() {
                required.extend(carries(kind).iter().map(|field| json!(field)));
            }
            // What is required is there, and not null.
            for field in carries(kind) {
                not_null(&mut data["properties"][*field]);
            }
            (type_of(kind), schema)
        })
        .collect();
    let rewound = "What was published of a Reservation from a number on does not hold any more: \
                   the cluster was restored from a backup.";
    all.push((REWOUND.to_owned(), of::<HistoryRewound>(REWOUND, rewound)));
    let free = "What is free of a Room, as it is now. Only the latest is true, and some may be left out.";
    all.push((AVAILABILITY.to_owned(), of::<RoomAvailability>(AVAILABILITY, free)));
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter()
        .map(|(kind, schema)| {
            // Values of plain types always have a text.
            let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
            (format!("{kind}.json"), text + "\n")
        })
        .collect()
}

fn of<D: JsonSchema>(kind: &str, about: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<Event<D>>()
        .to_value();
    schema["title"] = json!(kind);
    schema["description"] = json!(about);
    schema["properties"]["type"] = json!({ "const": kind, "description": "What happened." });
    schema["properties"]["specversion"] = json!({ "const": crate::SPEC_VERSION });
    schema["properties"]["datacontenttype"] = json!({ "const": "application/json" });
    schema
}

/// Takes `null` out of what an optional field may be.
fn not_null(schema: &mut Value) {
    if let Some(kinds) = schema["type"].as_array() {
        let kinds: Vec<_> = kinds.iter().filter(|kind| *kind != "null").cloned().collect();
        if let [one] = kinds.as_slice() {
            schema["type"] = one.clone();
        }
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let choices: Vec<_> = choices.iter().filter(|choice| choice["type"] != "null").cloned().collect();
        if let [one] = choices.as_slice() {
            let (one, about) = (one.clone(), schema["description"].clone());
            *schema = one;
            if about.is_string() {
                schema["description"] = about;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_for_each_type_and_it_allows_that_type_alone() {
        let all = all();
        assert_eq!(all.len(), FactKind::ALL.len() + 2);
        for (name, text) in all {
            let schema: Value = serde_json::from_str(&text).unwrap();
            let kind = schema["properties"]["type"]["const"].as_str().unwrap();
            assert_eq!(name, format!("{kind}.json"));
            assert!(schema["description"].as_str().is_some_and(|about| !about.is_empty()), "{name}");
            let required = schema["required"].as_array().unwrap();
            for attribute in ["id", "source", "specversion", "type", "data"] {
                assert!(required.contains(&json!(attribute)), "{name}: {attribute}");
            }
        }
    }

    #[test]
    fn what_a_fact_always_carries_is_required_and_is_not_null() {
        let all = all();
        let of = |kind: &str| -> Value {
            let name = format!("dev.innkeeper.reservation.{kind}.json");
            serde_json::from_str(&all.iter().find(|(file, _)| *file == name).unwrap().1).unwrap()
        };
        let paid = &of("paid")["properties"]["data"];
        assert!(paid["required"].as_array().unwrap().contains(&json!("amount")));
        assert_eq!(paid["properties"]["amount"]["type"], "object");
        assert_eq!(paid["properties"]["fact"]["const"], "Paid");
        assert!(
            !of("confirmed")["properties"]["data"]["required"].as_array().unwrap().contains(&json!("amount"))
        );
        assert_eq!(of("declined")["properties"]["data"]["properties"]["reason"]["type"], "string");
    }
}
