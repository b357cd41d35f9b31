//! Ways into a running server: clients and kubeconfig files. Knows certificates and addresses, no processes.

use std::path::Path;
use std::time::Duration;

use kube::config::AuthInfo;
use kube::{Client, Config};
use serde_json::json;

use crate::error::{Error, Result};
use crate::pki::{Identity, Pki, write};

/// A server on loopback.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) port: u16,
}

impl Endpoint {
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// A client that presents this identity. Must be called inside a Tokio runtime, to which the client then belongs.
    pub(crate) fn client(&self, pki: &Pki, identity: &Identity) -> Result<Client> {
        Ok(Client::try_from(self.config(pki, identity)?)?)
    }

    /// As `client`, but an answer such as 503 is handed on at once: a client's own retries wait longer and longer, and
    /// would be asleep when the server becomes ready.
    pub(crate) fn probe(&self, pki: &Pki, identity: &Identity) -> Result<Client> {
        let mut config = self.config(pki, identity)?;
        config.default_retry = false;
        Ok(Client::try_from(config)?)
    }

    fn config(&self, pki: &Pki, identity: &Identity) -> Result<Config> {
        let url =
            self.url().parse().map_err(|e| Error::Kube(kube::Error::HttpError(http::Error::from(e))))?;
        let mut config = Config::new(url);
        config.root_cert = Some(vec![pki.authority_der()]);
        config.auth_info = AuthInfo {
            client_certificate: Some(identity.certificate.to_string_lossy().into_owned()),
            client_key: Some(identity.key.to_string_lossy().into_owned()),
            ..AuthInfo::default()
        };
        Ok(config)
    }

    /// Writes a kubeconfig for this identity. It names the certificates' files, so it is good while they are there.
    pub(crate) fn write_kubeconfig(
        &self,
        pki: &Pki,
        user: &str,
        identity: &Identity,
        file: &Path,
    ) -> Result<()> {
        let name = "innkeeper-testbed";
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {
                "server": self.url(),
                "certificate-authority": pki.authority(),
            }}],
            "users": [{"name": user, "user": {
                "client-certificate": identity.certificate,
                "client-key": identity.key,
            }}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        });
        write(file, &format!("{config:#}\n"))
    }
}

/// Runs a future to its end from anywhere, also from inside another runtime, on a thread of its own: so that nothing
/// of a runtime stays behind in a value that several tests, each with its own runtime, use.
pub(crate) fn block_on<T: Send, F: Future<Output = Result<T>>>(make: impl FnOnce() -> F + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|e| Error::Supervisor(format!("no runtime for a request: {e}")))?;
            runtime.block_on(make())
        });
        thread.join().unwrap_or_else(|_| Err(Error::Supervisor("a request panicked".to_owned())))
    })
}

/// One attempt of a request, limited to a few seconds; for readiness.
pub(crate) async fn get(client: &Client, path: &str) -> Result<String, String> {
    let request = http::Request::get(path).body(Vec::new()).map_err(|e| e.to_string())?;
    match tokio::time::timeout(Duration::from_secs(10), client.request_text(request)).await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in 10 s".to_owned()),
    }
}
