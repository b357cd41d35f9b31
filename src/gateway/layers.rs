//! What every request passes before it is answered: its id and its count, the places under way, who asks and how often,
//! and the time it may take.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use innkeeper_ops::config;
use innkeeper_ops::metrics::Shed;
use uuid::Uuid;

use crate::csrf::{self, Csrf};
use crate::door::Door;
use crate::identity::{Identity, neighbourhood};
use crate::problem::{Kind, Problem};
use crate::session::Session;
use crate::trace::Trace;

/// The header with a request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What stands for the route of a request that has none.
const NOWHERE: &str = "none";

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Gives the request an id, counts it, and logs it. Neither the address as it was asked for nor who asked is logged.
pub(crate) async fn count(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let trace = Trace::of(request.headers());
    request.extensions_mut().insert(trace);
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| NOWHERE.to_owned());
    let method = request.method().clone();
    let mut response = next.run(request).await;
    let (status, took) = (response.status(), begun.elapsed());
    door.metrics.gateway_request(&route, &method, status, took);
    tracing::debug!(request = id, trace = trace.id(), %method, route, status = status.as_u16(), ?took, "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The client's own id where it is one that can be logged, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=64).contains(&id.len()) && id.chars().all(fits))
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// Turns away what is more than can be answered well, before anything is done for it.
pub(crate) async fn admit(State(door): State<Door>, request: Request, next: Next) -> Response {
    if door.overload.sheds(request.method().is_safe()) {
        door.metrics.gateway_shed(Shed::Overload);
        let detail = "More requests wait than can be answered soon.";
        return Problem::new(Kind::Busy, detail).after(Duration::from_secs(1)).into_response();
    }
    let Ok(_place) = door.places.try_acquire() else {
        door.metrics.gateway_shed(Shed::InFlight);
        let detail = "As many requests are under way as can be answered well.";
        return Problem::new(Kind::Busy, detail).after(Duration::from_secs(1)).into_response();
    };
    let _counted = door.metrics.gateway_in_flight();
    next.run(request).await
}

/// Finds out who asks, and counts how often they do.
pub(crate) async fn identify(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let settings = door.settings();
    let mut left = None;
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    if let Some(address) = client(peer, request.headers(), settings.proxies) {
        match door.rates.address(neighbourhood(address)) {
            Ok(rest) => left = Some(rest),
            Err(exceeded) => return too_many(&door, &exceeded),
        }
    }
    let (identity, session) = match who(&door, &settings, &request) {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    if let Some(name) = identity.counted_as() {
        match door.rates.identity(name) {
            Ok(rest) => left = Some(left.map_or(rest, |left| left.tighter(rest))),
            Err(exceeded) => return too_many(&door, &exceeded),
        }
    }
    request.extensions_mut().insert(identity);
    if let Some(session) = &session {
        request.extensions_mut().insert(session.clone());
    }
    let mut response = next.run(request).await;
    if let Some(session) = session.filter(Session::is_to_be_given)
        && let Some(cookie) = door.cookies.give_session(&session, door.now())
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    if let Some(left) = left {
        left.tell(response.headers_mut());
    }
    response
}

/// Who asks, and in which session: a partner by its token, which no browser adds by itself; else a guest by their
/// cookie. What a browser with a cookie changes must come from a page of ours.
fn who(
    door: &Door,
    settings: &config::Gateway,
    request: &Request,
) -> Result<(Identity, Option<Session>), Problem> {
    let headers = request.headers();
    if let Some(token) = bearer(headers)? {
        let unknown = || Problem::new(Kind::NotSignedIn, "This token is not known, or no longer in force.");
        let partner = door.partners.with_token(token).ok_or_else(unknown)?;
        return Ok((Identity::Partner(partner), None));
    }
    let now = door.now();
    let session = door.cookies.session(headers, now);
    let guest = session.as_ref().and_then(Session::guest).cloned();
    if !request.method().is_safe() && session.is_some() {
        let public_url = settings.public_url.as_deref();
        Csrf::check_origin(headers, public_url)?;
        // Forms have their token in the body, where whoever takes them looks for it; programs in a header.
        if guest.is_some() && request.uri().path().starts_with("/v1/") {
            let sent = headers.get(csrf::HEADER).and_then(|value| value.to_str().ok());
            session.as_ref().map_or(Ok(()), |session| Csrf::check(session, headers, public_url, sent))?;
        }
    }
    let nobody = Identity::Nobody { may_search: settings.open_search };
    let identity = guest.map_or(nobody, Identity::Guest);
    Ok((identity, session.or_else(|| Session::begin(None, now, settings.session.lasts))))
}

fn too_many(door: &Door, exceeded: &crate::rates::Exceeded) -> Response {
    door.metrics.gateway_shed(exceeded.why);
    let (problem, left) = exceeded.problem();
    let mut response = problem.into_response();
    left.tell(response.headers_mut());
    response
}

/// The token that is shown, if any.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let wrong = || Problem::new(Kind::NotSignedIn, "Authorization must be `Bearer` and a token.");
    token.filter(|token| !token.is_empty()).map(Some).ok_or_else(wrong)
}

/// The address of the client: that of the connection, or what the proxies say that we know to be there. What the client
/// itself has written into the header comes before theirs, and is never looked at.
fn client(peer: Option<IpAddr>, headers: &HeaderMap, proxies: u8) -> Option<IpAddr> {
    let Some(from_the_end) = usize::from(proxies).checked_sub(1) else { return peer };
    let texts = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let all: Vec<&str> = texts.flat_map(|text| text.split(',')).map(str::trim).collect();
    let text = all.iter().rev().nth(from_the_end);
    text.and_then(|text| text.parse().ok()).or(peer)
}

/// Ends what takes too long, so that no place is held for good.
pub(crate) async fn in_time(State(door): State<Door>, request: Request, next: Next) -> Response {
    let limit = door.settings().limits.request_timeout;
    let answered = tokio::time::timeout(limit, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let detail = "It is not known whether this took effect; repeat it as it is.";
        Problem::new(Kind::TimedOut, detail).after(Duration::from_secs(2)).into_response()
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn headers(name: &'static str, texts: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(name, HeaderValue::from_static(text));
        }
        headers
    }

    #[rstest]
    #[case::not_believed(0, &["192.0.2.9"], "198.51.100.1")]
    #[case::no_header(1, &[], "198.51.100.1")]
    #[case::the_proxys_word(1, &["192.0.2.9"], "192.0.2.9")]
    #[case::not_what_the_client_wrote(1, &["203.0.113.7, 192.0.2.9"], "192.0.2.9")]
    #[case::two_proxies_in_two_lines(2, &["203.0.113.7, 192.0.2.9", "192.0.2.10"], "192.0.2.9")]
    #[case::fewer_than_there_should_be(2, &["192.0.2.9"], "198.51.100.1")]
    #[case::no_address(1, &["unknown"], "198.51.100.1")]
    fn the_address_is_that_which_can_be_believed(
        #[case] proxies: u8,
        #[case] forwarded: &[&'static str],
        #[case] is: &str,
    ) {
        let peer = Some("198.51.100.1".parse().unwrap());
        let found = client(peer, &headers("x-forwarded-for", forwarded), proxies);
        assert_eq!(found, Some(is.parse().unwrap()));
    }

    #[rstest]
    #[case(&["Bearer abc"], Some("abc"))]
    #[case(&["bearer  abc"], Some("abc"))]
    #[case(&[], None)]
    fn a_token_is_read(#[case] texts: &[&'static str], #[case] token: Option<&str>) {
        assert_eq!(bearer(&headers("authorization", texts)).unwrap(), token);
    }

    #[rstest]
    #[case("Basic abc")]
    #[case("Bearer ")]
    #[case("Bearer")]
    fn what_is_no_token_is_refused_and_not_taken_for_none(#[case] text: &'static str) {
        assert!(bearer(&headers("authorization", &[text])).is_err());
    }

    #[test]
    fn an_id_that_cannot_be_logged_is_not_taken_over() {
        assert_eq!(request_id(&headers("x-request-id", &["a-1"])), "a-1");
        for wrong in ["", "a b", "a\tb", "{}"] {
            let id = request_id(&headers("x-request-id", &[wrong]));
            assert!(Uuid::try_parse(&id).is_ok(), "{id}");
        }
    }
}
