//! What the payment provider answers, or whoever is in its place: the driver itself asks, over a connection of its own.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use innkeeper_booking::provider::{Because, Charge, IntentState, LookFor, Refund, Tags};
use innkeeper_payments::driver::{ApiKey, ListQuery, Stripe, StripeConfig, Whose};
use jiff::Timestamp;
use jiff::civil::date;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// What is answered to whatever is asked.
type Said = Arc<Mutex<Vec<u8>>>;

/// A provider that says what it is told to, and the driver that asks it.
struct Bench {
    runtime: Runtime,
    driver: Stripe,
    said: Said,
}

/// The first byte says what is asked, the second what the answer's status is, the third whether it claims to be a repeat;
/// the rest is its body. Whatever it is, no money is believed in that it does not speak of.
pub fn stripe_answers(input: &[u8]) {
    static BENCH: OnceLock<Option<Mutex<Bench>>> = OnceLock::new();
    let [asked, status, repeated, body @ ..] = input else { return };
    let bench = BENCH.get_or_init(|| Bench::new().map(Mutex::new)).as_ref();
    let Some(bench) = bench else { panic!("there is no loopback") };
    let bench = bench.lock().unwrap_or_else(PoisonError::into_inner);
    *bench.said.lock().unwrap_or_else(PoisonError::into_inner) = answer(*status, *repeated, body);
    bench.runtime.block_on(ask(&bench.driver, *asked, body));
}

async fn ask(driver: &Stripe, asked: u8, body: &[u8]) {
    let speaks_of = |word: &str| body.windows(word.len()).any(|part| part == word.as_bytes());
    match asked % 8 {
        0 => {
            if let Ok(intent) = driver.charge(&charge()).await {
                let taken = intent.state == IntentState::Captured;
                assert!(
                    !taken || speaks_of("succeeded"),
                    "money was taken, by {:?}",
                    String::from_utf8_lossy(body)
                );
            }
        }
        1 => {
            let fenced = driver.fence(&charge()).await;
            assert!(fenced.is_err() || !body.is_empty(), "a fence stands by an empty answer");
        }
        2 => drop(driver.cancel("pi_1").await),
        3 => {
            if let Ok(refund) = driver.refund(&refund()).await {
                assert!(speaks_of(&refund.id), "a refund of another name");
            }
        }
        4 => {
            let what = LookFor {
                id: Some("pi_1".to_owned()),
                tags: tags(),
                attempt: 1,
                since: Timestamp::UNIX_EPOCH,
            };
            drop(driver.look(&what).await);
        }
        5 => drop(driver.find_all("fuzz", &Whose::Uid("uid-1".to_owned()), Timestamp::UNIX_EPOCH).await),
        6 => {
            let since = Timestamp::UNIX_EPOCH;
            let query =
                ListQuery { installation: "fuzz".to_owned(), since, after: None, pages: 3, refunds: true };
            drop(driver.list(&query).await);
        }
        _ => drop(driver.outgoing("fuzz", Timestamp::UNIX_EPOCH).await),
    }
}

fn tags() -> Tags {
    Tags {
        installation: "fuzz".to_owned(),
        namespace: "hotel".to_owned(),
        name: "ann".to_owned(),
        uid: "uid-1".to_owned(),
        check_in: date(2030, 7, 1),
    }
}

fn charge() -> Charge {
    Charge {
        tags: tags(),
        attempt: 1,
        amount: 24_000,
        currency: "EUR".to_owned(),
        method: "pm_card_visa".to_owned(),
    }
}

fn refund() -> Refund {
    Refund {
        installation: "fuzz".to_owned(),
        uid: "uid-1".to_owned(),
        attempt: 1,
        intent: "pi_1".to_owned(),
        amount: 24_000,
        because: Because::Cancelled,
    }
}

fn answer(status: u8, repeated: u8, body: &[u8]) -> Vec<u8> {
    let status = match status % 8 {
        0..=2 => "200 OK",
        3 => "400 Bad Request",
        4 => "402 Payment Required",
        5 => "404 Not Found",
        6 => "429 Too Many Requests",
        _ => "500 Internal Server Error",
    };
    let repeated = if repeated.is_multiple_of(2) { "" } else { "idempotent-replayed: true\r\n" };
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{repeated}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

impl Bench {
    fn new() -> Option<Self> {
        // One thread: what is asked and answered goes in the same order each time.
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).ok()?;
        let address = listener.local_addr().ok()?;
        let config = StripeConfig {
            api_base: format!("http://{address}"),
            request_timeout: Duration::from_secs(5),
            ..StripeConfig::new(ApiKey::new("sk_test_fuzz"))
        };
        let driver = Stripe::new(&config).ok()?;
        let said = Said::default();
        runtime.spawn(serve(listener, Arc::clone(&said)));
        Some(Self { runtime, driver, said })
    }
}

async fn serve(listener: TcpListener, said: Said) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(converse(connection, Arc::clone(&said)));
    }
}

/// Answers every request of a connection. The driver's requests end with their body, whose length they say.
async fn converse(mut connection: TcpStream, said: Said) {
    let mut read = Vec::new();
    loop {
        let Some(end) = end_of_request(&read) else {
            let mut more = [0; 8192];
            match connection.read(&mut more).await {
                Ok(count @ 1..) => read.extend_from_slice(&more[..count]),
                _ => return,
            }
            continue;
        };
        read.drain(..end);
        let answer = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if connection.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn end_of_request(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let end = head + length.unwrap_or(0);
    (read.len() >= end).then_some(end)
}
