//! Partners: which there are, and whose a bearer token is.
//!
//! The file has hashes of tokens, never tokens. It is read again when it changes; one that is wrong is told of, and the
//! last good one stays, as with the configuration.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

use crate::identity::{Partner, Scope};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Why a partners file is refused.
#[derive(Debug, thiserror::Error)]
pub enum PartnersError {
    /// It cannot be read.
    #[error("cannot read the partners file {} (gateway.partnersFile): {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is wrong.
    #[error("the partners file {} (gateway.partnersFile) is refused: {reason}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What to change. Has nothing of the file's content but names and lines.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    #[serde(default)]
    partners: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entry {
    name: String,
    token_hashes: Vec<String>,
    scopes: Vec<Scope>,
    properties: Option<Vec<String>>,
}

struct Known {
    partner: Partner,
    hashes: Vec<[u8; 32]>,
}

/// All partners, as their file says now. Clones see the same.
#[derive(Clone, Default)]
pub struct Partners(Arc<RwLock<Arc<Vec<Known>>>>);

impl Partners {
    /// Reads the file. Fails where it cannot be read or is wrong.
    pub fn load(file: &Path) -> Result<Self, PartnersError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| PartnersError::Unreadable { file: file.to_owned(), source })?;
        let partners = Self::default();
        partners.take(file, &text)?;
        Ok(partners)
    }

    /// The partner with this token. Every hash is compared, each in constant time: how long it takes says nothing.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Option<Partner> {
        let hash = digest(&SHA256, token.as_bytes());
        let all = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let mut found = None;
        for known in all.iter() {
            for theirs in &known.hashes {
                if verify_slices_are_equal(theirs, hash.as_ref()).is_ok() {
                    found = Some(&known.partner);
                }
            }
        }
        found.cloned()
    }

    /// Looks at the file every few seconds, for good.
    pub async fn watch(self, file: PathBuf) {
        let mut last = tokio::fs::read_to_string(&file).await.ok();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = tokio::fs::read_to_string(&file).await.ok();
            if now == last {
                continue;
            }
            last.clone_from(&now);
            match now.map(|text| self.take(&file, &text)) {
                Some(Ok(count)) => tracing::info!(count, "the partners were read again"),
                Some(Err(error)) => tracing::error!(%error, "the last good partners stay"),
                None => {
                    tracing::error!(file = %file.display(), "the partners file is gone; the last good ones stay");
                }
            }
        }
    }

    fn take(&self, file: &Path, text: &str) -> Result<usize, PartnersError> {
        let known = parse(text).map_err(|reason| PartnersError::Invalid { file: file.to_owned(), reason })?;
        let count = known.len();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        Ok(count)
    }
}

fn parse(text: &str) -> Result<Vec<Known>, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    let file: Option<File> = serde_saphyr::from_str_with_options(text, options).map_err(|e| e.to_string())?;
    let mut all: Vec<Known> = Vec::new();
    for entry in file.map(|file| file.partners).unwrap_or_default() {
        let name = &entry.name;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=32).contains(&name.len()) || !name.chars().all(fits) || name.starts_with('-') {
            return Err(format!("name {name:?}: use at most 32 small letters, digits and dashes"));
        }
        if all.iter().any(|known| known.partner.name == *name) {
            return Err(format!("{name} is there twice; give it once, with all its tokenHashes"));
        }
        let hashes = entry.token_hashes.iter().map(|hash| parse_hash(hash));
        let hashes: Option<Vec<[u8; 32]>> = hashes.collect();
        let hashes = hashes.ok_or_else(|| {
            format!("{name}: a token hash is the SHA-256 of a token, in 64 hexadecimal digits")
        })?;
        let partner = Partner { name: name.clone(), scopes: entry.scopes, properties: entry.properties };
        all.push(Known { partner, hashes });
    }
    Ok(all)
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Of `secret`.
    const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn partners(text: &str) -> Result<Partners, String> {
        let partners = Partners::default();
        partners.take(Path::new("partners.yaml"), text).map_err(|e| e.to_string())?;
        Ok(partners)
    }

    #[test]
    fn a_partner_is_known_by_any_of_its_tokens_and_by_nothing_else() {
        let text = format!(
            "partners:\n- name: acme\n  tokenHashes: [{}, {HASH}]\n  scopes: [search, book]\n  properties: [seaside]\n- name: all\n  tokenHashes: []\n  scopes: []\n",
            "0".repeat(64)
        );
        let partners = partners(&text).unwrap();
        let acme = partners.with_token("secret").unwrap();
        assert_eq!((acme.name.as_str(), acme.scopes), ("acme", vec![Scope::Search, Scope::Book]));
        for wrong in ["", "Secret", "secret ", HASH] {
            assert_eq!(partners.with_token(wrong), None, "{wrong}");
        }
    }

    #[rstest]
    #[case("", "")]
    #[case("partners: []", "")]
    #[case("partners:\n- name: Acme\n  tokenHashes: []\n  scopes: []", "small letters")]
    #[case("partners:\n- name: 'a:b'\n  tokenHashes: []\n  scopes: []", "small letters")]
    #[case("partners:\n- name: a\n  tokenHashes: [secret]\n  scopes: []", "64 hexadecimal digits")]
    #[case("partners:\n- name: a\n  tokenHashes: []\n  scopes: [all]", "all")]
    #[case("partners:\n- name: a\n  tokenHashes: []", "scopes")]
    #[case("partners:\n- name: a\n  token: secret", "token")]
    #[case(
        "partners:\n- {name: a, tokenHashes: [], scopes: []}\n- {name: a, tokenHashes: [], scopes: []}",
        "twice"
    )]
    fn a_wrong_file_is_refused_with_the_reason(#[case] text: &str, #[case] says: &str) {
        match partners(text) {
            Ok(_) => assert_eq!(says, ""),
            Err(error) => {
                assert!(!says.is_empty() && error.contains(says), "{error}");
                assert!(!error.contains("secret") || says == "token", "{error}");
            }
        }
    }

    #[test]
    fn a_wrong_change_leaves_the_last_good_one_in_force() {
        let partners =
            partners(&format!("partners:\n- {{name: a, tokenHashes: [{HASH}], scopes: []}}")).unwrap();
        assert!(partners.take(Path::new("x"), "partners: 3").is_err());
        assert!(partners.with_token("secret").is_some());
    }
}
