//! `innkeeper dev`: everything in one process, for a laptop.

use innkeeper_api::Reason;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::hotel::Hotel;
use crate::support::process::{Process, ends, innkeeper};
use crate::support::{PATIENCE, control_plane, eventually};

/// The arguments for one hotel, with its state in a folder.
fn arguments(hotel: &Hotel, folder: &TempDir) -> Vec<String> {
    let config = folder.path().join("config.yaml");
    let text = json!({
        "operator": { "watchNamespaces": [hotel.namespace] },
        "gateway": { "watchNamespaces": [hotel.namespace] },
    });
    std::fs::write(&config, text.to_string()).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    vec![
        "dev".to_owned(),
        format!("--kubeconfig={}", control_plane().kubeconfig().display()),
        format!("--config={}", config.display()),
        format!("--state={}", path("state")),
        format!("--ready-file={}", path("ready")),
        format!("--namespace={}-system", hotel.namespace),
        "--listen=127.0.0.1:0".to_owned(),
        "--gateway-listen=127.0.0.1:0".to_owned(),
        "--issuer-listen=127.0.0.1:0".to_owned(),
        "--payments-listen=127.0.0.1:0".to_owned(),
    ]
}

fn start(arguments: &[String]) -> Process {
    Process::start(innkeeper(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// Waits for the ready file, and gives the provider's address.
async fn ready(process: &mut Process, folder: &TempDir) -> String {
    let file = folder.path().join("ready");
    let begun = std::time::Instant::now();
    loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if text.ends_with('\n') {
            process.ready().await;
            return address(&text, "payments");
        }
        assert!(process.runs() && begun.elapsed() < PATIENCE, "it is not ready:\n{}", process.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// One address of the ready file.
fn address(text: &str, what: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {what} in {text}")).to_owned()
}

async fn payments(url: &str, folder: &TempDir) -> Vec<Value> {
    let key = folder.path().join("state/payments.key");
    let (code, out, err) =
        ends(&["payments", "list", "-o", "json", "--server", url, "--key-file", key.to_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_books_ends_and_goes_on_with_the_same_ledger_after_a_restart() {
    let hotel = Hotel::open("dev").await;
    let folder = TempDir::new().unwrap();
    let arguments = arguments(&hotel, &folder);
    let mut dev = start(&arguments);
    let url = ready(&mut dev, &folder).await;
    hotel.room("double", 2).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    let before = payments(&url, &folder).await;
    assert_eq!(before.len(), 1);
    // The relay has told of it, into a file.
    let told = || std::fs::read_to_string(folder.path().join("state/events.jsonl")).unwrap_or_default();
    let confirmed = eventually(|| told().contains("\"type\":\"dev.innkeeper.reservation.confirmed\"")).await;
    assert!(confirmed, "{}", told());
    assert_eq!(dev.terminate().await, Some(0), "{}", dev.log());
    let key = std::fs::read_to_string(folder.path().join("state/payments.key")).unwrap();
    assert!(!dev.log().contains(key.trim()), "the key is in the log");
    assert!(!folder.path().join("ready").exists(), "what has ended is not ready");

    // Booked by nobody yet when it starts again.
    hotel.reserve("ben", "double").await;
    let mut again = start(&arguments);
    let url = ready(&mut again, &folder).await;
    hotel.settled("ben", Reason::Confirmed).await;
    hotel.cancel("anna").await;
    hotel.settled("anna", Reason::Cancelled).await;
    let after = payments(&url, &folder).await;
    assert_eq!(after.len(), 2, "nobody was charged again");
    assert_eq!(after[1]["id"], before[0]["id"]);
    assert_eq!((&after[1]["captured"], &after[1]["refunded"]), (&24_000.into(), &24_000.into()));
    assert_eq!(again.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_signs_in_and_books_at_its_gateway_and_stays_signed_in_through_a_restart() {
    let hotel = Hotel::open("dev-guest").await;
    let folder = TempDir::new().unwrap();
    let mut arguments = arguments(&hotel, &folder);
    let mut dev = start(&arguments);
    ready(&mut dev, &folder).await;
    hotel.room("double", 2).await;
    let text = std::fs::read_to_string(folder.path().join("ready")).unwrap();
    let url = address(&text, "gateway");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let cookie = |answer: &reqwest::Response, name: &str| {
        let all = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        all.filter_map(|set| set.split(';').next()).find(|set| set.starts_with(name)).unwrap().to_owned()
    };
    let location = |answer: &reqwest::Response| answer.headers()["location"].to_str().unwrap().to_owned();

    let away = http.get(format!("{url}/sign-in")).send().await.unwrap();
    let (question, under_way) = (location(&away), cookie(&away, "innkeeper-sign-in"));
    assert!(question.starts_with(&address(&text, "issuer")), "{question}");
    let (authorize, query) = question.split_once('?').unwrap();
    let chosen = http.post(authorize).header("content-type", "application/x-www-form-urlencoded");
    let chosen = chosen.body(format!("{query}&guest=0")).send().await.unwrap();
    assert!(location(&chosen).starts_with(&url), "{chosen:?}");
    let back = http.get(location(&chosen)).header("cookie", under_way).send().await.unwrap();
    assert_eq!((back.status().as_u16(), location(&back)), (303, "/".to_owned()));
    let session = cookie(&back, "innkeeper-session");
    let visit = http.get(format!("{url}/v1/session")).header("cookie", &session).send().await.unwrap();
    let visit: Value = serde_json::from_slice(&visit.bytes().await.unwrap()).unwrap();
    assert_eq!(visit["name"], "Anna Almeida");
    let body = json!({
        "room": "double",
        "checkIn": "2030-07-01",
        "checkOut": "2030-07-03",
        "payment": { "method": "pm_card_visa" },
        "contact": { "name": "Anna Almeida" },
    });
    let booking = http.post(format!("{url}/v1/properties/{}/reservations", hotel.namespace));
    let booking = booking.header("cookie", &session).header("content-type", "application/json");
    let booking = booking.header("x-csrf-token", visit["csrfToken"].as_str().unwrap());
    let booked =
        booking.header("idempotency-key", "key-of-anna").body(body.to_string()).send().await.unwrap();
    assert_eq!(booked.status(), 201, "{}", dev.log());
    let path = location(&booked);
    hotel.settled(path.rsplit('/').next().unwrap(), Reason::Confirmed).await;
    assert_eq!(dev.terminate().await, Some(0), "{}", dev.log());
    assert!(!dev.log().contains("Almeida"), "{}", dev.log());

    // Keys stay, so whoever was signed in is.
    let address = url.strip_prefix("http://").unwrap();
    let listen = arguments.iter().position(|a| a.starts_with("--gateway-listen")).unwrap();
    arguments[listen] = format!("--gateway-listen={address}");
    let mut again = start(&arguments);
    ready(&mut again, &folder).await;
    let mine = http.get(format!("{url}{path}")).header("cookie", &session).send().await.unwrap();
    assert_eq!(mine.status(), 200);
    assert_eq!(again.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn started_twice_it_says_what_is_taken() {
    let hotel = Hotel::open("dev-twice").await;
    let folder = TempDir::new().unwrap();
    let mut first = arguments(&hotel, &folder);
    let mut dev = start(&first);
    let url = ready(&mut dev, &folder).await;

    // With its own state, but on the same port.
    let other = TempDir::new().unwrap();
    let mut second = arguments(&hotel, &other);
    let address = url.strip_prefix("http://").unwrap();
    *second.last_mut().unwrap() = format!("--payments-listen={address}");
    let (code, _, err) = ends(&second.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(code, Some(1));
    assert!(err.contains(&format!("cannot listen on {address}")), "{err}");

    // With the same state, on other ports.
    let ready_file = first.iter().position(|a| a.starts_with("--ready-file")).unwrap();
    first.remove(ready_file);
    let (code, _, err) = ends(&first.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("payments.db") && err.contains("use"), "{err}");
    assert!(dev.runs());
    assert_eq!(dev.terminate().await, Some(0));
}
