//! That no real money is near: whoever can sign in as anybody could spend it.

use std::io::ErrorKind;
use std::path::PathBuf;

/// The beginnings of the keys with which a provider moves real money.
const LIVE: [&str; 2] = ["sk_live_", "rk_live_"];

/// What is looked at: the files that may hold a provider's key, and the environment.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Files, such as that of `payments.keyFile`.
    pub files: Vec<PathBuf>,
}

/// A key for real money is near, or may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveKey {
    /// In a file.
    #[error(
        "the test issuer lets anybody sign in as anybody and does not run beside a live key of a payment provider; there is one in {}", .0.display()
    )]
    InFile(PathBuf),
    /// In the environment.
    #[error(
        "the test issuer lets anybody sign in as anybody and does not run beside a live key of a payment provider; there is one in the variable {0}"
    )]
    InVariable(String),
    /// It cannot be told.
    #[error("the test issuer does not run beside a live key of a payment provider, and cannot see whether {} is one: {reason}", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl Guard {
    /// Fails where a live key is near. Reads the files anew each time: one may come later.
    pub fn check(&self) -> Result<(), LiveKey> {
        self.check_with(
            std::env::vars_os().map(|(name, value)| {
                (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
            }),
        )
    }

    fn check_with(&self, variables: impl Iterator<Item = (String, String)>) -> Result<(), LiveKey> {
        for file in &self.files {
            match std::fs::read(file) {
                Ok(text) if is_live(&String::from_utf8_lossy(&text)) => {
                    return Err(LiveKey::InFile(file.clone()));
                }
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(LiveKey::Unknown { file: file.clone(), reason: error.to_string() });
                }
                Ok(_) | Err(_) => {}
            }
        }
        for (name, value) in variables {
            if is_live(&value) {
                return Err(LiveKey::InVariable(name));
            }
        }
        Ok(())
    }
}

fn is_live(text: &str) -> bool {
    LIVE.iter().any(|beginning| text.contains(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(all: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        let all: Vec<_> = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.into_iter()
    }

    #[test]
    fn a_live_key_is_found_in_the_file_and_in_the_environment_and_never_repeated() {
        let file = std::env::temp_dir().join(format!("innkeeper-guard-{}", std::process::id()));
        let guard = Guard { files: vec![file.clone()] };
        assert_eq!(guard.check_with(variables(&[("KEY", "sk_test_1")])), Ok(()), "no file is no key");
        for (text, live) in [("sk_test_1\n", false), ("  sk_live_Secret\n", true), ("rk_live_Secret", true)] {
            std::fs::write(&file, text).unwrap();
            let found = guard.check_with(variables(&[]));
            assert_eq!(found.is_err(), live, "{text}");
            assert!(!format!("{found:?}").contains("Secret"));
        }
        std::fs::remove_file(&file).unwrap();
        let found = guard.check_with(variables(&[("STRIPE_KEY", "rk_live_Secret")])).unwrap_err();
        assert_eq!(found, LiveKey::InVariable("STRIPE_KEY".into()));
        let folder = Guard { files: vec![std::env::temp_dir()] };
        assert!(
            matches!(folder.check_with(variables(&[])), Err(LiveKey::Unknown { .. })),
            "what cannot be read"
        );
    }
}
