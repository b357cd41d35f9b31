//! A copy of the project in which bugs are planted: the one that is worked on is never touched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bugs::Bug;

/// The copy.
pub struct Tree {
    /// Where it is.
    pub root: PathBuf,
    /// Where cargo puts what it builds of it.
    pub target: PathBuf,
}

/// A bug that is in the copy now.
pub struct Planted<'a> {
    tree: &'a Tree,
    /// What was in the files before.
    before: Vec<(PathBuf, String)>,
}

impl Tree {
    /// Copies what git knows or would know of the project. What is the same already is left alone, so that cargo need not
    /// build it again.
    pub fn copied(project: &Path, work: &Path) -> Result<Self, String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(project)
            .output()
            .map_err(|error| format!("git: {error}"))?;
        if !listed.status.success() {
            return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr)));
        }
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let files: BTreeSet<PathBuf> =
            listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
        let tree = Self { root: absolute(&work.join("tree"))?, target: absolute(&work.join("target"))? };
        for file in &files {
            // Deleted, and not committed yet.
            let Ok(bytes) = fs::read(project.join(file)) else { continue };
            let to = tree.root.join(file);
            if fs::read(&to).is_ok_and(|there| there == bytes) {
                continue;
            }
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
            }
            // With its rights: some are scripts.
            fs::copy(project.join(file), &to).map_err(|error| format!("{}: {error}", to.display()))?;
        }
        tree.drop_others(&tree.root, &files)?;
        Ok(tree)
    }

    fn drop_others(&self, folder: &Path, files: &BTreeSet<PathBuf>) -> Result<(), String> {
        let said = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(folder).map_err(said)? {
            let path = entry.map_err(said)?.path();
            if path.is_dir() {
                self.drop_others(&path, files)?;
            } else if !path.strip_prefix(&self.root).is_ok_and(|name| files.contains(name)) {
                fs::remove_file(&path).map_err(said)?;
            }
        }
        Ok(())
    }

    /// Plants a bug.
    pub fn plant(&self, bug: &Bug) -> Result<Planted<'_>, String> {
        let mut planted = Planted { tree: self, before: Vec::new() };
        for change in &bug.changes {
            let path = PathBuf::from(&change.file);
            let text = self.read(&path)?;
            let with =
                change.applied_to(&text).map_err(|why| format!("{} no longer fits: {why}", bug.name))?;
            planted.before.push((path.clone(), text));
            self.write(&path, &with)?;
        }
        Ok(planted)
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), String> {
        fs::write(self.root.join(path), text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Planted<'_> {
    /// Takes it out again.
    pub fn taken_out(self) -> Result<(), String> {
        // The last change first: two may be of one file.
        self.before.iter().rev().try_for_each(|(path, text)| self.tree.write(path, text))
    }
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    fs::create_dir_all(path)
        .and_then(|()| path.canonicalize())
        .map_err(|error| format!("{}: {error}", path.display()))
}
