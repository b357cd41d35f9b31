//! Faults that can be switched on, to see how a client takes them.
//!
//! A fault meets the requests that fit its `match`, as many times as it says; the oldest fitting one wins. Faults are
//! kept in memory: a restarted server has none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::params::Params;

/// A fault to switch on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests it meets; all of them if nothing is said.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// What happens to them.
    pub fault: Kind,
    /// How many requests that fit it lets pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests it meets: once if not said, always if null.
    #[serde(default = "once")]
    pub times: Option<u32>,
}

#[allow(clippy::unnecessary_wraps, reason = "shaped for serde's default")]
fn once() -> Option<u32> {
    Some(1)
}

/// Which requests a fault meets; all that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// `GET` or `POST`.
    pub method: Option<String>,
    /// The path, with `*` for any id between slashes: `/v1/payment_intents/*/cancel`.
    pub path: Option<String>,
    /// The beginning of the idempotency key.
    pub key_prefix: Option<String>,
    /// Metadata of the request, or of the intent that it names.
    pub metadata: BTreeMap<String, String>,
}

/// Before the request takes effect, or after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Nothing has happened.
    #[default]
    Before,
    /// The effect is in the ledger, and the answer under its key.
    After,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// Waits.
    Delay {
        /// Before or after the effect.
        #[serde(default)]
        when: When,
        /// For how long.
        millis: u64,
    },
    /// Closes the connection without an answer.
    Drop {
        /// Before or after the effect.
        #[serde(default)]
        when: When,
    },
    /// Never answers; ends when the client or the server gives up.
    Hang {
        /// Before or after the effect.
        #[serde(default)]
        when: When,
    },
    /// Answers 500.
    ServerError {
        /// Before or after the effect.
        #[serde(default)]
        when: When,
        /// Whether the 500 is what repeats of the key get. If not, they get the real answer, or execute.
        #[serde(default)]
        stored: bool,
    },
    /// Answers 429; nothing is executed.
    RateLimit {
        /// Seconds in `Retry-After`.
        #[serde(default = "one")]
        retry_after: u32,
    },
    /// Answers 401, as if the key had been revoked; nothing is executed.
    Unauthorized,
    /// Answers 200 with a body that is not JSON.
    Garbage {
        /// Before or after the effect.
        #[serde(default)]
        when: When,
    },
    /// Lists do not have what is younger than this.
    Lag {
        /// The age.
        seconds: u32,
    },
}

fn one() -> u32 {
    1
}

impl Kind {
    /// A short name for the log of calls: `drop/after`.
    pub(crate) fn name(&self) -> String {
        let (name, when) = match self {
            Self::Delay { when, .. } => ("delay", Some(when)),
            Self::Drop { when } => ("drop", Some(when)),
            Self::Hang { when } => ("hang", Some(when)),
            Self::ServerError { when, .. } => ("server_error", Some(when)),
            Self::RateLimit { .. } => ("rate_limit", None),
            Self::Unauthorized => ("unauthorized", None),
            Self::Garbage { when } => ("garbage", Some(when)),
            Self::Lag { .. } => ("lag", None),
        };
        match when {
            Some(When::Before) => format!("{name}/before"),
            Some(When::After) => format!("{name}/after"),
            None => name.to_owned(),
        }
    }
}

/// A fault that is switched on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveFault {
    /// Its number, for switching it off.
    pub id: u64,
    /// The fault; `skip` and `times` count down.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many requests it has met.
    pub hits: u32,
}

/// The request that faults are compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) params: &'a Params,
    /// Metadata of the intent that the request names.
    pub(crate) metadata: &'a BTreeMap<String, String>,
}

