//! The guests' door: the stories by HTTP through its Service, from outside of the cluster.

use std::collections::BTreeMap;

use innkeeper_checker::Expected;
use jiff::ToSpan;
use jiff::civil::{Date, date};
use serde_json::Value;

use crate::support::books::balance;
use crate::support::door::{Door, GATEWAY, facts, stranger};
use crate::support::hotel::{Hotel, NIGHTLY};
use crate::support::report::say;
use crate::support::{SYSTEM, World, until};

/// Search, book, confirmed, one fewer free.
pub async fn booked(world: &World) {
    world.installed();
    let (door, hotel) = (Door::open(world).await, Hotel::open(world, "door-booked"));
    hotel.room("double", 2).await;
    let stay = ("double", date(2031, 7, 1), date(2031, 7, 3));
    let property = &hotel.namespace;
    door.shows_free(property, stay, 2).await;
    let booked = door.book(property, stay, "anna").await;
    assert_eq!(booked.status, 201, "{booked:?}");
    let path = booked.location.unwrap();
    let done = door.settled(&path, "Confirmed").await;
    assert_eq!(facts(&done), ["Requested", "Paid", "Confirmed"]);
    door.shows_free(property, stay, 1).await;
    world.shows(
        "S1",
        format!(
            "{:?} at {}, paid {}; 2 free before, 1 after",
            facts(&done),
            door.url,
            done["money"]["paid"]["text"]
        ),
    );
    // My Page has it, whichever replica answers.
    let listed = |body: &Value| {
        body["items"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == done["name"]))
    };
    door.everywhere("My Page has it", "/v1/reservations?limit=100", |mine| listed(&mine.body)).await;
    // The same key, again and again, through whatever replica: the same Reservation.
    for _ in 0..10 {
        let again = door.booking(&stranger(), property, stay, "anna");
        let again = Door::send(again).await.unwrap();
        assert_eq!(
            (again.status.as_u16(), again.location.as_deref()),
            (200, Some(path.as_str())),
            "{again:?}"
        );
    }
    say!("  {:?}", balance(world, property, &Expected::nightly(NIGHTLY)).await);
    hotel.close(world);
}

/// What comes back is shown, then it comes back, and the nights are free.
pub async fn cancelled(world: &World) {
    world.installed();
    let (door, hotel) = (Door::open(world).await, Hotel::open(world, "door-cancelled"));
    hotel.room("double", 2).await;
    let stay = ("double", date(2031, 7, 1), date(2031, 7, 3));
    let property = &hotel.namespace;
    door.shows_free(property, stay, 2).await;
    let path = door.book(property, stay, "ben").await.location.expect("it is booked");
    door.settled(&path, "Confirmed").await;
    door.shows_free(property, stay, 1).await;
    let cancellation = format!("{path}/cancellation");
    let preview = door.get(&cancellation).await.body;
    let back = preview["refund"]["minorUnits"].clone();
    assert_eq!(back, 2 * NIGHTLY, "{preview}");
    let cancelled = door.post(&cancellation).await;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    let done = door.settled(&path, "Cancelled").await;
    assert_eq!(done["money"]["refunded"]["minorUnits"], back, "{done}");
    door.shows_free(property, stay, 2).await;
    let refunded = &done["money"]["refunded"]["text"];
    world.shows("S2", format!("{:?}, refunded {refunded}; free 2 before, 1 between, 2 after", facts(&done)));
    say!("  {:?}", balance(world, property, &Expected::nightly(NIGHTLY)).await);
    hotel.close(world);
}

/// A race for the one suite of a night.
pub struct Race {
    /// The night.
    pub night: Date,
    /// How it ended, and for how many.
    pub ends: BTreeMap<String, usize>,
    /// The reservations of those who were let in.
    pub decided: Vec<Value>,
}

