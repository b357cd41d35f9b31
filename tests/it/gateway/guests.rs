//! Guests who sign in: an issuer, a gateway that knows it, and browsers with their cookies.

use std::collections::BTreeMap;
use std::path::PathBuf;

use innkeeper_issuer::{Config as IssuerConfig, Server};
use innkeeper_ops::config::Config;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::front::{Answer, Front, config};
use crate::support::hotel::Hotel;

/// Where guests reach the gateway, as far as cookies and the issuer are concerned.
pub const PUBLIC: &str = "https://book.example.com";
/// Keys of cookies, in base64.
pub const COOKIE_KEYS: [&str; 2] =
    ["AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="];
const GUEST_KEY: &str = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";

/// An issuer, and the files of a gateway whose guests sign in there.
pub struct Reception {
    /// The issuer.
    pub issuer: Server,
    folder: TempDir,
}

/// A browser, with what a gateway has given it.
#[derive(Clone)]
pub struct Browser {
    http: reqwest::Client,
    /// Its cookies.
    pub cookies: BTreeMap<String, String>,
    /// What its forms prove themselves with.
    pub csrf: String,
}

impl Reception {
    /// With a good issuer.
    pub async fn open() -> Self {
        let redirects = vec![PUBLIC.to_owned()];
        let issuer = Server::start(IssuerConfig { redirects, ..IssuerConfig::default() }).await.unwrap();
        let reception = Self { issuer, folder: TempDir::new().unwrap() };
        reception.write_keys(&COOKIE_KEYS[..1]);
        std::fs::write(reception.path("guests"), GUEST_KEY).unwrap();
        reception
    }

    /// One of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the keys of the cookies, as a Secret is changed: at once.
    pub fn write_keys(&self, keys: &[&str]) {
        std::fs::write(self.path("new"), keys.join("\n")).unwrap();
        std::fs::rename(self.path("new"), self.path("keys")).unwrap();
    }

    /// The configuration of a gateway whose guests sign in here.
    pub fn config(&self, hotel: &Hotel) -> Config {
        let mut config = config(hotel);
        let gateway = &mut config.gateway;
        gateway.public_url = Some(PUBLIC.to_owned());
        gateway.session.keys_file = Some(self.path("keys"));
        gateway.sign_in.issuer = Some(self.issuer.url().to_owned());
        gateway.sign_in.guest_key_file = Some(self.path("guests"));
        gateway.sign_in.timeout = crate::support::PATIENCE;
        config
    }

    /// A gateway whose guests sign in here, ready.
    pub async fn front(&self, hotel: &Hotel) -> Front {
        let front = Front::start(hotel, self.config(hotel), hotel.client.clone()).await;
        front.ready().await;
        front
    }

    /// A browser in which somebody has signed in.
    pub async fn guest(&self, front: &Front, name: &str) -> Browser {
        let mut browser = Browser::new();
        let answer = browser.sign_in(front, name).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/v1/session"), "{answer:?}");
        browser.learn_csrf(front).await;
        browser
    }
}

impl Browser {
    /// Without any cookie.
    pub fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, cookies: BTreeMap::new(), csrf: String::new() }
    }

    /// A request to the gateway with the cookies that are here.
    pub fn request(&self, front: &Front, method: Method, path: &str) -> reqwest::RequestBuilder {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.http.request(method, format!("{}{path}", front.url));
        if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) }
    }

    /// Sends a request, and keeps the cookies that come back.
    pub async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let answer = Answer::of(request.send().await.unwrap()).await;
        for set in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Reads an address.
    pub async fn get(&mut self, front: &Front, path: &str) -> Answer {
        self.send(self.request(front, Method::GET, path)).await
    }

    /// Sends to an address, with the token of its session.
    pub async fn post(&mut self, front: &Front, path: &str, body: &Value) -> Answer {
        self.send(self.posting(front, path, body).header("x-csrf-token", &self.csrf)).await
    }

    /// The same without the token, not yet sent.
    pub fn posting(&self, front: &Front, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let request = self.request(front, Method::POST, path);
        request.header("content-type", "application/json").body(body.to_string())
    }

    /// Books with a key.
    pub async fn book(&mut self, front: &Front, key: &str, body: &Value) -> Answer {
        let path = format!("/v1/properties/{}/reservations", front.property);
        let request = self.posting(front, &path, body).header("x-csrf-token", &self.csrf);
        self.send(request.header("idempotency-key", key)).await
    }

    /// Waits until a reservation has settled, and gives it.
    pub async fn settled(&mut self, front: &Front, path: &str) -> Value {
        let begun = std::time::Instant::now();
        loop {
            let answer = self.get(front, path).await;
            if answer.body["settled"] == true {
                return answer.body;
            }
            assert!(begun.elapsed() < crate::support::PATIENCE, "{path} never settled: {answer:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// What the gateway says of the session.
    pub async fn learn_csrf(&mut self, front: &Front) -> Value {
        let visit = self.get(front, "/v1/session").await;
        assert_eq!(visit.status, 200, "{visit:?}");
        visit.body["csrfToken"].as_str().unwrap().clone_into(&mut self.csrf);
        visit.body
    }

    /// The whole way: to the issuer, a name there, and back. Gives the answer at the end of it.
    pub async fn sign_in(&mut self, front: &Front, name: &str) -> Answer {
        let way = self.leave(front).await;
        let back = self.choose(&way, name).await;
        self.get(front, &back).await
    }

    /// Goes to the issuer: its address with the question.
    pub async fn leave(&mut self, front: &Front) -> Url {
        let away = self.get(front, "/sign-in?return=/v1/session").await;
        assert_eq!(away.status, 303, "{away:?}");
        Url::parse(away.header("location")).unwrap()
    }

    /// Enters a name at the issuer: the path to which it sends back.
    pub async fn choose(&self, way: &Url, name: &str) -> String {
        let page = self.http.get(way.clone()).send().await.unwrap();
        assert_eq!(page.status(), 200, "the issuer shows its page");
        let mut form = way.query_pairs().into_owned().collect::<Vec<_>>();
        form.push(("name".to_owned(), name.to_owned()));
        form.push(("email".to_owned(), format!("{}@example.com", name.to_lowercase())));
        let mut url = way.clone();
        url.set_query(None);
        let mut encoded = url.clone();
        encoded.query_pairs_mut().extend_pairs(form);
        let body = encoded.query().unwrap().to_owned();
        let answer =
            self.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 303, "{:?}", answer.text().await);
        let back = answer.headers()["location"].to_str().unwrap();
        back.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{back} is elsewhere")).to_owned()
    }
}

/// Two nights from the first of July, as guests book them: for themselves.
pub fn own_stay(room: &str) -> Value {
    json!({
        "room": room,
        "checkIn": "2030-07-01",
        "checkOut": "2030-07-03",
        "payment": { "method": "pm_card_visa" },
    })
}
