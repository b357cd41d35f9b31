//! Texts that resemble each other, in a fraction of the memory: each is kept as its difference to a pattern.

use std::sync::Arc;

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

/// What others of its kind are kept as the difference to. Any text serves; the more alike, the less is kept. Clones are
/// the same pattern.
#[derive(Clone, Debug)]
pub struct Pattern(Arc<[u8]>);

impl Pattern {
    /// This text is the pattern.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self(text.into())
    }

    /// A text as its difference to the pattern.
    #[must_use]
    pub fn pack(&self, text: &[u8]) -> Box<[u8]> {
        compress_prepend_size_with_dict(text, &self.0).into_boxed_slice()
    }

    /// The text again; nothing where the bytes were not packed by this pattern.
    #[must_use]
    pub fn unpack(&self, packed: &[u8]) -> Option<Vec<u8>> {
        decompress_size_prepended_with_dict(packed, &self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"{"name":"anna","conditions":[{"type":"Ready","message":"Booked."}],"history":["Requested","Paid"]}"#;

    #[test]
    fn a_text_comes_back_as_it_was_and_takes_little_where_it_resembles_the_pattern() {
        let pattern = Pattern::of(FIRST.as_bytes());
        let alike = FIRST.replace("anna", "ben");
        let packed = pattern.pack(alike.as_bytes());
        assert!(packed.len() < alike.len() / 3, "{} of {}", packed.len(), alike.len());
        for text in [alike.as_str(), FIRST, "", "quite another", &"x".repeat(100_000)] {
            assert_eq!(pattern.unpack(&pattern.pack(text.as_bytes())).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn what_was_cut_off_is_no_text() {
        let pattern = Pattern::of(FIRST.as_bytes());
        let packed = pattern.pack(FIRST.replace("anna", "ben").as_bytes());
        assert!(pattern.unpack(&packed[..packed.len() / 2]).is_none() && pattern.unpack(&[]).is_none());
    }
}
