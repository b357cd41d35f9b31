//! Finished Reservations, with their facts and their last status, on a volume that everybody reads.
//!
//! One writer appends, any number of readers follow. What a reader is shown was written whole: a frame counts once a line
//! of the manifest names it, and a line counts once it is there to its last byte and its digest is right. So a crash
//! at any byte leaves what was acknowledged, and behind it at most a tail that nobody reads. Knows `api` alone: no
//! cluster, no network.
//!
//! ```text
//! archive.json                     which archive this is
//! manifest.jsonl                   one line for each append: which frames, where, how long, their digests
//! <property>/<month>.jsonl.zst     the stays that check out in that month: zstd frames of JSON lines
//! lock                             held by whoever writes
//! ```

mod digest;
mod error;
mod folder;
mod frame;
mod index;
mod library;
mod manifest;
mod record;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use digest::Digest;
pub use error::{ArchiveError, Step};
pub use folder::{Folder, Identity};
pub use index::{Key, Owners, Place};
pub use library::{Library, Page, Shelf};
pub use manifest::{Frame, Line};
pub use record::{Record, finished_at};
pub use verify::{Damage, Report, Where, verify};
pub use writer::{Receipt, Writer};
