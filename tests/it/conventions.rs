//! What users of Kubernetes expect, looked at as they look: every version that a watch shows, and kubectl itself.

mod argocd;
mod bad_input;
mod born_with_finalizers;
mod checks;
mod generated;
mod gitops;
mod kstatus;
mod listing;
mod recorder;
mod recording;
mod stories;
mod story;
mod waiting;
mod webhooks;
