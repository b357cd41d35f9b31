//! Where in the file a field stands. Used only once something is known to be wrong with it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Error, MessageFormatter, Spanned, UserMessageFormatter};

use super::error::Fault;
use super::rules::{self, Broken};

/// The places of all fields of one file.
pub(super) struct Places(Option<Spanned<Tree>>);

/// The shape of a document, without its values.
enum Tree {
    Map(BTreeMap<String, Spanned<Tree>>),
    List(Vec<Spanned<Tree>>),
    Leaf,
}

impl Places {
    pub(super) fn of(text: &str) -> Self {
        Self(serde_saphyr::from_str(text).ok())
    }

    /// Line and column of a field such as `operator.watchNamespaces[1]`; `None` if the file does not have it.
    fn find(&self, field: &str) -> Option<(u64, u64)> {
        let mut node = self.0.as_ref()?;
        for step in field.split(['.', '[']) {
            node = match &node.value {
                Tree::Map(entries) => entries.get(step)?,
                Tree::List(items) => items.get(step.trim_end_matches(']').parse::<usize>().ok()?)?,
                Tree::Leaf => return None,
            };
        }
        Some((node.referenced.line(), node.referenced.column()))
    }

    /// The fault at the first of the broken rule's fields that the file has: the others are defaults.
    pub(super) fn fault(&self, broken: Broken, text: &str) -> Fault {
        let found = broken.fields.iter().find_map(|field| Some((self.find(field)?, field.clone())));
        let (position, field) = match found {
            Some((position, field)) => (Some(position), Some(field)),
            None => (None, broken.fields.into_iter().next()),
        };
        Fault::new(position, field, &broken.reason, text)
    }
}

impl Places {
    /// The fault of a file that cannot be read as a configuration.
    pub(super) fn unread(&self, error: &Error, text: &str) -> Fault {
        let error = error.without_snippet();
        let position = error.location().map(|at| (at.line(), at.column())).filter(|(line, _)| *line > 0);
        let field = position.and_then(|position| self.0.as_ref()?.value.field_at(position));
        // The parser knows what it expected in its own words (`invalid u16`); the rules know it in the reader's.
        let expected = match error {
            Error::InvalidScalar { .. } | Error::Unexpected { .. } if self.0.is_some() => {
                Some(rules::expected(field.as_deref().unwrap_or_default()))
            }
            _ => None,
        };
        let reason = match expected {
            Some(expected) => format!("this cannot be read; give {expected}"),
            None => UserMessageFormatter.format_message(error).into_owned(),
        };
        Fault::new(position, field, &reason, text)
    }
}

impl Tree {
    /// The field whose value begins there, if it is not the whole document.
    fn field_at(&self, position: (u64, u64)) -> Option<String> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find_map(|(name, node)| {
            let below = || node.value.field_at(position).map(|rest| format!("{name}.{rest}"));
            let here = (node.referenced.line(), node.referenced.column()) == position;
            if here { Some(name.clone()) } else { below() }
        })
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    entries.insert(key, value);
                }
                Ok(Tree::Map(entries))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }
            fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
        }
        deserializer.deserialize_any(Shape)
    }
}
