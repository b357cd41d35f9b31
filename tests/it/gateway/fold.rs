//! I13: what a list of one's own shows is a fold over what the API server has, and over the archive: no more, no less, and
//! nothing else. The fold here is over the JSON of the objects, and uses nothing of the gateway's.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use innkeeper_api::{Reason, Reservation};
use innkeeper_archive::{Folder, Library, Record, Writer, finished_at};
use jiff::Timestamp;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde_json::{Value, json};

use super::front::{ACME, Front, RIVAL, config, stay};
use crate::support::PATIENCE;
use crate::support::hotel::{Hotel, pay_with};

/// By name: what should be, or is, told of each.
type Told = BTreeMap<String, Value>;

/// What should be told of one object.
fn folded(object: &Value, archived: bool) -> Value {
    let (spec, status) = (&object["spec"], &object["status"]);
    let condition = |name: &str| {
        let all = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().find(|condition| condition["type"] == name).cloned().unwrap_or_default()
    };
    let (ready, settled) = (condition("Ready"), condition("Settled"));
    let current = settled["observedGeneration"] == object["metadata"]["generation"];
    let moved = |field: &str| status["payment"][field].as_i64().unwrap_or(0);
    let facts = status["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    json!({
        "property": object["metadata"]["namespace"],
        "room": spec["roomName"],
        "from": spec["checkIn"],
        "to": spec["checkOut"],
        "units": spec["units"].as_i64().unwrap_or(1),
        "guest": spec["guestID"].as_str().unwrap().split_once(':').unwrap().1,
        "phase": status["phase"],
        "reason": ready["reason"],
        "message": ready["message"],
        "settled": settled["status"] == "True" && current,
        "archived": archived,
        "created": instant(&object["metadata"]["creationTimestamp"]),
        "price": status["quote"]["total"],
        "currency": status["quote"]["currency"],
        "money": [moved("captured"), moved("refunded"), moved("kept")],
        "history": facts.iter().map(|fact| {
            json!([fact["number"], fact["fact"], instant(&fact["time"]), fact["reason"], fact["minorUnits"]])
        }).collect::<Vec<_>>(),
    })
}

/// What is told of one, in the same words.
fn shown(answer: &Value) -> Value {
    let money = |field: &str| answer["money"][field]["minorUnits"].as_i64().unwrap_or(0);
    let history = answer["history"].as_array().unwrap();
    json!({
        "property": answer["property"],
        "room": answer["room"],
        "from": answer["checkIn"],
        "to": answer["checkOut"],
        "units": answer["units"],
        "guest": answer["guestID"],
        "phase": answer["phase"],
        "reason": answer["reason"],
        "message": answer["message"],
        "settled": answer["settled"],
        "archived": answer["archived"],
        "created": instant(&answer["created"]),
        "price": answer["price"]["total"]["minorUnits"],
        "currency": answer["price"]["total"]["currency"],
        "money": [money("paid"), money("refunded"), money("kept")],
        "history": history.iter().map(|fact| {
            json!([fact["number"], fact["fact"], instant(&fact["time"]), fact["reason"], fact["amount"]["minorUnits"]])
        }).collect::<Vec<_>>(),
    })
}

fn instant(text: &Value) -> String {
    let instant: Timestamp = text.as_str().unwrap().parse().unwrap();
    instant.to_string()
}

/// What is filed, read from the volume.
fn filed(folder: &Path) -> Vec<Value> {
    let library = Library::new(Folder::new(folder), |_| Vec::new());
    library.refresh().unwrap();
    let reservation = |record: Result<Record, _>| serde_json::to_value(record.unwrap().reservation).unwrap();
    library.each().map(reservation).collect()
}

/// All that a partner should be told.
async fn fold(hotel: &Hotel, folder: &Path, partner: &str) -> Told {
    let resource = ApiResource::erase::<Reservation>(&());
    let objects: Api<DynamicObject> = Api::namespaced_with(hotel.client.clone(), &hotel.namespace, &resource);
    let live = objects.list(&ListParams::default()).await.unwrap();
    let live = live.items.iter().map(|object| (serde_json::to_value(object).unwrap(), false));
    // What is still there is told as it is there.
    let all = filed(folder).into_iter().map(|object| (object, true)).chain(live);
    let theirs = |object: &Value| {
        object["spec"]["guestID"].as_str().unwrap().split_once(':').is_some_and(|(whose, _)| whose == partner)
    };
    all.filter(|(object, _)| theirs(object))
        .map(|(object, archived)| {
            (object["metadata"]["name"].as_str().unwrap().to_owned(), folded(&object, archived))
        })
        .collect()
}

