//! What is kept of a visit: who has signed in, and a secret that forms prove themselves with.
//!
//! It is in a cookie that only the gateway can read and write, and nowhere else: any replica knows it, none has to
//! remember it. So it cannot be taken back before its end, except by a new key; signing out removes it from the browser.
//!
//! [`layers::identify`](crate::layers) puts a [`Session`] into every request, a new one where none came. A new one is
//! given to the browser only if something has made use of it: [`Csrf::token`](crate::csrf::Csrf::token).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::fill;
use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::Guest;
use crate::problem::{Kind, Problem};
use crate::secrets::SessionKeys;

/// Bytes of a session's secret.
pub(crate) const SECRET: usize = 16;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The visit.
    Session,
    /// Signing in, under way.
    SignIn,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::SignIn => "sign-in",
        }
    }
}

/// How cookies are written: with the keys that close them, and for https alone or not.
#[derive(Clone)]
pub(crate) struct Cookies {
    keys: SessionKeys,
    secure: bool,
}

impl Cookies {
    /// For https alone, unless guests come to an address of one's own machine by http.
    pub(crate) fn new(keys: SessionKeys, public_url: Option<&str>) -> Self {
        Self { keys, secure: public_url.is_none_or(|url| !url.starts_with("http://")) }
    }

    /// The cookie's name. With `__Host-` no other host, no other path and no plain http can have set it.
    fn name(&self, purpose: Purpose) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}innkeeper-{}", purpose.as_str())
    }

    /// The header that gives a cookie to the browser, for so long. Nothing where it cannot be closed.
    pub(crate) fn give(&self, purpose: Purpose, text: &[u8], lasts: Duration) -> Option<HeaderValue> {
        let value = self.keys.seal(purpose.as_str(), text)?;
        self.header(purpose, &value, lasts.as_secs())
    }

    /// The header that takes a cookie from the browser.
    pub(crate) fn take_away(&self, purpose: Purpose) -> Option<HeaderValue> {
        self.header(purpose, "", 0)
    }

    fn header(&self, purpose: Purpose, value: &str, seconds: u64) -> Option<HeaderValue> {
        let name = self.name(purpose);
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        HeaderValue::from_str(&text).ok()
    }

    /// What is in a cookie of ours; nothing where there is none that we have closed.
    pub(crate) fn read(&self, purpose: Purpose, headers: &HeaderMap) -> Option<Vec<u8>> {
        let name = self.name(purpose);
        let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        texts
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .find_map(|(_, value)| self.keys.open(purpose.as_str(), value))
    }

    /// The session that a request brings, if it has not ended.
    pub(crate) fn session(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        let text = self.read(Purpose::Session, headers)?;
        let stored: Stored = serde_json::from_slice(&text).ok()?;
        let secret = URL_SAFE_NO_PAD.decode(&stored.secret).ok()?.try_into().ok()?;
        let ends = Timestamp::from_second(stored.ends).ok()?;
        let guest = stored.guest.map(|(id, name, email)| Guest { id, name, email });
        (now < ends)
            .then(|| Session::of(Inner { secret, guest, ends, known: true, used: AtomicBool::new(false) }))
    }

    /// The header that gives a session to the browser.
    pub(crate) fn give_session(&self, session: &Session, now: Timestamp) -> Option<HeaderValue> {
        let Inner { secret, guest, ends, .. } = &*session.0;
        let stored = Stored {
            secret: URL_SAFE_NO_PAD.encode(secret),
            guest: guest.clone().map(|guest| (guest.id, guest.name, guest.email)),
            ends: ends.as_second(),
        };
        let lasts = Duration::try_from(ends.duration_since(now)).unwrap_or_default();
        self.give(Purpose::Session, &serde_json::to_vec(&stored).ok()?, lasts)
    }
}

/// What the cookie holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "s")]
    secret: String,
    #[serde(rename = "g")]
    guest: Option<(String, Option<String>, Option<String>)>,
    #[serde(rename = "e")]
    ends: i64,
}

/// A visit. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Session(Arc<Inner>);

struct Inner {
    secret: [u8; SECRET],
    guest: Option<Guest>,
    ends: Timestamp,
    known: bool,
    used: AtomicBool,
}

