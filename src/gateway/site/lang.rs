//! Which language a page is in: what the visitor has chosen, else what their browser asks for, else English.

use http::{HeaderMap, header};

use super::texts::{Texts, en, ko};

/// The cookie with what the visitor has chosen.
pub(crate) const COOKIE: &str = "lang";

/// A language that the site speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lang {
    En,
    Ko,
}

impl Lang {
    /// All of them, in the order in which they are offered.
    pub(crate) const ALL: [Self; 2] = [Self::En, Self::Ko];

    /// BCP 47.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    /// What it calls itself.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Ko => "한국어",
        }
    }

    /// Everything that is said in it.
    pub(crate) const fn texts(self) -> &'static Texts {
        match self {
            Self::En => &en::TEXTS,
            Self::Ko => &ko::TEXTS,
        }
    }

    /// The language of a tag such as `ko-KR`.
    pub(crate) fn of(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|lang| lang.tag().eq_ignore_ascii_case(primary))
    }

    /// The language for a request.
    pub(crate) fn for_request(headers: &HeaderMap) -> Self {
        cookie(headers, COOKIE).and_then(Self::of).or_else(|| Self::asked_for(headers)).unwrap_or(Self::En)
    }

    fn asked_for(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let mut best: Option<(f32, Self)> = None;
        for range in texts.flat_map(|text| text.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let Some(lang) = parts.next().and_then(Self::of) else { continue };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            // Of two that are wanted alike, the first.
            if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_said("", "", Lang::En)]
    #[case::asked_for("", "ko-KR,ko;q=0.9,en;q=0.8", Lang::Ko)]
    #[case::weighed("", "ko;q=0.3, en-GB;q=0.7", Lang::En)]
    #[case::another_first("", "fr, de;q=0.9, ko;q=0.5", Lang::Ko)]
    #[case::not_wanted("", "ko;q=0", Lang::En)]
    #[case::chosen("lang=ko", "en", Lang::Ko)]
    #[case::chosen_among_others("a=b; lang=en; c=d", "ko", Lang::En)]
    #[case::chosen_is_none_of_ours("lang=xx", "ko", Lang::Ko)]
    fn the_language_is_what_was_chosen_or_asked_for(
        #[case] cookies: &str,
        #[case] accept: &str,
        #[case] is: Lang,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookies).unwrap());
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(accept).unwrap());
        assert_eq!(Lang::for_request(&headers), is);
    }
}
