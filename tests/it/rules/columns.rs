//! What `kubectl` shows: names, columns, selectors, explanations.

use kube::api::{Patch, PatchParams, PostParams};
use rstest::rstest;
use serde_json::{Value, json};

use super::{api_of, changed, reservation, room};
use crate::support::{control_plane, kubectl_ok};

/// A hotel with one Room, one Reservation that is booked, one that is cancelled, and a calendar.
async fn hotel() -> String {
    let namespace = control_plane().namespace("columns");
    let client = control_plane().client();
    let calendar = json!({
        "apiVersion": "innkeeper.dev/v1alpha1",
        "kind": "RoomCalendar",
        "metadata": { "name": "double-2030-07" },
        "roomName": "double",
        "roomUID": "u",
        "month": "2030-07",
        "nights": [],
    });
    let cancelled = json!({
        "metadata": { "name": "ben" },
        "spec": { "guestID": "g-2", "roomName": "single", "state": "Cancelled" },
    });
    for object in [room(), reservation(), changed(&reservation(), &cancelled), calendar] {
        let api = api_of(client.clone(), &namespace, &object);
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
    let at = "2026-11-22T12:00:00Z";
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({ "type": kind, "status": status, "reason": reason, "message": "Said.", "lastTransitionTime": at,
            "observedGeneration": 1 })
    };
    let booked = json!({ "status": {
        "observedGeneration": 1,
        "phase": "Confirmed",
        "quote": {
            "currency": "EUR", "total": 24_000, "collectOnline": 24_000, "lines": [], "refundDeadlines": [],
            "checkInAt": at, "finishedAt": at, "roomUID": "u", "roomGeneration": 1,
        },
        "payment": { "id": "pi_1", "captured": 24_000, "refunded": 100, "kept": 0 },
        "conditions": [condition("Settled", "True", "Confirmed"), condition("Ready", "True", "Confirmed")],
    } });
    let sold = json!({ "status": {
        "observedGeneration": 1,
        "conditions": [condition("Available", "True", "Open"), condition("Ready", "True", "Sellable")],
        "tonight": { "date": "2026-11-22", "sold": 1, "free": 1 },
        "fewestFree": 0,
        "soldOutNights": 3,
        "staysAhead": 4,
    } });
    for (name, object, status) in [("anna", reservation(), booked), ("double", room(), sold)] {
        let api = api_of(client.clone(), &namespace, &object);
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    }
    namespace
}

/// The words of a table's lines. Columns of these tests have no blanks in them, and `AGE` is not told.
fn cells(table: &str) -> Vec<Vec<String>> {
    let mut lines: Vec<Vec<String>> =
        table.lines().map(|line| line.split_whitespace().map(ToOwned::to_owned).collect()).collect();
    let age = lines[0].iter().position(|c| c == "AGE").unwrap();
    for line in &mut lines[1..] {
        "(age)".clone_into(&mut line[age]);
    }
    lines
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(ToOwned::to_owned).collect()
}

#[rstest]
#[case::reservations(&["rsv", "anna"],
    "NAME ROOM   CHECK-IN   CHECK-OUT  UNITS PHASE     READY REASON    AGE",
    "anna double 2030-07-01 2030-07-03 1     Confirmed True  Confirmed (age)")]
#[case::reservations_wide(&["rsv", "anna", "-o", "wide"],
    "NAME ROOM   CHECK-IN   CHECK-OUT  UNITS PHASE     READY REASON    AGE   TOTAL CURRENCY PAID  REFUNDED PAYMENT",
    "anna double 2030-07-01 2030-07-03 1     Confirmed True  Confirmed (age) 24000 EUR      24000 100      pi_1")]
#[case::rooms(&["rm", "double"],
    "NAME   UNITS RATE  CURRENCY FREE-TONIGHT FEWEST-FREE STAYS-AHEAD READY AVAILABLE AGE",
    "double 2     12000 EUR      1            0           4           True  Open      (age)")]
#[case::rooms_wide(&["rm", "double", "-o", "wide"],
    "NAME   UNITS RATE  CURRENCY FREE-TONIGHT FEWEST-FREE STAYS-AHEAD READY AVAILABLE AGE   SOLD-OUT-NIGHTS TIME-ZONE",
    "double 2     12000 EUR      1            0           4           True  Open      (age) 3               Europe/Lisbon")]
#[case::calendars(&["rcal", "double-2030-07"],
    "NAME           ROOM   MONTH   AGE",
    "double-2030-07 double 2030-07 (age)")]
