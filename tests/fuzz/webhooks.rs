//! The provider's webhooks, from whoever reaches the port.

use std::fmt::Write as _;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use innkeeper_payments::webhooks::{Refusal, Secrets, Verifier};
use jiff::Timestamp;

const SECRET: &str = "whsec_of_the_fuzzer";
const NOW: i64 = 1_800_000_000;

/// The first line is the header, the rest the body. Nothing is genuine that is not signed; and of what is signed, nothing
/// is taken twice.
pub fn webhooks(input: &[u8]) {
    let (Some(secrets), Ok(now)) = (Secrets::read(SECRET), Timestamp::from_second(NOW)) else { return };
    let verifier = Verifier::new(secrets);
    let split = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, body) = (&input[..split], input.get(split + 1..).unwrap_or_default());
    if let Ok(header) = std::str::from_utf8(header) {
        let said = verifier.check(Some(header), body, now);
        assert!(
            matches!(said, Err(Refusal::Unsigned | Refusal::Forged)),
            "nobody signed it: {said:?}, header {header:?}"
        );
    }
    let mut signed = format!("{NOW}.").into_bytes();
    signed.extend_from_slice(body);
    let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, SECRET.as_bytes()), &signed);
    let mut header = format!("t={NOW},v1=");
    for byte in tag.as_ref() {
        // A String takes whatever is written.
        let _ = write!(header, "{byte:02x}");
    }
    match verifier.check(Some(&header), body, now) {
        Ok(genuine) => {
            verifier.remember(&genuine, now);
            let again = verifier.check(Some(&header), body, now);
            assert_eq!(again, Err(Refusal::Replayed));
        }
        Err(why) => assert_eq!(why, Refusal::Unreadable, "it is signed"),
    }
}
