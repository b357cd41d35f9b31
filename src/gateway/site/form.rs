//! What a form has sent.

use std::collections::HashMap;

/// The fields of a form. Of one that is sent twice, the last.
pub(crate) struct Form(HashMap<String, String>);

impl Form {
    /// From a body. What cannot be read is not there.
    pub(crate) fn of(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// A field, without blanks around it; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map(|text| text.trim()).unwrap_or_default()
    }
}
