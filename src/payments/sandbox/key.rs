//! The secret key that callers authenticate with.

use std::fmt;

use http::HeaderMap;
use thiserror::Error;

use super::error::StripeError;
use super::ledger::LedgerError;

/// A secret test key (`sk_test_...`). Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the key of the embedded provider must begin with sk_test_ and have 16 to 255 letters and digits in all"
)]
pub struct InvalidKey;

impl ApiKey {
    /// Takes a key; a live key is refused, so that it can never end up with a provider of test money.
    pub fn parse(key: &str) -> Result<Self, InvalidKey> {
        let key = key.trim();
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if key.starts_with("sk_test_") && plain && (16..=255).contains(&key.len()) {
            Ok(Self(key.to_owned()))
        } else {
            Err(InvalidKey)
        }
    }

    /// A key that nobody can guess.
    pub fn generate() -> Result<Self, LedgerError> {
        // SQLite's generator is seeded by the system and is here anyway.
        let random: rusqlite::Result<String> = rusqlite::Connection::open_in_memory()
            .and_then(|conn| conn.query_row("SELECT lower(hex(randomblob(24)))", [], |row| row.get(0)));
        random
            .map(|random| Self(format!("sk_test_{random}")))
            .map_err(|error| LedgerError::Failed(error.to_string()))
    }

    /// The key itself, for whoever must send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), StripeError> {
        let Some(given) = given(headers) else {
            return Err(StripeError::unauthorized(
                "You did not provide an API key. Send it as 'Authorization: Bearer YOUR_SECRET_KEY'.",
            ));
        };
        if same(given.as_bytes(), self.0.as_bytes()) {
            return Ok(());
        }
        let shown: String = if given.len() > 16 && given.is_ascii() {
            format!("{}****{}", &given[..8], &given[given.len() - 4..])
        } else {
            "****".to_owned()
        };
        Err(StripeError::unauthorized(format!("Invalid API Key provided: {shown}")))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(sk_test_****)")
    }
}

fn given(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned()).filter(|key| !key.is_empty());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = base64(rest.trim())?;
        let (user, _) = pair.split_once(':')?;
        return Some(user.to_owned()).filter(|key| !key.is_empty());
    }
    None
}

/// Compares in the same time wherever the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// Decodes Base64 (RFC 4648), which basic authentication comes in; none if it is not, or is not ASCII inside.
fn base64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    String::from_utf8(bytes).ok().filter(|text| text.is_ascii())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("sk_test_0123456789", true)]
    #[case("  sk_test_0123456789\n", true)]
    #[case("sk_live_0123456789", false)]
    #[case("sk_test_", false)]
    #[case("sk_test_with a space", false)]
    fn only_test_keys_are_taken(#[case] key: &str, #[case] taken: bool) {
        assert_eq!(ApiKey::parse(key).is_ok(), taken);
    }

    #[rstest]
    #[case("Bearer sk_test_0123456789", true)]
    #[case("bearer sk_test_0123456789", true)]
    #[case("Basic c2tfdGVzdF8wMTIzNDU2Nzg5Og==", true)]
    #[case("Basic c2tfdGVzdF8wMTIzNDU2Nzg4Og==", false)]
    #[case("Basic !!!", false)]
    #[case("Bearer sk_test_0123456788", false)]
    #[case("sk_test_0123456789", false)]
    fn callers_show_the_key_as_bearer_or_basic(#[case] header: &str, #[case] taken: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::AUTHORIZATION, header.parse().unwrap());
        assert_eq!(ApiKey::parse("sk_test_0123456789").unwrap().check(&headers).is_ok(), taken);
    }

    #[test]
    fn a_wrong_key_is_not_repeated_in_full() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::AUTHORIZATION, "Bearer sk_live_abcdefghijklmnop".parse().unwrap());
        let error = ApiKey::parse("sk_test_0123456789").unwrap().check(&headers).unwrap_err();
        assert_eq!(error.body()["error"]["message"], "Invalid API Key provided: sk_live_****mnop");
    }
}
