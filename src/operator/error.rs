//! What can go wrong around a reconcile, by what is to be done about it.

/// Why a write to the API server did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Decided on a version that is no longer the latest: read again.
    #[error("the object has changed since it was read")]
    Conflict,
    /// The object is gone.
    #[error("the object is gone")]
    Gone,
    /// The API server's rules refuse it.
    #[error("the API server refuses the write: {0}")]
    Refused(String),
    /// The API server could not be asked, or failed; whether the write took effect is unknown.
    #[error("the API server did not answer: {0}")]
    Api(#[source] Box<kube::Error>),
}

impl From<kube::Error> for WriteError {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.is_not_found() => Self::Gone,
            kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => Self::Conflict,
            kube::Error::Api(status) if status.is_invalid() || status.is_forbidden() => {
                Self::Refused(status.message.clone())
            }
            _ => Self::Api(Box::new(error)),
        }
    }
}

/// A reconcile that could not be finished; it is tried again, later each time.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A read failed.
    #[error("cannot read {what}: {source}")]
    Read {
        /// What was read.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// A write failed.
    #[error("cannot write {what}: {source}")]
    Write {
        /// What was written.
        what: &'static str,
        /// Why not.
        #[source]
        source: WriteError,
    },
    /// The planner did not come to rest.
    #[error("no rest after {0} steps; this is a bug in Innkeeper")]
    Restless(usize),
    /// The reconcile panicked.
    #[error("the reconcile panicked; this is a bug in Innkeeper: {0}")]
    Panicked(String),
}

impl ReconcileError {
    /// A failed read.
    pub fn read(what: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Read { what, source: Box::new(source) }
    }

    /// A failed write.
    pub fn write(what: &'static str) -> impl FnOnce(WriteError) -> Self {
        move |source| Self::Write { what, source }
    }
}

/// Why the operator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The installation's id cannot be read or made.
    #[error("the installation's ConfigMap {name} cannot be read or made: {source}")]
    Installation {
        /// Namespace and name.
        name: String,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// The installation's `ConfigMap` has no id.
    #[error(
        "the installation's ConfigMap {0} has no `id`; restore it from a backup, or delete it to begin anew"
    )]
    NoInstallationId(String),
    /// Whoever keeps the Lease has ended.
    #[error("the Lease is no longer kept; this is a bug in Innkeeper")]
    Lease,
}
