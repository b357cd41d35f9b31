//! Reading the file again: what is taken over, what is refused, what stays.

use rstest::rstest;

use super::*;

/// Only a failure takes this long.
const LONG: Duration = Duration::from_secs(60);

struct Fixture {
    folder: tempfile::TempDir,
    metrics: Metrics,
}

impl Fixture {
    fn new(text: &str) -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap(), metrics: Metrics::default() };
        fixture.write(text);
        fixture
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("innkeeper.yaml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }

    fn reloader(&self) -> (Reloader, ConfigWatch) {
        Reloader::start(&self.path(), &self.metrics).unwrap()
    }

    fn says(&self, line: &str) -> bool {
        self.metrics.text().lines().any(|found| found == line)
    }
}

/// What reading a file of this content gives.
fn read(text: &str) -> std::io::Result<String> {
    std::io::read_to_string(text.as_bytes())
}

#[test]
fn an_invalid_file_at_the_start_is_an_error_for_there_is_no_good_one_to_keep() {
    let fixture = Fixture::new("log: {filter: inof}");
    assert!(matches!(Reloader::start(&fixture.path(), &fixture.metrics), Err(ConfigError::Invalid { .. })));
}

#[test]
fn a_valid_change_is_in_force_and_its_fields_are_named() {
    let fixture = Fixture::new("operator: {workers: 8}");
    let (mut reloader, watch) = fixture.reloader();
    let look = reloader.look(read("operator: {workers: 9, acceptWithin: 2h}"));
    let changes = vec![
        Change { field: "operator.acceptWithin", needs_restart: false },
        Change { field: "operator.workers", needs_restart: true },
    ];
    assert_eq!(look, Some(Reload::Applied(changes)));
    let counted = |field: &str, when: &str| {
        format!("innkeeper_config_changes_total{{field=\"{field}\",takes_effect=\"{when}\"}} 1")
    };
    assert!(fixture.says(&counted("operator.acceptWithin", "now")), "{}", fixture.metrics.text());
    assert!(fixture.says(&counted("operator.workers", "next_start")), "{}", fixture.metrics.text());
    assert_eq!(watch.current().operator.accept_within, Duration::from_secs(7200));
    assert!(fixture.says("innkeeper_config_reload_total{result=\"applied\"} 1"));
}

#[test]
fn an_invalid_change_is_refused_once_and_the_last_good_one_stays() {
    let fixture = Fixture::new("operator: {workers: 8}");
    let (mut reloader, watch) = fixture.reloader();
    let bad = "operator:\n  workers: 0\n";
    assert!(matches!(reloader.look(read(bad)), Some(Reload::Refused(_))));
    assert_eq!(reloader.look(read(bad)), None);
    assert_eq!(watch.current().operator.workers, 8);
    let reason = watch.refused().unwrap().to_string();
    assert!(reason.contains("innkeeper.yaml") && reason.contains("line 2"), "{reason}");
    assert!(fixture.says("innkeeper_config_reload_total{result=\"refused\"} 1"));
    assert!(fixture.says("innkeeper_config_last_reload_successful 0"));
}

#[test]
fn putting_the_file_right_ends_the_refusal_also_where_it_is_what_it_was_before() {
    let good = "operator: {workers: 8}";
    let fixture = Fixture::new(good);
    let (mut reloader, watch) = fixture.reloader();
    assert!(matches!(reloader.look(read("operator: [")), Some(Reload::Refused(_))));
    assert_eq!(reloader.look(read(good)), Some(Reload::Applied(vec![])));
    assert_eq!(watch.refused(), None);
    assert!(fixture.says("innkeeper_config_last_reload_successful 1"));
}

#[test]
fn a_file_that_has_gone_is_refused_like_an_invalid_one() {
    let fixture = Fixture::new("");
    let (mut reloader, watch) = fixture.reloader();
    let gone = || Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    assert!(matches!(reloader.look(gone()), Some(Reload::Refused(ConfigError::Unreadable { .. }))));
    assert_eq!(reloader.look(gone()), None);
    assert_eq!(*watch.current(), Config::default());
}

#[rstest]
#[case::only_a_comment("# a comment\noperator: {workers: 8}")]
#[case::the_same_in_other_words("operator:\n  workers: 8\n  acceptWithin: 60m\n")]
fn a_change_that_changes_nothing_wakes_nobody(#[case] text: &str) {
    let fixture = Fixture::new("operator: {workers: 8}");
    let (mut reloader, watch) = fixture.reloader();
    let mut subscriber = watch.subscribe();
    subscriber.mark_unchanged();
    assert_eq!(reloader.look(read(text)), Some(Reload::Applied(vec![])));
    assert!(!subscriber.has_changed().unwrap());
}

#[tokio::test]
async fn a_mounted_file_whose_link_is_swapped_is_read_again() {
    let fixture = Fixture::new("");
    let folder = fixture.folder.path();
    let mount = folder.join("mounted.yaml");
    std::fs::write(folder.join("v1"), "operator: {workers: 8}").unwrap();
    std::fs::write(folder.join("v2"), "operator: {workers: 9}").unwrap();
    std::os::unix::fs::symlink("v1", &mount).unwrap();
    let stop = CancellationToken::new();
    let watch = ConfigWatch::start(&mount, &fixture.metrics, Duration::from_millis(5), stop.clone()).unwrap();
    assert_eq!(watch.current().operator.workers, 8);
    std::os::unix::fs::symlink("v2", folder.join("next")).unwrap();
    std::fs::rename(folder.join("next"), &mount).unwrap();
    let mut subscriber = watch.subscribe();
    let reread = subscriber.wait_for(|config| config.operator.workers == 9);
    tokio::time::timeout(LONG, reread).await.expect("the new file is not seen").unwrap();
    stop.cancel();
    assert!(subscriber.wait_for(|config| config.operator.workers == 0).await.is_err(), "the watch ends");
    assert_eq!(watch.current().operator.workers, 9, "and what it last saw stays");
}

#[test]
fn a_fixed_configuration_stays() {
    let watch = ConfigWatch::fixed(Config::default());
    assert_eq!(*watch.current(), Config::default());
    assert_eq!(watch.refused(), None);
}

#[tokio::test]
async fn sighup_reads_the_file_again_at_once() {
    let fixture = Fixture::new("operator: {workers: 8}");
    let stop = CancellationToken::new();
    let hourly = Duration::from_secs(3600);
    let watch = ConfigWatch::start(&fixture.path(), &fixture.metrics, hourly, stop.clone()).unwrap();
    fixture.write("operator: {workers: 9}");
    let kill = format!("kill -HUP {}", std::process::id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut subscriber = watch.subscribe();
    let reread = subscriber.wait_for(|config| config.operator.workers == 9);
    tokio::time::timeout(LONG, reread).await.expect("SIGHUP has no effect").unwrap();
    stop.cancel();
}

#[test]
fn whoever_listens_hears_of_every_change_and_of_nothing_else() {
    let fixture = Fixture::new("");
    let (mut reloader, watch) = fixture.reloader();
    let mut heard = watch.reloads();
    reloader.look(read(""));
    reloader.look(read("operator: {resync: 7m}"));
    reloader.look(read("operator: {resync: 7m}"));
    reloader.look(read("operator: {resync: never}"));
    let change = Change { field: "operator.resync", needs_restart: false };
    assert_eq!(heard.try_recv(), Ok(Reload::Applied(vec![change])));
    assert!(matches!(heard.try_recv(), Ok(Reload::Refused(ConfigError::Invalid { .. }))));
    assert!(heard.try_recv().is_err());
}
