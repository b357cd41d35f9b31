//! A manifest in Git: applied again and again, with and without force, it never undoes what a guest did, never drifts,
//! and the operator never writes into it.

use innkeeper_api::Reason;
use rstest::rstest;
use serde_json::Value;

use super::kstatus::Kstatus::Current;
use super::story::Story;
use crate::support::hotel::Hotel;
use crate::support::{kubectl, kubectl_ok, kubectl_with, stderr};

const MANIFEST: &str = r#"
apiVersion: innkeeper.dev/v1alpha1
kind: Room
metadata:
  name: double
spec:
  units: 2
  timeZone: Europe/Lisbon
  rate: {currency: EUR, minorUnits: 12000}
---
apiVersion: innkeeper.dev/v1alpha1
kind: Reservation
metadata:
  name: anna
spec:
  roomName: double
  checkIn: "2030-07-01"
  checkOut: "2030-07-03"
  guestID: g-1
  payment: {method: pm_card_visa}
"#;

/// How a tool applies.
#[derive(Clone, Copy)]
enum How {
    /// As kubectl does by default: the last applied manifest is in an annotation.
    ByAnnotation,
    /// Server-side, as Argo CD and Flux can; conflicts are errors.
    ServerSide,
    /// Server-side with force, as Argo CD and Flux do.
    Forced,
}

impl How {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::ByAnnotation => &[],
            Self::ServerSide => &["--server-side", "--field-manager=argocd"],
            Self::Forced => &["--server-side", "--field-manager=argocd", "--force-conflicts"],
        }
    }
}

async fn apply(hotel: &Hotel, how: How, manifest: &str) {
    let (namespace, manifest) = (hotel.namespace.clone(), manifest.to_owned());
    let output = tokio::task::spawn_blocking(move || {
        kubectl_with(&[&["apply", "-n", &namespace, "-f", "-"], how.arguments()].concat(), &manifest)
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

async fn assert_no_drift(hotel: &Hotel, how: How) {
    let namespace = hotel.namespace.clone();
    let output = tokio::task::spawn_blocking(move || {
        kubectl_with(&[&["diff", "-n", &namespace, "-f", "-"], how.arguments()].concat(), MANIFEST)
    });
    let output = output.await.unwrap();
    let diff = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{diff}{}", stderr(&output));
}

fn get(hotel: &Hotel, name: &str) -> Value {
    serde_json::from_str(&kubectl_ok(&["get", name, "-n", &hotel.namespace, "-o", "json"])).unwrap()
}

/// The gateway's way to cancel: its own name, one field.
fn cancel_at_the_gateway(hotel: &Hotel) {
    let patch = r#"{"spec":{"state":"Cancelled"}}"#;
    let arguments = ["--type=merge", "--field-manager=gateway", "-p", patch];
    kubectl_ok(&[&["patch", "reservation/anna", "-n", &hotel.namespace], &arguments[..]].concat());
}

#[rstest]
#[case::by_annotation(How::ByAnnotation)]
#[case::server_side(How::ServerSide)]
#[case::server_side_with_force(How::Forced)]
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_applied_again_neither_drifts_nor_undoes_what_the_guest_did(#[case] how: How) {
    let story = Story::begin("gitops").await;
    let hotel = &story.hotel;
    apply(hotel, how, MANIFEST).await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 1)).await;

    assert_no_drift(hotel, how).await;
    let before = [get(hotel, "rm/double"), get(hotel, "rsv/anna")];
    apply(hotel, how, MANIFEST).await;
    assert_eq!([get(hotel, "rm/double"), get(hotel, "rsv/anna")], before, "applied again, nothing changes");

    cancel_at_the_gateway(hotel);
    apply(hotel, how, MANIFEST).await;
    hotel.settled("anna", Reason::Cancelled).await;
    assert_no_drift(hotel, how).await;
    apply(hotel, how, MANIFEST).await;
    assert_eq!(get(hotel, "rsv/anna")["spec"]["state"], "Cancelled");

    // That the operator writes nothing but status and finalizers is checked on every version.
    let [anna] = story.end(["anna"]).await;
    let facts = ["Requested", "Paid", "Confirmed", "CancelRequested", "Refunded", "Cancelled"];
    anna.went(7, &["InProgress", "Confirmed", "Cancelling", "Cancelled"], &facts, Current);
}

#[rstest]
#[case::by_annotation(How::ByAnnotation)]
#[case::server_side_with_force(How::Forced)]
#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_in_git_cannot_be_taken_back_in_git(#[case] how: How) {
    let story = Story::begin("gitops-back").await;
    let hotel = &story.hotel;
    apply(hotel, how, MANIFEST).await;
    hotel.settled("anna", Reason::Confirmed).await;
    apply(hotel, how, &MANIFEST.replace("  payment:", "  state: Cancelled\n  payment:")).await;
    hotel.settled("anna", Reason::Cancelled).await;
    let arguments = [&["apply", "-n", &hotel.namespace, "-f", "-"], how.arguments()].concat();
    let refused = kubectl_with(&arguments, MANIFEST);
    assert!(!refused.status.success());
    let message = stderr(&refused);
    assert!(message.contains("delete this Reservation and create a new one to book again"), "{message}");
    let _ = story.end(["anna"]).await;
}

#[rstest]
#[case::the_dates(
    "2030-07-03",
    "2030-07-04",
    "a stay's terms cannot be changed: delete this Reservation and create a new one"
)]
#[case::the_means_of_payment(
    "method: pm_card_visa",
    "method: pm_card_amex",
    "a stay's terms cannot be changed"
)]
#[case::dates_that_are_no_stay("2030-07-03", "2030-07-01", "checkOut must be after checkIn")]
#[case::a_card_number("pm_card_visa", "'4242424242424242'", "never put a card number here")]
#[case::an_address("guestID: g-1", "guestID: anna@example.org", "never a name or an e-mail address")]
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_is_refused_says_what_to_do(#[case] from: &str, #[case] to: &str, #[case] says: &str) {
    let hotel = Hotel::open("gitops-edit").await;
    apply(&hotel, How::Forced, MANIFEST).await;
    for how in [How::ByAnnotation, How::Forced] {
        let arguments = [&["apply", "-n", &hotel.namespace, "-f", "-"], how.arguments()].concat();
        let refused = kubectl_with(&arguments, &MANIFEST.replace(from, to));
        assert!(!refused.status.success());
        assert!(stderr(&refused).contains(says), "{}", stderr(&refused));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_and_its_room_may_be_pruned_together() {
    let story = Story::begin("gitops-prune").await;
    let hotel = &story.hotel;
    apply(hotel, How::Forced, MANIFEST).await;
    hotel.settled("anna", Reason::Confirmed).await;
    // The policy reads the Room's status, which follows a booking within its interval.
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 1)).await;
    // The Room is kept until its stays have gone: the message says what it waits for.
    let refused = kubectl(&["delete", "rm/double", "-n", &hotel.namespace]);
    assert!(!refused.status.success());
    assert!(stderr(&refused).contains("Reservation"), "{}", stderr(&refused));
    hotel.delete("anna").await;
    hotel.gone("anna").await;
    assert_eq!(hotel.money_kept().await, 0);
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 0)).await;
    kubectl_ok(&["delete", "rm/double", "-n", &hotel.namespace]);
    let _ = story.end(["anna"]).await;
}
