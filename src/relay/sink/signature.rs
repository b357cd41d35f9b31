//! The signature of what is sent over HTTP: HMAC-SHA256 with a secret that both sides have, and the time in it, so that
//! what was recorded cannot be sent again later.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use crate::event::hex;

/// The header that carries the signature: `t=<seconds since 1970>,v1=<hexadecimal>`.
pub const HEADER: &str = "innkeeper-signature";

/// A secret; never shown.
pub struct Secret(Key);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Takes a secret's text.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(Key::new(HMAC_SHA256, secret.as_bytes()))
    }

    /// The header's value. Signed are the time, a dot, a line `name:value` for each attribute that travels as a header
    /// (`ce-...`, by name; none where the event is structured), and the body.
    #[must_use]
    pub fn sign(&self, second: i64, attributes: &[(String, String)], body: &str) -> String {
        let lines: String =
            attributes.iter().flat_map(|(name, value)| [name.as_str(), ":", value.as_str(), "\n"]).collect();
        let text = format!("{second}.{lines}{body}");
        format!("t={second},v1={}", hex(sign(&self.0, text.as_bytes()).as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From another implementation: printf '1893456000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test
    #[test]
    fn it_is_the_hmac_that_others_compute() {
        assert_eq!(
            Secret::new("whsec_test").sign(1_893_456_000, &[], "{\"a\":1}"),
            "t=1893456000,v1=f8edf24fd0e0a2761c910c1503c53e2a5bb842d34b1175e182792d705196b74a"
        );
    }

    #[test]
    fn headers_are_signed_too() {
        let attributes = [("ce-id".to_owned(), "1".to_owned()), ("ce-type".to_owned(), "x".to_owned())];
        assert_eq!(
            Secret::new("whsec_test").sign(1_893_456_000, &attributes, "{}"),
            "t=1893456000,v1=f629e1b921f790a336541fd766e4274eaf35cb7c544e604e40c8c00aa76f473d"
        );
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("whsec_test")), "Secret");
    }
}
