//! What parses outside input, each to be fed with anything. A target returns whatever it is given, or panics: then either
//! the code panicked, or something that must hold for every input does not.
//!
//! `hack/fuzz` feeds them by `libFuzzer`; the files under `corpus/` are fed to them by `cargo test`.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "what does not hold is a finding")]

mod bookings;
mod configuration;
mod dates_and_money;
mod planner;
mod stripe_answers;
mod webhooks;

pub use bookings::bookings;
pub use configuration::configuration;
pub use dates_and_money::dates_and_money;
pub use planner::planner;
pub use stripe_answers::stripe_answers;
pub use webhooks::webhooks;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the name of their corpus.
pub const ALL: [(&str, Target); 6] = [
    ("bookings", bookings),
    ("configuration", configuration),
    ("dates_and_money", dates_and_money),
    ("planner", planner),
    ("stripe_answers", stripe_answers),
    ("webhooks", webhooks),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what is not as expected here is a failed test")]

    use std::path::Path;

    use super::*;

    #[test]
    fn every_target_takes_whatever_its_corpus_has() {
        for (name, target) in ALL {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
            let mut fed = 0;
            for entry in std::fs::read_dir(corpus).unwrap() {
                target(&std::fs::read(entry.unwrap().path()).unwrap());
                fed += 1;
            }
            assert!(fed > 0, "{name} has no corpus");
            // And what no file has.
            for nothing in [&b""[..], b"\0", b"\xff\xfe", b"{}", b"[]", b"null", &[b'['; 5000]] {
                target(nothing);
            }
        }
    }
}
