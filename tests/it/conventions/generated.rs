//! Bad objects, made from the definitions: every field at its edges, of other types, in other alphabets, huge, missing
//! and contradictory. The API server refuses them with a reason, or the operator comes to an end with them; none of
//! them stops anything, and put right each is what it should have been.

use futures::StreamExt;
use innkeeper_api::{ConditionStatus, ConditionType, Reason, Room};
use innkeeper_checker::claimed;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Map, Value, json};

use crate::support::hotel::{Hotel, is};
use crate::support::process::Files;
use crate::support::{kubectl_with, stderr};

/// Requests at the same time.
const AT_ONCE: usize = 16;

/// One bad object: what is wrong with it, and its spec.
struct Bad {
    what: String,
    spec: Value,
}

/// The schema of a kind's spec, as it is installed.
fn schema(kind: &str) -> Value {
    let crds = innkeeper_api::crds();
    let crd = crds.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let crd = serde_json::to_value(crd).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// Everything wrong that can be done to each field of a good spec, whatever the schema says of it.
fn spoiled(schema: &Value, good: &Value) -> Vec<Bad> {
    let mut all = Vec::new();
    spoil(schema, good, "", &mut all);
    all
}

fn spoil(schema: &Value, good: &Value, at: &str, all: &mut Vec<Bad>) {
    let Some(now) = good.pointer(at) else { return };
    let mut add = |how: &str, change: Option<Value>| {
        if change.as_ref() == Some(now) {
            return;
        }
        let mut spec = good.clone();
        match change {
            Some(value) => *spec.pointer_mut(at).unwrap() = value,
            None => remove(&mut spec, at),
        }
        all.push(Bad { what: format!("{at} {how}"), spec });
    };
    if !at.is_empty() {
        add("is missing", None);
        add("is null", Some(Value::Null));
    }
    let long = "x".repeat(70_000);
    let texts = [
        "",
        " ",
        "예약 ☃",
        "a\nb",
        "\u{202e}txet",
        "'; drop table",
        "-",
        "../../etc",
        "${jndi:x}",
        "NaN",
        &long,
    ];
    match schema["type"].as_str().unwrap_or_default() {
        "string" => {
            for other in [json!(5), json!(true), json!([]), json!({}), json!(1.5)] {
                add(&format!("is {other}"), Some(other));
            }
            for text in texts {
                add(&format!("is {:?}", text.chars().take(12).collect::<String>()), Some(json!(text)));
            }
            let bound = |name: &str| schema[name].as_u64().and_then(|n| usize::try_from(n).ok());
            if let Some(most) = bound("maxLength") {
                add("is as long as may be", Some(json!("y".repeat(most))));
                add("is one too long", Some(json!("y".repeat(most + 1))));
            }
            if schema["format"] == "date" {
                for date in [
                    "0000-01-01",
                    "9999-12-31",
                    "2030-02-30",
                    "2030-7-1",
                    "-001-01-01",
                    "2030-07-01T00:00:00Z",
                ] {
                    add(&format!("is {date}"), Some(json!(date)));
                }
            }
        }
        "integer" => {
            let numbers = [0, 1, -1, i64::from(i32::MAX) + 1, i64::MAX, i64::MIN];
            let bounds = [(&schema["minimum"], -1), (&schema["maximum"], 1)];
            #[allow(clippy::cast_possible_truncation, reason = "bounds are whole and small")]
            let beyond =
                bounds.iter().filter_map(|(bound, by)| bound.as_f64().map(|b| [b as i64, b as i64 + by]));
            let numbers: std::collections::BTreeSet<i64> =
                numbers.into_iter().chain(beyond.flatten()).collect();
            for number in numbers {
                add(&format!("is {number}"), Some(json!(number)));
            }
            for other in [json!(0.5), json!(1e300), json!("1"), json!(true), json!([]), json!({})] {
                add(&format!("is {other}"), Some(other));
            }
        }
        "array" => {
            for other in [json!([]), json!([null]), json!({}), json!("x"), json!(1)] {
                add(&format!("is {other}"), Some(other));
            }
            add("has one twice", Some(json!([now[0], now[0]])));
            let most = schema["maxItems"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap();
            add("has too many", Some(json!(vec![now[0].clone(); most + 1])));
            spoil(&schema["items"], good, &format!("{at}/0"), all);
        }
        "object" => {
            for other in [json!({}), json!([]), json!("x"), json!(1)] {
                add(&format!("is {other}"), Some(other));
            }
            let mut more: Map<String, Value> = now.as_object().unwrap().clone();
            more.insert("unheardOf".to_owned(), json!({ "a": [1] }));
            add("has a field nobody knows", Some(Value::Object(more)));
            for (name, of) in schema["properties"].as_object().unwrap() {
                spoil(of, good, &format!("{at}/{name}"), all);
            }
        }
        other => panic!("{at} is of type {other}: make bad ones of it too"),
    }
}

fn remove(spec: &mut Value, at: &str) {
    let (parent, name) = at.rsplit_once('/').unwrap();
    match spec.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(name)),
        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
        _ => unreachable!("a parent has parts"),
    }
}

