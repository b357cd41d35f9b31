//! What holds of every version of a Reservation and of a Room, whatever became of it.

use innkeeper_api::{ConditionType, OPERATOR_MANAGER, Reason};
use jiff::Timestamp;
use serde_json::Value;

use super::kstatus::{Kstatus, judge};
use super::recorder::Version;

/// From where to where a phase may move; `None` is before the first.
const PHASES: &[(Option<&str>, &[&str])] = &[
    (None, &["Pending", "InProgress", "Rejected", "Cancelled", "Withdrawn"]),
    (Some("Pending"), &["InProgress", "Rejected", "Cancelled", "Withdrawn"]),
    (Some("InProgress"), &["Confirmed", "Rejected", "Rejecting", "Cancelling", "Withdrawing"]),
    (Some("Confirmed"), &["Cancelling", "Withdrawing"]),
    (Some("Rejecting"), &["Rejected"]),
    (Some("Cancelling"), &["Cancelled"]),
    (Some("Withdrawing"), &["Withdrawn"]),
];

/// All conditions of one version.
pub fn conditions(object: &Value) -> &[Value] {
    object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// One condition of one version.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    conditions(object).iter().find(|c| c["type"] == type_)
}

/// Checks all versions of one Reservation.
pub fn reservation(versions: &[Version]) {
    every_kind(versions);
    for version in versions {
        let object = &version.object;
        let seen = || format!("{object:#}");
        if !conditions(object).is_empty() {
            for type_ in ["Accepted", "Paid", "Allocated", "Settled", "Ready"] {
                assert!(condition(object, type_).is_some(), "{type_} is missing: {}", seen());
            }
        }
        let settled = condition(object, "Settled").filter(|c| c["status"] == "True");
        let reason = settled.and_then(|c| c["reason"].as_str());
        let given_up = matches!(
            condition(object, "Settled").and_then(|c| c["reason"].as_str()),
            Some("Rejected" | "Cancelled" | "Withdrawn" | "Rejecting" | "Cancelling" | "Withdrawing")
        );
        assert_eq!(condition(object, "Refunded").is_some(), given_up, "{}", seen());
        let observed = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        let waits_for_a_person = condition(object, "Refunded")
            .is_some_and(|c| c["reason"] == "RefundFailed" && c["status"] == "False");
        let expected = match reason {
            _ if object["metadata"]["deletionTimestamp"].is_string() => Kstatus::Terminating,
            _ if !observed => Kstatus::InProgress,
            _ if waits_for_a_person => Kstatus::Failed,
            Some("Confirmed" | "Cancelled") => Kstatus::Current,
            Some("Rejected" | "Withdrawn") => Kstatus::Failed,
            _ => Kstatus::InProgress,
        };
        assert_eq!(judge(object), expected, "{}", seen());
        history(object);
    }
    for pair in versions.windows(2) {
        let (before, after) = (&pair[0].object["status"], &pair[1].object["status"]);
        let (from, to) = (before["phase"].as_str(), after["phase"].as_str());
        let allowed = PHASES.iter().find(|(f, _)| *f == from).map_or(&[][..], |(_, to)| *to);
        assert!(from == to || to.is_some_and(|to| allowed.contains(&to)), "from {from:?} to {to:?}");
        for fixed in ["quote", "deadline", "decision"] {
            assert!(
                before[fixed].is_null() || before[fixed] == after[fixed],
                "{fixed} changed: {before:#} {after:#}"
            );
        }
        let (told, tells) = (list(&before["history"]), list(&after["history"]));
        assert!(tells.starts_with(told), "history was rewritten: {told:#?} {tells:#?}");
    }
}

/// Checks all versions of one Room.
pub fn room(versions: &[Version]) {
    every_kind(versions);
    for version in versions {
        let object = &version.object;
        let ready = condition(object, "Ready").map(|c| c["status"].clone());
        let observed = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        let expected = match ready.as_ref().and_then(Value::as_str) {
            _ if object["metadata"]["deletionTimestamp"].is_string() => Kstatus::Terminating,
            _ if !observed => Kstatus::InProgress,
            Some("True") => Kstatus::Current,
            _ => Kstatus::Failed,
        };
        assert_eq!(judge(object), expected, "{object:#}");
    }
}

