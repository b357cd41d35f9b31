//! The planted bugs, as data.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// Where they are.
pub const FOLDER: &str = "tests/planted";

/// A bug to be planted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Bug {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// What is wrong with it, in a sentence.
    pub what: String,
    /// The promise that it breaks.
    pub breaks: String,
    /// What is changed, all of it at once.
    pub changes: Vec<Change>,
    /// What is to catch it: run in this order, until one fails.
    pub caught_by: Vec<Tests>,
}

/// One replacement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// In which file of the project.
    pub file: String,
    /// What is there now: exactly once.
    pub replace: String,
    /// What is there with the bug.
    pub with: String,
}

/// Some tests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Tests {
    /// Unit tests of one package with this in their names.
    Unit {
        /// The package.
        package: String,
        /// The part of the names.
        named: String,
    },
    /// Tests against a real API server with this in their names.
    Integration(String),
}

impl fmt::Display for Tests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit { package, named } => write!(f, "the unit tests {named:?} of {package}"),
            Self::Integration(named) => write!(f, "the integration tests {named:?}"),
        }
    }
}

impl Change {
    /// The file with the bug in it. Where what is to be replaced is not there exactly once, it no longer fits.
    pub fn applied_to(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.replace).count() {
            1 => Ok(text.replacen(&self.replace, &self.with, 1)),
            count => Err(format!("{} has this {count} times, not once:\n{}", self.file, self.replace)),
        }
    }
}

/// All of them, by name.
pub fn read(project: &Path) -> Result<Vec<Bug>, String> {
    let folder = project.join(FOLDER);
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut bugs = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        let said = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| said(&error))?;
        let mut bug: Bug = serde_saphyr::from_str(&text).map_err(|error| said(&error))?;
        bug.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        bugs.push(bug);
    }
    bugs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(bugs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what is not as expected here is a failed test")]

    use super::*;

    fn project() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    #[test]
    fn every_planted_bug_still_fits_and_changes_something() {
        let bugs = read(project()).unwrap();
        assert!(bugs.len() >= 20, "{}", bugs.len());
        for bug in bugs {
            assert!(!bug.changes.is_empty() && !bug.caught_by.is_empty(), "{}", bug.name);
            for change in &bug.changes {
                let text = fs::read_to_string(project().join(&change.file)).unwrap();
                let with = change.applied_to(&text).unwrap_or_else(|why| panic!("{}: {why}", bug.name));
                assert_ne!(with, text, "{}", bug.name);
            }
        }
    }

    #[test]
    fn what_is_not_there_exactly_once_no_longer_fits() {
        let change = Change { file: "x".to_owned(), replace: "a".to_owned(), with: "b".to_owned() };
        assert_eq!(change.applied_to("xax").unwrap(), "xbx");
        assert!(change.applied_to("xx").is_err());
        assert!(change.applied_to("aa").is_err());
    }
}
