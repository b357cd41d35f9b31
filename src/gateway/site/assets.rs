//! What pages load: one style sheet and one script, in the binary, kept by browsers for good under a name that changes
//! with what is in them.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, header};

use crate::door::Door;

const STYLE: &str = include_str!("assets/site.css");
const SCRIPT: &str = include_str!("assets/site.js");
const PAY: &str = include_str!("assets/pay.js");
const ICON: &str = include_str!("assets/icon.svg");

/// The style sheet's address.
pub(crate) static STYLE_AT: LazyLock<String> = LazyLock::new(|| address("site.css", STYLE));
/// The script's address.
pub(crate) static SCRIPT_AT: LazyLock<String> = LazyLock::new(|| address("site.js", SCRIPT));
/// The address of the script with which Stripe's form is shown.
pub(crate) static PAY_AT: LazyLock<String> = LazyLock::new(|| address("pay.js", PAY));
/// The icon's address.
pub(crate) static ICON_AT: LazyLock<String> = LazyLock::new(|| address("icon.svg", ICON));

fn address(name: &str, text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    format!("/assets/{name}?v={}", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..9]))
}

/// Their routes.
pub(crate) fn routes() -> Router<Door> {
    Router::new()
        .route("/assets/site.css", get(async || served("text/css; charset=utf-8", STYLE)))
        .route("/assets/site.js", get(async || served("text/javascript; charset=utf-8", SCRIPT)))
        .route("/assets/pay.js", get(async || served("text/javascript; charset=utf-8", PAY)))
        .route("/assets/icon.svg", get(async || served("image/svg+xml", ICON)))
}

fn served(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, text).into_response()
}
