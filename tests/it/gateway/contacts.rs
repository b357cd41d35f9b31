//! Guests' names and addresses: in one Secret and nowhere else, and gone with the Reservation.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use innkeeper_api::Reason;
use innkeeper_ops::config::Config;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use serde_json::{Value, json};

use super::front::{ACME, Front, config, partners, stay};
use super::guests::{Reception, own_stay};
use crate::support::hotel::Hotel;
use crate::support::process::{Files, Process, innkeeper};
use crate::support::{control_plane, eventually_async, kubectl_ok};

const NAME: &str = "Xanthippe Quillfeather";
const EMAIL: &str = "xanthippe.q@example.com";
const PHONE: &str = "+351 999 888 777";
const PLAIN: &str = "Somebody Plain";

/// A hotel and the namespace of its guests' contacts.
async fn open(prefix: &str) -> (Hotel, String) {
    let hotel = Hotel::open(prefix).await;
    let contacts = control_plane().namespace(&format!("{prefix}-contacts"));
    (hotel, contacts)
}

fn with(mut config: Config, namespace: &str) -> Config {
    config.gateway.contacts.namespace = Some(namespace.to_owned());
    config
}

async fn front(hotel: &Hotel, namespace: &str) -> Front {
    let front = Front::start(hotel, with(config(hotel), namespace), hotel.client.clone()).await;
    front.ready().await;
    front
}

fn secrets(hotel: &Hotel, namespace: &str) -> Api<Secret> {
    Api::namespaced(hotel.client.clone(), namespace)
}

/// With the contact that is looked for everywhere.
fn known(mut body: Value) -> Value {
    body["contact"] = json!({ "name": NAME, "email": EMAIL, "phone": PHONE });
    body
}

/// With another: tests run side by side on one API server.
fn plain(mut body: Value) -> Value {
    body["contact"] = json!({ "name": PLAIN, "email": "somebody@example.com" });
    body
}

/// A contact as its Secret has it.
fn read(secret: &Secret) -> BTreeMap<String, String> {
    let text = |bytes: &k8s_openapi::ByteString| String::from_utf8(bytes.0.clone()).unwrap();
    secret.data.iter().flatten().map(|(key, bytes)| (key.clone(), text(bytes))).collect()
}

async fn names(api: &Api<Secret>) -> Vec<String> {
    let all = api.list(&ListParams::default()).await.unwrap().items;
    all.into_iter().filter_map(|secret| secret.metadata.name).collect()
}

