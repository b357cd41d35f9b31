//! Reads pages as a browser without JavaScript does: their text, their links, and their forms with what is filled in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;

use innkeeper_ops::config::Config;

use super::front::{Answer, Front};
use super::guests::{Browser, Reception};
use crate::support::hotel::Hotel;
use crate::support::{PATIENCE, control_plane};

/// A page, as it came.
#[derive(Debug)]
pub struct Page {
    /// The answer that it came with.
    pub answer: Answer,
    /// Where it is.
    pub at: String,
}

/// A form, with what is filled in.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Where it is sent.
    pub action: String,
    /// How.
    pub method: String,
    /// What is in it.
    pub fields: Vec<(String, String)>,
}

/// A tag: its name, and its attributes.
#[derive(Debug, Clone)]
struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
}

impl Page {
    /// Its markup.
    pub fn html(&self) -> &str {
        &self.answer.text
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.answer.status.as_u16()
    }

    /// What can be read on it, in one line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let body = self.html().split_once("<body").map_or(self.html(), |(_, body)| body);
        for part in body.split('<').skip(1) {
            let (_, after) = part.split_once('>').unwrap_or((part, ""));
            text.push_str(&unescaped(after));
            text.push(' ');
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ").replace(['\u{a0}', '\u{202f}'], " ")
    }

    /// Whether this can be read on it.
    pub fn says(&self, what: &str) -> bool {
        self.text().contains(what)
    }

    /// Fails where this cannot be read on it.
    #[track_caller]
    pub fn expect(&self, what: &str) -> &Self {
        assert!(self.says(what), "{} ({}) does not say {what:?}: {}", self.at, self.status(), self.text());
        self
    }

    fn tags(&self) -> Vec<Tag> {
        self.html()
            .split('<')
            .skip(1)
            .map(|part| Tag::read(part.split_once('>').map_or(part, |(t, _)| t)))
            .collect()
    }

    /// Where its links lead.
    pub fn links(&self) -> Vec<String> {
        let links = self.tags().into_iter().filter(|tag| tag.name == "a");
        links.filter_map(|tag| tag.attributes.get("href").cloned()).collect()
    }

    /// The first link to what begins like this.
    #[track_caller]
    pub fn link(&self, beginning: &str) -> String {
        let found = self.links().into_iter().find(|link| link.starts_with(beginning));
        found.unwrap_or_else(|| panic!("{} has no link to {beginning}: {:?}", self.at, self.links()))
    }

    /// The form that is sent there.
    #[track_caller]
    pub fn form(&self, action: &str) -> Sheet {
        let mut sheets: Vec<Sheet> = Vec::new();
        let mut select = None;
        for tag in self.tags() {
            let of = |name: &str| tag.attributes.get(name).cloned().unwrap_or_default();
            match tag.name.as_str() {
                "form" => {
                    sheets.push(Sheet { action: of("action"), method: of("method"), fields: Vec::new() });
                }
                "select" => select = Some(of("name")),
                "option" if tag.attributes.contains_key("selected") => {
                    let name = select.clone().unwrap_or_default();
                    sheets.last_mut().unwrap().fields.push((name, of("value")));
                }
                "input" if tag.attributes.contains_key("name") => {
                    let chosen = of("type") != "radio" || tag.attributes.contains_key("checked");
                    if chosen {
                        sheets.last_mut().unwrap().fields.push((of("name"), of("value")));
                    }
                }
                _ => {}
            }
        }
        let found = sheets.iter().find(|sheet| sheet.action == action).cloned();
        found.unwrap_or_else(|| panic!("{} has no form to {action}: {sheets:?}", self.at))
    }
}

impl Tag {
    fn read(text: &str) -> Self {
        let (name, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let mut attributes = BTreeMap::new();
        loop {
            rest = rest.trim_start();
            let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
            if end == 0 {
                break;
            }
            let (key, after) = rest.split_at(end);
            if let Some((value, after)) = after.strip_prefix("=\"").and_then(|value| value.split_once('"')) {
                attributes.insert(key.to_owned(), unescaped(value));
                rest = after;
            } else {
                attributes.insert(key.to_owned(), String::new());
                rest = after;
            }
        }
        Self { name: name.to_owned(), attributes }
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

impl Sheet {
    /// With this in a field of its.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What is in a field of its.
    pub fn value(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    }

    fn encoded(&self) -> String {
        let mut url = reqwest::Url::parse("http://form/").unwrap();
        url.query_pairs_mut().extend_pairs(&self.fields);
        url.query().unwrap_or_default().to_owned()
    }
}

impl Browser {
    /// Opens a page, as a browser in English does.
    pub async fn open(&mut self, front: &Front, path: &str) -> Page {
        self.open_in(front, path, "en").await
    }

    /// The same in a language.
    pub async fn open_in(&mut self, front: &Front, path: &str, language: &str) -> Page {
        let request = self.request(front, Method::GET, path);
        let request = request.header("accept", "text/html,*/*;q=0.8").header("accept-language", language);
        Page { answer: self.send(request).await, at: path.to_owned() }
    }

    /// A form's sending, not yet sent.
    pub fn sending(&self, front: &Front, sheet: &Sheet) -> reqwest::RequestBuilder {
        let accepting = |request: reqwest::RequestBuilder| request.header("accept", "text/html,*/*;q=0.8");
        if sheet.method == "get" {
            let path = format!("{}?{}", sheet.action, sheet.encoded());
            return accepting(self.request(front, Method::GET, &path));
        }
        let request = accepting(self.request(front, Method::POST, &sheet.action));
        request.header("content-type", "application/x-www-form-urlencoded").body(sheet.encoded())
    }

    /// Sends a form: the page that comes, or where it leads.
    pub async fn fill_in(&mut self, front: &Front, sheet: &Sheet) -> Page {
        let request = self.sending(front, sheet);
        Page { answer: self.send(request).await, at: sheet.action.clone() }
    }

    /// Opens a page again and again, as its own refreshing does, until it is so.
    pub async fn wait_on(&mut self, front: &Front, path: &str, what: &str) -> Page {
        let begun = Instant::now();
        loop {
            let page = self.open(front, path).await;
            if page.says(what) {
                return page;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} never says {what:?}: {}", page.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The form to book a room with, filled in; whoever sends it is signed in.
    pub async fn booking_form(&mut self, front: &Front, room: &str) -> Sheet {
        let path = book_at(front, room);
        let page = self.open(front, &path).await;
        assert_eq!(page.status(), 200, "{}", page.text());
        page.form("/book").with("name", "Anna Kim").with("email", "anna@example.com")
    }
}

/// The configuration of a gateway whose guests sign in, and leave their names.
pub fn site_config(reception: &Reception, hotel: &Hotel) -> Config {
    let mut config = reception.config(hotel);
    config.gateway.contacts.namespace = Some(control_plane().namespace("contacts"));
    config
}

/// A gateway whose guests sign in, and leave their names.
pub async fn site(reception: &Reception, hotel: &Hotel) -> Front {
    let front = Front::start(hotel, site_config(reception, hotel), hotel.client.clone()).await;
    front.ready().await;
    front
}

/// Where a room is booked: two nights from the first of July.
pub fn book_at(front: &Front, room: &str) -> String {
    format!("/book?room={room}&{}", wanted(front))
}

/// Two nights from the first of July, for two.
pub fn wanted(front: &Front) -> String {
    let property = &front.property;
    format!("hotel={property}&checkIn=2030-07-01&checkOut=2030-07-03&adults=2&children=0&units=1")
}