/// What holds of everything that has a status.
fn every_kind(versions: &[Version]) {
    let first = &versions[0].object;
    assert_eq!(first["status"]["observedGeneration"], -1, "nobody has looked at it yet: {first:#}");
    assert_eq!(judge(first), Kstatus::InProgress, "{first:#}");
    for version in versions {
        fields(&version.object);
        order(&version.object);
        writers(&version.object);
    }
    for pair in versions.windows(2) {
        transitions(&pair[0].object, &pair[1].object);
    }
    every_write_changes_something(versions);
}

/// No two versions of an object are alike.
pub fn every_write_changes_something(versions: &[Version]) {
    for pair in versions.windows(2) {
        let (before, after) = (without_versions(&pair[0]), without_versions(&pair[1]));
        assert!(pair[1].gone || before != after, "a write that changed nothing: {before:#}");
    }
}

/// All five fields and the generation, on each.
fn fields(object: &Value) {
    let status = &object["status"];
    for condition in conditions(object) {
        let text =
            |field: &str| condition[field].as_str().unwrap_or_else(|| panic!("{field}: {condition:#}"));
        assert!(ConditionType::ALL.iter().any(|t| t.as_str() == text("type")), "{condition:#}");
        assert!(matches!(text("status"), "True" | "False" | "Unknown"), "{condition:#}");
        let reason = text("reason");
        let camel = reason.starts_with(|c: char| c.is_ascii_uppercase())
            && reason.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(camel && Reason::ALL.iter().any(|r| r.as_str() == reason), "{condition:#}");
        let message = text("message");
        assert!(message.ends_with(['.', '!', '?']) || message.len() > 1000, "not a sentence: {condition:#}");
        text("lastTransitionTime").parse::<Timestamp>().unwrap();
        assert_eq!(condition["observedGeneration"], status["observedGeneration"], "{object:#}");
        assert!(condition["observedGeneration"].as_i64() <= object["metadata"]["generation"].as_i64());
    }
}

/// In one order, none twice; `Reconciling` and `Stalled` only while true, and never both.
fn order(object: &Value) {
    let types: Vec<_> = conditions(object).iter().map(|c| c["type"].as_str().unwrap()).collect();
    let known: Vec<_> =
        ConditionType::ALL.iter().map(ConditionType::as_str).filter(|t| types.contains(t)).collect();
    assert_eq!(types, known);
    let kstatus: Vec<_> = ["Reconciling", "Stalled"].iter().filter_map(|t| condition(object, t)).collect();
    assert!(kstatus.len() <= 1 && kstatus.iter().all(|c| c["status"] == "True"), "{object:#}");
}

/// The operator writes the status and the finalizers, and nothing else; and nobody else writes the status.
fn writers(object: &Value) {
    for entry in list(&object["metadata"]["managedFields"]) {
        let (manager, fields) = (entry["manager"].as_str().unwrap(), entry["fieldsV1"].as_object().unwrap());
        let status = entry["subresource"] == "status";
        assert_eq!(status, manager == OPERATOR_MANAGER && fields.contains_key("f:status"), "{entry:#}");
        if manager != OPERATOR_MANAGER {
            continue;
        }
        let top: Vec<_> = fields.keys().collect();
        if status {
            assert_eq!(top, ["f:status"], "{entry:#}");
        } else {
            assert_eq!(top, ["f:metadata"], "{entry:#}");
            let metadata: Vec<_> = fields["f:metadata"].as_object().unwrap().keys().collect();
            assert_eq!(metadata, ["f:finalizers"], "{entry:#}");
        }
    }
}

/// `lastTransitionTime` moves with the status, and only with it.
fn transitions(before: &Value, after: &Value) {
    for now in conditions(after) {
        let Some(then) = condition(before, now["type"].as_str().unwrap()) else { continue };
        // The operator's clock in these tests shows another second each time it is read.
        let moved = then["lastTransitionTime"] != now["lastTransitionTime"];
        assert_eq!(then["status"] != now["status"], moved, "{then:#} {now:#}");
    }
    let observed = |o: &Value| o["status"]["observedGeneration"].as_i64();
    assert!(observed(before) <= observed(after), "{before:#} {after:#}");
}

/// Numbered from 1 without gaps.
fn history(object: &Value) {
    let numbers: Vec<_> =
        list(&object["status"]["history"]).iter().map(|f| f["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn without_versions(version: &Version) -> Value {
    let mut object = version.object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.remove("resourceVersion");
    metadata.remove("managedFields");
    object
}
