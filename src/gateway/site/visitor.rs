//! Who looks at a page: their language, who they are, and where they are.

use axum::extract::{FromRequestParts, Path, Query};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::Form;
use super::lang::{COOKIE, Lang};
use super::parts::percent_encoded;
use super::texts::Texts;
use crate::csrf::{self, Csrf};
use crate::door::Door;
use crate::identity::Guest;
use crate::problem::Problem;
use crate::session::Session;

/// How long a choice of language is kept: a year.
const KEPT: u32 = 365 * 24 * 3600;

/// Who looks at a page.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// Their language.
    pub(crate) lang: Lang,
    /// Path and query of the page, to come back to.
    pub(crate) here: String,
    session: Option<Session>,
}

impl Visitor {
    /// From a request.
    pub(crate) fn of(headers: &HeaderMap, here: &http::Uri, session: Option<Session>) -> Self {
        let here = here.path_and_query().map_or("/", |here| here.as_str());
        Self { lang: Lang::for_request(headers), here: here.to_owned(), session }
    }

    /// The same on a page that one can come back to: a form's answer is none.
    pub(crate) fn coming_back_to(mut self, here: String) -> Self {
        self.here = here;
        self
    }

    fn guest(&self) -> Option<&Guest> {
        self.session.as_ref()?.guest()
    }

    /// Whether they have signed in.
    pub(crate) fn is_guest(&self) -> bool {
        self.guest().is_some()
    }

    /// What they are called, as far as is known.
    pub(crate) fn name(&self) -> Option<&str> {
        self.guest()?.name.as_deref()
    }

    /// Their e-mail address, as far as is known.
    pub(crate) fn email(&self) -> Option<&str> {
        self.guest()?.email.as_deref()
    }

    /// Where to sign in, and to come back from.
    pub(crate) fn sign_in_at(back: &str) -> String {
        format!("/sign-in?return={}", percent_encoded(back))
    }

    /// A form's proof that it is of this site's making, and of this session.
    pub(crate) fn proof(&self) -> Markup {
        let token = self.session.as_ref().map(Csrf::token).unwrap_or_default();
        html! { input type="hidden" name=(csrf::FIELD) value=(token); }
    }

    /// Fails where a form was not made here, or for another session.
    pub(crate) fn check(&self, door: &Door, headers: &HeaderMap, form: &Form) -> Result<(), Problem> {
        let public_url = door.settings().public_url.clone();
        let session = self.session.as_ref().ok_or_else(|| Problem::not_found("session"))?;
        Csrf::check(session, headers, public_url.as_deref(), Some(form.text(csrf::FIELD)))
    }

    /// What is said in their language.
    pub(crate) const fn texts(&self) -> &'static Texts {
        self.lang.texts()
    }
}

impl FromRequestParts<Door> for Visitor {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Problem> {
        Ok(Self::of(&parts.headers, &parts.uri, parts.extensions.get::<Session>().cloned()))
    }
}

/// Where to go back to.
#[derive(Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    back: String,
}

/// Keeps a choice of language, and goes back to the page it was made on.
pub(crate) async fn choose_language(
    Path(tag): Path<String>,
    Query(Back { back }): Query<Back>,
) -> Result<Response, Problem> {
    let lang = Lang::of(&tag).ok_or_else(|| Problem::not_found("address"))?;
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age={KEPT}; HttpOnly; SameSite=Lax", lang.tag());
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| Problem::not_found("address"))?;
    let mut response = see_other(local(&back));
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// A path on this server and nothing else: nobody is sent elsewhere from here.
pub(crate) fn local(back: &str) -> &str {
    let inside = back.starts_with('/')
        && !back.starts_with("//")
        && back.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    if inside { back } else { "/" }
}

/// Goes to another page of this server.
pub(crate) fn see_other(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_server() {
        assert_eq!(local("/search?hotel=a&adults=2"), "/search?hotel=a&adults=2");
        for elsewhere in
            ["//evil.example", "https://evil.example", "/\\evil.example", "", "evil", "/a\nb", "/\t/e"]
        {
            assert_eq!(local(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