/// With every field that a Room can have.
fn good_room() -> Value {
    json!({
        "units": 100,
        "overbooking": 1,
        "rate": { "currency": "EUR", "minorUnits": 12_000 },
        "rates": [{ "from": "2030-12-24", "to": "2030-12-27", "weekdays": ["Friday"], "minorUnits": 20_000 }],
        "outOfOrder": [{ "from": "2030-12-24", "to": "2030-12-27", "units": 1, "reason": "paint" }],
        "sale": "Open",
        "restrictions": { "minNights": 1, "maxNights": 60, "minDaysAhead": 0, "maxDaysAhead": 999 },
        "flow": "PayFirst",
        "cancellation": [{ "hoursBefore": 48, "refundPercent": 100 }],
        "timeZone": "Europe/Lisbon",
        "checkInTime": "15:00",
        "maxGuests": 4,
        "display": [{ "language": "en", "title": "Double", "description": "A double bed." }],
    })
}

/// The same, for stays as far ahead as those of these tests.
fn right_room() -> Value {
    let mut room = good_room();
    remove(&mut room, "/restrictions/maxDaysAhead");
    room
}

/// With every field that a Reservation paid online can have, and with every field of one that is paid elsewhere.
fn good_reservations() -> [Value; 2] {
    let online = json!({
        "roomName": "double",
        "checkIn": "2030-07-01",
        "checkOut": "2030-07-03",
        "units": 1,
        "guestID": "g-1",
        "guests": { "adults": 2, "children": 1 },
        "payment": { "collect": "Online", "method": "pm_card_visa" },
        "maxTotal": { "currency": "EUR", "minorUnits": 99_999 },
        "ttlAfterFinished": "720h",
    });
    let mut elsewhere = online.clone();
    elsewhere["payment"] = json!({ "collect": "External", "reference": "BK-1" });
    elsewhere["state"] = json!("Cancelled");
    [online, elsewhere]
}

