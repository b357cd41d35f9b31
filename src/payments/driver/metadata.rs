//! The marks we leave on intents and refunds at the provider, and how they are read back.
//!
//! They are how money is found again when an answer was lost, and how several installations share one account.
//! They never hold a name or an address.

use std::collections::HashMap;

use innkeeper_booking::provider::{Adoption, Because, Charge, Refund, Step, Tags};

const INSTALLATION: &str = "innkeeper_installation";
const NAMESPACE: &str = "innkeeper_namespace";
const NAME: &str = "innkeeper_name";
const UID: &str = "innkeeper_uid";
const CHECK_IN: &str = "innkeeper_check_in";
const STEP: &str = "innkeeper_step";
const ATTEMPT: &str = "innkeeper_attempt";
const FENCE: &str = "innkeeper_fence";
const SETTLED: &str = "innkeeper_settled";
const ADOPTED_FROM: &str = "innkeeper_adopted_from";
const BECAUSE: &str = "innkeeper_because";

/// Metadata as the provider keeps it.
pub(super) type Metadata = HashMap<String, String>;

fn entry(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

/// The marks of a charge, and of the fence against it: they differ in the fence's mark alone.
pub(super) fn of_charge(charge: &Charge, fence: bool) -> Metadata {
    let tags = &charge.tags;
    let mut metadata = HashMap::from([
        entry(INSTALLATION, &tags.installation),
        entry(NAMESPACE, &tags.namespace),
        entry(NAME, &tags.name),
        entry(UID, &tags.uid),
        entry(CHECK_IN, tags.check_in.to_string()),
        entry(STEP, Step::Charge.as_str()),
        entry(ATTEMPT, charge.attempt.to_string()),
    ]);
    if fence {
        metadata.extend([entry(FENCE, "true")]);
    }
    metadata
}

/// The marks of a refund.
pub(super) fn of_refund(refund: &Refund) -> Metadata {
    let step = if refund.because == Because::Orphaned { Step::Orphan } else { Step::Refund };
    HashMap::from([
        entry(INSTALLATION, &refund.installation),
        entry(UID, &refund.uid),
        entry(STEP, step.as_str()),
        entry(ATTEMPT, refund.attempt.to_string()),
        entry(BECAUSE, refund.because.as_str()),
    ])
}

/// What makes an intent another Reservation's.
pub(super) fn of_adoption(adoption: &Adoption) -> Metadata {
    let tags = &adoption.tags;
    HashMap::from([
        entry(NAMESPACE, &tags.namespace),
        entry(NAME, &tags.name),
        entry(UID, &tags.uid),
        entry(CHECK_IN, tags.check_in.to_string()),
        entry(ATTEMPT, adoption.attempt.to_string()),
        entry(ADOPTED_FROM, &adoption.from),
    ])
}

/// Why a refund was made, and for which Reservation; `None` where we did not make it.
pub(super) fn reason(metadata: &Metadata) -> Option<(Because, String)> {
    let word = metadata.get(BECAUSE)?;
    let because = Because::ALL.iter().copied().find(|because| because.as_str() == word)?;
    Some((because, metadata.get(UID)?.clone()))
}

/// The mark that what is left of an intent stays with the hotel, with how much that is in minor units.
pub(super) fn of_settlement(kept: i64) -> Metadata {
    HashMap::from([entry(SETTLED, kept.to_string())])
}

/// The tags of an intent; `None` where one is missing, so where we did not make it.
pub(super) fn tags(metadata: &Metadata) -> Option<Tags> {
    Some(Tags {
        installation: metadata.get(INSTALLATION)?.clone(),
        namespace: metadata.get(NAMESPACE)?.clone(),
        name: metadata.get(NAME)?.clone(),
        uid: metadata.get(UID)?.clone(),
        check_in: metadata.get(CHECK_IN)?.parse().ok()?,
    })
}

/// Whether the installation made it. Decides alone what may be touched.
pub(super) fn is_of(metadata: &Metadata, installation: &str) -> bool {
    metadata.get(INSTALLATION).is_some_and(|found| found == installation)
}

/// Whether it was made for the Reservation with this UID.
pub(super) fn has_uid(metadata: &Metadata, uid: &str) -> bool {
    metadata.get(UID).is_some_and(|found| found == uid)
}

/// Whether it was made for a Reservation of this name, whatever its UID.
pub(super) fn has_name(metadata: &Metadata, namespace: &str, name: &str) -> bool {
    metadata.get(NAMESPACE).is_some_and(|found| found == namespace)
        && metadata.get(NAME).is_some_and(|found| found == name)
}

/// The attempt it was made for; `None` where it was not made for this step.
pub(super) fn attempt(metadata: &Metadata, step: Step) -> Option<u32> {
    (metadata.get(STEP)? == step.as_str()).then_some(())?;
    metadata.get(ATTEMPT)?.parse().ok()
}

/// Whether a fence made it.
pub(super) fn is_fence(metadata: &Metadata) -> bool {
    metadata.get(FENCE).is_some_and(|mark| mark == "true")
}

/// Whether it is marked as settled.
pub(super) fn is_settled(metadata: &Metadata) -> bool {
    metadata.contains_key(SETTLED)
}
