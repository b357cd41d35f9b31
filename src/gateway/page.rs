//! The document, a page to try it, and what each problem means. Everything on the page is in the binary: it loads nothing
//! from elsewhere.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, header};

use crate::door::Door;
use crate::problem::{Kind, Problem};

const PAGE: &str = include_str!("page/docs.html");
const STYLE: &str = include_str!("page/docs.css");
const SCRIPT: &str = include_str!("page/docs.js");

/// Nothing from elsewhere, nothing in the page itself that is run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The document as it is served and stored.
pub(crate) fn document_text(document: &utoipa::openapi::OpenApi) -> String {
    // Plain data with text keys.
    document.to_pretty_json().unwrap_or_default() + "\n"
}

/// The routes beside the API.
pub(crate) fn routes(document: &utoipa::openapi::OpenApi) -> Router<Door> {
    let text: &'static str = document_text(document).leak();
    Router::new()
        .route("/openapi.json", get(async move || served("application/json", text)))
        .route("/docs", get(async || served("text/html; charset=utf-8", PAGE)))
        .route("/docs/docs.css", get(async || served("text/css; charset=utf-8", STYLE)))
        .route("/docs/docs.js", get(async || served("text/javascript; charset=utf-8", SCRIPT)))
        .route("/problems/{slug}", get(explain))
}

/// What a problem means.
async fn explain(Path(slug): Path<String>) -> Result<Response, Problem> {
    let kind = Kind::ALL.iter().find(|kind| kind.slug() == slug);
    let kind = kind.ok_or_else(|| Problem::not_found("problem"))?;
    let text = format!("{}\n\n{}\n\nStatus: {}\n", kind.title(), kind.explained(), kind.status());
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

fn served(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    ];
    (headers, text).into_response()
}