/// Every text that tells who somebody is, as it is and in base64 at any offset.
fn traces() -> Vec<String> {
    let mut all = Vec::new();
    for text in ["Xanthippe", "Quillfeather", "xanthippe.q@", "999 888 777"] {
        all.push(text.to_owned());
        for pad in 0..3 {
            let encoded = STANDARD.encode(format!("{}{text}", "x".repeat(pad)));
            // Without what the neighbours have a part in.
            let from = if pad == 0 { 0 } else { 4 };
            all.push(encoded[from..encoded.trim_end_matches('=').len() - 2].to_owned());
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_name_and_address_are_in_their_secret_and_nowhere_else() {
    let (hotel, contacts) = open("contacts").await;
    let _operator = hotel.operator();
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let mut files = Files::of(&hotel);
    std::fs::write(files.path("partners.yaml"), partners(&hotel.namespace)).unwrap();
    files.set(
        "gateway",
        json!({
            "listen": "127.0.0.1:0",
            "watchNamespaces": [hotel.namespace],
            "partnersFile": files.path("partners.yaml"),
            "publicURL": super::guests::PUBLIC,
            "session": { "keysFile": reception.path("keys") },
            "signIn": { "issuer": reception.issuer.url(), "guestKeyFile": reception.path("guests") },
            "contacts": { "namespace": contacts },
            "ending": { "linger": "1ms" },
        }),
    );
    files.set("log", json!({ "filter": "trace", "format": "json" }));
    let mut gateway = Process::start(innkeeper(&[
        "gateway",
        &format!("--config={}", files.config().display()),
        &format!("--kubeconfig={}", control_plane().kubeconfig().display()),
    ]));
    gateway.ready().await;
    let line: Value = serde_json::from_str(&gateway.says("guests and partners").await).unwrap();
    let url = format!("http://{}", line["address"].as_str().unwrap());
    let front = Front::at(&url, &hotel.namespace);

    // A guest whose issuer knows their name, and who gives it; and a partner that gives one for its guest.
    let mut guest = reception.guest(&front, NAME).await;
    let own = guest.book(&front, "key-of-guest", &known(own_stay("double"))).await;
    let named = front.book(ACME, "key-of-acme-", &known(stay("double"))).await;
    for booked in [&own, &named] {
        assert_eq!(booked.status, 201, "{booked:?}");
        assert!(!booked.body.to_string().contains("Xanthippe"), "no answer has it: {booked:?}");
        let name = booked.body["name"].as_str().unwrap();
        let object = hotel.settled(name, Reason::Confirmed).await;
        let secret = secrets(&hotel, &contacts).get(object.metadata.uid.as_deref().unwrap()).await.unwrap();
        let expected = [("email", EMAIL), ("name", NAME), ("phone", PHONE)];
        assert_eq!(read(&secret), expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
    // What is wrong with one is said without it.
    let mut wrong = known(stay("double"));
    wrong["contact"]["email"] = json!(NAME);
    let refused = front.book(ACME, "key-of-wrong", &wrong).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid"));
    assert_eq!(refused.body["errors"][0]["field"], "contact.email");

    let metrics = gateway.metrics().await;
    assert_eq!(gateway.terminate().await, Some(0));
    let kinds = kubectl_ok(&["api-resources", "--verbs=list", "-o", "name"]);
    let kinds = kinds.lines().collect::<Vec<_>>().join(",");
    let all = kubectl_ok(&["get", &kinds, "--all-namespaces", "-o", "json", "--show-managed-fields"]);
    let all: Value = serde_json::from_str(&all).unwrap();
    let objects = all["items"].as_array().unwrap();
    let (mut kept, mut looked_at) = (0, 0);
    let log = gateway.log();
    for object in objects {
        if object["kind"] == "Secret" && object["metadata"]["namespace"] == contacts.as_str() {
            kept += usize::from(traces().iter().any(|trace| object["data"].to_string().contains(trace)));
            let mut rest = object.clone();
            rest.as_object_mut().unwrap().remove("data");
            assert!(!traces().iter().any(|trace| rest.to_string().contains(trace)), "{rest}");
            continue;
        }
        looked_at += 1;
        for trace in traces() {
            assert!(!object.to_string().contains(&trace), "{trace} is in {object}");
        }
    }
    assert_eq!(kept, 2, "it would be found");
    assert!(objects.iter().any(|o| o["kind"] == "Reservation") && looked_at > 10, "{looked_at}");
    for (what, text) in [("log", &log), ("metrics", &metrics)] {
        for trace in traces() {
            assert!(!text.contains(&trace), "{trace} is in the {what}");
        }
    }
    assert!(log.contains("\"TRACE\"") || log.contains("\"DEBUG\""), "the log says all it can");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_goes_with_its_reservation_and_not_before() {
    let (hotel, contacts) = open("contacts-gone").await;
    let _operator = hotel.operator();
    hotel.room("double", 9).await;
    let front = front(&hotel, &contacts).await;
    let api = secrets(&hotel, &contacts);
    let mut made = Vec::new();
    for key in ["key-of-anna", "key-of-ben-", "key-of-chris"] {
        let booked = front.book(ACME, key, &plain(stay("double"))).await;
        let name = booked.body["name"].as_str().unwrap().to_owned();
        let object = hotel.settled(&name, Reason::Confirmed).await;
        made.push((name, object.metadata.uid.unwrap()));
    }
    // Cancelled is not gone: the hotel may have to write to them.
    hotel.cancel(&made[0].0).await;
    hotel.settled(&made[0].0, Reason::Cancelled).await;
    hotel.reservations().delete(&made[1].0, &DeleteParams::default()).await.unwrap();
    let removed = eventually_async(async || !names(&api).await.contains(&made[1].1)).await;
    assert!(removed, "gone with it");
    let left = names(&api).await;
    assert!(left.contains(&made[0].1) && left.contains(&made[2].1), "{left:?}");

    // While nobody looks: found at the next start. With it one made anew under the same name, whose contact is its own.
    front.stop().await;
    let spec = hotel.reservations().get(&made[2].0).await.unwrap().spec;
    hotel.reservations().delete(&made[2].0, &DeleteParams::default()).await.unwrap();
    let gone = async || hotel.reservations().get_opt(&made[2].0).await.unwrap().is_none();
    assert!(eventually_async(gone).await);
    let again = innkeeper_api::Reservation::new(&made[2].0, spec);
    let again = hotel.reservations().create(&PostParams::default(), &again).await.unwrap();
    let note = |uid: &str, namespace: &str, name: &str| {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let metadata = ObjectMeta {
            name: Some(uid.to_owned()),
            labels: Some([pair("innkeeper.dev/contact", "reservation")].into()),
            annotations: Some(
                [
                    pair("innkeeper.dev/reservation-namespace", namespace),
                    pair("innkeeper.dev/reservation-name", name),
                ]
                .into(),
            ),
            ..ObjectMeta::default()
        };
        Secret { metadata, ..Secret::default() }
    };
    // A reservation of a property that this gateway does not watch, one that never was (last, so that the rest has been
    // looked at when it goes), and a Secret of somebody else's.
    let elsewhere = Hotel::open("contacts-elsewhere").await;
    let theirs = elsewhere.reserve("dana", "double").await.metadata.uid.unwrap();
    let unmarked = Secret {
        metadata: ObjectMeta { name: Some("0-other".to_owned()), ..ObjectMeta::default() },
        ..Secret::default()
    };
    for secret in [
        note(again.metadata.uid.as_deref().unwrap(), &hotel.namespace, &made[2].0),
        note(&theirs, &elsewhere.namespace, "dana"),
        note("zzz", &hotel.namespace, "never"),
        unmarked,
    ] {
        api.create(&PostParams::default(), &secret).await.unwrap();
    }
    let two = [self::front(&hotel, &contacts).await, self::front(&hotel, &contacts).await];
    let removed = eventually_async(async || !names(&api).await.contains(&"zzz".to_owned())).await;
    assert!(removed, "found at the start");
    let mut left = names(&api).await;
    left.sort();
    let mut stays = vec![again.metadata.uid.unwrap(), theirs, "0-other".to_owned(), made[0].1.clone()];
    stays.sort();
    assert_eq!(left, stays);
    for front in two {
        front.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_cannot_be_kept_is_kept_when_the_booking_is_repeated() {
    let (hotel, contacts) = open("contacts-late").await;
    hotel.room("double", 9).await;
    let missing = format!("{contacts}-2");
    let front = front(&hotel, &missing).await;
    let body = plain(stay("double"));
    let first = front.book(ACME, "key-of-anna", &body).await;
    assert_eq!((first.status.as_u16(), first.problem()), (503, "unavailable"), "{first:?}");
    let all = hotel.reservations().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(all.len(), 1, "it is booked all the same");
    kubectl_ok(&["create", "namespace", &missing]);
    let again = front.book(ACME, "key-of-anna", &body).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, "true"), "{again:?}");
    let secret = secrets(&hotel, &missing).get(all[0].metadata.uid.as_deref().unwrap()).await.unwrap();
    assert_eq!(read(&secret)["name"], PLAIN);
    // Another contact with the same booking takes its place, and nothing of the old one is left.
    let mut other = stay("double");
    other["contact"] = json!({ "name": "Somebody Else" });
    assert_eq!(front.book(ACME, "key-of-anna", &other).await.status, 200);
    let secret = secrets(&hotel, &missing).get(all[0].metadata.uid.as_deref().unwrap()).await.unwrap();
    assert_eq!(read(&secret), BTreeMap::from([("name".to_owned(), "Somebody Else".to_owned())]));
    kubectl_ok(&["delete", "namespace", &missing, "--wait=false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_contacts_are_not_kept_none_is_taken() {
    let hotel = Hotel::open("contacts-none").await;
    hotel.room("double", 9).await;
    let front = Front::open(&hotel).await;
    let refused = front.book(ACME, "key-of-anna", &plain(stay("double"))).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid"));
    assert_eq!(refused.body["errors"][0]["field"], "contact");
    assert_eq!(hotel.reservations().list(&ListParams::default()).await.unwrap().items.len(), 0);
}
