//! ID tokens, and wrong ones for those who test that they are refused.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::codes::Grant;
use crate::keys::{Key, KeyError, Keys};

/// How long a token is good.
pub(crate) const GOOD_FOR: Duration = Duration::from_secs(300);

/// What can be wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Another issuer's.
    Issuer,
    /// For another client.
    Audience,
    /// No longer good.
    Expired,
    /// The answer to another question.
    Nonce,
    /// The answer to no question.
    NoNonce,
    /// By a key that is not published.
    UnknownKey,
    /// By a key that is not published, with the name of one that is.
    OthersSignature,
    /// By nobody (`alg: none`).
    Unsigned,
}

/// The token that answers a question.
pub(crate) fn token(
    issuer: &str,
    keys: &Keys,
    grant: &Grant,
    now: Timestamp,
    flaw: Option<Flaw>,
) -> Result<String, KeyError> {
    let ends = match flaw {
        Some(Flaw::Expired) => now.as_second() - 3600,
        _ => now.as_second() + i64::try_from(GOOD_FOR.as_secs()).unwrap_or_default(),
    };
    let mut claims = json!({
        "iss": if flaw == Some(Flaw::Issuer) { "https://other.example.com" } else { issuer },
        "aud": if flaw == Some(Flaw::Audience) { "somebody-else" } else { grant.client.as_str() },
        "sub": grant.person.subject,
        "iat": now.as_second().min(ends),
        "exp": ends,
    });
    let nonce = match flaw {
        Some(Flaw::Nonce) => Some("another"),
        Some(Flaw::NoNonce) => None,
        _ => grant.nonce.as_deref(),
    };
    let mut put =
        |name: &str, value: Value| claims.as_object_mut().map(|all| all.insert(name.to_owned(), value));
    if let Some(nonce) = nonce {
        put("nonce", json!(nonce));
    }
    let asked = |scope: &str| grant.scopes.iter().any(|one| one == scope);
    if asked("profile") {
        put("name", json!(grant.person.name));
    }
    if asked("email") && !grant.person.email.is_empty() {
        put("email", json!(grant.person.email));
    }
    let newest = keys.newest()?;
    let other =
        matches!(flaw, Some(Flaw::UnknownKey | Flaw::OthersSignature)).then(Key::generate).transpose()?;
    let signer = other.as_ref().unwrap_or(newest);
    let named = if flaw == Some(Flaw::OthersSignature) { newest } else { signer };
    if flaw == Some(Flaw::Unsigned) {
        let head = json!({ "alg": "none", "typ": "JWT" });
        return Ok(format!("{}.{}.", part(&head), part(&claims)));
    }
    let head = json!({ "alg": "RS256", "typ": "JWT", "kid": named.id });
    let text = format!("{}.{}", part(&head), part(&claims));
    let signature = signer.sign(text.as_bytes())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
