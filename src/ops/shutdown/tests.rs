//! The order of ending.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use super::*;

const FOREVER: Duration = Duration::from_secs(3600);

/// Looks at the readiness in the very moment in which the token wakes those who wait for it.
struct Onlooker {
    health: Health,
    seen: Mutex<Vec<String>>,
}

impl Wake for Onlooker {
    fn wake(self: Arc<Self>) {
        *self.seen.lock().unwrap() = self.health.missing();
    }
}

#[test]
fn whoever_sees_the_end_asked_for_sees_it_not_ready_too() {
    let health = Health::default();
    let shutdown = Shutdown::new(health.clone());
    let onlooker = Arc::new(Onlooker { health, seen: Mutex::default() });
    let token = shutdown.token();
    let mut cancelled = std::pin::pin!(token.cancelled());
    let waker = Waker::from(onlooker.clone());
    assert!(cancelled.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    shutdown.request();
    assert_eq!(*onlooker.seen.lock().unwrap(), ["shutting down"]);
}

#[tokio::test]
async fn draining_waits_for_work_under_way() {
    let shutdown = Shutdown::new(Health::default());
    let finished = AtomicBool::new(false);
    let (token, done) = (shutdown.token(), &finished);
    let work = async move {
        token.cancelled().await;
        tokio::task::yield_now().await;
        done.store(true, Ordering::Relaxed);
    };
    shutdown.request();
    assert_eq!(shutdown.drain(work, FOREVER).await, Drained::Finished);
    assert!(finished.load(Ordering::Relaxed));
}

#[tokio::test]
async fn work_that_never_ends_is_dropped_at_the_limit() {
    let shutdown = Shutdown::new(Health::default());
    shutdown.request();
    assert_eq!(shutdown.drain(std::future::pending(), Duration::ZERO).await, Drained::CutShort);
}

#[tokio::test]
async fn the_limit_counts_from_the_request_and_not_before() {
    let shutdown = Shutdown::new(Health::default());
    let drain = shutdown.drain(std::future::pending(), Duration::ZERO);
    tokio::pin!(drain);
    let unasked = tokio::time::timeout(Duration::from_millis(20), &mut drain).await;
    assert!(unasked.is_err(), "nobody has asked for the end yet");
    shutdown.request();
    assert_eq!(drain.await, Drained::CutShort);
}

#[tokio::test]
async fn work_that_ends_by_itself_needs_no_request() {
    let shutdown = Shutdown::new(Health::default());
    assert_eq!(shutdown.drain(async {}, FOREVER).await, Drained::Finished);
    assert!(!shutdown.token().is_cancelled());
}

/// Marks the process that the next test starts: this test binary again.
const CHILD: &str = "INNKEEPER_SHUTDOWN_TEST_CHILD";

/// Not a test by itself: what the process under test does.
#[tokio::test]
async fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let health = Health::default();
    let shutdown = Shutdown::on_signals(health.clone()).unwrap();
    println!("\nwaiting");
    shutdown.token().cancelled().await;
    println!("asked: {:?}", health.missing());
    let _ = shutdown.drain(std::future::pending(), FOREVER).await;
}

/// A process that does not outlive its test, whichever way that ends.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Child {
    fn send(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

#[test]
fn the_first_signal_drains_and_the_second_ends_the_process() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "shutdown::tests::child", "--nocapture"])
        .env(CHILD, "yes")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = Child(child.unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "waiting"));
    child.send("TERM");
    assert_eq!(lines.next().unwrap(), "asked: [\"shutting down\"]");
    child.send("INT");
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
}
