//! The file that holds the provider's key.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use super::CliError;
use crate::sandbox::key::ApiKey;

/// Reads the key.
pub fn read_key(path: &Path) -> Result<ApiKey, CliError> {
    let failed = |source| CliError::KeyFile { path: path.to_owned(), source };
    let mut text = String::new();
    // A key is short; a wrong path may name something that never ends.
    File::open(path).and_then(|file| file.take(4096).read_to_string(&mut text)).map_err(failed)?;
    ApiKey::parse(&text).map_err(|source| CliError::Key { path: path.to_owned(), source })
}

/// Reads the key; where there is no file, makes one with a random key that only its owner can read.
pub fn read_or_make_key(path: &Path) -> Result<ApiKey, CliError> {
    let failed = |source| CliError::KeyFile { path: path.to_owned(), source };
    let key = ApiKey::generate()?;
    match private().open(path) {
        Ok(mut file) => {
            writeln!(file, "{}", key.expose()).map_err(failed)?;
            tracing::info!(path = %path.display(), "made a key for the embedded payment provider");
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_key(path),
        // A mounted Secret is read-only, and its key is there already.
        Err(_) if path.exists() => read_key(path),
        Err(error) => Err(failed(error)),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
