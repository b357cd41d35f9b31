//! The addresses of OpenID Connect: what there is, the keys, the question, and the exchange of a code for a token.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::fill;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde_json::json;

use crate::codes::{Grant, Person};
use crate::page::{GUESTS, STYLE, page};
use crate::server::Shared;
use crate::tokens::{self, token};

/// What comes with a question and goes with the page, from one request to the next.
const QUESTION: [&str; 8] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];
/// The longest of them.
const LONGEST: usize = 2048;

type Fields = BTreeMap<String, String>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(describe))
        .route("/jwks", get(publish))
        .route("/authorize", get(ask).post(answer))
        .route("/token", post(exchange))
        .route("/style.css", get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)))
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(async || "ok"))
        .with_state(shared)
}

/// The document by which sites find the rest.
async fn describe(State(shared): State<Arc<Shared>>) -> Response {
    let (issuer, browser) = (&shared.issuer, &shared.browser);
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{browser}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "scopes_supported": ["openid", "profile", "email"],
        "claims_supported": ["iss", "aud", "sub", "iat", "exp", "nonce", "name", "email"],
    });
    axum::Json(document).into_response()
}

async fn publish(State(shared): State<Arc<Shared>>) -> Response {
    shared.published.fetch_add(1, Ordering::Relaxed);
    let keys = shared.keys().published();
    axum::Json(keys).into_response()
}

/// Shows the page on which one says who one is.
async fn ask(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let fields = fields(query.unwrap_or_default().as_bytes());
    if let Err(wrong) = question(&shared, &fields) {
        return refused(wrong);
    }
    let kept: Vec<(String, String)> =
        QUESTION.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone()))).collect();
    let redirect = origin(&fields["redirect_uri"]).to_owned();
    // The form's answer leads back to the site, and browsers hold that against the form.
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {redirect}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response =
        ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page(&fields["client_id"], &kept))
            .into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // With none at all, browsers would not say either whose page sends the form.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Sends the browser back to the site, with a code for whom it has chosen to be.
