//! Past stays: filed, gone from the cluster, and still in their owner's list.

use std::path::Path;
use std::time::Duration;

use innkeeper_api::{Reason, Reservation};
use innkeeper_archive::{Folder, Record, Writer, finished_at};
use innkeeper_ops::config::Config;
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::front::{ACME, Front, RIVAL, config, stay};
use super::guests::{Reception, own_stay};
use crate::support::hotel::Hotel;

fn with_archive(hotel: &Hotel, folder: &Path) -> Config {
    let mut config = config(hotel);
    config.archive.folder = Some(folder.to_owned());
    config.archive.follow_every = Duration::from_millis(50);
    config
}

async fn open(hotel: &Hotel, folder: &Path) -> Front {
    let front = Front::start(hotel, with_archive(hotel, folder), hotel.client.clone()).await;
    front.ready().await;
    front
}

fn writer(folder: &Path) -> Writer {
    Writer::open(Folder::new(folder), None, Timestamp::now()).unwrap()
}

/// Books, cancels, files and deletes; gives the reservation's address and what was shown of it before.
async fn past_stay(hotel: &Hotel, front: &Front, writer: &mut Writer, key: &str) -> (String, Value) {
    let path = front.book(ACME, key, &stay("double")).await.header("location").to_owned();
    front.settled(&path, ACME).await;
    front.post(&format!("{path}/cancellation"), ACME, &json!({})).await;
    let shown = front.until(&path, ACME, |answer| answer.body["phase"] == "Cancelled").await.body;
    let name = path.rsplit('/').next().unwrap().to_owned();
    let object = hotel.settled(&name, Reason::Cancelled).await;
    let now = Timestamp::now();
    let record = Record::of(&object, finished_at(&object, now).unwrap(), now).unwrap();
    writer.file(&[record], now).unwrap();
    hotel.delete(&name).await;
    hotel.gone(&name).await;
    (path, shown)
}

