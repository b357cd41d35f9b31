//! A property with Rooms and as many Reservations as wanted, and its gateway.
//!
//! The Reservations are one real booking's bytes, as the API server stored them, with other names, guests, nights and
//! Rooms, put into etcd past the API server: creating a hundred thousand through it would take an hour. What reads them
//! (the API server's lists and watches, the gateway) is as it is.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use http::Request;
use innkeeper_api::{Month, Night, RoomCalendar, RoomCalendarFields, RoomSpec};
use jiff::ToSpan;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::wire::Page;
use crate::Result;
use crate::bed::{Bed, FIRST, Hotel, NIGHTS, wish};
use crate::program::Program;
use crate::watching::Watching;

/// Rooms of the property.
const ROOMS: usize = 20;
/// Reservations of one guest: what is on one My Page.
const OF_ONE_GUEST: usize = 4;
/// The SHA-256 of the token that is shown.
const TOKEN_HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
/// Lists under way at the same time.
const LISTERS: usize = 2;
/// Whose they are, as a label: what one would ask the API server for without a gateway.
const LABEL: &str = "bench.innkeeper.dev/guest";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// The Reservations of one guest.
    Mine,
    /// What is free for two nights.
    Search,
}

/// A running gateway.
pub struct Door {
    /// The process.
    pub program: Program,
    /// Where guests ask.
    pub url: String,
}

/// Requests that the API server has answered, for Innkeeper's kinds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests {
    /// All but watches.
    pub reads: i64,
    /// Watches that have ended.
    pub watches: i64,
}

impl Requests {
    /// What has come since.
    pub const fn since(self, before: &Self) -> Self {
        Self { reads: self.reads - before.reads, watches: self.watches - before.watches }
    }
}

/// The property.
pub struct Ground<'a> {
    hotel: Hotel<'a>,
    /// A booking as the API server stored it.
    pattern: Value,
    stored: usize,
}

impl<'a> Ground<'a> {
    /// A property with Rooms whose nights are half sold, and one Reservation that an operator has confirmed.
    pub async fn make(bed: &'a Bed) -> Result<Self> {
        let hotel = bed.hotel("pages");
        let operator = hotel.operator().await?;
        hotel.room("double").await?;
        let mut watching = Watching::start(&hotel.reservations()).await?;
        watching.book(&hotel.reservations(), &wish("pattern", "double", 0, true)).await?;
        operator.ends().await?;
        let stored = bed.control_plane.stored(&key(&hotel.namespace, "pattern"));
        let pattern = serde_json::from_slice(&stored.ok_or("the booking is not in etcd")?)?;
        for number in 0..ROOMS {
            room(&hotel, &format!("room-{number}")).await?;
        }
        Ok(Self { hotel, pattern, stored: 0 })
    }

