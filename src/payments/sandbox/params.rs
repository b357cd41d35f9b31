//! Parameters of a request as Stripe's API takes them: form-encoded, nested with brackets.
//!
//! They are kept flat (`metadata[k]`, `expand[0]`) and taken out one by one, each with its type; what is left at
//! the end is a parameter that the endpoint does not know, and is refused. So nothing is silently ignored.

use std::collections::BTreeMap;

use super::error::StripeError;

/// The parameters that have not been taken yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads `application/x-www-form-urlencoded` text; `list[]` becomes `list[0]`, `list[1]`, and a name that
    /// comes twice has its last value.
    pub(crate) fn parse(parts: &[&str]) -> Self {
        let mut flat = BTreeMap::new();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for part in parts {
            for (name, value) in form_urlencoded::parse(part.as_bytes()) {
                let name = match name.strip_suffix("[]") {
                    Some(list) => {
                        let count = counts.entry(list.to_owned()).or_default();
                        *count += 1;
                        format!("{list}[{}]", *count - 1)
                    }
                    None => name.into_owned(),
                };
                flat.insert(name, value.into_owned());
            }
        }
        Self(flat)
    }

    /// All of them, for the log of calls and for comparing a repeat with the first request.
    pub(crate) fn flat(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, StripeError> {
        match self.0.remove(name) {
            Some(value) if value.is_empty() => Err(empty(name)),
            other => Ok(other),
        }
    }

    /// A text that may be emptied: `Some("")` unsets it.
    pub(crate) fn clearable(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, StripeError> {
        self.text(name)?.map(|value| integer(name, &value)).transpose()
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, StripeError> {
        self.text(name)?
            .map(|value| match value.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                other => Err(StripeError::invalid(format!("Invalid boolean: {other}")).param(name)),
            })
            .transpose()
    }

    pub(crate) fn choice(&mut self, name: &str, choices: &[&str]) -> Result<Option<String>, StripeError> {
        let Some(value) = self.text(name)? else { return Ok(None) };
        if choices.contains(&value.as_str()) {
            return Ok(Some(value));
        }
        let choices = choices.join(", ");
        Err(StripeError::invalid(format!("Invalid {name}: must be one of {choices}")).param(name))
    }

    /// A list (`name[0]`, `name[1]`, ...) in the order of its indices.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<String>, StripeError> {
        let mut found = Vec::new();
        for (key, value) in self.nested(name) {
            let index =
                key.parse::<usize>().map_err(|_| StripeError::invalid("Invalid array").param(name))?;
            found.push((index, value));
        }
        found.sort();
        Ok(found.into_iter().map(|(_, value)| value).collect())
    }

    /// The changes to metadata: an empty value takes the key away, an empty `metadata` takes them all.
    pub(crate) fn metadata(&mut self) -> Result<MetadataChange, StripeError> {
        let clear = match self.clearable("metadata") {
            None => false,
            Some(value) if value.is_empty() => true,
            Some(_) => return Err(StripeError::invalid("Invalid object").param("metadata")),
        };
        let set = self.nested("metadata");
        for (key, value) in &set {
            let param = format!("metadata[{key}]");
            if key.is_empty() || key.len() > 40 || key.contains(['[', ']']) {
                return Err(StripeError::invalid("Metadata keys have 1 to 40 characters and no brackets.")
                    .param(&param));
            }
            if value.len() > 500 {
                return Err(
                    StripeError::invalid("Metadata values have at most 500 characters.").param(&param)
                );
            }
        }
        Ok(MetadataChange { clear, set })
    }

    /// `name[...]` with the part in brackets as the key.
    pub(crate) fn nested(&mut self, name: &str) -> BTreeMap<String, String> {
        let prefix = format!("{name}[");
        let keys: Vec<String> =
            self.0.keys().filter(|key| key.starts_with(&prefix) && key.ends_with(']')).cloned().collect();
        keys.into_iter()
            .filter_map(|key| {
                let value = self.0.remove(&key)?;
                Some((key[prefix.len()..key.len() - 1].to_owned(), value))
            })
            .collect()
    }

    /// Refuses what nobody has taken.
    pub(crate) fn finish(self) -> Result<(), StripeError> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(StripeError::invalid(format!("Received unknown parameter: {name}"))
                .code("parameter_unknown")
                .param(&name)),
        }
    }
}

/// Which keys of an object's metadata a request sets or takes away.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MetadataChange {
    clear: bool,
    set: BTreeMap<String, String>,
}

impl MetadataChange {
    /// Applies the change; at most 50 keys may be left.
    pub(crate) fn apply(self, metadata: &mut BTreeMap<String, String>) -> Result<(), StripeError> {
        if self.clear {
            metadata.clear();
        }
        for (key, value) in self.set {
            if value.is_empty() {
                metadata.remove(&key);
            } else {
                metadata.insert(key, value);
            }
        }
        if metadata.len() > 50 {
            return Err(StripeError::invalid("Metadata have at most 50 keys.").param("metadata"));
        }
        Ok(())
    }
}

pub(crate) fn missing(name: &str) -> StripeError {
    StripeError::invalid(format!("Missing required param: {name}.")).code("parameter_missing").param(name)
}

fn empty(name: &str) -> StripeError {
    StripeError::invalid(format!("The parameter '{name}' is empty; leave it out or give it a value."))
        .code("parameter_invalid_empty")
        .param(name)
}

fn integer(name: &str, value: &str) -> Result<i64, StripeError> {
    value.parse().map_err(|_| {
        StripeError::invalid(format!("Invalid integer: {value}"))
            .code("parameter_invalid_integer")
            .param(name)
    })
}
