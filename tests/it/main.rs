//! Integration tests against a real kube-apiserver.
