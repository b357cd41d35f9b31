//! A place in a list, as clients carry it. It says nothing that whoever has it may not know.

use std::cmp::Reverse;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::Place;
use crate::past;
use crate::problem::{Kind, Problem};

/// Where in one's list: among those that are live, or among those that are filed. Behind a place, or at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    Live(Option<Place>),
    Past(Option<past::Place>),
}

impl Default for Cursor {
    fn default() -> Self {
        Self::Live(None)
    }
}

impl Cursor {
    /// As clients carry it.
    pub(crate) fn write(&self) -> String {
        let text = match self {
            Self::Live(None) => "live".to_owned(),
            Self::Past(None) => "past".to_owned(),
            Self::Live(Some((Reverse(created), namespace, name))) => format!("{created}/{namespace}/{name}"),
            Self::Past(Some((Reverse(created), namespace, name, uid))) => {
                format!("past/{created}/{namespace}/{name}/{uid:x}")
            }
        };
        URL_SAFE_NO_PAD.encode(text)
    }
}

/// Reads it back.
pub(crate) fn read(cursor: &str) -> Result<Cursor, Problem> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let parts: Vec<&str> = text.split('/').collect();
        let created = |text: &str| text.parse().ok().map(Reverse);
        Some(match parts[..] {
            ["live"] => Cursor::Live(None),
            ["past"] => Cursor::Past(None),
            [at, namespace, name] => {
                Cursor::Live(Some((created(at)?, namespace.to_owned(), name.to_owned())))
            }
            ["past", at, namespace, name, uid] => {
                let uid = u128::from_str_radix(uid, 16).ok()?;
                Cursor::Past(Some((created(at)?, namespace.to_owned(), name.to_owned(), uid)))
            }
            _ => return None,
        })
    };
    read().ok_or_else(|| Problem::new(Kind::Malformed, "cursor is not one that was given; begin without it."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_another_text_is_refused() {
        let (at, namespace, name) = (Reverse(1_900_000_000), "seaside".to_owned(), "a-b".to_owned());
        for cursor in [
            Cursor::Live(None),
            Cursor::Live(Some((at, namespace.clone(), name.clone()))),
            Cursor::Past(None),
            Cursor::Past(Some((at, namespace, name, 0xab))),
        ] {
            assert_eq!(read(&cursor.write()).unwrap(), cursor);
        }
        for wrong in ["x/y/z", "1/y", "past/1/y/z", "past/1/y/z/g", "past/x/y/z/1", ""] {
            assert!(read(&URL_SAFE_NO_PAD.encode(wrong)).is_err(), "{wrong}");
        }
        for wrong in ["", "abc", "!"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
