//! Log lines: one subscriber for the process, writing to standard error.
//!
//! Libraries only call `tracing`; the program calls [`init`] once. What may be logged is decided by those who log:
//! never a guest's name or address, never a key.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::{Layer, Registry};

use crate::config::{Log, LogFormat};

/// The variable that goes before the configuration's filter.
const VARIABLE: &str = "RUST_LOG";

/// Why logging could not be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A filter that cannot be understood.
    #[error("the log filter from {source_name} is wrong: {reason}")]
    Filter {
        /// Where it came from.
        source_name: &'static str,
        /// What to change.
        reason: String,
    },
    /// The process has a subscriber already.
    #[error("logging is set up already")]
    Twice,
    /// The subscriber is gone.
    #[error("logging has ended: {0}")]
    Gone(#[from] reload::Error),
}

/// Changes what is logged while the process runs.
#[derive(Debug, Clone)]
pub struct Telemetry {
    filter: reload::Handle<EnvFilter, Registry>,
    /// Set by the variable, so the configuration has no say.
    fixed: bool,
}

impl Telemetry {
    /// Logs by this filter from now on, unless `RUST_LOG` is set: then nothing changes. Fails on a filter that
    /// cannot be understood, and the last one stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), TelemetryError> {
        if self.fixed {
            return Ok(());
        }
        Ok(self.filter.reload(parse(filter, "the configuration")?)?)
    }
}

/// Sets up logging for the process, on standard error. Fails the second time, and on a wrong filter.
pub fn init(log: &Log) -> Result<Telemetry, TelemetryError> {
    let variable = std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty());
    let terminal = std::io::stderr().is_terminal();
    let (dispatch, telemetry) = build(log, variable.as_deref(), terminal, std::io::stderr)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| TelemetryError::Twice)?;
    Ok(telemetry)
}

/// Whether a filter can be understood; if not, what to change.
pub(crate) fn check_filter(filter: &str) -> Result<(), String> {
    // `tracing` would take a misspelt level for the name of a target, and log nothing else.
    let odd = filter
        .split(',')
        .map(str::trim)
        .find(|part| !part.is_empty() && !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err());
    if let Some(odd) = odd {
        return Err(format!(
            "`{odd}` is no level; use error, warn, info, debug, trace or off, or name a target like kube=warn"
        ));
    }
    understand(filter).map(drop)
}

fn understand(filter: &str) -> Result<EnvFilter, String> {
    // `tracing` takes a space after a comma for a part of a name.
    EnvFilter::builder().parse(filter.replace(", ", ",")).map_err(|error| {
        format!("`{filter}` is no log filter ({error}); write a level, or pairs like kube=warn, separated by commas")
    })
}

fn parse(filter: &str, source_name: &'static str) -> Result<EnvFilter, TelemetryError> {
    let understood = check_filter(filter).and_then(|()| understand(filter));
    understood.map_err(|reason| TelemetryError::Filter { source_name, reason })
}

fn build<W>(
    log: &Log,
    variable: Option<&str>,
    terminal: bool,
    writer: W,
) -> Result<(Dispatch, Telemetry), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = match variable {
        Some(filter) => parse(filter, VARIABLE)?,
        None => parse(&log.filter, "the configuration")?,
    };
    let (filter, handle) = reload::Layer::new(filter);
    let human = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<_> + Send + Sync> = if human {
        Box::new(lines.with_ansi(terminal))
    } else {
        Box::new(lines.json().flatten_event(true).with_current_span(false))
    };
    let subscriber = Registry::default().with(filter).with(lines);
    Ok((dispatch(subscriber), Telemetry { filter: handle, fixed: variable.is_some() }))
}

fn dispatch(subscriber: impl Subscriber + Send + Sync + 'static) -> Dispatch {
    Dispatch::new(subscriber)
}

#[cfg(test)]
mod tests;
