//! Connections: they are used again, they are encrypted, and only the configured authorities are trusted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use innkeeper_booking::provider::ProviderError;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::script::{charge, config, refund, stripe};
use crate::driver::Stripe;

/// Answers every request on a connection with an empty list, until the client closes it.
async fn empty_lists(mut socket: impl AsyncRead + AsyncWrite + Unpin) {
    let body = r#"{"object":"list","url":"/v1/list","has_more":false,"data":[]}"#;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = socket.read(&mut chunk).await {
        request.extend_from_slice(&chunk[..read]);
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_connection_is_used_again_and_shared_by_clones() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(empty_lists(socket));
        }
    });
    let stripe = stripe(&base);
    for _ in 0..3 {
        stripe.check().await.unwrap();
        stripe.clone().check().await.unwrap();
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

/// A certificate for this machine, as PEM, and an https provider that shows it.
async fn encrypted() -> (String, String) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![own.cert.der().clone()],
            PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into()),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            if let Ok(socket) = acceptor.accept(socket).await {
                tokio::spawn(empty_lists(socket));
            }
        }
    });
    (base, own.cert.pem())
}

fn trusting(base: &str, authority: &str) -> Stripe {
    let mut config = config(base);
    config.root_ca = Some(authority.as_bytes().to_vec());
    Stripe::new(&config).unwrap()
}

#[tokio::test]
async fn a_configured_authority_is_trusted() {
    let (base, authority) = encrypted().await;
    assert_eq!(trusting(&base, &authority).check().await, Ok(()));
}

#[tokio::test]
async fn a_provider_of_another_authority_is_never_sent_anything() {
    let (base, _) = encrypted().await;
    let (_, another) = encrypted().await;
    let got = trusting(&base, &another).charge(&charge()).await.unwrap_err();
    assert!(matches!(got, ProviderError::Unreachable(_)), "{got:?}");
    assert!(!got.may_have_happened());
}

#[tokio::test]
async fn calls_can_be_made_from_any_task() {
    fn any_thread<T: Send + 'static>(_: T) {}
    let stripe = stripe("http://127.0.0.1:1");
    any_thread(stripe.clone());
    any_thread(async move {
        let since = jiff::Timestamp::UNIX_EPOCH;
        let whose = crate::driver::Whose::Uid(String::new());
        let query = crate::driver::ListQuery {
            installation: String::new(),
            since,
            after: None,
            pages: 1,
            refunds: true,
        };
        let _ = stripe.charge(&charge()).await;
        let _ = stripe.fence(&charge()).await;
        let _ = stripe.cancel("pi_1").await;
        let _ = stripe.refund(&refund()).await;
        let _ = stripe.look(&super::script::look_for(None)).await;
        let _ = stripe.find_all("", &whose, since).await;
        let _ = stripe.list(&query).await;
        let _ = stripe.mark_settled("pi_1", 0).await;
        let _ = stripe.check().await;
    });
}
