//! Files finished Reservations in the archive, and remembers which archive that is.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use innkeeper_api::{ConditionType, Reason, Reservation};
use innkeeper_archive::{ArchiveError, Folder, Identity, Receipt, Record, Writer, finished_at};
use innkeeper_ops::metrics::Metrics;
use jiff::Timestamp;

use crate::filing::{Filed, Filing, FilingError};
use crate::store::intake::leaves;

/// The file, in the relay's own folder, that says which archive was filed to.
const REMEMBERED: &str = "archive-id";

/// Why something could not be filed, or read back.
#[derive(Debug, thiserror::Error)]
pub enum ArchivingError {
    /// The archive cannot be used.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Which archive it was cannot be remembered, or is not known any more.
    #[error("which archive was filed to cannot be kept in {}: {why}", file.display())]
    Remembering {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// It was asked too early.
    #[error("it has not finished")]
    NotFinished,
}

impl ArchivingError {
    /// In one word, for metrics and Events.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Archive(error) => error.reason(),
            Self::Remembering { .. } => "ArchiveForgotten",
            Self::NotFinished => "NotFinished",
        }
    }
}

impl From<ArchivingError> for FilingError {
    fn from(error: ArchivingError) -> Self {
        use ArchiveError::{Contended, Damaged, Format, Io, Locked, NotThere, Other, Unfit};
        let (reason, text) = (error.reason(), error.to_string());
        match error {
            ArchivingError::NotFinished => Self::NotFinished,
            ArchivingError::Remembering { .. }
            | ArchivingError::Archive(
                NotThere(_) | Other { .. } | Format { .. } | Locked(_) | Contended(_),
            ) => Self::Nothing(text),
            // Of one file, as far as anybody knows: other stays go into other files.
            ArchivingError::Archive(Damaged { .. } | Io { .. } | Unfit(_)) => Self::NotThis { reason, text },
        }
    }
}

/// Why the archive took nothing when something was last given to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// In one word.
    pub(crate) reason: &'static str,
    /// In a sentence.
    pub(crate) text: String,
}

/// How a Reservation stands in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was not filed yet, or has facts that were not.
    NotFiled,
    /// It was just read back as it is. It was filed then.
    ReadBack(Timestamp),
}

/// Files. Clones share the archive, which is opened when it is first needed and again after every failure.
#[derive(Clone)]
pub struct Archiving {
    folder: Folder,
    remembered: PathBuf,
    writer: Arc<Mutex<Option<Writer>>>,
    refusal: Arc<Mutex<Option<Refusal>>>,
    metrics: Metrics,
}

impl Archiving {
    /// Files in this folder; `state` is the relay's own.
    #[must_use]
    pub fn new(folder: &Path, state: &Path, metrics: Metrics) -> Self {
        let remembered = state.join(REMEMBERED);
        Self {
            folder: Folder::new(folder),
            remembered,
            writer: Arc::default(),
            refusal: Arc::default(),
            metrics,
        }
    }

    /// Whether a finished Reservation can be read back from the archive as it is. One that has changed since it was filed
    /// in nothing that happened, only in what is wanted of it, is filed again first.
    pub async fn standing(&self, reservation: &Reservation) -> Result<Standing, ArchivingError> {
        let now = Timestamp::now();
        let record = record(reservation, now)?;
        self.with(move |writer| {
            // What cannot be read back is filed again, as long as its object is there.
            let before = match writer.library().with_uid(record.uid()) {
                Ok(Some(before)) => before,
                Ok(None) | Err(ArchiveError::Damaged { .. }) => return Ok(Standing::NotFiled),
                Err(error) => return Err(error.into()),
            };
            let history = |r: &Record| r.reservation.status.as_ref().map(|s| s.history.clone());
            if history(&before) != history(&record) {
                return Ok(Standing::NotFiled);
            }
            if !before.says_the_same_as(&record) {
                writer.file(std::slice::from_ref(&record), now)?;
                return Ok(if writer.reads_back(&record)? {
                    Standing::ReadBack(now)
                } else {
                    Standing::NotFiled
                });
            }
            Ok(if writer.reads_back(&record)? {
                Standing::ReadBack(before.filed)
            } else {
                Standing::NotFiled
            })
        })
        .await
    }

