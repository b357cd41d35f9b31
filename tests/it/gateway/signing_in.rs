//! Signing in at the real test issuer: the way there and back, and everything that can be wrong with what comes back.

use innkeeper_issuer::Flaw;
use serde_json::json;

use super::front::{Answer, Front};
use super::guests::{Browser, COOKIE_KEYS, PUBLIC, Reception, own_stay};
use crate::support::eventually_async;
use crate::support::hotel::Hotel;

const SESSION: &str = "__Host-innkeeper-session";
const SIGN_IN: &str = "__Host-innkeeper-sign-in";

async fn signed_in(browser: &mut Browser, front: &Front) -> bool {
    browser.learn_csrf(front).await["signedIn"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_signs_in_books_sees_it_cancels_and_signs_out() {
    let hotel = Hotel::open("guest-story").await;
    let _operator = hotel.operator();
    hotel.room("double", 2).await;
    let reception = Reception::open().await;
    let front = reception.front(&hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let visit = anna.learn_csrf(&front).await;
    assert_eq!((&visit["signedIn"], &visit["name"]), (&json!(true), &json!("Anna")));
    assert_eq!(visit["email"], "anna@example.com");

    let booked = anna.book(&front, "key-of-anna", &own_stay("double")).await;
    assert_eq!(booked.status, 201, "{booked:?}");
    let path = booked.header("location").to_owned();
    let done = anna.settled(&front, &path).await;
    assert_eq!(done["phase"], "Confirmed", "{done}");
    let object = hotel.reservations().get(done["name"].as_str().unwrap()).await.unwrap();
    let id = object.spec.guest_id;
    assert!(id.starts_with("guest-") && id.len() == 38 && !id.contains(':'), "{id}");
    let list = anna.get(&front, "/v1/reservations").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    // It goes on for good, so only its beginning is read.
    let events = anna.request(&front, reqwest::Method::GET, &format!("{path}/events")).send().await.unwrap();
    assert_eq!(events.status(), 200);
    drop(events);
    let cancelled = anna.post(&front, &format!("{path}/cancellation"), &json!({})).await;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    assert_eq!(anna.settled(&front, &path).await["phase"], "Cancelled");
    assert_eq!(hotel.money_kept().await, 0);

    // The same person is the same guest: in another browser, at another time.
    let mut again = reception.guest(&front, "Anna").await;
    assert_eq!(again.get(&front, &path).await.status, 200);

    let out = anna.request(&front, reqwest::Method::POST, "/sign-out").body(format!("csrf={}", anna.csrf));
    let out = anna.send(out).await;
    assert_eq!((out.status.as_u16(), out.header("location")), (303, "/"));
    assert_eq!(anna.cookies.len(), 0);
    assert_eq!(anna.get(&front, &path).await.status, 401);
    front.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_for_the_server_alone_and_say_nothing() {
    let hotel = Hotel::open("guest-cookies").await;
    let reception = Reception::open().await;
    let front = reception.front(&hotel).await;
    let mut anna = Browser::new();
    let way = anna.leave(&front).await;
    assert_eq!(anna.cookies.keys().collect::<Vec<_>>(), [SIGN_IN]);
    let back = anna.choose(&way, "Anna").await;
    let answer = anna.get(&front, &back).await;
    let set: Vec<&str> = answer.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    assert_eq!(set.len(), 2, "{set:?}");
    assert!(set[0].starts_with(&format!("{SIGN_IN}=; ")) && set[0].contains("Max-Age=0"), "{set:?}");
    assert!(set[1].starts_with(&format!("{SESSION}=")), "{set:?}");
    for cookie in &set {
        for attribute in ["; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{attribute} of {cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        assert!(!cookie.to_lowercase().contains("anna"), "{cookie}");
    }
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(way.query_pairs().find(|(name, _)| name == "code_challenge_method").unwrap().1, "S256");
    let redirect = way.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    assert_eq!(redirect, format!("{PUBLIC}/sign-in/callback"));
    // A read of what is everybody's gives nobody a cookie.
    let mut passer_by = Browser::new();
    let rooms = format!("/v1/properties/{}/rooms?checkIn=2030-07-01&checkOut=2030-07-03", front.property);
    passer_by.get(&front, &rooms).await;
    assert!(passer_by.cookies.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_token_signs_nobody_in() {
    let hotel = Hotel::open("guest-tokens").await;
    let reception = Reception::open().await;
    let front = reception.front(&hotel).await;
    // The way is open.
    reception.guest(&front, "Anna").await;
    for flaw in [
        Flaw::Issuer,
        Flaw::Audience,
        Flaw::Expired,
        Flaw::Nonce,
        Flaw::NoNonce,
        Flaw::UnknownKey,
        Flaw::OthersSignature,
        Flaw::Unsigned,
    ] {
        let mut anna = Browser::new();
        reception.issuer.spoil_next(flaw);
        let answer = anna.sign_in(&front, "Anna").await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (400, "sign-in-failed"), "{flaw:?}");
        assert!(!signed_in(&mut anna, &front).await, "{flaw:?}");
    }
    reception.guest(&front, "Anna").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_of_the_issuer_is_found_and_unknown_ones_are_not_looked_for_without_end() {
    let hotel = Hotel::open("guest-rotation").await;
    let reception = Reception::open().await;
    let front = reception.front(&hotel).await;
    reception.guest(&front, "Anna").await;
    assert_eq!(reception.issuer.keys_asked_for(), 1);
    reception.guest(&front, "Anna").await;
    assert_eq!(reception.issuer.keys_asked_for(), 1, "they are kept");
    reception.issuer.rotate().unwrap();
    reception.guest(&front, "Anna").await;
    assert_eq!(reception.issuer.keys_asked_for(), 2);
    for _ in 0..3 {
        reception.issuer.spoil_next(Flaw::UnknownKey);
        assert_eq!(Browser::new().sign_in(&front, "Mallory").await.problem(), "sign-in-failed");
    }
    assert_eq!(reception.issuer.keys_asked_for(), 2, "whoever invents keys makes nobody ask for them");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_good_for_the_browser_that_asked_and_once() {
    let hotel = Hotel::open("guest-state").await;
    let reception = Reception::open().await;
    let front = reception.front(&hotel).await;
    let refused = |answer: &Answer, what: &str| {
        assert_eq!((answer.status.as_u16(), answer.problem()), (400, "sign-in-failed"), "{what}");
    };
    // Somebody signs in half the way and sends the rest to a victim, who would book for them.
    let (mut mallory, mut victim) = (Browser::new(), Browser::new());
    let way = mallory.leave(&front).await;
    let link = mallory.choose(&way, "Mallory").await;
    refused(&victim.get(&front, &link).await, "with no question");
    victim.leave(&front).await;
    refused(&victim.get(&front, &link).await, "with another question");
    assert!(!signed_in(&mut victim, &front).await);
    // A code of another's, put into one's own answer: the verifier is not the one that was asked with.
    let own = victim.leave(&front).await;
    let state = own.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let code = link.split(['?', '&']).find(|part| part.starts_with("code=")).unwrap();
    refused(&victim.get(&front, &format!("/sign-in/callback?{code}&state={state}")).await, "another's code");
    assert!(!signed_in(&mut victim, &front).await);

    let mut anna = Browser::new();
    let way = anna.leave(&front).await;
    let back = anna.choose(&way, "Anna").await;
    let before = anna.clone();
    assert_eq!(anna.get(&front, &back).await.status, 303);
    refused(&anna.get(&front, &back).await, "again");
    refused(&before.clone().get(&front, &back).await, "again with the old cookie");
    // Nobody is sent to another site.
    for way in ["https://evil.example/", "//evil.example/", "/%5Cevil.example"] {
        let mut browser = Browser::new();
        let away = browser.get(&front, &format!("/sign-in?return={way}")).await;
        let url = reqwest::Url::parse(away.header("location")).unwrap();
        let back = browser.choose(&url, "Anna").await;
        assert_eq!(browser.get(&front, &back).await.header("location"), "/", "{way}");
    }
    // Whoever thinks better of it comes back as they went.
    let mut browser = Browser::new();
    let way = browser.leave(&front).await;
    let state = way.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let back = browser.get(&front, &format!("/sign-in/callback?error=access_denied&state={state}")).await;
    assert_eq!((back.status.as_u16(), back.header("location")), (303, "/v1/session"));
    assert!(!signed_in(&mut browser, &front).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_nobody_elses_ends_and_outlives_a_change_of_keys_and_of_replicas() {
    let hotel = Hotel::open("guest-session").await;
    let reception = Reception::open().await;
    let mut config = reception.config(&hotel);
    let front = Front::start(&hotel, config.clone(), hotel.client.clone()).await;
    front.ready().await;
    let mut anna = reception.guest(&front, "Anna").await;
    // Changed anywhere, it is none; and it is not another kind of cookie.
    let good = anna.cookies[SESSION].clone();
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let mut thief = anna.clone();
        thief.cookies.insert(SESSION.to_owned(), String::from_utf8(bytes).unwrap());
        assert_eq!(thief.get(&front, "/v1/reservations").await.status, 401, "byte {at}");
    }
    let mut thief = Browser::new();
    thief.cookies.insert(SIGN_IN.to_owned(), good.clone());
    assert_eq!(thief.get(&front, "/v1/reservations").await.status, 401);

    // Another replica, begun with the new key first, knows it; and what that gives, the first one knows in time.
    reception.write_keys(&[COOKIE_KEYS[1], COOKIE_KEYS[0]]);
    let other = reception.front(&hotel).await;
    assert_eq!(anna.get(&other, "/v1/reservations").await.status, 200);
    let ben = reception.guest(&other, "Ben").await;
    let known =
        eventually_async(async || ben.clone().get(&front, "/v1/reservations").await.status == 200).await;
    assert!(known, "the keys are read again");
    // Without the old key, the old session is over, in every replica.
    reception.write_keys(&COOKIE_KEYS[1..]);
    let over =
        eventually_async(async || anna.clone().get(&front, "/v1/reservations").await.status == 401).await;
    assert!(over, "a key that is gone opens nothing");
    assert_eq!(ben.clone().get(&front, "/v1/reservations").await.status, 200);

    // It ends at its time, whatever the browser says.
    reception.write_keys(&COOKIE_KEYS[..1]);
    config.gateway.session.lasts = std::time::Duration::from_secs(60);
    let ahead = jiff::Timestamp::now() + std::time::Duration::from_secs(3600);
    let later = Front::start_at(&hotel, config.clone(), hotel.client.clone(), move || ahead).await;
    let now = Front::start(&hotel, config, hotel.client.clone()).await;
    for front in [&later, &now] {
        front.ready().await;
    }
    let mut short = reception.guest(&now, "Anna").await;
    assert_eq!(short.get(&now, "/v1/reservations").await.status, 200);
    assert_eq!(short.get(&later, "/v1/reservations").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_issuer_everything_else_goes_on_and_signing_in_says_so_until_it_is_back() {
    let hotel = Hotel::open("guest-outage").await;
    hotel.room("double", 2).await;
    let reception = Reception::open().await;
    let mut config = reception.config(&hotel);
    // Nobody is there yet.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    config.gateway.sign_in.issuer = Some(format!("http://{address}"));
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    assert_eq!(front.search("").await.status, 200);
    let mut anna = Browser::new();
    let refused = anna.get(&front, "/sign-in").await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (503, "sign-in-unavailable"));
    assert!(!refused.header("retry-after").is_empty());
    assert!(anna.cookies.is_empty());

    let redirects = vec![PUBLIC.to_owned()];
    let issuer = innkeeper_issuer::Config { listen: address, redirects, ..Default::default() };
    let _issuer = innkeeper_issuer::Server::start(issuer).await.unwrap();
    let back = eventually_async(async || Browser::new().get(&front, "/sign-in").await.status == 303).await;
    assert!(back, "it is found when it is there");
    assert_eq!(anna.sign_in(&front, "Anna").await.status, 303);
    assert!(signed_in(&mut anna, &front).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_sign_in_that_is_said() {
    let hotel = Hotel::open("guest-none").await;
    let front = Front::open(&hotel).await;
    let refused = Browser::new().get(&front, "/sign-in").await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (503, "sign-in-unavailable"));
    assert!(refused.body["detail"].as_str().unwrap().contains("gateway.signIn"));
}
