//! Keys that are mounted as files: those of the cookies, and the one from which guests' ids are made.
//!
//! What is wrong with a file is told without anything of what is in it.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::fill;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// How often the file of the cookies' keys is looked at.
const EVERY: Duration = Duration::from_secs(5);
/// Fewer bytes than this can be guessed.
const FEWEST: usize = 32;
/// More keys than this are not tried.
const MOST: usize = 8;

/// Why a file of keys is refused.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: the file {} {reason}", file.display())]
pub struct SecretError {
    setting: &'static str,
    file: PathBuf,
    reason: String,
}

impl SecretError {
    pub(crate) fn new(setting: &'static str, file: &Path, reason: impl Into<String>) -> Self {
        Self { setting, file: file.to_owned(), reason: reason.into() }
    }
}

/// The text of a file.
pub(crate) fn text_of(setting: &'static str, file: &Path) -> Result<String, SecretError> {
    std::fs::read_to_string(file)
        .map_err(|error| SecretError::new(setting, file, format!("cannot be read: {error}")))
}

/// Makes a file with a new random key, which only its owner can read, where there is none.
pub fn make_key(file: &Path) -> std::io::Result<()> {
    let mut bytes = [0; FEWEST];
    fill(&mut bytes).map_err(|_| std::io::Error::other("the system gives no random bytes"))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(mut file) => writeln!(file, "{}", STANDARD.encode(bytes)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Closes what is put into cookies, and opens what it has closed. Clones share the keys.
#[derive(Clone)]
pub struct SessionKeys(Arc<RwLock<Arc<Vec<RandomizedNonceKey>>>>);

impl SessionKeys {
    const SETTING: &str = "gateway.session.keysFile";

    /// Reads the file. Fails where it cannot be read or has no good key.
    pub fn load(file: &Path) -> Result<Self, SecretError> {
        let keys = Self::of(&text_of(Self::SETTING, file)?);
        let keys = keys.map_err(|reason| SecretError::new(Self::SETTING, file, reason))?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(keys)))))
    }

    /// One key, made now, that nobody else has and that ends with the process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let mut bytes = [0; FEWEST];
        // Without randomness there is no key, and nothing is opened or closed.
        let key = fill(&mut bytes).ok().and_then(|()| cipher(&bytes));
        Self(Arc::new(RwLock::new(Arc::new(key.into_iter().collect()))))
    }

    fn of(text: &str) -> Result<Vec<RandomizedNonceKey>, String> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() || lines.len() > MOST {
            return Err(format!("has {} keys; give 1 to {MOST}, each on its line", lines.len()));
        }
        let keys = lines.iter().enumerate().map(|(index, line)| {
            let wrong = || format!("is wrong in line {}: {NO_KEY}", index + 1);
            decode(line).and_then(|bytes| cipher(&bytes)).ok_or_else(wrong)
        });
        keys.collect()
    }

    /// Looks at the file every few seconds, for good. One that is wrong changes nothing.
    pub(crate) async fn watch(self, file: PathBuf) {
        let mut last = tokio::fs::read_to_string(&file).await.ok();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = tokio::fs::read_to_string(&file).await.ok();
            if now == last {
                continue;
            }
            last.clone_from(&now);
            match now.map(|text| Self::of(&text)) {
                Some(Ok(keys)) => {
                    tracing::info!(count = keys.len(), "the cookies' keys were read again");
                    *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
                }
                Some(Err(reason)) => {
                    tracing::error!(file = %file.display(), "the last good keys of the cookies stay; the file {reason}");
                }
                None => {
                    tracing::error!(file = %file.display(), "the file of the cookies' keys is gone; the last ones stay");
                }
            }
        }
    }

    /// Closes a text for one purpose; as nothing else it can be opened. Nothing where it cannot be closed.
    pub(crate) fn seal(&self, purpose: &str, text: &[u8]) -> Option<String> {
        let keys = self.keys();
        let mut closed = text.to_vec();
        let nonce = keys.first()?.seal_in_place_append_tag(Aad::from(purpose), &mut closed).ok()?;
        let mut all = nonce.as_ref().to_vec();
        all.append(&mut closed);
        Some(URL_SAFE_NO_PAD.encode(all))
    }

    /// Opens what one of the keys has closed for this purpose; nothing where it is anything else.
    pub(crate) fn open(&self, purpose: &str, value: &str) -> Option<Vec<u8>> {
        let all = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, closed) = all.split_at_checked(NONCE_LEN)?;
        self.keys().iter().find_map(|key| {
            let mut text = closed.to_vec();
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            key.open_in_place(nonce, Aad::from(purpose), &mut text).ok().map(|text| text.to_vec())
        })
    }

    fn keys(&self) -> Arc<Vec<RandomizedNonceKey>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

