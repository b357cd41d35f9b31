//! `innkeeper archive`: lists, shows, and names what is damaged.

use std::fs;
use std::path::Path;

use innkeeper_api::Reason;
use innkeeper_archive::{Folder, Record, Writer, finished_at};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::hotel::Hotel;
use crate::support::process::ends;

async fn archive(command: &str, folder: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let folder = format!("--folder={}", folder.display());
    ends(&[&["archive", command, &folder], more].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn stays_are_listed_and_shown_and_a_damaged_frame_is_named() {
    let hotel = Hotel::open("archive").await;
    let _operator = hotel.operator();
    hotel.room("double", 3).await;
    let volume = TempDir::new().unwrap();
    let mut writer = Writer::open(Folder::new(volume.path()), None, Timestamp::now()).unwrap();
    for name in ["anna", "ben"] {
        hotel.reserve(name, "double").await;
        hotel.settled(name, Reason::Confirmed).await;
        hotel.cancel(name).await;
        let object = hotel.settled(name, Reason::Cancelled).await;
        let now = Timestamp::now();
        let record = Record::of(&object, finished_at(&object, now).unwrap(), now).unwrap();
        writer.file(&[record], now).unwrap();
    }

    let (code, out, _) = archive("list", volume.path(), &[]).await;
    assert_eq!((code, out.lines().count()), (Some(0), 3), "{out}");
    assert!(out.lines().nth(1).unwrap().starts_with(&format!("{}   anna", hotel.namespace)), "{out}");
    let (_, out, _) =
        archive("list", volume.path(), &["-o", "json", "--guest", "g-1", "--month", "2030-07"]).await;
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["reservation"]["metadata"]["name"], "ben");
    for filter in [["--guest", "g-2"], ["--month", "2030-06"], ["--namespace", "elsewhere"]] {
        let (code, out, _) = archive("list", volume.path(), &filter).await;
        assert_eq!((code, out.as_str()), (Some(0), "No stays.\n"), "{filter:?}");
    }

    let (code, out, _) = archive("show", volume.path(), &["anna"]).await;
    assert_eq!(code, Some(0));
    for part in [
        "Cancelled (Cancelled)",
        "paid 240.00 EUR, given back 240.00 EUR",
        "Confirmed",
        "Refunded 240.00 EUR",
    ] {
        assert!(out.contains(part), "{part} is not in {out}");
    }
    let (code, _, err) = archive("show", volume.path(), &["nobody"]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("nobody"), "{err}");

    let (code, out, _) = archive("verify", volume.path(), &[]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("2 stays in 2 frames"), "{out}");
    let file = volume.path().join(&hotel.namespace).join("2030-07.jsonl.zst");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let (code, out, err) = archive("verify", volume.path(), &["-o", "json"]).await;
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["damage"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["damage"][0]["file"], format!("{}/2030-07.jsonl.zst", hotel.namespace));
    assert!(err.contains("1 part of this archive is damaged"), "{err}");
    let (code, out, err) = archive("list", volume.path(), &[]).await;
    assert_eq!((code, out.lines().count()), (Some(0), 2), "the other is still listed: {out}");
    assert!(err.contains("cannot be read"), "{err}");

    let (code, _, err) = archive("verify", &volume.path().join("nowhere"), &[]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("is the volume mounted?"), "{err}");
}
