//! The addresses of signing in and out. What is between them is in a cookie of its own, for a few minutes.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::issuer::SignInError;
use super::{CALLBACK, PASSAGE, SignIn, passage};
use crate::csrf::{Csrf, FIELD, HEADER};
use crate::door::Door;
use crate::problem::{Kind, Problem};
use crate::session::{Purpose, Session};

/// How long one may take at the issuer.
const UNDER_WAY: Duration = Duration::from_secs(600);
/// More bytes than this no way back may have: it has to fit into a cookie.
const MOST_OF_WAY: usize = 1024;

/// `/sign-in`, `/sign-in/callback`, `/sign-out`, and the way to an issuer behind the gateway. They need the session that the layer before puts in.
pub(crate) fn routes() -> Router<Door> {
    Router::new()
        .route("/sign-in", get(begin))
        .route(CALLBACK, get(finish))
        .route("/sign-out", post(sign_out))
        .route(&format!("{PASSAGE}/style.css"), get(passage::style))
        .route(
            &format!("{PASSAGE}/authorize"),
            get(passage::page).post(passage::choose).layer(DefaultBodyLimit::max(passage::MOST_BODY)),
        )
}

#[derive(Deserialize)]
struct Wanted {
    /// Where to go afterwards: a path of this site.
    #[serde(rename = "return")]
    way: Option<String>,
}

/// What is kept while a guest is at the issuer.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    state: String,
    nonce: String,
    verifier: String,
    way: String,
    ends: i64,
}

/// What the issuer sends back.
#[derive(Deserialize)]
struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// Sends the browser to the issuer.
async fn begin(State(door): State<Door>, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let question = sign_in(&door)?.issuer.ask().await.map_err(|error| failed(&error))?;
    let kept = UnderWay {
        state: question.state,
        nonce: question.nonce,
        verifier: question.verifier,
        way: way_back(wanted.way.as_deref()).to_owned(),
        ends: (door.now() + UNDER_WAY).as_second(),
    };
    let text = serde_json::to_vec(&kept).unwrap_or_default();
    let cookie = door.cookies.give(Purpose::SignIn, &text, UNDER_WAY).ok_or_else(broken)?;
    Ok(sent_to(&question.url, [cookie]))
}

/// Takes the browser back from the issuer.
async fn finish(
    State(door): State<Door>,
    Query(back): Query<Back>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sign_in = sign_in(&door)?;
    let kept = door.cookies.read(Purpose::SignIn, &headers);
    let kept: Option<UnderWay> = kept.and_then(|text| serde_json::from_slice(&text).ok());
    // Of another browser, of another question, or too late: whoever has sent this link is not to sign anybody in.
    let kept = kept
        .filter(|kept| door.now().as_second() < kept.ends && back.state.as_deref() == Some(&kept.state))
        .ok_or_else(|| {
            Problem::new(Kind::SignInFailed, "This is not the answer to a question of yours. Sign in again.")
        })?;
    let over = door.cookies.take_away(Purpose::SignIn);
    if back.error.as_deref() == Some("access_denied") {
        // The guest has thought better of it.
        return Ok(sent_to(&kept.way, over));
    }
    let Some(code) = back.code.filter(|_| back.error.is_none()) else {
        return Err(Problem::new(Kind::SignInFailed, "The issuer has not signed you in. Try it again."));
    };
    let person =
        sign_in.issuer.answer(code, &kept.nonce, kept.verifier).await.map_err(|error| failed(&error))?;
    let now = door.now();
    let lasts = door.settings().session.lasts;
    // Another session than before, with another secret: what was known of the one before is worth nothing.
    let session = Session::begin(Some(sign_in.guest(person)), now, lasts).ok_or_else(broken)?;
    let given = door.cookies.give_session(&session, now).ok_or_else(broken)?;
    Ok(sent_to(&kept.way, over.into_iter().chain([given])))
}

/// Takes the session from the browser.
async fn sign_out(
    State(door): State<Door>,
    session: Session,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let field = form_urlencoded::parse(&body).find(|(name, _)| name == FIELD).map(|(_, value)| value);
    let sent = headers.get(HEADER).and_then(|value| value.to_str().ok());
    Csrf::check(&session, &headers, door.settings().public_url.as_deref(), sent.or(field.as_deref()))?;
    Ok(sent_to("/", door.cookies.take_away(Purpose::Session)))
}

fn sign_in(door: &Door) -> Result<&SignIn, Problem> {
    let detail = "Signing in is not set up here (gateway.signIn).";
    door.sign_in.as_ref().ok_or_else(|| Problem::new(Kind::SignInUnavailable, detail))
}

/// What is to be told of a failure. The reason is for the log: it says how to do better to whoever forges a token.
pub(super) fn failed(error: &SignInError) -> Problem {
    tracing::warn!(%error, "somebody could not be signed in");
    match error {
        SignInError::Away(_) => {
            let detail = "Signing in does not work for a moment. Searching for rooms does.";
            Problem::new(Kind::SignInUnavailable, detail).after(Duration::from_secs(5))
        }
        SignInError::Refused(_) => {
            Problem::new(Kind::SignInFailed, "You could not be signed in. Try it again.")
        }
    }
}

fn broken() -> Problem {
    Problem::new(Kind::Internal, "A cookie could not be made.")
}

/// A path of this site, and nothing that a browser takes for another site's address.
fn way_back(wanted: Option<&str>) -> &str {
    let ours = |way: &&str| {
        way.starts_with('/')
            && !way.starts_with("//")
            && way.len() <= MOST_OF_WAY
            && way.chars().all(|c| c.is_ascii_graphic() && c != '\\')
    };
    wanted.filter(ours).unwrap_or("/")
}

fn sent_to(url: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let Ok(url) = HeaderValue::from_str(url) else { return broken().into_response() };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, url);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Some("/book?room=double&from=2030-07-01"), "/book?room=double&from=2030-07-01")]
    #[case(None, "/")]
    #[case(Some(""), "/")]
    #[case(Some("https://evil.example/"), "/")]
    #[case(Some("//evil.example/"), "/")]
    #[case(Some("/\\evil.example/"), "/")]
    #[case(Some("/a\r\nset-cookie: x=y"), "/")]
    #[case(Some("book"), "/")]
    fn one_comes_back_to_this_site_and_no_other(#[case] wanted: Option<&str>, #[case] way: &str) {
        assert_eq!(way_back(wanted), way);
        let long = format!("/{}", "a".repeat(MOST_OF_WAY));
        assert_eq!(way_back(Some(&long)), "/");
    }
}
