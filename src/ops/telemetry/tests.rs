//! What is logged, and how it looks.

use std::io::Write;
use std::sync::{Arc, Mutex};

use rstest::rstest;

use super::*;

/// Keeps what is written.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn log(format: LogFormat, filter: &str) -> Log {
    Log { format, filter: filter.to_owned() }
}

fn logged(log: &Log, variable: Option<&str>, terminal: bool) -> String {
    let kept = Kept::default();
    let (dispatch, _telemetry) = build(log, variable, terminal, kept.clone()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::info!(room = "double", "a night was sold");
        tracing::debug!("a detail");
    });
    kept.text()
}

#[rstest]
#[case(LogFormat::Auto, true, false)]
#[case(LogFormat::Auto, false, true)]
#[case(LogFormat::Human, false, false)]
#[case(LogFormat::Json, true, true)]
fn lines_are_for_eyes_on_a_terminal_and_json_elsewhere_unless_told(
    #[case] format: LogFormat,
    #[case] terminal: bool,
    #[case] json: bool,
) {
    let text = logged(&log(format, "info"), None, terminal);
    assert_eq!(text.lines().count(), 1, "{text}");
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(line) => {
            assert!(json, "{text}");
            assert_eq!((&line["message"], &line["room"]), (&"a night was sold".into(), &"double".into()));
            assert_eq!(line["level"], "INFO");
        }
        Err(_) => assert!(!json && text.contains("a night was sold"), "{text}"),
    }
}

#[test]
fn a_human_line_that_goes_to_a_file_has_no_colours() {
    assert!(!logged(&log(LogFormat::Human, "info"), None, false).contains('\u{1b}'));
}

#[test]
fn the_variable_goes_before_the_configuration() {
    let text = logged(&log(LogFormat::Json, "info"), Some("off"), false);
    assert_eq!(text, "");
}

#[test]
fn the_filter_changes_while_running_and_a_wrong_one_changes_nothing() {
    let kept = Kept::default();
    let (dispatch, telemetry) = build(&log(LogFormat::Json, "info"), None, false, kept.clone()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::debug!("before");
        telemetry.set_filter("debug").unwrap();
        tracing::debug!("after");
        assert!(telemetry.set_filter("inof").is_err());
        tracing::debug!("still");
    });
    let text = kept.text();
    assert!(!text.contains("before") && text.contains("after") && text.contains("still"), "{text}");
}

#[test]
fn a_filter_set_by_the_variable_is_not_changed_by_a_reload() {
    let kept = Kept::default();
    let (dispatch, telemetry) =
        build(&log(LogFormat::Json, "info"), Some("off"), false, kept.clone()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        telemetry.set_filter("trace").unwrap();
        tracing::error!("hidden");
    });
    assert_eq!(kept.text(), "");
}

#[test]
fn a_wrong_filter_says_where_it_came_from() {
    let error = build(&log(LogFormat::Json, "info"), Some("inof"), false, Kept::default()).unwrap_err();
    assert!(error.to_string().contains("RUST_LOG"), "{error}");
}

#[rstest]
#[case("info")]
#[case("WARN")]
#[case("off")]
#[case("info,kube=warn,innkeeper_operator=debug")]
#[case("info, hyper=off")]
#[case("[reconcile{name=x}]=trace")]
fn filters_that_tracing_understands_are_taken(#[case] filter: &str) {
    assert_eq!(check_filter(filter), Ok(()));
}