/// The faults that are switched on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: Vec<ActiveFault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> ActiveFault {
        self.last_id += 1;
        let active = ActiveFault { id: self.last_id, fault, hits: 0 };
        self.active.push(active.clone());
        active
    }

    /// All that were switched on, those that have met all their requests too.
    pub(crate) fn all(&self) -> Vec<ActiveFault> {
        self.active.clone()
    }

    /// Switches one off, or all; says how many that were.
    pub(crate) fn remove(&mut self, id: Option<u64>) -> usize {
        let before = self.active.len();
        self.active.retain(|active| id.is_some_and(|id| active.id != id));
        before - self.active.len()
    }

    /// Whether any fault asks for metadata, so that an intent must be looked up first.
    pub(crate) fn ask_for_metadata(&self) -> bool {
        self.active
            .iter()
            .any(|active| active.fault.times != Some(0) && !active.fault.matches.metadata.is_empty())
    }

    /// The fault that meets this request, counted.
    pub(crate) fn meet(&mut self, subject: Subject<'_>) -> Option<Kind> {
        for active in &mut self.active {
            let fault = &mut active.fault;
            if fault.times == Some(0) || !fault.matches.fits(subject) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            active.hits += 1;
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            return Some(fault.fault.clone());
        }
        None
    }
}

impl Match {
    fn fits(&self, subject: Subject<'_>) -> bool {
        let has = |key: &str, value: &String| {
            subject.params.flat().get(&format!("metadata[{key}]")) == Some(value)
                || subject.metadata.get(key) == Some(value)
        };
        self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(subject.method))
            && self.path.as_deref().is_none_or(|path| path_fits(path, subject.path))
            && self
                .key_prefix
                .as_deref()
                .is_none_or(|prefix| subject.key.is_some_and(|key| key.starts_with(prefix)))
            && self.metadata.iter().all(|(key, value)| has(key, value))
    }
}

fn path_fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(want, is)| *want == "*" || want == is)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn meets(matches: &serde_json::Value) -> bool {
        let mut faults = Faults::default();
        let fault = json!({ "match": matches, "fault": { "kind": "drop", "when": "after" } });
        faults.add(serde_json::from_value(fault).unwrap());
        let params = Params::parse(&["metadata[a]=1"]);
        let metadata = BTreeMap::from([("b".to_owned(), "2".to_owned())]);
        let path = "/v1/payment_intents/pi_1/cancel";
        let subject =
            Subject { method: "POST", path, key: Some("u/charge/1"), params: &params, metadata: &metadata };
        faults.meet(subject).is_some()
    }

    #[rstest]
    #[case(json!({}), true)]
    #[case(json!({ "method": "post" }), true)]
    #[case(json!({ "method": "GET" }), false)]
    #[case(json!({ "path": "/v1/payment_intents/*/cancel" }), true)]
    #[case(json!({ "path": "/v1/payment_intents/*" }), false)]
    #[case(json!({ "key_prefix": "u/charge" }), true)]
    #[case(json!({ "key_prefix": "v/" }), false)]
    #[case(json!({ "metadata": { "a": "1", "b": "2" } }), true)]
    #[case(json!({ "metadata": { "a": "2" } }), false)]
    fn a_fault_meets_what_fits_all_it_names(#[case] matches: serde_json::Value, #[case] fits: bool) {
        assert_eq!(meets(&matches), fits);
    }

    #[rstest]
    #[case(json!({ "fault": { "kind": "drop" }, "tims": 2 }))]
    #[case(json!({ "fault": { "kind": "explode" } }))]
    #[case(json!({ "match": { "verb": "GET" }, "fault": { "kind": "drop" } }))]
    fn a_fault_with_a_typing_error_is_refused(#[case] fault: serde_json::Value) {
        assert!(serde_json::from_value::<Fault>(fault).is_err());
    }

    #[test]
    fn a_fault_begins_after_its_skip_and_ends_after_its_times() {
        let mut faults = Faults::default();
        let fault = json!({ "fault": { "kind": "unauthorized" }, "skip": 1, "times": 2 });
        faults.add(serde_json::from_value(fault).unwrap());
        let (params, metadata) = (Params::default(), BTreeMap::new());
        let subject =
            Subject { method: "GET", path: "/v1/balance", key: None, params: &params, metadata: &metadata };
        let met: Vec<bool> = (0..4).map(|_| faults.meet(subject).is_some()).collect();
        assert_eq!((met, faults.all()[0].hits), (vec![false, true, true, false], 2));
    }
}