impl Session {
    fn of(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// A new one, of somebody who has signed in, or of nobody yet. Nothing where there is no randomness.
    pub(crate) fn begin(guest: Option<Guest>, now: Timestamp, lasts: Duration) -> Option<Self> {
        let mut secret = [0; SECRET];
        fill(&mut secret).ok()?;
        let ends = now.checked_add(lasts).ok()?;
        Some(Self::of(Inner { secret, guest, ends, known: false, used: AtomicBool::new(false) }))
    }

    /// Who has signed in, if anybody.
    pub(crate) fn guest(&self) -> Option<&Guest> {
        self.0.guest.as_ref()
    }

    /// What its forms prove themselves with. Whoever has been given it must be given the session, too.
    pub(crate) fn secret(&self) -> &[u8; SECRET] {
        self.0.used.store(true, Ordering::Relaxed);
        &self.0.secret
    }

    /// Whether the browser has it.
    pub(crate) fn is_known(&self) -> bool {
        self.0.known
    }

    /// Whether the browser has to be given it: it is new, and something was made from it.
    pub(crate) fn is_to_be_given(&self) -> bool {
        !self.0.known && self.0.used.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("known", &self.0.known).finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // The layer before has put one there, for every route that can ask for it.
        let wrong = || Problem::new(Kind::Malformed, "Partners have no visits; leave the token out.");
        parts.extensions.get::<Self>().cloned().ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn anna() -> Guest {
        Guest { id: "guest-1".into(), name: Some("Anna".into()), email: None }
    }

    fn sent(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&format!("other=1; {pair}")).unwrap());
        headers
    }

    #[test]
    fn a_session_comes_back_as_it_was_until_it_ends() {
        let cookies = Cookies::new(SessionKeys::of_this_process(), None);
        let now = Timestamp::from_second(1_900_000_000).unwrap();
        let session = Session::begin(Some(anna()), now, HOUR).unwrap();
        let headers = sent(&cookies.give_session(&session, now).unwrap());
        let back = cookies.session(&headers, now + HOUR - Duration::from_secs(1)).unwrap();
        assert_eq!((back.guest(), back.secret()), (Some(&anna()), session.secret()));
        assert!(back.is_known() && !back.is_to_be_given());
        assert!(cookies.session(&headers, now + HOUR).is_none(), "it has ended");
        assert!(cookies.session(&HeaderMap::new(), now).is_none());
        let others = Cookies::new(SessionKeys::of_this_process(), None);
        assert!(others.session(&headers, now).is_none(), "another's key");
        assert!(!format!("{back:?}").contains("Anna"));
    }

    #[test]
    fn a_cookie_is_for_the_server_and_https_alone_unless_it_is_ones_own_machine() {
        let now = Timestamp::from_second(1_900_000_000).unwrap();
        let set = |url| {
            let cookies = Cookies::new(SessionKeys::of_this_process(), url);
            let session = Session::begin(None, now, HOUR).unwrap();
            cookies.give_session(&session, now).unwrap().to_str().unwrap().to_owned()
        };
        for url in [None, Some("https://book.example.com")] {
            let text = set(url);
            assert!(text.starts_with("__Host-innkeeper-session="), "{text}");
            assert!(text.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure"), "{text}");
        }
        let text = set(Some("http://localhost:8090"));
        assert!(text.starts_with("innkeeper-session=") && text.ends_with("; Max-Age=3600"), "{text}");
    }

    #[test]
    fn a_new_session_is_given_only_if_something_was_made_of_it() {
        let session = Session::begin(None, Timestamp::UNIX_EPOCH, HOUR).unwrap();
        assert!(!session.is_to_be_given());
        let _ = session.secret();
        assert!(session.is_to_be_given());
    }

    #[test]
    fn signing_in_under_way_cannot_stand_for_having_signed_in() {
        let cookies = Cookies::new(SessionKeys::of_this_process(), None);
        let now = Timestamp::from_second(1_900_000_000).unwrap();
        let session = Session::begin(Some(anna()), now, HOUR).unwrap();
        let text = cookies.give_session(&session, now).unwrap().to_str().unwrap().to_owned();
        let moved = HeaderValue::from_str(&text.replace("-session=", "-sign-in=")).unwrap();
        assert_eq!(cookies.read(Purpose::SignIn, &sent(&moved)), None);
    }
}
