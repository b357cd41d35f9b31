//! The driver against scripted answers, and against the embedded provider.
