use innkeeper_api::{Collect, Guests, Phase, ReservationStatus};
use innkeeper_booking::status::{End, Stage, stage};
use jiff::Timestamp;
use jiff::civil::date;

use super::views::StatusView;
use super::*;

fn stay(name: &str, guest: &str, created: i64) -> StayView {
    StayView {
        namespace: "seaside".into(),
        name: name.into(),
        uid: name.into(),
        version: 1,
        created: Timestamp::from_second(created).unwrap(),
        guest_id: guest.into(),
        room: "double".into(),
        check_in: date(2030, 7, 1),
        check_out: date(2030, 7, 3),
        units: 1,
        guests: Guests::default(),
        collect: Collect::Online,
        reference: None,
        terms: [0; 16],
        given_up: None,
        status: StatusView {
            stage: stage(&ReservationStatus::default()),
            phase: Phase::Pending,
            why: None,
            quote: None,
            money: (0, 0, 0),
            history: [].into(),
        },
    }
}

#[allow(clippy::needless_pass_by_value, reason = "made for this")]
fn put(model: &Model, stay: StayView) {
    model.put_stay("seaside", &stay.name, Some(&stay));
}

fn names(page: &Page) -> Vec<&str> {
    page.stays.iter().map(|stay| stay.name.as_str()).collect()
}

fn claims(model: &Model) -> usize {
    let spec = serde_json::json!({
        "units": 1, "rate": { "currency": "EUR", "minorUnits": 1 }, "timeZone": "UTC",
    });
    let spec = serde_json::from_value(spec).unwrap();
    let room = RoomView { name: "double".into(), uid: "r".into(), generation: 1, spec, going: false };
    model.put_room("seaside", "double", Some(room));
    model.stock_of("seaside", "double", &[]).unwrap().claims.len()
}

#[test]
fn a_list_is_newest_first_and_its_parts_neither_overlap_nor_leave_anything_out() {
    let model = Model::default();
    for (name, created) in [("a", 10), ("b", 30), ("c", 20), ("d", 30)] {
        put(&model, stay(name, "acme:anna", created));
    }
    put(&model, stay("e", "acme:ben", 25));
    put(&model, stay("f", "rival:anna", 26));
    let all = |_: &str| true;
    assert_eq!(names(&model.stays_of("acme:anna", None, 9, all)), ["b", "d", "c", "a"]);
    let first = model.stays_of("acme:", None, 2, all);
    assert_eq!(names(&first), ["b", "d"]);
    // What comes in between is newer, and shifts nothing.
    put(&model, stay("g", "acme:carl", 99));
    let second = model.stays_of("acme:", first.next.as_ref(), 2, all);
    assert_eq!(names(&second), ["e", "c"]);
    let third = model.stays_of("acme:", second.next.as_ref(), 2, all);
    assert_eq!((names(&third), &third.next), (vec!["a"], &None));
    assert_eq!(names(&model.stays_of("acme:", None, 9, |ns| ns == "elsewhere")), [""; 0]);
    assert_eq!(names(&model.stays_of("anna", None, 9, all)), [""; 0]);
}

#[test]
fn a_long_list_is_in_the_same_order_and_shrinks_again() {
    let model = Model::default();
    let name = |number: i64| format!("stay-{number:03}");
    for number in 0..200 {
        // Two of each second, so that names decide too.
        put(&model, stay(&name(number), &format!("acme:g-{number}"), number / 2));
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = model.stays_of("acme:", after.as_ref(), 7, |_| true);
        seen.extend(page.stays.iter().map(|stay| stay.name.clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<String> =
        (0..100).rev().flat_map(|second| [name(second * 2), name(second * 2 + 1)]).collect();
    assert_eq!(seen, expected);
    for number in 0..200 {
        model.put_stay("seaside", &name(number), None);
    }
    assert_eq!(names(&model.stays_of("acme:", None, 9, |_| true)), [""; 0]);
    assert_eq!(model.size().reservations, 0);
}

#[test]
fn one_that_changes_guests_or_times_is_where_it_belongs_now() {
    let model = Model::default();
    put(&model, stay("a", "g", 1));
    put(&model, stay("a", "h", 2));
    assert_eq!(names(&model.stays_of("g", None, 9, |_| true)), [""; 0]);
    assert_eq!(names(&model.stays_of("h", None, 9, |_| true)), ["a"]);
    assert_eq!(model.stay("seaside", "a").unwrap().created, Timestamp::from_second(2).unwrap());
}

#[test]
fn a_claim_lasts_as_long_as_a_booking_is_under_way() {
    let model = Model::default();
    assert_eq!(claims(&model), 0);
    put(&model, stay("a", "g", 1));
    assert_eq!(claims(&model), 1);
    put(&model, StayView { given_up: Some(End::Cancelled), ..stay("a", "g", 1) });
    assert_eq!(claims(&model), 0);
    put(&model, stay("a", "g", 1));
    let mut confirmed = stay("a", "g", 1);
    confirmed.status.stage = Stage::Confirmed;
    put(&model, confirmed);
    assert_eq!(claims(&model), 0);
    put(&model, stay("a", "g", 1));
    model.put_stay("seaside", "a", None);
    assert_eq!((claims(&model), model.size().reservations), (0, 0));
}

#[test]
fn a_new_list_replaces_its_namespace_and_no_other() {
    let model = Model::default();
    put(&model, stay("a", "g", 1));
    put(&model, stay("b", "g", 1));
    let elsewhere = StayView { namespace: "annex".into(), ..stay("c", "g", 1) };
    model.put_stay("annex", "c", Some(&elsewhere));
    let key = |name: &str| ("seaside".to_owned(), name.to_owned());
    model.list_stays(Some("seaside"), vec![(key("b"), Listed::of(&stay("b", "g", 2)))]);
    assert_eq!(names(&model.stays_of("g", None, 9, |_| true)), ["b", "c"]);
    model.list_stays(None, vec![(key("a"), Listed::of(&stay("a", "g", 1)))]);
    assert_eq!(names(&model.stays_of("g", None, 9, |_| true)), ["a"]);
}

#[tokio::test]
async fn whoever_waits_for_a_write_goes_on_when_it_is_shown_and_not_before() {
    let model = Model::default();
    let short = Duration::from_millis(1);
    assert!(!model.wait_for("seaside", "a", 2, short).await, "not there");
    put(&model, stay("a", "g", 1));
    assert!(!model.wait_for("seaside", "a", 2, short).await, "an older version");
    let waiting = model.clone();
    let waiting =
        tokio::spawn(async move { waiting.wait_for("seaside", "a", 2, Duration::from_secs(600)).await });
    put(&model, StayView { version: 2, ..stay("a", "g", 1) });
    assert!(waiting.await.unwrap());
    assert!(lock(&model.0.followers).is_empty(), "nobody follows any more");
}