    /// Why the archive took nothing when something was last given to it; nothing where it took it.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn file_now(&self, reservation: &Reservation) -> Result<Receipt, ArchivingError> {
        let now = Timestamp::now();
        let record = record(reservation, now)?;
        let filed = self.with(move |writer| Ok(writer.file(&[record], now)?)).await;
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = match &filed {
            // What is wrong with one Reservation is not wrong with the archive.
            Ok(_) | Err(ArchivingError::NotFinished | ArchivingError::Archive(ArchiveError::Unfit(_))) => {
                None
            }
            Err(error) => Some(Refusal { reason: error.reason(), text: error.to_string() }),
        };
        Ok(filed?.first().copied().unwrap_or(Receipt::Before))
    }

    /// Works with the archive, away from everything that must not wait for a volume.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, ArchivingError> + Send + 'static,
    ) -> Result<T, ArchivingError> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut writer = this.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let open = match writer.take() {
                Some(open) => open,
                None => this.open()?,
            };
            let open = writer.insert(open);
            let done = work(open);
            // After a failure everything is looked at anew, the lock and which archive it is included.
            if done.is_err() {
                *writer = None;
            }
            done
        });
        let done = done.await.unwrap_or_else(|error| {
            let why = format!("filing ended early: {error}");
            Err(ArchivingError::Remembering { file: self.remembered.clone(), why })
        });
        self.metrics.relay_archive(done.is_ok());
        done
    }

    fn open(&self) -> Result<Writer, ArchivingError> {
        let before = self.remembered()?;
        let writer = Writer::open(self.folder.clone(), before, Timestamp::now())?;
        if before.is_none() {
            self.remember(writer.identity())?;
            tracing::info!(folder = %self.folder.path().display(), archive = %writer.identity(), "filing to this archive from now on");
        }
        Ok(writer)
    }

    fn remembered(&self) -> Result<Option<Identity>, ArchivingError> {
        let wrong = |why: String| ArchivingError::Remembering { file: self.remembered.clone(), why };
        match fs::read_to_string(&self.remembered) {
            Ok(text) => Identity::parse(&text).map(Some).ok_or_else(|| wrong("it is no id".to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    fn remember(&self, identity: Identity) -> Result<(), ArchivingError> {
        let write = || {
            let new = self.remembered.with_extension("new");
            let mut file = File::create(&new)?;
            writeln!(file, "{identity}")?;
            file.sync_all()?;
            fs::rename(&new, &self.remembered)?;
            self.remembered.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        write().map_err(|error: std::io::Error| ArchivingError::Remembering {
            file: self.remembered.clone(),
            why: error.to_string(),
        })
    }
}

fn record(reservation: &Reservation, now: Timestamp) -> Result<Record, ArchivingError> {
    let finished = finished_at(reservation, now).or_else(|| ended_at(reservation));
    let finished = finished.ok_or(ArchivingError::NotFinished)?;
    Ok(Record::of(reservation, finished, now)?)
}

/// When one ended that is deleted and that only the relay keeps: nobody stamps its last generation any more, and there is
/// nothing to wait for.
fn ended_at(reservation: &Reservation) -> Option<Timestamp> {
    let status = reservation.status.as_ref().filter(|_| leaves(reservation))?;
    let settled = status.conditions.get(&ConditionType::Settled)?;
    match settled.reason {
        Reason::Confirmed => status.quote.as_ref().map(|quote| quote.finished_at),
        _ => Some(settled.last_transition_time),
    }
}

impl Filing for Archiving {
    fn file<'a>(&'a self, reservation: &'a Reservation) -> BoxFuture<'a, Result<Filed, FilingError>> {
        async move {
            match self.file_now(reservation).await {
                Ok(Receipt::New) => Ok(Filed::Now),
                Ok(Receipt::Before) => Ok(Filed::Before),
                Err(error) => Err(error.into()),
            }
        }
        .boxed()
    }
}
