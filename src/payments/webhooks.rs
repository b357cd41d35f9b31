//! The provider's webhooks. They say that something happened, and nothing of what they say about it is believed: whoever
//! they name is looked at, by the same reads as ever. So a forged one that got through would cost one read.
//!
//! Stripe's scheme: the header `Stripe-Signature` holds a time and HMAC-SHA256 signatures of that time and the body
//! (`v1`). One that is not signed with our secret, is older or newer than the tolerance, or was there before is refused.

mod server;
mod told;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use jiff::Timestamp;

pub use server::{Rung, Wake, router, serve};
pub use told::{Subject, Told};

/// How far the signed time may be from ours, in seconds, as Stripe recommends.
pub const TOLERANCE: i64 = 300;
/// More signatures than the provider sends while a secret is being changed.
const MOST_SIGNATURES: usize = 16;
/// More events than come within the tolerance, from a provider that is well.
const MOST_REMEMBERED: usize = 100_000;

/// Why a webhook is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature, or it cannot be read.
    #[error("the header Stripe-Signature is missing or cannot be read")]
    Unsigned,
    /// It is signed with another secret, or the body is another.
    #[error("the signature is not of this body and our secret")]
    Forged,
    /// It was signed too long ago, or ahead of time.
    #[error("the signature is more than 300 seconds away")]
    Stale,
    /// It was here before.
    #[error("this delivery was here before")]
    Replayed,
    /// It is signed, and no event.
    #[error("the body is no event")]
    Unreadable,
}

impl Refusal {
    /// In one word, for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::Stale => "stale",
            Self::Replayed => "replayed",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The secrets that webhooks may be signed with.
pub struct Secrets(Vec<hmac::Key>);

impl Secrets {
    /// Reads a secret file: one secret a line, so that a new one can be there before the old one goes. Nothing where there
    /// is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let keys: Vec<_> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| hmac::Key::new(HMAC_SHA256, line.as_bytes()))
            .collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|key| hmac::verify(key, text, signature).is_ok())
    }
}

/// Tells the provider's webhooks from others.
pub struct Verifier {
    secrets: Secrets,
    /// Deliveries within the tolerance, by event: when they were signed.
    seen: Mutex<HashMap<String, i64>>,
}

/// A webhook that is genuine and new. It counts as having been here once [`Verifier::remember`] is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genuine {
    /// What it says.
    pub told: Told,
    signed: i64,
}

impl Verifier {
    /// One that knows these secrets.
    #[must_use]
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets, seen: Mutex::default() }
    }

    /// Whether a webhook is genuine and new.
    pub fn check(&self, header: Option<&str>, body: &[u8], now: Timestamp) -> Result<Genuine, Refusal> {
        let Signed { at, signatures } = header.and_then(Signed::read).ok_or(Refusal::Unsigned)?;
        let mut text = format!("{at}.").into_bytes();
        text.extend_from_slice(body);
        if !signatures.iter().any(|signature| self.secrets.signed(&text, signature)) {
            return Err(Refusal::Forged);
        }
        if (now.as_second() - at).abs() > TOLERANCE {
            return Err(Refusal::Stale);
        }
        let told = Told::read(body).ok_or(Refusal::Unreadable)?;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // The provider itself sends again what was not acknowledged, and signs it anew.
        if seen.get(&told.event).is_some_and(|before| *before >= at) {
            return Err(Refusal::Replayed);
        }
        Ok(Genuine { told, signed: at })
    }

    /// It has been acted on: from now on it is refused.
    pub fn remember(&self, genuine: &Genuine, now: Timestamp) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // What is out of the tolerance is refused for that.
        seen.retain(|_, at| now.as_second() - *at <= TOLERANCE);
        if seen.len() < MOST_REMEMBERED {
            seen.insert(genuine.told.event.clone(), genuine.signed);
        }
    }
}

/// What the header says.
struct Signed {
    at: i64,
    signatures: Vec<Vec<u8>>,
}

impl Signed {
    fn read(header: &str) -> Option<Self> {
        let (mut at, mut signatures) = (None, Vec::new());
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                ("t", time) => at = Some(time.parse().ok().filter(|time| *time >= 0)?),
                // Schemes that are not known are passed over, as Stripe asks.
                ("v1", signature) if signatures.len() < MOST_SIGNATURES => signatures.push(unhex(signature)?),
                _ => {}
            }
        }
        Some(Self { at: at?, signatures })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() != 64 {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests;
