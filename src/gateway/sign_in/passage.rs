//! The way of guests' browsers to an issuer that they cannot reach by themselves: the gateway shows its page for signing
//! in among its own (`gateway.signIn.throughGateway`). For the issuer for trying inside a cluster, where the gateway's
//! door is the only one.
//!
//! Three requests pass, and nothing else: the page, its style, and what is chosen on it. No cookie goes either way, and
//! the answer leads back to the gateway or nowhere.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};
use openidconnect::{HttpRequest, HttpResponse};

use super::issuer::{SignInError, call};
use super::{CALLBACK, routes};
use crate::door::Door;
use crate::problem::Problem;

/// More bytes than this nobody chooses on the page.
pub(super) const MOST_BODY: usize = 16 * 1024;
/// What of the answer passes. `Location` is looked at.
const PASSES: [header::HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_SECURITY_POLICY,
    header::CACHE_CONTROL,
    header::REFERRER_POLICY,
    header::LOCATION,
];
const PAGE: &str = "/authorize";
const STYLE: &str = "/style.css";
const FORM: &str = "application/x-www-form-urlencoded";

/// The way to one issuer.
#[derive(Clone)]
pub(super) struct Passage {
    issuer: String,
    back: String,
    http: reqwest::Client,
}

impl Passage {
    /// To this issuer, and back to the gateway that browsers reach under this address.
    pub fn new(issuer: &str, public_url: &str, http: reqwest::Client) -> Self {
        let issuer = issuer.trim_end_matches('/').to_owned();
        Self { issuer, back: format!("{public_url}{CALLBACK}?"), http }
    }

    async fn pass(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Response, SignInError> {
        let away = |error: String| SignInError::Away(error);
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.issuer))
            .header(header::CONTENT_TYPE, FORM)
            .body(body);
        let request: HttpRequest = request.map_err(|error| away(error.to_string()))?;
        let answer = call(self.http.clone(), request).await.map_err(|error| away(error.to_string()))?;
        self.judged(answer)
    }

    /// What of an answer is shown to the browser.
    fn judged(&self, answer: HttpResponse) -> Result<Response, SignInError> {
        let (parts, body) = answer.into_parts();
        let there = parts.headers.get(header::LOCATION);
        let fits = match parts.status {
            StatusCode::OK | StatusCode::BAD_REQUEST => there.is_none(),
            StatusCode::SEE_OTHER => {
                there.and_then(|there| there.to_str().ok()).is_some_and(|there| there.starts_with(&self.back))
            }
            _ => false,
        };
        if !fits {
            let reason = format!("its page answers with {} and does not lead back here", parts.status);
            return Err(SignInError::Away(reason));
        }
        let mut response = Response::new(body.into());
        *response.status_mut() = parts.status;
        for name in PASSES {
            if let Some(value) = parts.headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Ok(response)
    }
}

/// The page on which guests say who they are.
pub(super) async fn page(State(door): State<Door>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    pass(&door, Method::GET, &format!("{PAGE}{query}"), Vec::new()).await
}

/// Its style.
pub(super) async fn style(State(door): State<Door>) -> Result<Response, Problem> {
    pass(&door, Method::GET, STYLE, Vec::new()).await
}

/// What they have chosen.
pub(super) async fn choose(State(door): State<Door>, body: Bytes) -> Result<Response, Problem> {
    pass(&door, Method::POST, PAGE, body.into()).await
}

async fn pass(door: &Door, method: Method, path: &str, body: Vec<u8>) -> Result<Response, Problem> {
    let passage = door.sign_in.as_ref().and_then(|sign_in| sign_in.passage.as_ref());
    let passage = passage.ok_or_else(|| Problem::not_found("address"))?;
    passage.pass(method, path, body).await.map_err(|error| routes::failed(&error))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_page(200, None, true)]
    #[case::a_wrong_question(400, None, true)]
    #[case::back(303, Some("https://book.example.com/sign-in/callback?code=1"), true)]
    #[case::elsewhere(303, Some("https://evil.example/sign-in/callback?code=1"), false)]
    #[case::elsewhere_on_the_gateway(303, Some("https://book.example.com/sign-out"), false)]
    #[case::a_longer_path(303, Some("https://book.example.com/sign-in/callbacks?code=1"), false)]
    #[case::nowhere(303, None, false)]
    #[case::a_way_beside_a_page(200, Some("https://evil.example/"), false)]
    #[case::another_way_of_leading(302, Some("https://book.example.com/sign-in/callback?code=1"), false)]
    #[case::broken(500, None, false)]
    fn an_answer_leads_back_or_nowhere_and_brings_no_cookie(
        #[case] status: u16,
        #[case] location: Option<&str>,
        #[case] passes: bool,
    ) {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let passage = Passage::new("http://issuer.hotel.svc:8093/", "https://book.example.com", http);
        let mut answer =
            http::Response::builder().status(status).header("set-cookie", "a=b").header("x-a", "b");
        if let Some(location) = location {
            answer = answer.header("location", location);
        }
        let passed = passage.judged(answer.body(Vec::new()).unwrap());
        assert_eq!(passed.is_ok(), passes);
        let headers = passed.map(|response| response.headers().clone()).unwrap_or_default();
        assert!(!headers.contains_key("set-cookie") && !headers.contains_key("x-a"), "{headers:?}");
    }
}
