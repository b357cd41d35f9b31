//! What survives when the provider's process dies, and who may open its ledger.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use innkeeper_payments::sandbox::{Config, LedgerError, Location, Server, ServerError, read_file};
use serde_json::json;

use crate::desk::{Client, Desk, charge, config};

/// This test binary as a provider of its own, to be killed.
struct Process {
    child: Child,
    client: Client,
}

const LEDGER: &str = "INNKEEPER_TEST_LEDGER";

impl Process {
    fn start(ledger: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::serve_until_killed", "--ignored", "--nocapture"])
            .env(LEDGER, ledger)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("url=").map(|(_, url)| url.to_owned()));
        let client = Client::new(&url.expect("the child prints its URL"));
        Self { child, client }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL; it may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "a process for other tests to kill"]
async fn serve_until_killed() {
    let Some(ledger) = std::env::var_os(LEDGER) else { return };
    let desk = Desk::on(Path::new(&ledger)).await;
    println!("url={}", desk.server.url());
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_provider_charges_nobody_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let mut process = Process::start(&path);
    let keys: Vec<String> = (0..60).map(|n| format!("u{n}/charge/1")).collect();
    let mut answered = Vec::new();
    for round in 0..3 {
        let sent: Vec<_> = keys
            .iter()
            .map(|key| {
                let (client, key) = (process.client.clone(), key.clone());
                tokio::spawn(async move {
                    client.try_post("/v1/payment_intents", &key, &charge("pm_card_visa")).await.ok()
                })
            })
            .collect();
        // Die in the middle of the work: as soon as a few answers are out.
        for (n, reply) in sent.into_iter().enumerate() {
            if let Some(reply) = reply.await.unwrap() {
                answered.push((keys[n].clone(), reply.ok().id().to_owned()));
            }
            if n == 10 * round {
                process.child.kill().unwrap();
            }
        }
        drop(process);
        process = Process::start(&path);
    }
    // Everybody tries until they have an answer; an answer once given is the answer for ever.
    for key in &keys {
        let reply = process.client.charge(key, "pm_card_visa").await.ok();
        answered.push((key.clone(), reply.id().to_owned()));
    }
    answered.sort();
    answered.dedup();
    assert_eq!(answered.len(), keys.len());
    drop(process);
    assert_eq!(read_file(&path).unwrap().len(), keys.len());
}

#[tokio::test]
async fn a_reopened_ledger_knows_its_payments_keys_calls_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let desk = Desk::on(&path).await;
    let first = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    desk.client.admin("/sandbox/clock", &json!({ "advance_seconds": 5000 })).await.ok();
    let then = desk.server.provider().now().await.unwrap();
    desk.server.abort().await;
    let desk = Desk::on(&path).await;
    let repeat = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    assert!(repeat.replayed());
    assert_eq!(repeat.text, first.text);
    assert!(desk.server.provider().now().await.unwrap() >= then);
    assert_eq!(desk.server.provider().ledger().calls(0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_ledger_has_one_server_and_any_number_of_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let desk = Desk::on(&path).await;
    desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let second = Server::start(Config { ledger: Location::File(path.clone()), ..config() }).await;
    assert!(matches!(second, Err(ServerError::Ledger(LedgerError::InUse(_)))), "{second:?}");
    assert_eq!(read_file(&path).unwrap().len(), 1);
    desk.server.shutdown().await.unwrap();
    Desk::on(&path).await;
}

#[tokio::test]
async fn a_ledger_of_a_newer_format_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = Server::start(Config { ledger: Location::File(path), ..config() }).await;
    assert!(matches!(refused, Err(ServerError::Ledger(LedgerError::Newer { found: 99, .. }))), "{refused:?}");
}
