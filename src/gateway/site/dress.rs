//! Whatever went wrong is shown to people as a page, wherever on the way it happened; programs get it as it is.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, header};

use super::trouble;
use super::visitor::Visitor;
use crate::door::Door;
use crate::layers::REQUEST_ID;
use crate::problem::Problem;

/// Headers of a problem that its page keeps.
const KEPT: [&str; 3] = ["retry-after", "ratelimit", "ratelimit-policy"];

/// Shows problems as pages to those who look at pages.
pub(crate) async fn dress(State(door): State<Door>, request: Request, next: Next) -> Response {
    // What was sent is not sent again by a link; what has come of it shows in the list.
    let sent = !request.method().is_safe();
    let here = if sent { http::Uri::from_static("/stays") } else { request.uri().clone() };
    let looks = !request.uri().path().starts_with("/v1/") && wants_a_page(request.headers());
    if !looks {
        return next.run(request).await;
    }
    // The layer that finds out who asks comes later, and may be what fails.
    let session = door.cookies.session(request.headers(), door.now());
    let visitor = Visitor::of(request.headers(), &here, session);
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let mut page = trouble::page(&door, &visitor, problem, &id);
    for name in KEPT {
        if let Some(value) = response.headers().get(name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page
}

fn wants_a_page(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|range| range.trim().starts_with("text/html"))
}
