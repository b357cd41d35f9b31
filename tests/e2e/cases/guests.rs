//! Guests in their browsers: they sign in at the one port that there is, and book for themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::date;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, Url};
use serde_json::{Value, json};

use crate::support::door::Door;
use crate::support::hotel::Hotel;
use crate::support::report::say;
use crate::support::{World, until};

/// Where the quickstart says that browsers come. The test's come to the same port by the node's address.
const PUBLIC: &str = "http://127.0.0.1:30080";
/// Where names and addresses are kept.
const CONTACTS: &str = "innkeeper-contacts";

/// A browser: its cookies, and a new connection for every request, so that any gateway may answer.
struct Browser<'a> {
    door: &'a Door,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
        csrf: &str,
    ) -> Response {
        let client = Client::builder().no_proxy().tls_certs_only([]).redirect(Policy::none());
        let client = client.timeout(Duration::from_secs(30)).build().unwrap();
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = client.request(method, format!("{}{path}", self.door.url));
        request = request.header("cookie", cookies.join("; ")).header("x-csrf-token", csrf);
        if let Some((kind, body)) = body {
            request =
                request.header("content-type", kind).header("idempotency-key", "key-of-anna").body(body);
        }
        let response = request.send().await.unwrap();
        for set in response.headers().get_all("set-cookie") {
            let (pair, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"), "{attributes}");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    async fn get(&mut self, path: &str) -> Response {
        self.send(Method::GET, path, None, "").await
    }
}

/// Where a redirection leads at the gateway.
fn leads_to(response: &Response) -> String {
    assert_eq!(response.status(), 303, "{response:?}");
    let there = response.headers()["location"].to_str().unwrap();
    there.strip_prefix(PUBLIC).unwrap_or(there).to_owned()
}

/// Signs in, books with a contact, sees it; the contact is in its Secret, and goes with the Reservation.
pub async fn sign_in(world: &World) {
    world.installed();
    let (door, hotel) = (Door::open(world).await, Hotel::open(world, "door-signs-in"));
    hotel.room("double", 2).await;
    let property = &hotel.namespace;
    door.shows_free(property, ("double", date(2031, 7, 1), date(2031, 7, 3)), 2).await;
    let mut anna = Browser { door: &door, cookies: BTreeMap::new() };
    let way = leads_to(&anna.get("/sign-in?return=/stays").await);
    assert!(way.starts_with("/sign-in/issuer/authorize?"), "{way}");
    let page = anna.get(&way).await.text().await.unwrap();
    assert!(page.contains("A test issuer"), "{page}");
    let mut form = Url::parse(&format!("{PUBLIC}{way}")).unwrap();
    form.query_pairs_mut().append_pair("name", "Anna Zweig").append_pair("email", "anna@example.com");
    let form = ("application/x-www-form-urlencoded", form.query().unwrap().to_owned());
    let back = leads_to(&anna.send(Method::POST, "/sign-in/issuer/authorize", Some(form), "").await);
    assert!(back.starts_with("/sign-in/callback?"), "{back}");
    assert_eq!(leads_to(&anna.get(&back).await), "/stays");

    // Every gateway knows the session.
    let mut csrf = String::new();
    for _ in 0..10 {
        let visit: Value =
            serde_json::from_slice(&anna.get("/v1/session").await.bytes().await.unwrap()).unwrap();
        assert_eq!((&visit["signedIn"], &visit["name"]), (&json!(true), &json!("Anna Zweig")), "{visit}");
        visit["csrfToken"].as_str().unwrap().clone_into(&mut csrf);
    }
    let booking = json!({
        "room": "double",
        "checkIn": "2031-07-01",
        "checkOut": "2031-07-03",
        "payment": { "method": "pm_card_visa" },
        "contact": { "name": "Anna Zweig", "email": "anna@example.com" },
    });
    let path = format!("/v1/properties/{property}/reservations");
    let booked = anna.send(Method::POST, &path, Some(("application/json", booking.to_string())), &csrf).await;
    assert_eq!(booked.status(), 201, "{:?}", booked.text().await);
    let path = booked.headers()["location"].to_str().unwrap().to_owned();
    let done = until("it is confirmed", async || {
        let body = anna.get(&path).await.bytes().await.map_err(|e| e.to_string())?;
        let body: Value = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
        if body["phase"] == "Confirmed" { Ok(body) } else { Err(body.to_string()) }
    })
    .await;
    let name = done["name"].as_str().unwrap();
    let stays = anna.get("/stays").await.text().await.unwrap();
    assert!(stays.contains(&format!("/stays/{property}/{name}")), "{stays}");
    assert_eq!(door.get(&path).await.status, 404, "a partner does not see it");

    let stored = world.kubectl(&["-n", property, "get", "rsv", name, "-o", "json"]);
    assert!(!stored.contains("Anna") && !stored.contains("example.com"), "{stored}");
    let stored: Value = serde_json::from_str(&stored).unwrap();
    let uid = stored["metadata"]["uid"].as_str().unwrap();
    world.kubectl(&["-n", CONTACTS, "get", "secret", uid]);
    say!("  {} signed in at {} and booked {name}; the contact is Secret {uid}", done["guestID"], door.url);
    hotel.close(world);
    until("the contact goes with it", async || {
        match world.try_kubectl(&["-n", CONTACTS, "get", "secret", uid]) {
            Err(said) if said.contains("NotFound") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}
