//! `innkeeper payments`, as its commands are typed.

use std::path::Path;

use clap::Parser;
use innkeeper_payments::sandbox::cli::{self, CliError, PaymentsArgs, PaymentsCommand};
use rstest::rstest;
use serde_json::{Value, json};

use crate::desk::{Desk, KEY, charge};

#[derive(Parser)]
struct Payments {
    #[command(flatten)]
    args: PaymentsArgs,
}

fn parse(words: &[&str]) -> Result<PaymentsArgs, String> {
    let words = std::iter::once(&"payments").chain(words);
    Payments::try_parse_from(words).map(|payments| payments.args).map_err(|error| error.to_string())
}

async fn run(words: &[&str]) -> Result<String, CliError> {
    let mut out = Vec::new();
    cli::run(parse(words).unwrap(), &mut out).await?;
    Ok(String::from_utf8(out).unwrap())
}

fn key_file(folder: &Path) -> String {
    let path = folder.join("key");
    std::fs::write(&path, format!("{KEY}\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn book(desk: &Desk, namespace: &str, name: &str) -> String {
    let mut params: Vec<(&str, &str)> =
        charge("pm_card_visa").into_iter().filter(|(name, _)| !name.starts_with("metadata")).collect();
    params.extend([("metadata[innkeeper_namespace]", namespace), ("metadata[innkeeper_name]", name)]);
    desk.client.post("/v1/payment_intents", "", &params).await.ok().id().to_owned()
}

#[tokio::test]
async fn payments_are_listed_with_reservation_and_refunds() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.sqlite");
    let desk = Desk::on(&ledger).await;
    let key = key_file(folder.path());
    let smith = book(&desk, "grand", "smith").await;
    let jones = book(&desk, "inn", "jones").await;
    desk.client.post("/v1/refunds", "", &[("payment_intent", smith.as_str()), ("amount", "2550")]).await.ok();

    let (url, file) = (desk.server.url(), ledger.to_str().unwrap());
    for from in [vec!["--server", &url, "--key-file", &key], vec!["--ledger", file]] {
        let list = |more: &'static [&'static str]| {
            let words = [&["list"], from.as_slice(), more].concat();
            async move { run(&words).await.unwrap() }
        };
        let table = list(&[]).await;
        let rows: Vec<Vec<&str>> =
            table.lines().map(|line| line.split("   ").map(str::trim).collect()).collect();
        let rows: Vec<Vec<&str>> =
            rows.into_iter().map(|row| row.into_iter().filter(|cell| !cell.is_empty()).collect()).collect();
        assert_eq!(rows[0], ["ID", "STATUS", "AMOUNT", "REFUNDED", "RESERVATION", "AGE"]);
        assert_eq!(rows[1][..5], [&jones, "succeeded", "120.00 EUR", "0.00 EUR", "inn/jones"]);
        assert_eq!(rows[2][..5], [&smith, "succeeded", "120.00 EUR", "25.50 EUR", "grand/smith"]);
        let json: Value = serde_json::from_str(&list(&["-n", "grand", "-o", "json"]).await).unwrap();
        assert_eq!(json.as_array().unwrap().len(), 1);
        assert_eq!((&json[0]["id"], &json[0]["refunded"]), (&json!(smith), &json!(2550)));
        assert_eq!(list(&["-n", "grand", "--name", "jones"]).await, "No payments.\n");
    }
}

#[tokio::test]
async fn more_payments_than_a_page_holds_are_all_listed() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open().await;
    for n in 0..101 {
        book(&desk, "grand", &format!("guest-{n}")).await;
    }
    let (url, key) = (desk.server.url(), key_file(folder.path()));
    let found = run(&["list", "--server", &url, "--key-file", &key, "-o", "json"]).await.unwrap();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&found).unwrap().len(), 101);
}

#[tokio::test]
async fn faults_are_switched_on_shown_and_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open().await;
    let (url, key) = (desk.server.url(), key_file(folder.path()));
    let fault = |more: &'static [&'static str]| {
        let words = [&["fault", "--server", &url, "--key-file", &key], more].concat();
        async move { run(&words).await.unwrap() }
    };
    assert_eq!(fault(&["list"]).await, "No faults.\n");
    let added = fault(&["add", "server-error", "--method", "GET", "--path", "/v1/balance", "--always"]).await;
    assert_eq!(added, "fault 1 is on\n");
    assert_eq!(desk.client.get("/v1/balance").await.status, 500);
    assert!(fault(&["list"]).await.contains("always, met 1"));
    assert_eq!(fault(&["clear", "1"]).await, "1 switched off\n");
    assert_eq!(desk.client.get("/v1/balance").await.status, 200);
}

#[tokio::test]
async fn what_goes_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open().await;
    let (url, key) = (desk.server.url(), key_file(folder.path()));
    let list = |server: &str, key: &str| {
        let words = ["list", "--server", server, "--key-file", key].map(str::to_owned);
        async move { run(&words.each_ref().map(String::as_str)).await.unwrap_err().to_string() }
    };
    assert!(list(&url, "/nowhere/key").await.starts_with("the key file /nowhere/key: "));
    std::fs::write(folder.path().join("wrong"), "sk_test_wrong_key_000").unwrap();
    let wrong = folder.path().join("wrong").to_str().unwrap().to_owned();
    assert!(list(&url, &wrong).await.starts_with("the payment provider answered 401: Invalid API Key"));
    desk.server.shutdown().await.unwrap();
    assert!(list(&url, &key).await.starts_with("cannot reach the payment provider at http://127.0.0.1:"));
    let missing = run(&["list", "--ledger", "/nowhere/ledger"]).await.unwrap_err();
    assert!(missing.to_string().starts_with("cannot open the ledger /nowhere/ledger: "));
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let other = run(&["list", "--ledger", empty.to_str().unwrap()]).await.unwrap_err();
    assert!(other.to_string().ends_with("it is not a ledger"));
}

#[rstest]
#[case::no_ledger(&["serve"], "--ledger <PATH>")]
#[case::two_ledgers(&["serve", "--ledger", "x", "--in-memory"], "cannot be used with")]
#[case::unknown_fault(&["fault", "add", "explode"], "possible values")]
#[case::bad_metadata(&["fault", "add", "drop", "--metadata", "x"], "must be KEY=VALUE")]
fn wrong_words_are_refused(#[case] words: &[&str], #[case] said: &str) {
    let error = parse(words).unwrap_err();
    assert!(error.contains(said), "{error}");
}

#[tokio::test]
async fn serving_makes_a_private_key_once_and_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let words = ["serve", "--in-memory", "--listen", "127.0.0.1:0", "--key-file", path.to_str().unwrap()];
    let mut keys = Vec::new();
    for _ in 0..2 {
        let PaymentsCommand::Serve(args) = parse(&words).unwrap().command else { panic!("not serve") };
        cli::serve(args, async {}).await.unwrap();
        keys.push(cli::read_key(&path).unwrap());
    }
    assert_eq!(keys[0], keys[1]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