const NO_KEY: &str = "give at least 32 random bytes in base64, as `openssl rand -base64 32` prints them";

fn decode(line: &str) -> Option<Vec<u8>> {
    STANDARD.decode(line).ok().filter(|bytes| bytes.len() >= FEWEST)
}

/// The cipher of a key. Of the key's own use, should the same bytes be used elsewhere by mistake.
fn cipher(bytes: &[u8]) -> Option<RandomizedNonceKey> {
    let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"innkeeper cookies 1");
    RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).ok()
}

/// Makes guests' ids: the same for the same person at the same issuer, and saying nothing of either.
#[derive(Clone)]
pub struct GuestIds(hmac::Key);

impl GuestIds {
    const SETTING: &str = "gateway.signIn.guestKeyFile";

    /// Reads the file. Fails where it cannot be read or has no good key.
    pub fn load(file: &Path) -> Result<Self, SecretError> {
        let text = text_of(Self::SETTING, file)?;
        let bytes = decode(text.trim())
            .ok_or_else(|| SecretError::new(Self::SETTING, file, format!("has not one key: {NO_KEY}")))?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The id of whom this issuer calls by this `sub`. Never to change: the guest would lose their bookings.
    #[must_use]
    pub fn id_of(&self, issuer: &str, subject: &str) -> String {
        // An issuer is an address and has no line break, so no two pairs run into one.
        let tag = hmac::sign(&self.0, format!("{issuer}\n{subject}").as_bytes());
        tag.as_ref().iter().take(16).fold("guest-".to_owned(), |mut id, byte| {
            // Writing to a text cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    fn keys(lines: &[u8]) -> SessionKeys {
        let text = lines.iter().map(|byte| line(*byte)).collect::<Vec<_>>().join("\n");
        SessionKeys(Arc::new(RwLock::new(Arc::new(SessionKeys::of(&text).unwrap()))))
    }

    #[test]
    fn what_is_closed_is_opened_by_its_own_key_for_its_own_purpose_and_unchanged() {
        let old = keys(&[1]);
        let sealed = old.seal("session", b"anna").unwrap();
        assert!(!sealed.contains("anna"));
        assert_ne!(sealed, old.seal("session", b"anna").unwrap(), "never twice the same");
        assert_eq!(old.open("session", &sealed).unwrap(), b"anna");
        assert_eq!(keys(&[2, 1]).open("session", &sealed).unwrap(), b"anna", "the new one comes first");
        assert_eq!(old.open("sign-in", &sealed), None);
        assert_eq!(keys(&[2]).open("session", &sealed), None);
        assert_eq!(old.open("session", ""), None);
        let raw = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for at in 0..raw.len() {
            let mut other = raw.clone();
            other[at] ^= 1;
            assert_eq!(old.open("session", &URL_SAFE_NO_PAD.encode(other)), None, "byte {at}");
            assert_eq!(old.open("session", &URL_SAFE_NO_PAD.encode(&raw[..at])), None, "cut at {at}");
        }
    }

    #[test]
    fn a_wrong_file_is_told_by_its_line_and_without_what_is_in_it() {
        let short = STANDARD.encode([7; 31]);
        for (text, says) in [
            (String::new(), "has 0 keys"),
            (format!("{}\n", line(1)).repeat(9), "has 9 keys"),
            (format!("{}\n\n{short}", line(1)), "line 2"),
            ("passphrase".to_owned(), "line 1"),
        ] {
            let reason = SessionKeys::of(&text).err().unwrap();
            assert!(
                reason.contains(says) && !reason.contains(&short) && !reason.contains("passphrase"),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_guests_id_is_the_same_for_good_and_another_for_every_other_person() {
        let ids = GuestIds(hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]));
        let id = ids.id_of("https://accounts.example.com", "anna");
        assert_eq!(id, "guest-d50d83fcc4b53a3126f3cc865df048e7");
        for (issuer, subject) in
            [("https://accounts.example.com", "ben"), ("https://other.example.com", "anna")]
        {
            assert_ne!(ids.id_of(issuer, subject), id);
        }
        assert_ne!(
            GuestIds(hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]))
                .id_of("https://accounts.example.com", "anna"),
            id
        );
        assert!(!id.contains(':') && id.len() <= 64);
    }
}
