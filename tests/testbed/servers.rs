//! The command lines of etcd, kube-apiserver and kube-controller-manager, and what they mean for a test. Starts nothing.

use std::path::Path;

use crate::Options;
use crate::endpoint::Endpoint;
use crate::pki::{Identity, Pki};

/// Ports of one etcd.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EtcdPorts {
    pub(crate) client: u16,
    pub(crate) peer: u16,
}

/// etcd with mutual TLS: on a machine with several control planes starting at once, a program that was given the same
/// port as another can then not mistake its neighbour's etcd for its own.
pub(crate) fn etcd(folder: &Path, pki: &Pki, identity: &Identity, ports: EtcdPorts) -> Vec<String> {
    let client = format!("https://127.0.0.1:{}", ports.client);
    let peer = format!("https://127.0.0.1:{}", ports.peer);
    vec![
        flag("name", "testbed"),
        flag("data-dir", folder.join("etcd").display()),
        flag("listen-client-urls", &client),
        flag("advertise-client-urls", &client),
        flag("listen-peer-urls", &peer),
        flag("initial-advertise-peer-urls", &peer),
        flag("initial-cluster", format!("testbed={peer}")),
        flag("cert-file", identity.certificate.display()),
        flag("key-file", identity.key.display()),
        flag("trusted-ca-file", pki.authority().display()),
        flag("client-cert-auth", true),
        flag("peer-cert-file", identity.certificate.display()),
        flag("peer-key-file", identity.key.display()),
        flag("peer-trusted-ca-file", pki.authority().display()),
        flag("peer-client-cert-auth", true),
        flag("log-level", "warn"),
        // The machine may die under a test; the test does not care. Killed processes lose nothing.
        flag("unsafe-no-fsync", true),
    ]
}

/// kube-apiserver with the defaults of a real cluster (RBAC, admission policies, watch cache), and without what only
/// disturbs a test: no anonymous user, no endpoints of itself.
pub(crate) fn apiserver(
    pki: &Pki,
    serving: &Identity,
    etcd_client: &Identity,
    etcd: EtcdPorts,
    port: u16,
    options: &Options,
) -> Vec<String> {
    let mut arguments = vec![
        flag("etcd-servers", format!("https://127.0.0.1:{}", etcd.client)),
        flag("etcd-cafile", pki.authority().display()),
        flag("etcd-certfile", etcd_client.certificate.display()),
        flag("etcd-keyfile", etcd_client.key.display()),
        flag("bind-address", "127.0.0.1"),
        flag("advertise-address", "127.0.0.1"),
        flag("secure-port", port),
        flag("tls-cert-file", serving.certificate.display()),
        flag("tls-private-key-file", serving.key.display()),
        flag("client-ca-file", pki.authority().display()),
        flag("authorization-mode", "RBAC"),
        flag("anonymous-auth", false),
        flag("service-account-issuer", "https://kubernetes.default.svc"),
        flag("service-account-key-file", pki.token_public_key().display()),
        flag("service-account-signing-key-file", pki.token_key().display()),
        flag("service-cluster-ip-range", "10.0.0.0/24"),
        flag("endpoint-reconciler-type", "none"),
    ];
    if options.keep_history {
        arguments.push(flag("etcd-compaction-interval", 0));
    }
    if !options.controller_manager {
        // Nobody makes the default service account then, and a pod without one would be refused.
        arguments.push(flag("disable-admission-plugins", "ServiceAccount"));
    }
    arguments.extend(options.apiserver_arguments.iter().cloned());
    arguments
}

/// kube-controller-manager without a port of its own and without an election: there is one.
pub(crate) fn controller_manager(pki: &Pki, kubeconfig: &Path) -> Vec<String> {
    vec![
        flag("kubeconfig", kubeconfig.display()),
        flag("service-account-private-key-file", pki.token_key().display()),
        flag("root-ca-file", pki.authority().display()),
        flag("use-service-account-credentials", true),
        flag("leader-elect", false),
        flag("secure-port", 0),
    ]
}

/// What tells a reader of a log that the port was taken in the meantime.
pub(crate) fn says_port_is_taken(log: &str) -> bool {
    log.contains("address already in use")
}

/// etcd's own port as an endpoint.
pub(crate) fn etcd_endpoint(ports: EtcdPorts) -> Endpoint {
    Endpoint { port: ports.client }
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}
