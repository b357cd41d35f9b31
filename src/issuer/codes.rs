//! Codes: what one comes back to the site with, good once and for a short while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a code is good.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// More codes than this are not kept; the oldest go.
const MOST: usize = 10_000;

/// A made-up guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// What tokens call them.
    pub subject: String,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
}

/// What a code stands for.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub client: String,
    pub redirect: String,
    pub challenge: String,
    pub nonce: Option<String>,
    pub scopes: Vec<String>,
    pub person: Person,
}

/// The codes that have been given.
#[derive(Default)]
pub(crate) struct Codes(Mutex<HashMap<String, (Grant, Instant)>>);

impl Codes {
    /// Keeps what a code stands for.
    pub fn put(&self, code: String, grant: Grant, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, since)| now.duration_since(*since) < GOOD_FOR);
        if all.len() >= MOST
            && let Some(oldest) =
                all.iter().min_by_key(|(_, (_, since))| *since).map(|(code, _)| code.clone())
        {
            all.remove(&oldest);
        }
        all.insert(code, (grant, now));
    }

    /// What a code stands for, once.
    pub fn take(&self, code: &str, now: Instant) -> Option<Grant> {
        let (grant, since) = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(code)?;
        (now.duration_since(since) < GOOD_FOR).then_some(grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_and_for_a_while() {
        let (codes, now) = (Codes::default(), Instant::now());
        let person = Person { subject: "anna".into(), name: "Anna".into(), email: String::new() };
        let grant = Grant {
            client: "c".into(),
            redirect: "r".into(),
            challenge: "x".into(),
            nonce: None,
            scopes: vec![],
            person,
        };
        codes.put("a".into(), grant.clone(), now);
        assert!(codes.take("a", now).is_some());
        assert!(codes.take("a", now).is_none(), "once");
        codes.put("b".into(), grant, now);
        assert!(codes.take("b", now + GOOD_FOR).is_none(), "too late");
    }
}
