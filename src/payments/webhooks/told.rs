//! What a webhook names: an event, and whose money it is about. Nothing else of it is read.

use std::collections::HashMap;

use serde::Deserialize;

/// Whose money an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// UID of the Reservation, by our mark on the payment or the refund.
    pub uid: String,
}

/// What a webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The event's id.
    pub event: String,
    /// What kind of event it is.
    pub kind: String,
    /// Whose money it is about; nothing where it is about something else.
    pub subject: Option<Subject>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Option<HashMap<String, String>>,
}

const UID: &str = "innkeeper_uid";

impl Told {
    /// Reads an event.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let Event { id, kind, data: Data { object } } = serde_json::from_slice(body).ok()?;
        if id.is_empty() || id.len() > 255 {
            return None;
        }
        let subject =
            object.metadata.and_then(|mut metadata| metadata.remove(UID)).map(|uid| Subject { uid });
        Some(Self { event: id, kind, subject })
    }
}
