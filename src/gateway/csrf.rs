//! That a request comes from a page of ours and not from another's: browsers add cookies to whatever any page sends.
//!
//! Two checks, each enough by itself: where the browser says the request comes from (`Sec-Fetch-Site`, else `Origin`),
//! and a token that only a page of ours can have. The token is another one each time it is written, so that a page that
//! is compressed does not give it away bit by bit.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand::fill;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, header};

use crate::problem::{Kind, Problem};
use crate::session::{SECRET, Session};

/// The header in which programs send the token.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
/// The field in which forms send it.
pub(crate) const FIELD: &str = "csrf";

/// Makes and checks tokens.
pub(crate) struct Csrf;

impl Csrf {
    /// A token for the forms of this session. The browser is given the session with the page that has it.
    pub(crate) fn token(session: &Session) -> String {
        let mut mask = [0; SECRET];
        // Without randomness there is no session either; a mask of zeros would still be a good token.
        let _ = fill(&mut mask);
        let masked = session.secret().iter().zip(mask).map(|(secret, mask)| secret ^ mask);
        let both: Vec<u8> = mask.into_iter().chain(masked).collect();
        URL_SAFE_NO_PAD.encode(both)
    }

    /// Fails unless the request comes from a page of ours, and with a token of this session.
    pub(crate) fn check(
        session: &Session,
        headers: &HeaderMap,
        public_url: Option<&str>,
        token: Option<&str>,
    ) -> Result<(), Problem> {
        Self::check_origin(headers, public_url)?;
        let bytes = token.and_then(|token| URL_SAFE_NO_PAD.decode(token).ok()).unwrap_or_default();
        let right = session.is_known() && bytes.len() == 2 * SECRET && {
            let (mask, masked) = bytes.split_at(SECRET);
            let secret: Vec<u8> = mask.iter().zip(masked).map(|(mask, masked)| mask ^ masked).collect();
            verify_slices_are_equal(&secret, session.secret()).is_ok()
        };
        let detail = "This form is too old, or not of this page. Open the page again and repeat it.";
        if right { Ok(()) } else { Err(Problem::new(Kind::Forged, detail)) }
    }

    /// Fails where the browser says that another site sends this. Programs that say nothing pass: they have no cookies
    /// that somebody else could make use of.
    pub(crate) fn check_origin(headers: &HeaderMap, public_url: Option<&str>) -> Result<(), Problem> {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let ours = match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
            (Some(site), _) => matches!(site, "same-origin" | "none"),
            (None, Some(origin)) => {
                let host = text(header::HOST).unwrap_or_default();
                let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
                public_url == Some(origin) || (!authority.is_empty() && authority == host)
            }
            (None, None) => true,
        };
        let detail = "This was sent by a page of another site. Nothing was done.";
        if ours { Ok(()) } else { Err(Problem::new(Kind::Forged, detail)) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::secrets::SessionKeys;
    use crate::session::Cookies;

    /// A session that the browser has.
    fn known() -> Session {
        let cookies = Cookies::new(SessionKeys::of_this_process(), None);
        let now = Timestamp::from_second(1_900_000_000).unwrap();
        let session = Session::begin(None, now, Duration::from_secs(60)).unwrap();
        let set = cookies.give_session(&session, now).unwrap();
        let pair = set.to_str().unwrap().split(';').next().unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())]);
        cookies.session(&headers, now).unwrap()
    }

    fn passes(session: &Session, token: Option<&str>) -> bool {
        Csrf::check(session, &HeaderMap::new(), None, token).is_ok()
    }

    #[test]
    fn a_token_is_good_for_its_own_session_and_no_other() {
        let (mine, other) = (known(), known());
        let token = Csrf::token(&mine);
        assert_ne!(token, Csrf::token(&mine), "another one each time");
        assert!(passes(&mine, Some(&token)) && passes(&mine, Some(&Csrf::token(&mine))));
        for wrong in [None, Some(""), Some("x"), Some(&*Csrf::token(&other)), Some(&token[1..])] {
            assert!(!passes(&mine, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_session_that_the_browser_does_not_have_yet_has_no_forms() {
        let new = Session::begin(None, Timestamp::UNIX_EPOCH, Duration::from_secs(60)).unwrap();
        assert!(!passes(&new, Some(&Csrf::token(&new))));
    }

    #[rstest]
    #[case::a_program(&[], true)]
    #[case::our_page(&[("sec-fetch-site", "same-origin"), ("origin", "https://book.example.com")], true)]
    #[case::typed(&[("sec-fetch-site", "none")], true)]
    #[case::another_site(&[("sec-fetch-site", "cross-site")], false)]
    #[case::a_neighbour(&[("sec-fetch-site", "same-site")], false)]
    #[case::what_is_not_known(&[("sec-fetch-site", "")], false)]
    #[case::an_old_browser(&[("origin", "https://book.example.com")], true)]
    #[case::without_a_public_address(&[("origin", "http://gateway:8090"), ("host", "gateway:8090")], true)]
    #[case::an_old_browser_elsewhere(&[("origin", "https://evil.example"), ("host", "gateway:8090")], false)]
    #[case::a_sandbox(&[("origin", "null"), ("host", "gateway:8090")], false)]
    #[case::no_host(&[("origin", "https://")], false)]
    fn the_browser_says_whose_page_it_was(#[case] sent: &[(&'static str, &'static str)], #[case] ours: bool) {
        let headers =
            sent.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers: HeaderMap = headers.collect();
        assert_eq!(Csrf::check_origin(&headers, Some("https://book.example.com")).is_ok(), ours);
    }
}
