//! One connection, and one request after the other on it.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use http::{Request, header};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio::net::TcpSocket;

use crate::Result;

/// Whoever waits longer has gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// The token of the one partner there is, whose hash is in its file.
pub const TOKEN: &str = "secret";

/// A request: its address, with the query.
pub type Page = String;

/// A connection.
pub struct Wire {
    host: String,
    sender: SendRequest<Body>,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

impl Wire {
    /// Opens one, from an address of its own on loopback: callers are counted by address.
    pub async fn open(url: &str, number: usize) -> Result<Self> {
        let host = url.trim_start_matches("http://").to_owned();
        let to: SocketAddr = host.parse()?;
        let socket = TcpSocket::new_v4()?;
        let last = u8::try_from(2 + number % 250)?;
        socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into())?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { host, sender })
    }

    /// Asks, and reads the whole answer.
    pub async fn ask(&mut self, page: &Page) -> Result<Answer> {
        let request = Request::get(page)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .body(Body::empty())?;
        let answer = async {
            self.sender.ready().await?;
            let answer = self.sender.send_request(request).await?;
            let status = answer.status().as_u16();
            Ok::<_, hyper::Error>(Answer { status, body: read(answer.into_body()).await? })
        };
        Ok(tokio::time::timeout(PATIENCE, answer).await??)
    }
}

async fn read(mut body: Incoming) -> hyper::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}