fn bad_reservations() -> Vec<Bad> {
    let schema = schema("Reservation");
    let mut all: Vec<Bad> = good_reservations().iter().flat_map(|good| spoiled(&schema, good)).collect();
    let [online, _] = good_reservations();
    for (what, change) in [
        ("leaves before it comes", json!({ "checkIn": "2030-07-03", "checkOut": "2030-07-01" })),
        ("stays for no night", json!({ "checkOut": "2030-07-01" })),
        ("stays for a year", json!({ "checkOut": "2031-07-01" })),
        ("pays online without a means", json!({ "payment": { "collect": "Online" } })),
        (
            "pays elsewhere with a card",
            json!({ "payment": { "collect": "External", "method": "pm_card_visa" } }),
        ),
        ("shows a card number", json!({ "payment": { "collect": "Online", "method": "4242424242424242" } })),
        ("shows an address", json!({ "guestID": "anna@example.com" })),
        ("comes to a Room that is not there", json!({ "roomName": "attic" })),
        ("will pay in another currency", json!({ "maxTotal": { "currency": "KRW", "minorUnits": 9 } })),
        ("comes with nobody", json!({ "guests": { "adults": 0, "children": 0 } })),
    ] {
        let mut spec = online.clone();
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        all.push(Bad { what: what.to_owned(), spec });
    }
    all
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "innkeeper.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

fn raw_api(hotel: &Hotel, kind: &str) -> Api<DynamicObject> {
    let resource = match kind {
        "Room" => ApiResource::erase::<Room>(&()),
        _ => ApiResource::erase::<innkeeper_api::Reservation>(&()),
    };
    Api::namespaced_with(hotel.client.clone(), &hotel.namespace, &resource)
}

/// Writes them all as they are. Gives the names of those that the API server took; who was refused was told why.
async fn write_raw(hotel: &Hotel, kind: &str, prefix: &str, all: &[Bad]) -> Vec<String> {
    let api = raw_api(hotel, kind);
    let write = async |(number, bad): (usize, &Bad)| {
        let name = format!("{prefix}-{number}");
        let raw: DynamicObject = serde_json::from_value(object(kind, &name, &bad.spec)).unwrap();
        match api.create(&PostParams::default(), &raw).await {
            Ok(_) => Some(name),
            Err(kube::Error::Api(status)) => {
                assert!([400, 422].contains(&status.code), "{kind} {name}, {}: {status:?}", bad.what);
                // A part of the path that leads there, or a rule's own words.
                let mut named = bad.what.split(['/', ' ']).filter(|part| part.len() > 2);
                let says = status.message.len() > 30
                    && (named.any(|part| status.message.contains(part)) || status.message.contains("spec"));
                assert!(says, "{kind} {name}, {}: {}", bad.what, status.message);
                None
            }
            Err(error) => panic!("{kind} {name}, {}: {error}", bad.what),
        }
    };
    let taken: Vec<Option<String>> =
        futures::stream::iter(all.iter().enumerate()).map(write).buffer_unordered(AT_ONCE).collect().await;
    let taken: Vec<String> = taken.into_iter().flatten().collect();
    println!("{kind}: {} bad ones written, {} of them taken", all.len(), taken.len());
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_reservations_of_every_kind_end_or_are_refused_with_a_reason_and_stop_nobody() {
    let hotel = Hotel::open("bad-stays").await;
    let mut files = Files::of(&hotel);
    // Who asks for a Room that is not there waits no longer than this.
    files.set("operator.acceptWithin", json!("2s"));
    // More of them go on one day than a hotel would give back unasked.
    files.set("payments.brake", json!({ "unaskedPerDay": 1000 }));
    let mut operator = files.operator();
    operator.leads().await;
    let room: Room = serde_json::from_value(object("Room", "double", &right_room())).unwrap();
    hotel.rooms().create(&PostParams::default(), &room).await.unwrap();

    let all = bad_reservations();
    assert!(all.len() > 300, "{}", all.len());
    let taken = write_raw(&hotel, "Reservation", "bad", &all).await;
    assert!(taken.len() > 20 && taken.len() < all.len() / 2, "{} of {} were taken", taken.len(), all.len());
    for name in &taken {
        hotel
            .until(name, |r: Option<&innkeeper_api::Reservation>| r.is_some_and(|r| claimed(r).is_some()))
            .await;
    }

    // From here on nobody is to be turned away for how long it takes.
    assert_eq!(operator.terminate().await, Some(0));
    let log = operator.log();
    files.set("operator.acceptWithin", json!("30m"));
    let mut operator = files.operator();
    operator.leads().await;

    // Each is made anew, as it should have been: one night each, so that all of them find room.
    let names: Vec<String> = (0..all.len()).map(|number| format!("bad-{number}")).collect();
    let anew = async |(number, name): (usize, &String)| {
        if taken.contains(name) {
            hotel.delete(name).await;
            hotel.gone(name).await;
        }
        let mut spec = good_reservations()[0].clone();
        let from =
            jiff::civil::date(2031, 1, 1) + jiff::Span::new().days(i64::try_from(number % 50).unwrap());
        spec["checkIn"] = json!(from.to_string());
        spec["checkOut"] = json!(from.tomorrow().unwrap().to_string());
        let right: DynamicObject = serde_json::from_value(object("Reservation", name, &spec)).unwrap();
        raw_api(&hotel, "Reservation").create(&PostParams::default(), &right).await.unwrap();
        hotel.settled(name, Reason::Confirmed).await;
    };
    futures::stream::iter(names.iter().enumerate())
        .map(anew)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
    assert_eq!(operator.terminate().await, Some(0));
    let log = format!("{log}{}", operator.log());
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rooms_of_every_kind_say_what_is_wrong_or_are_refused_and_stop_nobody() {
    let hotel = Hotel::open("bad-rooms").await;
    let mut operator = Files::of(&hotel).operator();
    operator.leads().await;
    let all = spoiled(&schema("Room"), &good_room());
    assert!(all.len() > 300, "{}", all.len());
    let taken = write_raw(&hotel, "Room", "bad", &all).await;
    assert!(taken.len() > 20 && taken.len() < all.len() / 2, "{} of {} were taken", taken.len(), all.len());
    let judged = |r: &Room| {
        let status = r.status.as_ref();
        let seen = status.is_some_and(|s| Some(s.observed_generation) == r.metadata.generation);
        seen && status.is_some_and(|s| s.conditions.get(&ConditionType::Ready).is_some())
    };
    for name in &taken {
        hotel.room_until(name, judged).await;
    }
    // Each is put right where it stands, or made where it was refused; then a stay in it is booked.
    let names: Vec<String> = (0..all.len()).map(|number| format!("bad-{number}")).collect();
    let right = async |name: &String| {
        let room: Room = serde_json::from_value(object("Room", name, &right_room())).unwrap();
        if taken.contains(name) {
            // What a bad one has more than a good one goes too.
            let mut found = hotel.rooms().get(name).await.unwrap();
            found.spec = room.spec;
            found.metadata.managed_fields = None;
            let whole = json!([{ "op": "replace", "path": "/spec", "value": found.spec }]);
            let patch: Patch<()> = Patch::Json(serde_json::from_value(whole).unwrap());
            hotel.rooms().patch(name, &PatchParams::default(), &patch).await.unwrap();
        } else {
            hotel.rooms().create(&PostParams::default(), &room).await.unwrap();
        }
        let ready = |r: &Room| {
            let conditions = r.status.as_ref().map(|s| &s.conditions);
            let so = conditions
                .is_some_and(|c| c.is(&ConditionType::Ready, ConditionStatus::True, &Reason::Sellable));
            judged(r) && so
        };
        hotel.room_until(name, ready).await;
    };
    futures::stream::iter(&names).map(right).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let one = taken.first().unwrap();
    hotel.reserve("after-all", one).await;
    let booked = hotel.settled("after-all", Reason::Confirmed).await;
    assert!(is(&booked, &ConditionType::Ready, ConditionStatus::True, &Reason::Confirmed));
    assert_eq!(operator.terminate().await, Some(0));
    assert!(!operator.log().contains("panicked"), "{}", operator.log());
}

/// The same through kubectl, all in one stream: it says something of each that it could not create, and creates nothing
/// that a raw write would not.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_says_something_of_every_bad_object_and_creates_no_other() {
    let hotel = Hotel::open("bad-kubectl").await;
    let raw = Hotel::open("bad-raw").await;
    for (kind, all) in [("Reservation", bad_reservations()), ("Room", spoiled(&schema("Room"), &good_room()))]
    {
        let taken = write_raw(&raw, kind, "bad", &all).await;
        let objects: Vec<String> = all
            .iter()
            .enumerate()
            .map(|(number, bad)| object(kind, &format!("bad-{number}"), &bad.spec).to_string())
            .collect();
        let output = kubectl_with(&["-n", &hotel.namespace, "create", "-f", "-"], &objects.join("\n---\n"));
        assert!(!output.status.success());
        let created = raw_api(&hotel, kind).list(&ListParams::default()).await.unwrap();
        let created: Vec<String> = created.into_iter().filter_map(|o| o.metadata.name).collect();
        let more: Vec<_> = created.iter().filter(|name| !taken.contains(name)).collect();
        assert!(more.is_empty(), "{kind}: kubectl created {more:?}, which a raw write did not");
        let said = stderr(&output);
        // What follows indented belongs to the line before it.
        let complaints = said
            .lines()
            .filter(|line| line.starts_with("Error from server") || line.starts_with("The "))
            .count();
        assert_eq!(created.len() + complaints, all.len(), "{kind}: of each something was said: {said}");
        raw_api(&raw, kind)
            .delete_collection(&DeleteParams::default(), &ListParams::default())
            .await
            .unwrap();
    }
}
