//! A way to the provider that can be barred: what passes is held at a chosen place, for as long as a test wants, and
//! delivered late, even when whoever sent it has given up long ago.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::PATIENCE;

/// The beginning of the request that charges, or fences.
pub const CHARGE: &str = "POST /v1/payment_intents HTTP";

/// The beginning of the request that refunds.
pub const REFUND: &str = "POST /v1/refunds HTTP";

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The request, before it reaches the provider.
    Request,
    /// Its answer: the effect is in the ledger.
    Answer,
}

/// A port on which nobody listens: connections to it are refused, and nobody else gets it.
pub struct Nowhere {
    socket: TcpSocket,
    address: SocketAddr,
}

impl Nowhere {
    /// Takes a port.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it leads to the provider at this address.
    pub fn leads_to(self, provider: SocketAddr) -> Gate {
        Gate::on(self.socket.listen(1024).unwrap(), provider, "", Side::Request, 0)
    }
}

/// A way to the provider.
pub struct Gate {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    needle: &'static str,
    side: Side,
    /// How many more are to be held.
    to_hold: AtomicU32,
    /// How many have been held so far.
    held: watch::Sender<u32>,
    permits: Semaphore,
}

impl Gate {
    /// One that holds the first `times` requests that begin like this, or their answers.
    pub async fn holding(provider: SocketAddr, needle: &'static str, side: Side, times: u32) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        Self::on(listener, provider, needle, side, times)
    }

    fn on(listener: TcpListener, provider: SocketAddr, needle: &'static str, side: Side, times: u32) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            needle,
            side,
            to_hold: AtomicU32::new(times),
            held: watch::Sender::default(),
            permits: Semaphore::new(0),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, provider, Arc::clone(&shared)));
            }
        });
        Self { address, state, task }
    }

    /// Its address, for an operator.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until so many have been held in all.
    pub async fn held(&self, count: u32) {
        let mut held = self.state.held.subscribe();
        let waited = tokio::time::timeout(PATIENCE, held.wait_for(|now| *now >= count)).await;
        waited.expect("nobody came to the gate").unwrap();
    }

    /// Lets the one pass that has been held longest.
    pub fn release_one(&self) {
        self.state.permits.add_permits(1);
    }

    /// Lets everything pass, from now on.
    pub fn release(&self) {
        self.state.to_hold.store(0, Ordering::SeqCst);
        self.state.permits.close();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn is_to_be_held(&self, chunk: &[u8]) -> bool {
        let fits = !self.needle.is_empty() && chunk.starts_with(self.needle.as_bytes());
        fits && self.to_hold.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
    }

    async fn hold(&self) {
        self.held.send_modify(|held| *held += 1);
        // Closed means that everything passes.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }
}

async fn carry(client: TcpStream, provider: SocketAddr, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(provider).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let hold_answer = AtomicBool::new(false);
    tokio::join!(
        requests(from_client, to_server, &state, &hold_answer),
        answers(from_server, to_client, &state, &hold_answer),
    );
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, hold_answer: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    let mut held = false;
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let chunk = &buffer[..count];
        if state.is_to_be_held(chunk) {
            match state.side {
                Side::Request => {
                    state.hold().await;
                    held = true;
                }
                Side::Answer => hold_answer.store(true, Ordering::SeqCst),
            }
        }
        if to.write_all(chunk).await.is_err() {
            return;
        }
    }
    if held {
        // The provider must not learn that nobody waits for its answer any more: it would not begin.
        std::future::pending::<()>().await;
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, hold_answer: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if hold_answer.swap(false, Ordering::SeqCst) {
            state.hold().await;
        }
        // A client that has given up is no reason to stop: what it asked for is to take effect all the same.
        let _ = to.write_all(&buffer[..count]).await;
    }
}
