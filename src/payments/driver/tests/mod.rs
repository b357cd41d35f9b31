//! The driver against scripted answers, and against the embedded provider.

mod charging;
mod connections;
mod embedded;
mod errors;
mod finding;
mod script;
mod telling;
