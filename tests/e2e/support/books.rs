//! The provider's books, through a port that kubectl forwards, and whether they balance with what a hotel shows.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use innkeeper_api::{Reservation, Room, RoomCalendar};
use innkeeper_checker::{Evidence, Expected};
use innkeeper_payments::sandbox::{Account, Call};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{PATIENCE, SYSTEM, World};

/// A way to the provider, as long as its pod lives.
pub struct Books {
    forward: Child,
    url: String,
    key: String,
    http: reqwest::Client,
}

impl Drop for Books {
    fn drop(&mut self) {
        let _ = self.forward.kill();
        let _ = self.forward.wait();
    }
}

impl Books {
    /// Opens them.
    pub async fn open(world: &World) -> Self {
        let begun = Instant::now();
        loop {
            match Self::try_open(world).await {
                Ok(books) => return books,
                Err(why) => assert!(begun.elapsed() < PATIENCE, "the provider cannot be reached: {why}"),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn try_open(world: &World) -> Result<Self, String> {
        let secrets: Api<Secret> = Api::namespaced(world.client.clone(), SYSTEM);
        let secret = secrets.get("innkeeper-payments-key").await.map_err(|e| e.to_string())?;
        let key = secret.data.and_then(|mut data| data.remove("key")).ok_or("the Secret has no `key`")?;
        let key = String::from_utf8(key.0).map_err(|e| e.to_string())?.trim().to_owned();
        let mut command =
            world.kubectl_command(&["-n", SYSTEM, "port-forward", "pod/innkeeper-payments-0", ":12111"]);
        let mut forward =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?;
        let stdout = forward.stdout.take().ok_or("no output")?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .timeout(Duration::from_secs(20))
            .build()
            .map_err(|e| e.to_string())?;
        let mut books = Self { forward, url: String::new(), key, http };
        let stdout = tokio::process::ChildStdout::from_std(stdout).map_err(|e| e.to_string())?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await;
        let line = line.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        // Forwarding from 127.0.0.1:40123 -> 12111
        let address = line.as_deref().and_then(|line| line.split_whitespace().nth(2));
        books.url = format!("http://{}", address.ok_or("kubectl ended")?);
        // It writes a line for every connection, and stops where nobody reads.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        books.get("/readyz").await?;
        Ok(books)
    }

    async fn get(&self, path: &str) -> Result<String, String> {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.key);
        let answer = request.send().await.map_err(|e| e.to_string())?;
        let (status, text) = (answer.status(), answer.text().await.map_err(|e| e.to_string())?);
        if status.is_success() { Ok(text) } else { Err(format!("{status}: {text}")) }
    }

    /// Every account.
    pub async fn accounts(&self) -> Result<Vec<Account>, String> {
        let text = self.get("/sandbox/accounts").await?;
        let mut value: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        serde_json::from_value(value["accounts"].take()).map_err(|e| e.to_string())
    }

    /// Every call that it remembers.
    pub async fn calls(&self) -> Result<Vec<Call>, String> {
        let mut all: Vec<Call> = Vec::new();
        loop {
            let after = all.last().map_or(0, |call| call.seq);
            let text = self.get(&format!("/sandbox/calls?after={after}&limit=5000")).await?;
            let mut value: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            let page: Vec<Call> = serde_json::from_value(value["calls"].take()).map_err(|e| e.to_string())?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}

/// Whose money it is.
pub fn is_of(account: &Account, namespace: &str) -> bool {
    account.intent.metadata.get("innkeeper_namespace").is_some_and(|n| n == namespace)
}

/// What the books and the calendars came to.
#[derive(Debug)]
pub struct Balance {
    /// Charges that succeeded.
    pub charges: usize,
    /// Refunds.
    pub refunds: usize,
    /// What is kept, in minor units.
    pub kept: i64,
    /// Nights that are held.
    pub nights: usize,
}

/// Waits until a hotel is at rest; fails with everything that is wrong in its money and its nights.
pub async fn balance(world: &World, namespace: &str, expected: &Expected) -> Balance {
    let begun = Instant::now();
    loop {
        let evidence = evidence(world, namespace).await;
        let broken = expected.always(&evidence);
        assert!(broken.is_empty(), "never to be: {broken:#?}\n{}", evidence.books());
        let broken = expected.at_rest(&evidence);
        if broken.is_empty() {
            let nights = evidence.calendars.iter().flat_map(|c| &c.spec.nights);
            return Balance {
                charges: evidence.accounts.iter().filter(|a| a.intent.amount_received > 0).count(),
                refunds: evidence.accounts.iter().map(|a| a.refunds.len()).sum(),
                kept: evidence.accounts.iter().map(innkeeper_checker::kept).sum(),
                nights: nights.map(|n| n.holders.len()).sum(),
            };
        }
        let waited = begun.elapsed();
        assert!(waited < PATIENCE, "not at rest after {waited:?}: {broken:#?}\n{}", evidence.books());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn evidence(world: &World, namespace: &str) -> Evidence {
    let all = ListParams::default();
    let reservations: Api<Reservation> = Api::namespaced(world.client.clone(), namespace);
    let rooms: Api<Room> = Api::namespaced(world.client.clone(), namespace);
    let calendars: Api<RoomCalendar> = Api::namespaced(world.client.clone(), namespace);
    let (rooms, reservations, calendars) = (
        rooms.list(&all).await.unwrap().items,
        reservations.list(&all).await.unwrap().items,
        calendars.list(&all).await.unwrap().items,
    );
    let books = Books::open(world).await;
    let accounts = books.accounts().await.unwrap();
    let accounts = accounts.into_iter().filter(|a| is_of(a, namespace)).collect();
    Evidence { reservations, calendars, rooms, accounts, calls: books.calls().await.unwrap() }
}
