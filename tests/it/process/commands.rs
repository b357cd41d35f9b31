//! The subcommands that print something and end.

use innkeeper_api::Reason;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::PROJECT;
use crate::support::hotel::{Hotel, KEY};
use crate::support::process::{Files, ends};

#[tokio::test(flavor = "multi_thread")]
async fn the_definitions_are_printed_as_one_document_each_and_written_as_the_files_in_crds() {
    let folder = TempDir::new().unwrap();
    let (code, out, _) = ends(&["crd"]).await;
    let (written, ..) = ends(&["crd", "--output", folder.path().to_str().unwrap()]).await;
    assert_eq!((code, written), (Some(0), Some(0)));
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap()) {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let name = file.file_name().into_string().unwrap();
        assert_eq!(
            text,
            std::fs::read_to_string(format!("{PROJECT}/crds/{name}")).unwrap(),
            "{name} has drifted"
        );
        assert!(out.contains(text.trim_start_matches("---\n").trim_end()), "{name} is not printed");
        files += 1;
    }
    assert_eq!((files, out.matches("---\n").count()), (3, 3));

    let nowhere = folder.path().join("no/such/folder");
    let (code, _, err) = ends(&["crd", "--output", nowhere.to_str().unwrap()]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains(nowhere.to_str().unwrap()), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_subcommand_says_its_version_and_a_wrong_one_is_refused() {
    for arguments in [&["--version"][..], &["operator", "--version"], &["payments", "list", "--version"]] {
        let (code, out, _) = ends(arguments).await;
        assert_eq!(code, Some(0));
        assert!(out.contains(env!("CARGO_PKG_VERSION")), "{out}");
    }
    let (code, _, err) = ends(&["opperator"]).await;
    assert_eq!(code, Some(2));
    assert!(err.contains("operator"), "it says what was perhaps meant: {err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_listed_alike_by_the_running_provider_and_from_its_ledger() {
    use innkeeper_payments::sandbox::{ApiKey, Config, Location, Server};
    let folder = TempDir::new().unwrap();
    let ledger = folder.path().join("payments.db");
    let mut hotel = Hotel::open("list").await;
    let location = Location::File(ledger.clone());
    hotel.provider =
        Server::start(Config { ledger: location, ..Config::new(ApiKey::parse(KEY).unwrap()) }).await.unwrap();
    let files = Files::of(&hotel);
    let mut operator = files.operator();
    operator.leads().await;
    hotel.room("double", 2).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.reserve("ben", "double").await;
    hotel.settled("ben", Reason::Confirmed).await;
    hotel.cancel("ben").await;
    hotel.settled("ben", Reason::Cancelled).await;
    assert_eq!(operator.terminate().await, Some(0));

    let key = files.path("key");
    let server = ["--server", &hotel.provider.url(), "--key-file", key.to_str().unwrap()].map(str::to_owned);
    let file = ["--ledger", ledger.to_str().unwrap()].map(str::to_owned);
    let mut seen = Vec::new();
    for source in [&server[..], &file[..]] {
        let all = ["payments", "list", "-o", "json"].into_iter().chain(source.iter().map(String::as_str));
        let (code, out, err) = ends(&all.clone().collect::<Vec<_>>()).await;
        assert_eq!(code, Some(0), "{err}");
        let listed: Value = serde_json::from_str(&out).unwrap();
        let ben = &listed[0];
        assert_eq!(ben["metadata"]["innkeeper_name"], "ben", "newest first");
        assert_eq!((&ben["captured"], &ben["refunded"]), (&24_000.into(), &24_000.into()));
        assert_eq!(listed[1]["refunded"], 0);
        let (_, one, _) = ends(&all.chain(["--name", "anna"]).collect::<Vec<_>>()).await;
        assert_eq!(serde_json::from_str::<Value>(&one).unwrap(), Value::Array(vec![listed[1].clone()]));
        seen.push(listed);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_configuration_is_said_to_be_so_and_the_printed_defaults_are_one() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("config.yaml");
    let (_, reference, _) = ends(&["config", "reference"]).await;
    let defaults = reference.split("```").nth(1).unwrap().strip_prefix("yaml\n").unwrap();
    for text in ["", defaults] {
        std::fs::write(&file, text).unwrap();
        let (code, out, err) = ends(&["config", "check", file.to_str().unwrap()]).await;
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert_eq!(out, format!("{} is valid\n", file.display()));
    }
}
