//! The generic rules of kstatus (sigs.k8s.io/cli-utils), by which Flux, kpt and Helm judge an object of a kind that they
//! do not know: the deletion timestamp, the generation, `Reconciling` and `Stalled`, then `Ready`, in this order.

use serde_json::Value;

/// What kstatus says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kstatus {
    /// As declared.
    Current,
    /// Not there yet.
    InProgress,
    /// Will not get there.
    Failed,
    /// Being deleted.
    Terminating,
}

/// Judges one version of an object.
pub fn judge(object: &Value) -> Kstatus {
    let metadata = &object["metadata"];
    if metadata["deletionTimestamp"].as_str().is_some_and(|t| !t.is_empty()) {
        return Kstatus::Terminating;
    }
    let observed = object["status"]["observedGeneration"].as_i64();
    if let (Some(generation), Some(observed)) = (metadata["generation"].as_i64(), observed)
        && generation != observed
    {
        return Kstatus::InProgress;
    }
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for condition in conditions.iter().filter(|c| c["status"] == "True") {
        match condition["type"].as_str() {
            Some("Reconciling") => return Kstatus::InProgress,
            Some("Stalled") => return Kstatus::Failed,
            _ => {}
        }
    }
    // No Ready at all reads as current: that is why an object that nobody has seen needs a default.
    match conditions.iter().find(|c| c["type"] == "Ready") {
        Some(ready) if ready["status"] != "True" => Kstatus::InProgress,
        _ => Kstatus::Current,
    }
}

mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::nothing_known(json!({"metadata": {"generation": 1}}), Kstatus::Current)]
    #[case::unobserved(
        json!({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}),
        Kstatus::InProgress
    )]
    #[case::deleted_comes_first(
        json!({"metadata": {"generation": 2, "deletionTimestamp": "2030-01-01T00:00:00Z"}, "status": {"observedGeneration": 1}}),
        Kstatus::Terminating
    )]
    #[case::the_generation_comes_before_conditions(
        json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1, "conditions": [{"type": "Stalled", "status": "True"}]}}),
        Kstatus::InProgress
    )]
    #[case::the_first_of_both_wins(
        json!({"status": {"conditions": [{"type": "Reconciling", "status": "True"}, {"type": "Stalled", "status": "True"}]}}),
        Kstatus::InProgress
    )]
    #[case::stalled(json!({"status": {"conditions": [{"type": "Stalled", "status": "True"}]}}), Kstatus::Failed)]
    #[case::not_stalled_any_more(
        json!({"status": {"conditions": [{"type": "Stalled", "status": "False"}, {"type": "Ready", "status": "True"}]}}),
        Kstatus::Current
    )]
    #[case::not_ready(json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}), Kstatus::InProgress)]
    #[case::perhaps_ready(json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}), Kstatus::InProgress)]
    fn an_object_is_judged_by_the_generic_rules(#[case] object: Value, #[case] says: Kstatus) {
        assert_eq!(judge(&object), says);
    }
}
