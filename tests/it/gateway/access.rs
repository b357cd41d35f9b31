//! Who may do what: every pair of somebody and something that is not theirs is tried, and denied.

use reqwest::Method;
use serde_json::json;

use super::front::{ACME, ELSEWHERE, Front, LOOKER, RIVAL, stay};
use crate::support::hotel::Hotel;

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_is_not_there() {
    let hotel = Hotel::open("door-pairs").await;
    hotel.room("double", 9).await;
    // Of the front desk, whose guests have a partner's name, or what a partner would call them.
    for (name, guest) in [("desk-1", "acme"), ("desk-2", "anna"), ("desk-3", "rival:anna")] {
        hotel.reserve_with(name, "double", |stay| stay.guest_id = guest.to_owned()).await;
    }
    let front = Front::open(&hotel).await;
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    let at_desk = |name: &str| format!("/v1/reservations/{}/{name}", hotel.namespace);
    let mut tried = 0;
    for (token, theirs) in [
        (RIVAL, path.clone()),
        (ELSEWHERE, path.clone()),
        (ACME, at_desk("desk-1")),
        (ACME, at_desk("desk-2")),
        (ACME, at_desk("desk-3")),
        (RIVAL, at_desk("desk-2")),
        (ELSEWHERE, at_desk("desk-3")),
        (ACME, at_desk("nobody")),
    ] {
        for (method, part) in [
            (Method::GET, ""),
            (Method::GET, "/cancellation"),
            (Method::POST, "/cancellation"),
            (Method::GET, "/events"),
        ] {
            let answer = front.send(front.request(method.clone(), &format!("{theirs}{part}"), token)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (404, "not-found"),
                "{method} {theirs}{part}"
            );
            let said = answer.body["detail"].as_str().unwrap();
            assert_eq!(said, "There is no such reservation, or it is not yours to see.", "always the same");
            tried += 1;
        }
    }
    assert_eq!(tried, 32);
    // The one that the desk made for a guest of the partner is the partner's.
    assert_eq!(front.get(&at_desk("desk-3"), RIVAL).await.status, 200);
    let names = |answer: super::front::Answer| {
        let items = answer.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mine = path.rsplit('/').next().unwrap();
    assert_eq!(names(front.get("/v1/reservations", ACME).await), [mine]);
    assert_eq!(names(front.get("/v1/reservations", RIVAL).await), ["desk-3"]);
    assert_eq!(names(front.get("/v1/reservations", ELSEWHERE).await), [""; 0]);
    for guest in ["anna", "ben", "rival:anna", "acme:anna"] {
        let count = names(front.get(&format!("/v1/reservations?guestID={guest}"), ACME).await).len();
        assert_eq!(count, usize::from(guest == "anna"), "{guest}");
    }
    for name in ["desk-1", "desk-2", "desk-3", mine] {
        assert!(hotel.reservations().get(name).await.unwrap().spec.state.is_none(), "{name} was cancelled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_property_that_is_not_a_partners_is_not_there_for_it() {
    let hotel = Hotel::open("door-property").await;
    hotel.room("double", 9).await;
    let front = Front::open(&hotel).await;
    let booked = front.book(ELSEWHERE, "key-of-anna", &stay("double")).await;
    assert_eq!((booked.status.as_u16(), booked.problem()), (404, "not-found"));
    let found = front.search(ELSEWHERE).await;
    assert_eq!((found.status.as_u16(), found.problem()), (404, "not-found"));
    let nowhere = "/v1/properties/nowhere/rooms?checkIn=2030-07-01&checkOut=2030-07-03";
    let other = front.get(nowhere, "").await;
    assert_eq!((other.status.as_u16(), &other.body["detail"]), (404, &found.body["detail"]), "said alike");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_scopes_say_and_none_does_little() {
    let hotel = Hotel::open("door-scopes").await;
    hotel.room("double", 9).await;
    let front = Front::open(&hotel).await;
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    assert_eq!(front.search(LOOKER).await.status, 200);
    assert_eq!(front.search("").await.status, 200);
    let cancellation = format!("{path}/cancellation");
    for (token, status, problem) in
        [(LOOKER, 403, "not-allowed"), ("", 401, "not-signed-in"), ("no-such-token", 401, "not-signed-in")]
    {
        let answers = [
            front.book(token, "key-of-anna", &stay("double")).await,
            front.get(&path, token).await,
            front.get("/v1/reservations", token).await,
            front.get(&format!("{path}/events"), token).await,
            front.post(&cancellation, token, &json!({})).await,
        ];
        for answer in answers {
            assert_eq!((answer.status.as_u16(), answer.problem()), (status, problem), "{token}");
            assert_eq!(answer.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
        }
    }
    // A token that is wrong is not taken for none.
    assert_eq!(front.search("no-such-token").await.status, 401);
}
