//! A file of JSON lines, one event each. An event counts as taken once it is on disk.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Outgoing, Sink, Verdict};

/// How much is read at once while the last line's beginning is looked for.
const BLOCK: u64 = 4096;

/// The file.
#[derive(Debug, Clone)]
pub struct FileSink(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Open once something was written.
    open: Mutex<Option<File>>,
}

impl FileSink {
    /// At this path; it and its folder are made when they are not there.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(Arc::new(Inner { path, open: Mutex::new(None) }))
    }
}

impl Inner {
    fn append(&self, text: &str) -> std::io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = match open.take() {
            // One that was moved away (rotated) is left, and a new one begun.
            Some(file) if still_there(&file, &self.path) => file,
            _ => opened(&self.path)?,
        };
        let end = file.metadata()?.len();
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // A full disk may have taken half a line. What cannot be cut off now is cut off when it is opened again.
            if file.set_len(end).is_ok() {
                *open = Some(file);
            }
            return Err(error);
        }
        *open = Some(file);
        Ok(())
    }
}

/// Opens the file for appending, without the part of a line that a crash may have left at its end.
fn opened(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let made = !path.exists();
    let mut file = File::options().create(true).append(true).read(true).open(path)?;
    let length = file.metadata()?.len();
    let whole = end_of_last_line(&mut file, length)?;
    if whole < length {
        tracing::warn!(
            file = %path.display(),
            bytes = length - whole,
            "the last line is torn; it was never acknowledged, is cut off and written again"
        );
        file.set_len(whole)?;
        file.sync_data()?;
    }
    if made && let Some(folder) = path.parent() {
        // The name too must outlive a power cut.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// How long the file is up to and with its last line break.
fn end_of_last_line(file: &mut File, length: u64) -> std::io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let from = end.saturating_sub(BLOCK);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take(end - from).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + u64::try_from(at).unwrap_or(0) + 1);
        }
        end = from;
    }
    Ok(0)
}

fn still_there(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

impl Sink for FileSink {
    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        self.write(String::new()).boxed()
    }

    fn deliver<'a>(&'a self, batch: &'a [Outgoing]) -> BoxFuture<'a, Vec<Verdict>> {
        async move {
            let text: String = batch.iter().flat_map(|event| [event.json.as_str(), "\n"]).collect();
            let verdict = match self.write(text).await {
                Ok(()) => Verdict::Acked,
                Err(error) => Verdict::Failed(error),
            };
            vec![verdict; batch.len()]
        }
        .boxed()
    }
}

impl FileSink {
    async fn write(&self, text: String) -> Result<(), String> {
        let inner = Arc::clone(&self.0);
        let written = tokio::task::spawn_blocking(move || inner.append(&text)).await;
        let failed = |why: String| format!("cannot write {}: {why}", self.0.path.display());
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests;