/// One's whole list, read in parts of one: what is live, and what is filed.
async fn list(front: &Front, token: &str) -> (Vec<String>, Vec<String>) {
    let (mut live, mut past, mut next) = (Vec::new(), Vec::new(), None);
    loop {
        let cursor = next.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
        let part = front.get(&format!("/v1/reservations?limit=1{cursor}"), token).await.body;
        assert_eq!(part["missing"], Value::Null);
        for item in part["items"].as_array().unwrap() {
            let name = item["name"].as_str().unwrap().to_owned();
            if item["archived"] == true { past.push(name) } else { live.push(name) }
        }
        next = part["next"].as_str().map(str::to_owned);
        if next.is_none() {
            return (live, past);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_that_was_filed_is_in_its_owners_list_after_the_live_ones_and_in_nobody_elses() {
    let hotel = Hotel::open("past").await;
    let _operator = hotel.operator();
    hotel.room("double", 3).await;
    let volume = TempDir::new().unwrap();
    let mut writer = writer(volume.path());
    let front = open(&hotel, volume.path()).await;

    let (first, before) = past_stay(&hotel, &front, &mut writer, "key-of-anna").await;
    let (second, _) = past_stay(&hotel, &front, &mut writer, "key-of-ben-").await;
    let live = front.book(ACME, "key-of-cleo", &stay("double")).await.header("location").to_owned();
    front.settled(&live, ACME).await;

    // The same as before, and marked.
    let mut after = front.until(&first, ACME, |answer| answer.body["archived"] == true).await.body;
    after["archived"] = json!(false);
    assert_eq!(after, before);
    front.until(&second, ACME, |answer| answer.body["archived"] == true).await;

    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let (shown_live, mut shown_past) = list(&front, ACME).await;
    let mut past = vec![name(&first), name(&second)];
    past.sort();
    shown_past.sort();
    assert_eq!((shown_live, shown_past), (vec![name(&live)], past));
    let all = front.get("/v1/reservations", ACME).await.body;
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    assert_eq!(all["items"][0]["name"], name(&live), "what is ahead goes first");

    // Somebody else.
    assert_eq!(front.get(&first, RIVAL).await.problem(), "not-found");
    assert_eq!(list(&front, RIVAL).await, (Vec::new(), Vec::new()));
    assert_eq!(
        front.post(&format!("{first}/cancellation"), ACME, &json!({})).await.status,
        404,
        "it is over"
    );

    // Another replica, begun later, shows the same.
    let other = open(&hotel, volume.path()).await;
    let again = other.until("/v1/reservations", ACME, |answer| answer.body == all).await;
    assert_eq!(again.status, 200);
    assert!(front.metrics.text().contains("innkeeper_gateway_archive_stays 2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_filed_and_still_there_is_shown_once_and_as_live() {
    let hotel = Hotel::open("past-once").await;
    let _operator = hotel.operator();
    hotel.room("double", 3).await;
    let volume = TempDir::new().unwrap();
    let mut writer = writer(volume.path());
    let front = open(&hotel, volume.path()).await;
    let path = front.book(ACME, "key-of-anna", &stay("double")).await.header("location").to_owned();
    front.settled(&path, ACME).await;
    front.post(&format!("{path}/cancellation"), ACME, &json!({})).await;
    let name = path.rsplit('/').next().unwrap().to_owned();
    let object = hotel.settled(&name, Reason::Cancelled).await;
    let now = Timestamp::now();
    writer.file(&[Record::of(&object, now, now).unwrap()], now).unwrap();
    let known = |text: String| text.contains("innkeeper_gateway_archive_stays 1");
    assert!(crate::support::eventually(|| known(front.metrics.text())).await);
    assert_eq!(list(&front, ACME).await, (vec![name], Vec::new()));
    assert_eq!(front.get(&path, ACME).await.body["archived"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_archive_a_gateway_shows_what_is_live_and_says_what_is_missing() {
    let hotel = Hotel::open("past-away").await;
    let _operator = hotel.operator();
    hotel.room("double", 3).await;
    let volume = TempDir::new().unwrap();
    // Not mounted yet.
    let front = open(&hotel, volume.path()).await;
    let live = front.book(ACME, "key-of-cleo", &stay("double")).await.header("location").to_owned();
    front.settled(&live, ACME).await;
    let part = front.until("/v1/reservations", ACME, |answer| answer.body["missing"].is_string()).await.body;
    assert_eq!(part["items"].as_array().unwrap().len(), 1);
    assert_eq!(front.get(&live, ACME).await.status, 200);
    let unknown = format!("/v1/reservations/{}/long-ago", hotel.namespace);
    assert_eq!(front.get(&unknown, ACME).await.status, 503, "it may be there: 404 would be a lie");
    assert!(front.metrics.text().contains("innkeeper_gateway_archive_readable 0"));

    let mut writer = writer(volume.path());
    let (past, _) = past_stay(&hotel, &front, &mut writer, "key-of-anna").await;
    front.until(&past, ACME, |answer| answer.body["archived"] == true).await;
    front.until(&unknown, ACME, |answer| answer.status == 404).await;
    assert_eq!(list(&front, ACME).await.1.len(), 1);
}

/// Files as many past stays of whoever has this one: each of another night, by another name.
fn file_many(hotel: &Hotel, writer: &mut Writer, of: &Reservation, many: i64) {
    let now = Timestamp::now();
    let records: Vec<Record> = (0..many)
        .map(|number| {
            let mut one = of.clone();
            one.metadata.name = Some(format!("past-{number:02}"));
            one.metadata.uid = Some(format!("00000000-0000-4000-8000-{number:012}"));
            one.spec.check_in = date(2020, 1, 1).checked_add(number.days()).unwrap();
            one.spec.check_out = one.spec.check_in.tomorrow().unwrap();
            let finished = now - SignedDuration::from_hours(24);
            one.status.as_mut().unwrap().quote.as_mut().unwrap().finished_at = finished;
            Record::of(&one, finished, now).unwrap()
        })
        .collect();
    assert_eq!(writer.file(&records, now).unwrap().len(), records.len(), "in {}", hotel.namespace);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_sees_past_stays_behind_those_ahead_part_by_part_in_both_languages_and_each_of_them() {
    let hotel = Hotel::open("past-page").await;
    let _operator = hotel.operator();
    hotel.room("double", 3).await;
    let volume = TempDir::new().unwrap();
    let reception = Reception::open().await;
    let mut with_both = reception.config(&hotel);
    with_both.archive = with_archive(&hotel, volume.path()).archive;
    let front = Front::start(&hotel, with_both, hotel.client.clone()).await;
    front.ready().await;
    let mut anna = reception.guest(&front, "Anna").await;
    let booked = anna.book(&front, "key-of-anna", &own_stay("double")).await;
    let path = booked.header("location").to_owned();
    let done = anna.settled(&front, &path).await;
    let name = done["name"].as_str().unwrap().to_owned();
    let ahead = format!("/stays/{}/{name}", front.property);

    // Nothing can be read yet: what is ahead is shown, and that something is missing.
    let page = anna.open(&front, "/stays").await;
    page.expect("Some of your past stays cannot be shown at the moment.");
    assert_eq!(page.link(&ahead), ahead);

    let object = hotel.reservations().get(&name).await.unwrap();
    file_many(&hotel, &mut writer(volume.path()), &object, 60);
    let known = |text: String| text.contains("innkeeper_gateway_archive_stays 60");
    assert!(crate::support::eventually(|| known(front.metrics.text())).await);
    for (language, upcoming, past) in [("en", "Upcoming", "Past"), ("ko", "예정된 예약", "지난 예약")]
    {
        let (mut shown, mut next, mut parts) = (Vec::new(), Some("/stays".to_owned()), 0);
        while let Some(at) = next {
            let page = anna.open_in(&front, &at, language).await;
            assert_eq!(page.status(), 200, "{}", page.text());
            page.expect(past);
            assert_eq!(page.links().contains(&ahead), parts == 0, "what is ahead goes first");
            if parts == 0 {
                page.expect(upcoming);
            }
            let own = format!("/stays/{}/past-", front.property);
            let links = page.links();
            shown.extend(links.iter().filter(|link| link.starts_with(&own)).cloned());
            next = links.into_iter().find(|link| link.starts_with("/stays?after="));
            parts += 1;
        }
        assert_eq!(parts, 2, "{language}");
        assert_eq!(shown.len(), 60, "{language}: {shown:?}");
        shown.sort();
        shown.dedup();
        assert_eq!(shown.len(), 60, "{language}: none twice");
    }

    // Each has its page and its receipt; nobody else sees them.
    let one = format!("/stays/{}/past-07", front.property);
    let page = anna.open(&front, &one).await;
    assert_eq!(page.status(), 200, "{}", page.text());
    assert!(!page.links().contains(&format!("{one}/cancel")), "there is nothing to cancel any more");
    page.expect("Your stay is over");
    assert!(!page.text().contains("See you on"), "{}", page.text());
    anna.open_in(&front, &one, "ko").await.expect("이용이 완료되었습니다");
    anna.open(&front, &ahead).await.expect("You are booked").expect("See you on");
    anna.open(&front, &format!("{one}/receipt")).await.expect("Paid in the end").expect("past-07");
    let mut ben = reception.guest(&front, "Ben").await;
    assert_eq!(ben.open(&front, &one).await.status(), 404);
    assert_eq!(ben.open(&front, &format!("{one}/receipt")).await.status(), 404);
    ben.open(&front, "/stays").await.expect("No stays yet");
}
