//! Signing in at an issuer that browsers do not reach: the gateway shows its page.

use innkeeper_issuer::{Config as IssuerConfig, Server};
use reqwest::{Method, Url};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::front::Front;
use super::guests::{Browser, PUBLIC, Reception};
use crate::support::hotel::Hotel;

/// A gateway that shows the page of this issuer, whose browsers come to the gateway.
async fn behind(reception: &Reception, hotel: &Hotel, issuer: &str) -> Front {
    let mut config = reception.config(hotel);
    config.gateway.sign_in.issuer = Some(issuer.to_owned());
    config.gateway.sign_in.through_gateway = true;
    let front = Front::start(hotel, config, hotel.client.clone()).await;
    front.ready().await;
    front
}

fn form(question: &Url, changed: Option<(&str, &str)>) -> String {
    let mut form = question.clone();
    let fields: Vec<(String, String)> = question
        .query_pairs()
        .map(|(name, value)| match changed {
            Some((field, other)) if field == name => (name.into_owned(), other.to_owned()),
            _ => (name.into_owned(), value.into_owned()),
        })
        .collect();
    form.query_pairs_mut().clear().extend_pairs(fields).append_pair("name", "Anna");
    form.query().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_shows_the_issuers_page_and_nothing_else_of_it() {
    let hotel = Hotel::open("guest-through").await;
    let reception = Reception::open().await;
    let issuer = IssuerConfig {
        browser_url: Some(format!("{PUBLIC}/sign-in/issuer")),
        redirects: vec![PUBLIC.to_owned()],
        ..IssuerConfig::default()
    };
    let issuer = Server::start(issuer).await.unwrap();
    let front = behind(&reception, &hotel, issuer.url()).await;
    let mut anna = Browser::new();
    let way = anna.leave(&front).await;
    let path = way.as_str().strip_prefix(PUBLIC).unwrap();
    assert!(path.starts_with("/sign-in/issuer/authorize?"), "{path}");
    let page = anna.get(&front, path).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text.contains("Anna Almeida") && !page.text.contains("=\"/"), "only what is below it");
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains(&format!("'self' {PUBLIC};")),
        "{policy}"
    );
    let style = anna.get(&front, "/sign-in/issuer/style.css").await;
    assert_eq!((style.status.as_u16(), style.header("content-type")), (200, "text/css; charset=utf-8"));

    let sending = |browser: &Browser, body: String| {
        let request = browser.request(&front, Method::POST, "/sign-in/issuer/authorize");
        request.header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    // It leads back to the gateway, and to no other place on this machine, where the issuer itself would let one go.
    let mut astray = anna.clone();
    let elsewhere = form(&way, Some(("redirect_uri", "http://127.0.0.1:1/back")));
    let refused = astray.send(sending(&anna, elsewhere.clone())).await;
    assert_eq!((refused.status.as_u16(), refused.header("location")), (503, ""), "{refused:?}");
    let by_itself = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let by_itself = by_itself.tls_certs_only([]).build().unwrap().post(format!("{}/authorize", issuer.url()));
    assert_eq!(by_itself.body(elsewhere).send().await.unwrap().status(), 303);

    let chosen = anna.clone().send(sending(&anna, form(&way, None))).await;
    assert_eq!(chosen.status, 303, "{chosen:?}");
    let back = chosen.header("location").strip_prefix(PUBLIC).unwrap().to_owned();
    assert_eq!(anna.get(&front, &back).await.header("location"), "/v1/session");
    let visit = anna.learn_csrf(&front).await;
    assert_eq!((&visit["signedIn"], &visit["name"]), (&json!(true), &json!("Anna")));
    // Somebody who has signed in already can do so again: as somebody else.
    let way = anna.leave(&front).await;
    let again = sending(&anna, form(&way, None)).header("sec-fetch-site", "same-origin");
    assert_eq!(anna.clone().send(again).await.status, 303);
    let forged = sending(&anna, form(&way, None)).header("sec-fetch-site", "cross-site");
    assert_eq!(anna.clone().send(forged).await.problem(), "forged");

    for path in ["token", "jwks", ".well-known/openid-configuration", "livez", "authorize/..%2Fjwks"] {
        let answer = anna.get(&front, &format!("/sign-in/issuer/{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not-found"), "{path}");
    }
    let long = anna.clone().send(sending(&anna, "x".repeat(16 * 1024 + 1))).await;
    assert_eq!(long.status, 413);
    front.stop().await;

    // Where guests reach the issuer by themselves there is no such way.
    let front = reception.front(&hotel).await;
    let answer = Browser::new().get(&front, "/sign-in/issuer/style.css").await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not-found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cookie_goes_to_the_issuer() {
    let hotel = Hotel::open("guest-through-bare").await;
    let reception = Reception::open().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
        }
        let answer = "HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(seen).unwrap()
    });
    let front = behind(&reception, &hotel, &issuer).await;
    let mut anna = Browser::new();
    anna.cookies.insert("mine".to_owned(), "secret".to_owned());
    let request =
        anna.request(&front, Method::GET, "/sign-in/issuer/authorize?a=1").header("x-other", "secret");
    let answer = anna.send(request).await;
    assert_eq!((answer.status.as_u16(), &*answer.text, anna.cookies.len()), (200, "hi", 1), "{answer:?}");
    let seen = seen.await.unwrap();
    assert!(seen.starts_with("GET /authorize?a=1 HTTP/1.1\r\n") && !seen.contains("secret"), "{seen}");
}
