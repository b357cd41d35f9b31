//! The keys that tokens are signed with: the first one signs, all of them are published.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// How many keys are kept: the one that signs and the one before, whose tokens are still on their way.
const MOST: usize = 2;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// None could be made, or one that is there does not work.
    #[error("cannot {0} a signing key")]
    Unusable(&'static str),
    /// The file cannot be read or written.
    #[error("the key file {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is in the file is no key.
    #[error("the key file {} has something else in line {line}; remove it to have a new one made", file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
        /// Where.
        line: usize,
    },
}

/// A key with its name.
pub(crate) struct Key {
    pub id: String,
    pair: KeyPair,
}

impl Key {
    pub fn generate() -> Result<Self, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Unusable("make"))?;
        Ok(Self::of(pair))
    }

    fn of(pair: KeyPair) -> Self {
        let hash = digest(&SHA256, pair.public_key().as_ref());
        Self { id: URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12]), pair }
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256 (`RS256`).
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature);
        signed.map_err(|_| KeyError::Unusable("use"))?;
        Ok(signature)
    }

    /// Its public half, as RFC 7517 writes it.
    fn public(&self) -> Option<Value> {
        let (modulus, exponent) = parts(self.pair.public_key().as_ref())?;
        Some(json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id,
            "n": URL_SAFE_NO_PAD.encode(modulus), "e": URL_SAFE_NO_PAD.encode(exponent),
        }))
    }
}

/// Modulus and exponent of a public key as RFC 8017 encodes it: a sequence of two whole numbers.
fn parts(encoded: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(0x30, encoded)?;
    let (modulus, rest) = element(0x02, sequence)?;
    let (exponent, _) = element(0x02, rest)?;
    // A zero before the first bit that is set only says that the number is not negative.
    Some((modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent.strip_prefix(&[0]).unwrap_or(exponent)))
}

/// The content of one element of this kind, and what comes after it (DER).
fn element(kind: u8, encoded: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = encoded.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        let length = digits
            .iter()
            .try_fold(0_usize, |all, digit| all.checked_mul(256).map(|all| all | usize::from(*digit)))?;
        (length, rest)
    };
    (first == kind).then_some(())?;
    rest.split_at_checked(length)
}

/// All keys, the newest first; kept in a file, where one is given.
pub(crate) struct Keys {
    all: Vec<Key>,
    file: Option<PathBuf>,
}

impl Keys {
    /// Those of the file, or a new one.
    pub fn open(file: Option<PathBuf>) -> Result<Self, KeyError> {
        let mut keys = Self { all: file.as_deref().map(read).transpose()?.unwrap_or_default(), file };
        if keys.all.is_empty() {
            keys.rotate()?;
        }
        Ok(keys)
    }

    /// Puts a new key in front.
    pub fn rotate(&mut self) -> Result<(), KeyError> {
        self.all.insert(0, Key::generate()?);
        self.all.truncate(MOST);
        self.file.as_deref().map_or(Ok(()), |file| write(file, &self.all))
    }

    pub fn newest(&self) -> Result<&Key, KeyError> {
        self.all.first().ok_or(KeyError::Unusable("find"))
    }

    /// As RFC 7517 writes them.
    pub fn published(&self) -> Value {
        json!({ "keys": self.all.iter().filter_map(Key::public).collect::<Vec<_>>() })
    }
}

/// One key a line, in base64.
fn read(file: &Path) -> Result<Vec<Key>, KeyError> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|source| KeyError::File { file: file.to_owned(), source })?,
    };
    let keys = text.lines().enumerate().map(|(index, line)| {
        let key = STANDARD.decode(line.trim()).ok().and_then(|bytes| KeyPair::from_pkcs8(&bytes).ok());
        key.map(Key::of).ok_or_else(|| KeyError::NoKey { file: file.to_owned(), line: index + 1 })
    });
    keys.collect()
}

fn write(file: &Path, keys: &[Key]) -> Result<(), KeyError> {
    let mut text = String::new();
    for key in keys {
        let encoded: Pkcs8V1Der<'_> = key.pair.as_der().map_err(|_| KeyError::Unusable("write"))?;
        text += &STANDARD.encode(encoded.as_ref());
        text.push('\n');
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| KeyError::File { file: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    use super::*;

    fn decoded(value: &Value) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
    }

    #[test]
    fn what_is_published_opens_what_is_signed_and_the_one_before_is_still_there() {
        let mut keys = Keys::open(None).unwrap();
        let first = keys.newest().unwrap().id.clone();
        let signature = keys.newest().unwrap().sign(b"text").unwrap();
        keys.rotate().unwrap();
        let published = keys.published();
        let published = published["keys"].as_array().unwrap();
        assert_eq!(published.len(), 2);
        assert_eq!((&published[1]["kid"], &published[1]["alg"]), (&json!(first), &json!("RS256")));
        let (n, e) = (decoded(&published[1]["n"]), decoded(&published[1]["e"]));
        let public = RsaPublicKeyComponents { n: &n, e: &e };
        public.verify(&RSA_PKCS1_2048_8192_SHA256, b"text", &signature).unwrap();
        public.verify(&RSA_PKCS1_2048_8192_SHA256, b"other", &signature).unwrap_err();
        keys.rotate().unwrap();
        assert!(keys.published()["keys"].as_array().unwrap().iter().all(|key| key["kid"] != first));
    }

    #[test]
    fn a_key_is_kept_in_its_file_and_what_is_none_is_refused() {
        let file = std::env::temp_dir().join(format!("innkeeper-keys-{}", std::process::id()));
        let _ = std::fs::remove_file(&file);
        let made = Keys::open(Some(file.clone())).unwrap().newest().unwrap().id.clone();
        assert_eq!(Keys::open(Some(file.clone())).unwrap().newest().unwrap().id, made);
        std::fs::write(&file, "passphrase\n").unwrap();
        let refused = Keys::open(Some(file.clone())).err().unwrap().to_string();
        assert!(refused.contains("line 1") && !refused.contains("passphrase"), "{refused}");
        std::fs::remove_file(&file).unwrap();
    }
}
