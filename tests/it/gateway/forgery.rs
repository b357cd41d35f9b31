//! What other sites' pages send with a guest's cookies is refused.

use reqwest::Method;
use serde_json::json;

use super::guests::{Browser, Reception, own_stay};
use crate::support::hotel::Hotel;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_booked_or_cancelled_without_the_token_of_the_session() {
    let hotel = Hotel::open("forgery").await;
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let front = reception.front(&hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let ben = reception.guest(&front, "Ben").await;
    let path = anna.book(&front, "key-of-anna", &own_stay("double")).await.header("location").to_owned();
    let booking = format!("/v1/properties/{}/reservations", front.property);
    for (to, body) in [(booking, own_stay("double")), (format!("{path}/cancellation"), json!({}))] {
        let post = || anna.posting(&front, &to, &body).header("idempotency-key", "key-of-mallory");
        let tried = [
            ("without a token", post()),
            ("with nonsense", post().header("x-csrf-token", "nonsense")),
            ("with another's", post().header("x-csrf-token", &ben.csrf)),
            (
                "from another site",
                post().header("x-csrf-token", &anna.csrf).header("sec-fetch-site", "cross-site"),
            ),
            (
                "from a neighbour",
                post().header("x-csrf-token", &anna.csrf).header("sec-fetch-site", "same-site"),
            ),
            (
                "by an old browser",
                post().header("x-csrf-token", &anna.csrf).header("origin", "https://evil.example"),
            ),
        ];
        for (how, request) in tried {
            let answer = anna.clone().send(request).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (403, "forged"), "{to} {how}");
        }
    }
    let all = hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 1);
    assert!(all.items[0].spec.state.is_none());
    let own = anna.posting(&front, &format!("{path}/cancellation"), &json!({}));
    let own = own.header("x-csrf-token", &anna.csrf).header("sec-fetch-site", "same-origin");
    assert_eq!(anna.send(own.header("origin", super::guests::PUBLIC)).await.status, 202, "from our own page");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_signed_out_by_another_sites_page_and_visitors_have_tokens_too() {
    let hotel = Hotel::open("forgery-out").await;
    let reception = Reception::open().await;
    let front = reception.front(&hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let ben = reception.guest(&front, "Ben").await;
    let out = |browser: &Browser| browser.request(&front, Method::POST, "/sign-out");
    for request in [out(&anna), out(&anna).body(format!("csrf={}", ben.csrf))] {
        let answer = anna.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (403, "forged"));
    }
    assert_eq!(anna.get(&front, "/v1/reservations").await.status, 200);
    // Somebody who has not signed in: a token of theirs is good for them, and for nobody without their cookie.
    let mut visitor = Browser::new();
    let visit = visitor.learn_csrf(&front).await;
    assert_eq!(visit["signedIn"], false);
    assert_eq!(visitor.cookies.len(), 1, "the session comes with the token");
    let theirs = format!("csrf={}", visitor.csrf);
    assert_eq!(Browser::new().send(out(&Browser::new()).body(theirs.clone())).await.status, 403);
    assert_eq!(visitor.clone().send(out(&visitor).body(theirs)).await.status, 303);
}
