//! Integration tests against a real kube-apiserver and etcd, with real operators and the embedded payment provider.

mod cost;
mod drift;
mod rules;
mod stories;
mod support;