/// All that a partner is told, by the list in parts and by each one's own address.
async fn told(front: &Front, token: &str) -> (Told, Told) {
    let (mut listed, mut alone, mut cursor) = (Told::new(), Told::new(), String::new());
    loop {
        let part = front.get(&format!("/v1/reservations?limit=2{cursor}"), token).await;
        assert_eq!(part.status, 200, "{part:?}");
        for item in part.body["items"].as_array().unwrap() {
            let name = item["name"].as_str().unwrap().to_owned();
            let path = format!("/v1/reservations/{}/{name}", item["property"].as_str().unwrap());
            // Between the two it may have been filed: whoever compares asks again.
            alone.insert(name.clone(), shown(&front.get(&path, token).await.body));
            assert_eq!(listed.insert(name, shown(item)), None, "it is listed twice: {item}");
        }
        match part.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (listed, alone),
        }
    }
}

/// Waits until both partners are told exactly what should be; says how much that is.
async fn agree(hotel: &Hotel, front: &Front, folder: &Path) -> usize {
    let mut all = 0;
    for (partner, token) in [("acme", ACME), ("rival", RIVAL)] {
        let begun = Instant::now();
        loop {
            let (should, (listed, alone)) = (fold(hotel, folder, partner).await, told(front, token).await);
            if listed == should && alone == should {
                all += should.len();
                break;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{partner} should be told {should:#?}\nthe list says {listed:#?}\neach alone {alone:#?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_ones_own_is_a_fold_over_the_objects_and_the_archive() {
    let hotel = Hotel::open("fold").await;
    hotel.room("double", 4).await;
    hotel.room("suite", 1).await;
    let volume = tempfile::TempDir::new().unwrap();
    let folder = volume.path();
    let mut writer = Writer::open(Folder::new(folder), None, Timestamp::now()).unwrap();
    let mut config = config(&hotel);
    config.archive.folder = Some(folder.to_owned());
    config.archive.follow_every = Duration::from_millis(50);
    let front = Front::start(&hotel, config.clone(), hotel.client.clone()).await;
    front.ready().await;
    assert_eq!(agree(&hotel, &front, folder).await, 0);

    // At rest before anybody decides.
    let anna = front.book(ACME, "key-of-anna", &stay("double")).await.body["name"].clone();
    let ben = front.book(ACME, "key-of-ben-", &stay("double")).await.body["name"].clone();
    let hugh = front.book(RIVAL, "key-of-hugh", &stay("suite")).await.body["name"].clone();
    let names = [anna, ben, hugh].map(|name| name.as_str().unwrap().to_owned());
    let [anna, ben, hugh] = &names;
    let operator = hotel.operator();
    for name in &names {
        hotel.settled(name, Reason::Confirmed).await;
    }
    assert_eq!(agree(&hotel, &front, folder).await, 3);

    // From Git, for the same partner; and somebody's who has no list here.
    hotel.reserve_with("cleo", "suite", |spec| spec.guest_id = "acme:cleo".to_owned()).await;
    let declined = |spec: &mut innkeeper_api::ReservationSpec| {
        (spec.guest_id, spec.payment) = ("acme:dora".to_owned(), pay_with("pm_card_chargeDeclined"));
    };
    hotel.reserve_with("dora", "double", declined).await;
    hotel.reserve("walk-in", "double").await;
    hotel.settled("cleo", Reason::Rejected).await;
    hotel.settled("dora", Reason::Rejected).await;
    hotel.settled("walk-in", Reason::Confirmed).await;
    hotel.cancel(ben).await;
    hotel.settled(ben, Reason::Cancelled).await;
    assert_eq!(agree(&hotel, &front, folder).await, 5);

    // Withdrawn by the hotel: gone, and nowhere filed. Filed, and still there; then gone.
    hotel.delete(anna).await;
    hotel.gone(anna).await;
    assert_eq!(agree(&hotel, &front, folder).await, 4);
    let now = Timestamp::now();
    for name in [ben.as_str(), "cleo"] {
        let object = hotel.reservations().get(name).await.unwrap();
        let finished = finished_at(&object, now).unwrap();
        writer.file(&[Record::of(&object, finished, now).unwrap()], now).unwrap();
    }
    assert_eq!(agree(&hotel, &front, folder).await, 4);
    hotel.delete(ben).await;
    hotel.gone(ben).await;
    assert_eq!(agree(&hotel, &front, folder).await, 4);
    hotel.cancel(hugh).await;
    hotel.settled(hugh, Reason::Cancelled).await;
    operator.stop().await;
    assert_eq!(agree(&hotel, &front, folder).await, 4);

    // Whoever begins later comes to the same.
    let later = Front::start(&hotel, config, hotel.client.clone()).await;
    later.ready().await;
    assert_eq!(agree(&hotel, &later, folder).await, 4);
}
