//! `kubectl wait --for=condition=...`: begun before, during and after, and never left hanging.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use innkeeper_api::Reason;

use super::story::Story;
use crate::support::hotel::{Hotel, pay_with};
use crate::support::{PATIENCE, control_plane, kubectl, kubectl_ok, stderr};

/// `kubectl wait`, under way.
struct Waiting(Child);

impl Waiting {
    /// Begins, and comes back when kubectl has seen the object as it is and watches for more.
    async fn begin(hotel: &Hotel, condition: &str, name: &str) -> Self {
        let mut command = control_plane().kubectl();
        command.args(["wait", "-v=6", "-n", &hotel.namespace, &format!("reservation/{name}")]);
        command.args([&format!("--for=condition={condition}"), "--timeout=120s"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let watches = tokio::task::spawn_blocking(move || {
            let watches = lines.by_ref().map_while(Result::ok).any(|line| line.contains("watch=true"));
            // What it says later is of no interest, and must not stop it.
            std::thread::spawn(move || lines.for_each(drop));
            watches
        });
        assert!(tokio::time::timeout(PATIENCE, watches).await.expect("kubectl begins to wait").unwrap());
        Self(child)
    }

    async fn succeeds(mut self) {
        let ended = tokio::task::spawn_blocking(move || self.0.wait().unwrap()).await.unwrap();
        assert!(ended.success());
    }
}

/// Waits until it is so, for as long as it takes.
async fn wait_for(hotel: &Hotel, condition: &str, name: &str) {
    let arguments = [
        "wait",
        "-n",
        &hotel.namespace,
        &format!("reservation/{name}"),
        &format!("--for=condition={condition}"),
        "--timeout=120s",
    ];
    let arguments = arguments.map(ToOwned::to_owned);
    tokio::task::spawn_blocking(move || kubectl_ok(&arguments.each_ref().map(String::as_str))).await.unwrap();
}

/// Whether it is so now.
fn is_so(hotel: &Hotel, condition: &str, name: &str) -> bool {
    let for_ = format!("--for=condition={condition}");
    let output =
        kubectl(&["wait", "-n", &hotel.namespace, &format!("reservation/{name}"), &for_, "--timeout=0s"]);
    assert!(output.status.success() || stderr(&output).contains("condition not met"), "{}", stderr(&output));
    output.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_begun_before_anybody_has_looked_ends_when_it_is_so() {
    let hotel = Hotel::open("wait").await;
    hotel.room("double", 1).await;
    hotel.reserve("anna", "double").await;
    let conditions = ["Accepted", "Paid", "Allocated", "Settled", "Ready"];
    let mut begun = Vec::new();
    for condition in conditions {
        assert!(!is_so(&hotel, condition, "anna"), "{condition} before anybody has looked");
        begun.push(Waiting::begin(&hotel, condition, "anna").await);
    }
    let operator = hotel.operator();
    for waiting in begun {
        waiting.succeeds().await;
    }
    let refunded = Waiting::begin(&hotel, "Refunded", "anna").await;
    hotel.cancel("anna").await;
    refunded.succeeds().await;
    // Until the new generation is settled, the old answers do not count: this waits, or is so already.
    wait_for(&hotel, "Settled", "anna").await;
    hotel.settled("anna", Reason::Cancelled).await;
    for (condition, so) in
        [("Ready", true), ("Settled", true), ("Refunded", true), ("Paid", true), ("Allocated", false)]
    {
        assert_eq!(is_so(&hotel, condition, "anna"), so, "{condition} of one that was cancelled");
    }
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_after_an_edit_of_what_may_be_edited() {
    let mut story = Story::begin("wait-edit").await;
    story.hotel.room("double", 1).await;
    story.hotel.reserve("anna", "double").await;
    story.hotel.settled("anna", Reason::Confirmed).await;
    story.stop().await;
    let patch = r#"{"spec":{"ttlAfterFinished":"24h"}}"#;
    kubectl_ok(&["patch", "reservation/anna", "-n", &story.hotel.namespace, "--type=merge", "-p", patch]);
    assert!(!is_so(&story.hotel, "Ready", "anna"), "what was said of the generation before does not count");
    let begun = Waiting::begin(&story.hotel, "Ready", "anna").await;
    story.start();
    begun.succeeds().await;
    for condition in ["Accepted", "Paid", "Allocated", "Settled", "Ready"] {
        wait_for(&story.hotel, condition, "anna").await;
    }
    let [anna] = story.end(["anna"]).await;
    assert_eq!(anna.versions.len(), 6, "four of a booking, the edit, and one write that stamps all");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_one_that_ends_badly_can_be_told_apart() {
    let story = Story::begin("wait-declined").await;
    story.hotel.room("double", 1).await;
    story.hotel.reserve_with("erik", "double", |s| s.payment = pay_with("pm_card_chargeDeclined")).await;
    wait_for(&story.hotel, "Ready=False", "erik").await;
    wait_for(&story.hotel, "Stalled", "erik").await;
    wait_for(&story.hotel, "Settled", "erik").await;
    wait_for(&story.hotel, "Refunded", "erik").await;
    for condition in ["Ready", "Paid", "Allocated"] {
        assert!(!is_so(&story.hotel, condition, "erik"), "{condition}");
    }
    let namespace = story.hotel.namespace.clone();
    story.hotel.delete("erik").await;
    tokio::task::spawn_blocking(move || {
        kubectl_ok(&["wait", "-n", &namespace, "reservation/erik", "--for=delete", "--timeout=120s"])
    })
    .await
    .unwrap();
    let _ = story.end(["erik"]).await;
}