    /// Sees to it that there are so many, and that the API server lists them.
    pub async fn fill(&mut self, wanted: usize) -> Result<()> {
        while self.stored < wanted {
            let until = (self.stored + 2000).min(wanted);
            let objects: Vec<_> = (self.stored..until).map(|number| self.object(number)).collect();
            self.hotel.bed.control_plane.store(&objects);
            self.stored = until;
        }
        let begun = Instant::now();
        loop {
            let listed = self.list_of(&guest(wanted - 1), false).await?;
            if listed == (wanted - 1) % OF_ONE_GUEST + 1 {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_secs(300) {
                return Err(format!("the API server lists {listed} Reservations of the last guest").into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn object(&self, number: usize) -> (String, Vec<u8>) {
        let (name, guest) = (format!("stay-{number}"), guest(number));
        let check_in = FIRST.saturating_add(i64::try_from(number % NIGHTS).unwrap_or(0).days());
        let mut object = self.pattern.clone();
        object["metadata"]["name"] = json!(name);
        object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{number:012x}"));
        object["metadata"]["labels"] = json!({ LABEL: guest });
        object["spec"]["guestID"] = json!(format!("bench:{guest}"));
        object["spec"]["roomName"] = json!(format!("room-{}", number % ROOMS));
        object["spec"]["checkIn"] = json!(check_in);
        object["spec"]["checkOut"] = json!(check_in.saturating_add(1.day()));
        object["status"]["payment"]["id"] = json!(format!("pi_{number:024x}"));
        (key(&self.hotel.namespace, &name), object.to_string().into_bytes())
    }

    /// Starts its gateway and returns when it is ready, with limits that no single address reaches here.
    pub async fn gateway(&self) -> Result<Door> {
        let bed = self.hotel.bed;
        let partners = bed.path("partners.yaml");
        let entry = json!({ "name": "bench", "tokenHashes": [TOKEN_HASH], "scopes": ["search", "read"] });
        std::fs::write(&partners, json!({ "partners": [entry] }).to_string())?;
        let config = bed.path("gateway.yaml");
        let settings = json!({
            "gateway": {
                "listen": "127.0.0.1:0",
                "watchNamespaces": [self.hotel.namespace],
                "partnersFile": partners,
                "rates": { "identityPerMinute": 1_000_000, "addressPerMinute": 1_000_000 },
                "ending": { "linger": "1ms" },
            },
            "http": { "listen": "127.0.0.1:0" },
        });
        std::fs::write(&config, settings.to_string())?;
        let arguments = [
            "gateway".to_owned(),
            format!("--config={}", config.display()),
            format!("--kubeconfig={}", bed.control_plane.kubeconfig().display()),
        ];
        let program = bed.program(&arguments, "gateway.log").await?;
        program.is_ready().await?;
        let url = program.address_of("guests and partners")?;
        Ok(Door { program, url })
    }

    /// A request for a page, each for another guest or for other nights.
    pub fn page(&self, pages: Pages, number: usize) -> Page {
        match pages {
            Pages::Mine => {
                // Each time another guest, in an order that has nothing to do with theirs.
                let guests = self.stored.max(1).div_ceil(OF_ONE_GUEST);
                format!("/v1/reservations?guestID=guest-{}", number.wrapping_mul(7919) % guests)
            }
            Pages::Search => {
                let night = i64::try_from(number % (NIGHTS - 2)).unwrap_or(0);
                let from = FIRST.saturating_add(night.days());
                let to = from.saturating_add(2.days());
                let namespace = &self.hotel.namespace;
                format!("/v1/properties/{namespace}/rooms?checkIn={from}&checkOut={to}&adults=2")
            }
        }
    }

    /// The same, of both in turns.
    pub fn mixed(&self, number: usize) -> Page {
        self.page(if number.is_multiple_of(2) { Pages::Mine } else { Pages::Search }, number / 2)
    }

    /// One Reservation, by its number: where its page is.
    pub fn one(&self, number: usize) -> (Page, String) {
        let name = format!("stay-{number}");
        (format!("/v1/reservations/{}/{name}", self.hotel.namespace), name)
    }

    /// Its Reservations.
    pub fn reservations(&self) -> Api<innkeeper_api::Reservation> {
        self.hotel.reservations()
    }

    /// Lists one guest's Reservations after the other by label for a while: how many lists, and how long each took.
    pub async fn lists(&self, any_version: bool, time: Duration) -> Result<(usize, Vec<f64>)> {
        let begun = Instant::now();
        let one = |lister: usize| async move {
            let (mut times, mut number) = (Vec::new(), lister);
            while begun.elapsed() < time {
                let asked = Instant::now();
                let guest = guest(number.wrapping_mul(7919) % self.stored);
                let listed = self.list_of(&guest, any_version).await?;
                if listed == 0 {
                    return Err(format!("nothing is listed of {guest}").into());
                }
                times.push(asked.elapsed().as_secs_f64());
                number += LISTERS;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
        };
        let times = try_join_all((0..LISTERS).map(one)).await?.concat();
        Ok((times.len(), times))
    }

    async fn list_of(&self, guest: &str, any_version: bool) -> Result<usize> {
        let namespace = &self.hotel.namespace;
        let version = if any_version { "&resourceVersion=0" } else { "" };
        let address = format!(
            "/apis/innkeeper.dev/v1alpha1/namespaces/{namespace}/reservations?labelSelector={}%3D{guest}{version}",
            LABEL.replace('/', "%2F"),
        );
        let text = self.hotel.bed.client.request_text(Request::get(address).body(Vec::new())?).await?;
        // Not read further: that would be the client's work.
        Ok(text.matches(r#""kind":"Reservation""#).count())
    }

    /// What the API server has answered so far.
    pub async fn pages_requested(&self) -> Result<Requests> {
        requests(&self.hotel.bed.client).await
    }
}

async fn requests(client: &Client) -> Result<Requests> {
    let text = client.request_text(Request::get("/metrics").body(Vec::new())?).await?;
    let mut all = Requests::default();
    let ours = text.lines().filter(|line| {
        line.starts_with("apiserver_request_total{") && line.contains(r#"group="innkeeper.dev""#)
    });
    for line in ours {
        let Some(count) = line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok()) else { continue };
        #[allow(clippy::cast_possible_truncation, reason = "a count")]
        let count = count as i64;
        if line.contains(r#"verb="WATCH""#) {
            all.watches += count;
        } else {
            all.reads += count;
        }
    }
    Ok(all)
}

/// A Room with prices, tiers and a month of which half is sold.
async fn room(hotel: &Hotel<'_>, name: &str) -> Result<()> {
    let spec: RoomSpec = serde_json::from_value(json!({
        "units": 60,
        "rate": { "currency": "EUR", "minorUnits": 12_000 },
        "rates": [{ "from": "2030-07-10", "to": "2030-07-20", "minorUnits": 18_000 }],
        "cancellation": [{ "hoursBefore": 168, "refundPercent": 100 }, { "hoursBefore": 24, "refundPercent": 50 }],
        "maxGuests": 3,
        "timeZone": "Europe/Lisbon",
        "display": [{ "language": "en", "title": "A room by the sea", "description": "With a balcony, breakfast and a view." }],
    }))?;
    let room = hotel.rooms().create(&PostParams::default(), &innkeeper_api::Room::new(name, spec)).await?;
    let month = Month::of(FIRST);
    let nights = month.nights().map(|date| Night {
        date,
        capacity: 60,
        room_generation: 1,
        holders: (0..30).map(|n| format!("10000000-0000-4000-8000-{n:06x}{:06x}", date.day())).collect(),
    });
    let fields = RoomCalendarFields {
        room_name: name.to_owned(),
        room_uid: room.uid().unwrap_or_default(),
        month: month.to_string(),
        nights: nights.collect(),
    };
    let calendar = RoomCalendar::new(&month.calendar_name(name), fields);
    let calendars: Api<RoomCalendar> = Api::namespaced(hotel.bed.client.clone(), &hotel.namespace);
    calendars.create(&PostParams::default(), &calendar).await?;
    Ok(())
}

/// Whose the Reservation with this number is.
fn guest(number: usize) -> String {
    format!("guest-{}", number / OF_ONE_GUEST)
}

/// Where the API server keeps a Reservation.
fn key(namespace: &str, name: &str) -> String {
    format!("/registry/innkeeper.dev/reservations/{namespace}/{name}")
}