#[tokio::test]
async fn columns_answer_the_question(#[case] what: &[&str], #[case] head: &str, #[case] row: &str) {
    let namespace = hotel().await;
    let table = kubectl_ok(&[&["get", "-n", &namespace], what].concat());
    assert_eq!(cells(&table), [words(head), words(row)], "{table}");
}

#[rstest]
#[case::room(&["rsv", "--field-selector=spec.roomName=double"], "anna")]
#[case::not_that_room(&["rsv", "--field-selector=spec.roomName!=double"], "ben")]
#[case::guest(&["rsv", "--field-selector=spec.guestID=g-2"], "ben")]
#[case::cancelled(&["rsv", "--field-selector=spec.state=Cancelled"], "ben")]
#[case::not_cancelled(&["rsv", "--field-selector=spec.state!=Cancelled"], "anna")]
#[case::both(&["rsv", "--field-selector=spec.roomName=double,spec.guestID=g-2"], "")]
#[case::calendars_of_a_room(&["rcal", "--field-selector=roomName=double"], "double-2030-07")]
#[case::of_another_room(&["rcal", "--field-selector=roomName=single"], "")]
#[tokio::test]
async fn fields_select(#[case] what: &[&str], #[case] names: &str) {
    let namespace = hotel().await;
    let arguments = ["get", "-n", &namespace, "-o", "jsonpath={.items[*].metadata.name}"];
    assert_eq!(kubectl_ok(&[&arguments, what].concat()), names);
}

#[tokio::test]
async fn everything_is_in_the_category_hotel_and_nothing_in_all() {
    let namespace = hotel().await;
    let found = |category: &str| {
        let listed = kubectl_ok(&["get", category, "-n", &namespace, "-o", "name", "--ignore-not-found"]);
        let mut names: Vec<String> = listed.lines().map(ToOwned::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(
        found("hotel"),
        [
            "reservation.innkeeper.dev/anna",
            "reservation.innkeeper.dev/ben",
            "room.innkeeper.dev/double",
            "roomcalendar.innkeeper.dev/double-2030-07"
        ]
    );
    assert!(found("all").iter().all(|name| !name.contains("innkeeper.dev")));
}

#[rstest]
#[case("rooms", "rm")]
#[case("reservations", "rsv")]
#[case("roomcalendars", "rcal")]
#[test]
fn a_kind_has_a_short_name(#[case] plural: &str, #[case] short: &str) {
    control_plane();
    let listed = kubectl_ok(&["api-resources", "--api-group=innkeeper.dev", "--no-headers"]);
    let line = listed.lines().find(|line| line.starts_with(&format!("{plural} "))).unwrap();
    assert_eq!(words(line)[1], short, "{line}");
    assert_eq!(words(line)[3], "true", "namespaced: {line}");
}

#[rstest]
#[case("rsv.spec.checkOut", "<string>", "the night that begins on it is not part of the stay")]
#[case("rsv.spec.payment.method", "<string>", "never a card number")]
#[case("rsv.spec.payment.collect", "AtProperty", "nothing is charged here")]
#[case("rsv.spec.state", "Cancelled", "cannot be taken away again")]
#[case("rsv.status.quote.refundDeadlines.until", "<string>", "Up to and including this instant")]
#[case("rsv.status.conditions.reason", "<string>", "Why")]
#[case("rm.spec.rates", "<[]Object>", "the last that matches a night wins")]
#[case("rm.spec.cancellation.hoursBefore", "<integer>", "Hours before check-in")]
#[case("rm.spec.timeZone", "<string>", "such as `Asia/Seoul`")]
#[case("rcal.nights.holders", "<[]string>", "Reservation UIDs that hold a unit")]
fn a_field_is_explained(#[case] field: &str, #[case] type_: &str, #[case] words: &str) {
    control_plane();
    let said = kubectl_ok(&["explain", field]);
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(type_) && flat.contains(words), "{said}");
}

/// Every field of what people write has a description.
#[test]
fn no_field_is_left_unexplained() {
    fn undescribed(schema: &Value, path: &str, found: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"].as_str().is_none_or(|d| d.len() < 3) {
                found.push(path.clone());
            }
            undescribed(field, &path, found);
            undescribed(&field["items"], &format!("{path}[]"), found);
        }
    }
    let mut found = Vec::new();
    for crd in innkeeper_api::crds() {
        let crd = serde_json::to_value(crd).unwrap();
        let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        for part in ["spec", "status", "nights"] {
            let path = format!("{}.{part}", crd["spec"]["names"]["kind"].as_str().unwrap());
            undescribed(&root[part], &path, &mut found);
            undescribed(&root[part]["items"], &path, &mut found);
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
