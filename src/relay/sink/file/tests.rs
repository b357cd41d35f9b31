//! The file of JSON lines: whole lines only, whatever was there before.

use super::*;
use tempfile::TempDir;

fn event(number: i64) -> Outgoing {
    Outgoing {
        seq: number,
        id: number.to_string(),
        kind: "x".to_owned(),
        key: "u".to_owned(),
        time: 0,
        json: format!("{{\"id\":{number}}}"),
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("events.jsonl");
    (folder, path)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn one_line_an_event_after_those_that_are_there() {
    let (_folder, path) = folder();
    let sink = FileSink::new(path.clone());
    assert_eq!(sink.check().await, Ok(()));
    assert_eq!(sink.deliver(&[event(1), event(2)]).await, [Verdict::Acked, Verdict::Acked]);
    let again = FileSink::new(path.clone());
    assert_eq!(again.deliver(&[event(3)]).await, [Verdict::Acked]);
    assert_eq!(text(&path), "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_however_long_it_is() {
    for torn in ["{\"id\":".to_owned(), "x".repeat(10_000), "y".repeat(4096)] {
        for before in ["", "{\"id\":1}\n"] {
            let (_folder, path) = folder();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, format!("{before}{torn}")).unwrap();
            assert_eq!(FileSink::new(path.clone()).deliver(&[event(2)]).await, [Verdict::Acked]);
            assert_eq!(text(&path), format!("{before}{{\"id\":2}}\n"));
        }
    }
}

#[tokio::test]
async fn one_that_is_moved_away_is_begun_anew() {
    let (folder, path) = folder();
    let sink = FileSink::new(path.clone());
    sink.deliver(&[event(1)]).await;
    std::fs::rename(&path, folder.path().join("old")).unwrap();
    sink.deliver(&[event(2)]).await;
    assert_eq!(text(&path), "{\"id\":2}\n");
    assert_eq!(text(&folder.path().join("old")), "{\"id\":1}\n");
}

#[tokio::test]
async fn one_that_cannot_be_written_says_so_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().to_owned());
    assert!(sink.check().await.unwrap_err().contains("cannot write"));
    let [Verdict::Failed(why)] = &sink.deliver(&[event(1)]).await[..] else { panic!("not failed") };
    assert!(why.contains(&folder.path().display().to_string()), "{why}");
}