/// Many ask for the one suite at the same moment, at several replicas, night by night, until somebody is let in beside
/// another: whether that happens is chance. One has it, and whoever was let in beside them has the money back.
pub async fn lose_a_race(door: &Door, property: &str) -> Race {
    for number in 0..60_i64 {
        let night = date(2031, 5, 1).checked_add(number.days()).unwrap();
        let stay = ("suite", night, night.tomorrow().unwrap());
        door.shows_free(property, stay, 1).await;
        let asks = (0..8).map(|n| {
            Door::send(door.booking(&stranger(), property, stay, &format!("night-{number}-guest-{n}")))
        });
        let answers: Vec<_> = futures::future::join_all(asks).await.into_iter().map(Result::unwrap).collect();
        let mut race = Race { night, ends: BTreeMap::new(), decided: Vec::new() };
        for answer in answers {
            let end = match (answer.status.as_u16(), answer.location) {
                (201, Some(path)) => {
                    let done = until("it is decided", async || {
                        let body = door.get(&path).await.body;
                        if body["settled"] == true { Ok(body) } else { Err(body.to_string()) }
                    })
                    .await;
                    let end =
                        format!("{} {}", done["phase"].as_str().unwrap(), done["reason"].as_str().unwrap());
                    race.decided.push(done);
                    end
                }
                (409, _) => "told at the door".to_owned(),
                other => panic!("{other:?}: {}", answer.body),
            };
            *race.ends.entry(end).or_default() += 1;
        }
        assert_eq!(race.ends.get("Confirmed Confirmed"), Some(&1), "{:?}", race.ends);
        if race.decided.len() > 1 {
            return race;
        }
    }
    panic!("nobody was let in beside another in 60 nights");
}

/// Who was let in beside another has paid and has the money back, and everybody else was told at the door.
pub async fn rolled_back(world: &World) {
    world.installed();
    let (door, hotel) = (Door::open(world).await, Hotel::open(world, "door-rolled-back"));
    hotel.room("suite", 1).await;
    let property = &hotel.namespace;
    let race = lose_a_race(&door, property).await;
    for done in race.decided.iter().filter(|done| done["phase"] == "Rejected") {
        assert_eq!(done["reason"], "OutOfStock", "{done}");
        assert_eq!(done["money"]["refunded"], done["money"]["paid"], "{done}");
        assert_eq!(facts(done), ["Requested", "Paid", "OutOfStock", "Refunded", "Rejected"], "{done}");
    }
    let Race { night, ends, .. } = race;
    door.shows_free(property, ("suite", night, night.tomorrow().unwrap()), 0).await;
    world.shows(
        "S3",
        format!("8 asked for the one suite of {night} at once: {ends:?}; paid and refunded in full"),
    );
    say!("  {:?}", balance(world, property, &Expected::nightly(NIGHTLY)).await);
    hotel.close(world);
}

/// Of all Services of Innkeeper's, one can be reached from outside.
pub async fn the_only_one(world: &World) {
    world.installed();
    let list = |kinds: &str| -> Vec<Value> {
        let of_ours = ["get", kinds, "-A", "-l", "app.kubernetes.io/part-of=innkeeper", "-o", "json"];
        let all: Value = serde_json::from_str(&world.kubectl(&of_ours)).unwrap();
        all["items"].as_array().unwrap().clone()
    };
    let services = list("services");
    assert!(services.len() >= 5, "{}", services.len());
    let inside = |service: &&Value| {
        let spec = &service["spec"];
        spec["type"] == "ClusterIP" && spec["externalIPs"].is_null() && spec["loadBalancerIP"].is_null()
    };
    let open: Vec<&Value> = services.iter().filter(|s| !inside(s)).map(|s| &s["metadata"]["name"]).collect();
    assert_eq!(open, [GATEWAY]);
    assert!(list("ingresses").is_empty());
    for pod in list("pods") {
        let spec = &pod["spec"];
        assert!(spec["hostNetwork"].is_null(), "{}", pod["metadata"]["name"]);
        let containers = spec["containers"].as_array().unwrap();
        let ports = containers.iter().flat_map(|c| c["ports"].as_array().cloned().unwrap_or_default());
        assert!(ports.into_iter().all(|port| port["hostPort"].is_null()), "{}", pod["metadata"]["name"]);
    }
    // What it is for: not its metrics, not its probes.
    let door = Door::open(world).await;
    for path in ["/metrics", "/livez", "/readyz"] {
        assert_eq!(door.get(path).await.status, 404, "{path}");
    }
    world.show(&["-n", SYSTEM, "get", "services"]);
    world.shows(
        "S5",
        format!(
            "of {} Services one is reached from outside, {GATEWAY}; no Ingress, no host port",
            services.len()
        ),
    );
}
