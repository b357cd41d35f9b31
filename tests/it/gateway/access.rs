//! Who may do what: every pair of somebody and something that is not theirs is tried, and denied.

use reqwest::Method;
use serde_json::json;

use super::front::{ACME, ELSEWHERE, Front, LOOKER, RIVAL, stay};
use super::guests::{Reception, own_stay};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_has_their_own_and_neither_another_guests_nor_a_partners() {
    let hotel = Hotel::open("door-guests").await;
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let front = reception.front(&hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let mut ben = reception.guest(&front, "Ben").await;
    let of_anna = anna.book(&front, "key-of-anna", &own_stay("double")).await.header("location").to_owned();
    let of_ben = ben.book(&front, "key-of-anna", &own_stay("double")).await.header("location").to_owned();
    let of_acme = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    // A partner whose guest is called as Anna is here.
    let id = hotel.reservations().get(of_anna.rsplit('/').next().unwrap()).await.unwrap().spec.guest_id;
    let mut named = stay("double");
    named["guestID"] = json!(id);
    let of_acmes_anna = front.book(ACME, "key-of-anna2", &named).await.header("location").to_owned();
    let mut tried = 0;
    for (guest, theirs) in
        [(&mut anna, [&of_ben, &of_acme, &of_acmes_anna]), (&mut ben, [&of_anna, &of_acme, &of_acmes_anna])]
    {
        for path in theirs {
            for part in ["", "/cancellation", "/events"] {
                let answer = guest.get(&front, &format!("{path}{part}")).await;
                assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not-found"), "{path}{part}");
                tried += 1;
            }
            let answer = guest.post(&front, &format!("{path}/cancellation"), &json!({})).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not-found"), "cancel {path}");
            tried += 1;
        }
    }
    for path in [&of_anna, &of_ben] {
        for token in [ACME, RIVAL, ELSEWHERE] {
            assert_eq!(front.get(path, token).await.status, 404);
            let answer = front.post(&format!("{path}/cancellation"), token, &json!({})).await;
            assert_eq!(answer.status, 404);
            tried += 2;
        }
        assert_eq!(front.get(path, "").await.status, 401);
    }
    assert_eq!(tried, 36);
    let names = |answer: super::front::Answer| {
        let items = answer.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mine = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    assert_eq!(names(anna.get(&front, "/v1/reservations").await), [mine(&of_anna)]);
    assert_eq!(names(ben.get(&front, "/v1/reservations").await), [mine(&of_ben)]);
    assert_eq!(names(anna.get(&front, "/v1/reservations?guestID=acme:anna").await), [""; 0]);
    for object in hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap() {
        assert!(object.spec.state.is_none(), "{:?} was cancelled", object.metadata.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_books_for_themselves_and_pays_and_a_token_goes_before_a_cookie() {
    let hotel = Hotel::open("door-guest-books").await;
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let front = reception.front(&hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    // As a partner's guest, or as another.
    for guest in ["acme:anna", "anna", "guest-00000000000000000000000000000000"] {
        let mut body = own_stay("double");
        body["guestID"] = json!(guest);
        let answer = anna.book(&front, "key-of-anna", &body).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid"), "{guest}");
        assert_eq!(answer.body["errors"][0]["field"], "guestID");
    }
    for collect in ["AtProperty", "External"] {
        let mut body = own_stay("double");
        body["payment"] = json!({ "collect": collect });
        let answer = anna.book(&front, "key-of-anna", &body).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (403, "not-allowed"), "{collect}");
    }
    // With both, it is the partner's request: it has no need of the guest's token and no right to the guest's things.
    let path = anna.book(&front, "key-of-anna", &own_stay("double")).await.header("location").to_owned();
    let both = anna.request(&front, Method::GET, &path).bearer_auth(ACME);
    assert_eq!(anna.send(both).await.status, 404);
    let wrong = anna.request(&front, Method::GET, &path).bearer_auth("no-such-token");
    assert_eq!(anna.send(wrong).await.status, 401, "a wrong token is not passed over");
}
