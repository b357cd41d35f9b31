//! Starting and ending the issuer, and what all its requests share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::codes::Codes;
use crate::guard::{Guard, LiveKey};
use crate::keys::{KeyError, Keys};
use crate::routes;
use crate::tokens::Flaw;

/// How an issuer is to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What its tokens name as their issuer, and where sites ask it. Without one, the address it listens on.
    pub url: Option<String>,
    /// Where guests' browsers reach it, where that is elsewhere.
    pub browser_url: Option<String>,
    /// The file of its keys; made where it is not there. Without one the keys end with the process.
    pub key_file: Option<PathBuf>,
    /// Whether to sign with a new key from now on.
    pub rotate: bool,
    /// Addresses that one may be sent back to, whole or up to a `/`; those of this machine always.
    pub redirects: Vec<String>,
    /// What sites must show, if anything.
    pub client_secret: Option<String>,
    /// What keeps it from standing beside real money.
    pub guard: Guard,
}

impl Default for Config {
    /// On a free port of the loopback interface, with keys of its own.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            url: None,
            browser_url: None,
            key_file: None,
            rotate: false,
            redirects: Vec::new(),
            client_secret: None,
            guard: Guard::default(),
        }
    }
}

/// Why an issuer did not start.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Real money is near.
    #[error(transparent)]
    LiveKey(#[from] LiveKey),
    /// It has no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What requests share.
pub(crate) struct Shared {
    pub issuer: String,
    pub browser: String,
    pub redirects: Vec<String>,
    pub secret: Option<String>,
    pub guard: Guard,
    pub codes: Codes,
    pub keys: Mutex<Keys>,
    pub flaw: Mutex<Option<Flaw>>,
    pub published: AtomicU64,
}

impl Shared {
    pub fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn flaw(&self) -> MutexGuard<'_, Option<Flaw>> {
        self.flaw.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running issuer. Dropping it stops it.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Server {
    /// Listens, and serves until told to stop. Fails beside a live key of a payment provider.
    pub async fn start(config: Config) -> Result<Self, IssuerError> {
        config.guard.check()?;
        let mut keys = Keys::open(config.key_file)?;
        if config.rotate {
            keys.rotate()?;
        }
        let listen = |source| IssuerError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let bare = |url: String| url.trim_end_matches('/').to_owned();
        let issuer = config.url.map_or_else(|| format!("http://{address}"), bare);
        let shared = Arc::new(Shared {
            browser: config.browser_url.map_or_else(|| issuer.clone(), bare),
            issuer,
            redirects: config.redirects,
            secret: config.client_secret,
            guard: config.guard,
            codes: Codes::default(),
            keys: Mutex::new(keys),
            flaw: Mutex::default(),
            published: AtomicU64::new(0),
        });
        let stop = CancellationToken::new();
        let (router, stopped) = (routes::router(Arc::clone(&shared)), stop.clone().cancelled_owned());
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "the test issuer ended");
            }
        });
        tracing::info!(%address, issuer = shared.issuer, "the test issuer listens; it lets anybody sign in as anybody");
        Ok(Self { address, shared, stop, serving })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What its tokens name as their issuer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.issuer
    }

    /// Signs with a new key from now on; the one before stays published.
    pub fn rotate(&self) -> Result<(), KeyError> {
        self.shared.keys().rotate()
    }

    /// Spoils the next token, for those who test that it is refused.
    pub fn spoil_next(&self, flaw: Flaw) {
        *self.shared.flaw() = Some(flaw);
    }

    /// How often its keys were asked for.
    #[must_use]
    pub fn keys_asked_for(&self) -> u64 {
        self.shared.published.load(Ordering::Relaxed)
    }

    /// Takes no more requests, and waits for the end of those under way.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
