//! What the cases share: a hotel with rooms, an issuer, a gateway that browsers can reach, and guests who sign in.

use innkeeper_issuer::{Config as IssuerConfig, Server};
use innkeeper_ops::config::Config;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::chrome::{Driver, Look, Window};
use crate::gateway::front::{Front, config};
use crate::support::control_plane;
use crate::support::hotel::Hotel;
use crate::support::valve::Valve;

const GUEST_KEY: &str = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";

/// A hotel on the web.
pub struct Scene {
    /// The hotel.
    pub hotel: Hotel,
    /// Its gateway.
    pub front: Front,
    _issuer: Server,
    _folder: TempDir,
}

impl Scene {
    /// A hotel with a double room and one suite, and no operator yet.
    pub async fn open(name: &str) -> Self {
        Self::open_behind(name, None, |_| ()).await
    }

    /// The same with a gateway whose requests pass a valve, or that is configured otherwise.
    pub async fn open_behind(name: &str, valve: Option<&Valve>, change: impl FnOnce(&mut Config)) -> Self {
        let hotel = Hotel::open(name).await;
        hotel
            .room_with("double", 5, |room| {
                room.max_guests = Some(3);
                room.display = serde_json::from_value(json!([
                    { "language": "en", "title": "Double room with a sea view",
                      "description": "A quiet room over the harbour with a wide bed, a desk by the window and a rain shower." },
                    { "language": "ko", "title": "바다 전망 더블룸",
                      "description": "항구가 내려다보이는 조용한 객실. 넓은 침대와 창가 책상, 레인 샤워를 갖추었습니다." },
                ]))
                .unwrap();
                room.cancellation = serde_json::from_value(json!([
                    { "hoursBefore": 72, "refundPercent": 100 },
                    { "hoursBefore": 0, "refundPercent": 50 },
                ]))
                .unwrap();
                room.rates = serde_json::from_value(json!([
                    { "from": "2030-07-02", "to": "2030-07-03", "minorUnits": 15_900 },
                ]))
                .unwrap();
            })
            .await;
        hotel
            .room_with("suite", 1, |room| {
                room.rate.minor_units = 28_000;
                room.max_guests = Some(4);
                room.display = serde_json::from_value(json!([
                    { "language": "en", "title": "Lighthouse suite",
                      "description": "Two rooms and a terrace on the top floor." },
                    { "language": "ko", "title": "등대 스위트", "description": "최상층의 방 두 개와 테라스." },
                ]))
                .unwrap();
            })
            .await;
        hotel
            .room_with("family", 3, |room| {
                room.rate.minor_units = 17_500;
                room.max_guests = Some(5);
                room.restrictions = serde_json::from_value(json!({ "minNights": 3 })).unwrap();
                room.display = serde_json::from_value(json!([
                    { "language": "en", "title": "Family room" },
                    { "language": "ko", "title": "패밀리룸" },
                ]))
                .unwrap();
            })
            .await;
        let folder = TempDir::new().unwrap();
        let key = folder.path().join("guests");
        std::fs::write(&key, GUEST_KEY).unwrap();
        // Where the gateway is has to be known before it is there.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public = format!("http://{}", listener.local_addr().unwrap());
        let redirects = vec![public.clone()];
        let issuer = Server::start(IssuerConfig { redirects, ..IssuerConfig::default() }).await.unwrap();
        let mut config = config(&hotel);
        config.gateway.public_url = Some(public);
        config.gateway.sign_in.issuer = Some(issuer.url().to_owned());
        config.gateway.sign_in.guest_key_file = Some(key);
        config.gateway.contacts.namespace = Some(control_plane().namespace("contacts"));
        change(&mut config);
        let client = valve.map_or_else(|| hotel.client.clone(), |valve| valve.on(&hotel.client));
        let front = Front::start_on(listener, &hotel, config, client, jiff::Timestamp::now);
        front.ready().await;
        Self { hotel, front, _issuer: issuer, _folder: folder }
    }

    /// An address of the gateway.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.front.url)
    }

    /// The search for two nights from the first of July, for two.
    pub fn search(&self) -> String {
        format!("/search?{}", self.wanted())
    }

    /// The form to book a room with for those nights.
    pub fn booking(&self, room: &str) -> String {
        format!("/book?room={room}&{}", self.wanted())
    }

    fn wanted(&self) -> String {
        let hotel = &self.hotel.namespace;
        format!("hotel={hotel}&checkIn=2030-07-01&checkOut=2030-07-03&adults=2&children=0&units=1")
    }

    /// A browser in which somebody has signed in, who reads this language.
    pub async fn guest(&self, driver: &Driver, name: &str, language: &str, look: Look) -> Window {
        let window = driver.open(language, look).await;
        window.go(&self.url("/sign-in?return=/stays")).await;
        sign_in(&window, name).await;
        window.wait_at("/stays").await;
        window
    }
}

/// Enters a name at the issuer.
pub async fn sign_in(window: &Window, name: &str) {
    window.fill("input[name=name]", name).await;
    window.fill("input[name=email]", &format!("{}@example.com", name.to_lowercase())).await;
    window.click("form:has(#name) button").await;
}
