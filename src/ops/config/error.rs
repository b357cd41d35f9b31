//! What is wrong with a configuration file, said so that it can be put right: line, column, reason, and the line itself.
//!
//! These messages end in logs, so they never carry anything that looks like a payment provider's key, even where
//! somebody has put one into the file by mistake.

use std::fmt;
use std::path::{Path, PathBuf};

/// Beginnings of secret and restricted keys, as Stripe makes them.
const KEY_PREFIXES: [&str; 2] = ["sk_", "rk_"];

/// Why a configuration file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read, or is not UTF-8.
    #[error("cannot read the configuration file {}: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file was read and is wrong.
    #[error("{}", Listing { file: file.as_deref(), faults })]
    Invalid {
        /// The file, where it is known.
        file: Option<PathBuf>,
        /// What is wrong, at least one.
        faults: Vec<Fault>,
    },
}

/// One thing that is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line and column, counted from 1, where they are known.
    pub position: Option<(u64, u64)>,
    /// The field, such as `operator.lease.renew`, where it is known.
    pub field: Option<String>,
    /// What is wrong and what to change.
    pub reason: String,
    /// The line itself, unless it may hold a key.
    pub line: Option<String>,
}

impl ConfigError {
    pub(super) const fn invalid(faults: Vec<Fault>) -> Self {
        Self::Invalid { file: None, faults }
    }

    pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), reason: error.to_string() }
    }

    pub(super) fn of_file(self, path: &Path) -> Self {
        match self {
            Self::Invalid { faults, .. } => Self::Invalid { file: Some(path.to_owned()), faults },
            unreadable @ Self::Unreadable { .. } => unreadable,
        }
    }
}

impl Fault {
    pub(super) fn new(position: Option<(u64, u64)>, field: Option<String>, reason: &str, text: &str) -> Self {
        let line = position
            .and_then(|(line, _)| usize::try_from(line).ok())
            .and_then(|line| text.lines().nth(line.checked_sub(1)?))
            .filter(|line| !words(line).any(is_key))
            .map(|line| line.trim_end().to_owned());
        Self { position, field, reason: without_keys(reason), line }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.reason)?;
        match &self.line {
            Some(line) => write!(f, "\n    | {line}"),
            None => Ok(()),
        }
    }
}

struct Listing<'a> {
    file: Option<&'a Path>,
    faults: &'a [Fault],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration")?;
        if let Some(file) = self.file {
            write!(f, " in {}", file.display())?;
        }
        f.write_str(" is invalid")?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

pub(super) fn is_key(word: &str) -> bool {
    KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

fn without_keys(text: &str) -> String {
    let keys: Vec<&str> = words(text).filter(|word| is_key(word)).collect();
    keys.into_iter().fold(text.to_owned(), |text, key| text.replace(key, "(withheld)"))
}
