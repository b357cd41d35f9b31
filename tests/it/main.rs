//! Integration tests against a real kube-apiserver and etcd, with real operators and the embedded payment provider.

mod stories;
mod support;
