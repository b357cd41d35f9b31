//! What went wrong, as a page.

use axum::response::Response;
use http::header;
use maud::html;

use super::layout::Page;
use super::visitor::Visitor;
use crate::door::Door;
use crate::problem::{Kind, Problem};

/// A problem, as a page in the visitor's language.
pub(crate) fn page(door: &Door, visitor: &Visitor, problem: &Problem, request: &str) -> Response {
    let t = visitor.texts();
    let wait = problem.wait().map_or(1, |wait| wait.as_secs().max(1));
    let kind = problem.kind();
    let (title, more) = match kind {
        Kind::NotFound | Kind::MethodNotAllowed => (t.not_found_title, t.not_found_more.to_owned()),
        Kind::TooMany => (t.too_many_title, (t.too_many_more)(wait)),
        Kind::Stale => (t.stale_title, (t.stale_more)(door.age())),
        Kind::Unavailable | Kind::Busy => (t.away_title, t.away_more.to_owned()),
        Kind::TimedOut => (t.away_title, t.unknown_outcome.to_owned()),
        Kind::NotSignedIn => (t.sign_in_title, t.sign_in_more.to_owned()),
        Kind::NotAllowed => (t.not_allowed_title, t.not_found_more.to_owned()),
        Kind::Forged => (t.not_allowed_title, t.error_form_expired.to_owned()),
        Kind::SignInUnavailable => (t.away_title, t.sign_in_away.to_owned()),
        Kind::SignInFailed => (t.sign_in_title, t.sign_in_failed.to_owned()),
        Kind::NotCancellable => (t.cancel_cannot, t.cancel_cannot_more.to_owned()),
        Kind::SoldOut | Kind::NotOffered => (t.sold_out_title, t.sold_out_lead.to_owned()),
        Kind::Malformed | Kind::Invalid | Kind::KeyReused | Kind::TooLarge | Kind::NotJson => {
            (t.wrong_title, t.impossible.to_owned())
        }
        Kind::Internal => (t.internal_title, (t.internal_more)(request)),
    };
    let again = problem.status().is_server_error() || kind == Kind::TooMany;
    let body = html! {
        div .trouble .narrow {
            p .mark aria-hidden="true" { (problem.status().as_u16()) }
            h1 { (title) }
            p .lead { (more) }
            div .actions {
                @if again { a .button href=(visitor.here) { (t.try_again) } }
                @if matches!(kind, Kind::NotSignedIn | Kind::SignInFailed) && door.sign_in.is_some() {
                    a .button href=(Visitor::sign_in_at(if kind == Kind::NotSignedIn { &visitor.here } else { "/" })) { (t.sign_in) }
                }
                a .button .quiet href="/" { (t.to_start) }
            }
        }
    };
    let mut response = Page::new(title, body).answer(door, visitor, problem.status());
    if kind == Kind::NotSignedIn {
        let scheme = http::HeaderValue::from_static("Cookie");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}