async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let fields = fields(&body);
    let grant = match question(&shared, &fields) {
        Ok(grant) => grant,
        Err(wrong) => return refused(wrong),
    };
    // A live key may have come since the start.
    if let Err(live) = shared.guard.check() {
        tracing::error!(error = %live, "nobody is signed in");
        return refused("This test issuer signs nobody in: real money is near.");
    }
    let Some(person) = person(&fields) else { return refused("Choose a guest, or enter a name.") };
    let Some(code) = random() else { return refused("There is no randomness here.") };
    let redirect = &fields["redirect_uri"];
    let mut back = form_urlencoded::Serializer::new(String::new());
    back.append_pair("code", &code);
    if let Some(state) = fields.get("state") {
        back.append_pair("state", state);
    }
    let joint = if redirect.contains('?') { '&' } else { '?' };
    let address = format!("{redirect}{joint}{}", back.finish());
    let Ok(address) = HeaderValue::from_str(&address) else { return refused("redirect_uri is no address.") };
    shared.codes.put(code, Grant { person, ..grant }, Instant::now());
    let headers =
        [(header::LOCATION, address), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Gives a token for a code, to whoever has asked the question.
async fn exchange(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = fields(&body);
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let (id, secret) = client(&headers, &fields);
    let right = shared.secret.as_deref().is_none_or(|wanted| {
        verify_slices_are_equal(wanted.as_bytes(), secret.unwrap_or_default().as_bytes()).is_ok()
    });
    if !right {
        return failed(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    if field("grant_type") != "authorization_code" {
        return failed(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    // Taken before it is looked at: a code that was tried is spent.
    let grant = shared.codes.take(field("code"), Instant::now());
    let shown = URL_SAFE_NO_PAD.encode(digest(&SHA256, field("code_verifier").as_bytes()));
    let grant = grant.filter(|grant| {
        grant.client == id && grant.redirect == field("redirect_uri") && grant.challenge == shown
    });
    let Some(grant) = grant else { return failed(StatusCode::BAD_REQUEST, "invalid_grant") };
    let flaw = shared.flaw().take();
    let made = token(&shared.issuer, &shared.keys(), &grant, Timestamp::now(), flaw);
    let (Ok(id_token), Some(access_token)) = (made, random()) else {
        return failed(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    };
    let answer = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": tokens::GOOD_FOR.as_secs(),
        "id_token": id_token,
        "scope": grant.scopes.join(" "),
    });
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(answer)).into_response()
}

/// Reads a question; the guest is nobody yet.
fn question(shared: &Shared, fields: &Fields) -> Result<Grant, &'static str> {
    let field = |name: &str| fields.get(name).map(String::as_str).filter(|text| !text.is_empty());
    if fields.values().any(|text| text.len() > LONGEST) {
        return Err("A part of the question is too long.");
    }
    if field("response_type") != Some("code") {
        return Err("response_type must be code.");
    }
    let client = field("client_id").ok_or("client_id is missing.")?;
    let redirect = field("redirect_uri").ok_or("redirect_uri is missing.")?;
    if !may_go_to(&shared.redirects, redirect) {
        return Err("redirect_uri is not one that this issuer was started with (--redirect).");
    }
    let challenge = field("code_challenge").filter(|_| field("code_challenge_method") == Some("S256"));
    let challenge = challenge.ok_or("code_challenge with code_challenge_method=S256 is missing.")?;
    let scopes: Vec<String> = field("scope").unwrap_or_default().split(' ').map(str::to_owned).collect();
    if !scopes.iter().any(|scope| scope == "openid") {
        return Err("scope must have openid in it.");
    }
    let nobody = Person { subject: String::new(), name: String::new(), email: String::new() };
    Ok(Grant {
        client: client.to_owned(),
        redirect: redirect.to_owned(),
        challenge: challenge.to_owned(),
        nonce: field("nonce").map(str::to_owned),
        scopes,
        person: nobody,
    })
}

/// Whom the browser has chosen to be.
fn person(fields: &Fields) -> Option<Person> {
    let (name, email) = if let Some(index) = fields.get("guest") {
        let (name, email) = GUESTS.get(index.parse::<usize>().ok()?)?;
        ((*name).to_owned(), (*email).to_owned())
    } else {
        let name = fields.get("name")?.trim();
        (name.to_owned(), fields.get("email").map(|email| email.trim().to_owned()).unwrap_or_default())
    };
    let fits = !name.is_empty() && name.chars().count() <= 100 && email.len() <= 200;
    // The same name is the same guest, here and after a restart.
    let hash = digest(&SHA256, name.to_lowercase().as_bytes());
    fits.then(|| Person { subject: URL_SAFE_NO_PAD.encode(&hash.as_ref()[..15]), name, email })
}

/// The client of a request, by its header or its body.
fn client(headers: &HeaderMap, fields: &Fields) -> (String, Option<String>) {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic =
        basic.and_then(|text| text.strip_prefix("Basic ")).and_then(|text| STANDARD.decode(text).ok());
    let basic = basic.and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = |text: &str| {
        let pair = format!("x={text}");
        form_urlencoded::parse(pair.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    match basic.as_deref().and_then(|text| text.split_once(':')) {
        Some((id, secret)) => (decoded(id), Some(decoded(secret))),
        None => (fields.get("client_id").cloned().unwrap_or_default(), fields.get("client_secret").cloned()),
    }
}

/// Whether one may be sent there: to this machine, or to what the issuer was started with.
fn may_go_to(allowed: &[String], address: &str) -> bool {
    let Ok(uri) = address.parse::<http::Uri>() else { return false };
    let plain = address.chars().all(|c| c.is_ascii_graphic() && c != '\\')
        && !address.contains(['#', '@', '\'', ';', ',']);
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let given = allowed.iter().any(|one| {
        let folder = format!("{}/", one.trim_end_matches('/'));
        address == one || address.starts_with(&folder)
    });
    plain && matches!(uri.scheme_str(), Some("http" | "https")) && (here || given)
}

/// The origin of an address.
fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address[host..].find(['/', '?']).map_or(address.len(), |at| host + at);
    &address[..end]
}

fn fields(text: &[u8]) -> Fields {
    form_urlencoded::parse(text).into_owned().collect()
}

fn random() -> Option<String> {
    let mut bytes = [0; 24];
    fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

fn refused(why: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, why).into_response()
}

fn failed(status: StatusCode, error: &'static str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://localhost:8090/sign-in/callback", true)]
    #[case("http://127.0.0.1:1/", true)]
    #[case("http://[::1]:1/", true)]
    #[case("https://book.example.com/sign-in/callback", true)]
    #[case("https://book.example.com", true)]
    #[case("https://book.example.com.evil.example/", false)]
    #[case("https://evil.example/", false)]
    #[case("http://localhost@evil.example/", false)]
    #[case("http://localhost.evil.example/", false)]
    #[case("javascript:alert(1)", false)]
    #[case("/sign-in/callback", false)]
    fn one_is_sent_only_where_one_may_be(#[case] address: &str, #[case] may: bool) {
        assert_eq!(may_go_to(&["https://book.example.com".to_owned()], address), may);
    }

    #[test]
    fn an_origin_is_cut_out_of_an_address() {
        assert_eq!(origin("http://localhost:1/a?b=http://c/"), "http://localhost:1");
        assert_eq!(origin("https://book.example.com"), "https://book.example.com");
    }
}
