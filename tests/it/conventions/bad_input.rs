//! What the API server cannot see is wrong ends in a condition that says what to change; where it is waited for, putting
//! it right is enough.

use innkeeper_api::{ConditionStatus, ConditionType, Money, Reason, ReservationSpec, RoomSpec, Sale};
use jiff::civil::date;
use rstest::rstest;
use serde_json::json;

use super::checks::condition;
use super::kstatus::{Kstatus, judge};
use super::story::Story;
use crate::support::hotel::is;

use ConditionStatus::{False, True, Unknown};
use ConditionType as C;

fn as_it_is(_: &mut RoomSpec) {}

fn any(_: &mut ReservationSpec) {}

fn restrict(room: &mut RoomSpec, restrictions: serde_json::Value) {
    room.restrictions = Some(serde_json::from_value(restrictions).unwrap());
}

fn at_most(stay: &mut ReservationSpec, currency: &str, minor_units: i64) {
    stay.max_total = Some(Money { currency: currency.to_owned(), minor_units });
}

/// The stay is two nights at 120.00 EUR for one unit of two.
#[rstest]
#[case::in_the_past(
    as_it_is,
    |s: &mut ReservationSpec| (s.check_in, s.check_out) = (date(2020, 1, 1), date(2020, 1, 2)),
    Reason::InvalidStay,
    "checkIn 2020-01-01 is in the past"
)]
#[case::more_units_than_there_are(as_it_is, |s: &mut ReservationSpec| s.units = 3, Reason::InvalidStay, "units 3 is more than the Room ever has (2)")]
#[case::a_price_that_cannot_be_charged(
    |r: &mut RoomSpec| r.rate.minor_units = 99_999_999,
    any,
    Reason::InvalidStay,
    "book fewer nights or units"
)]
#[case::too_dear(as_it_is, |s: &mut ReservationSpec| at_most(s, "EUR", 23_999), Reason::PriceAboveMax, "The price is 240.00 EUR, above maxTotal 239.99 EUR")]
#[case::another_currency(
    as_it_is,
    |s: &mut ReservationSpec| at_most(s, "KRW", 999_999),
    Reason::PriceAboveMax,
    "maxTotal is in KRW, and the Room is sold in EUR"
)]
#[case::not_sold(|r: &mut RoomSpec| r.sale = Sale::Stopped, any, Reason::SaleStopped, "choose another")]
#[case::too_short(|r: &mut RoomSpec| restrict(r, json!({"minNights": 3})), any, Reason::RestrictionViolated, "3 nights or more; the stay has 2")]
#[case::too_long(|r: &mut RoomSpec| restrict(r, json!({"maxNights": 1})), any, Reason::RestrictionViolated, "1 nights at most; the stay has 2")]
#[case::too_soon(|r: &mut RoomSpec| restrict(r, json!({"minDaysAhead": 1000})), |s: &mut ReservationSpec| soon(s), Reason::RestrictionViolated, "1000 days ahead or more")]
#[case::too_far(|r: &mut RoomSpec| restrict(r, json!({"maxDaysAhead": 1})), any, Reason::RestrictionViolated, "at most 1 days ahead")]
#[case::too_many_guests(
    |r: &mut RoomSpec| r.max_guests = Some(2),
    |s: &mut ReservationSpec| s.guests.children = 2,
    Reason::RestrictionViolated,
    "3 guests do not fit: 1 units take 2 at most"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stay_that_cannot_be_had_is_refused_for_good_and_says_what_to_change(
    #[case] room: fn(&mut RoomSpec),
    #[case] stay: fn(&mut ReservationSpec),
    #[case] reason: Reason,
    #[case] says: &str,
) {
    let story = Story::begin("refused").await;
    let hotel = &story.hotel;
    hotel.room_with("double", 2, room).await;
    hotel.reserve_with("wrong", "double", stay).await;
    let wrong = hotel.settled("wrong", Reason::Rejected).await;
    assert!(is(&wrong, &C::Accepted, False, &reason), "{wrong:#?}");
    assert!(is(&wrong, &C::Ready, False, &reason));
    let message = &wrong.status.as_ref().unwrap().conditions.get(&C::Ready).unwrap().message;
    assert!(message.contains(says), "{message}");
    assert!(message.ends_with("To book again, delete this Reservation and create a new one."), "{message}");
    assert_eq!(hotel.accounts().await, [], "nothing was asked of the provider");

    // Done as it says: gone at once, and the same name can be used.
    let put_right = json!({ "spec": {
        "checkInTime": "16:00",
        "rate": { "minorUnits": 12_000 },
        "sale": "Open",
        "restrictions": null,
        "maxGuests": null,
    } });
    let patch = kube::api::Patch::Merge(put_right);
    hotel.rooms().patch("double", &kube::api::PatchParams::default(), &patch).await.unwrap();
    hotel.delete("wrong").await;
    hotel.gone("wrong").await;
    hotel.reserve("wrong", "double").await;
    hotel.settled("wrong", Reason::Confirmed).await;
    let [wrong] = story.end(["wrong"]).await;
    let first = wrong.versions.iter().position(|v| v.gone).unwrap();
    assert_eq!(first, 2, "created, refused, gone");
}

fn soon(stay: &mut ReservationSpec) {
    let today = jiff::Zoned::now().date();
    (stay.check_in, stay.check_out) = (today + jiff::Span::new().days(3), today + jiff::Span::new().days(5));
}

#[rstest]
#[case::its_time_zone(json!({"timeZone": "Europe/Atlantis"}), json!({"timeZone": "Europe/Lisbon"}), Reason::UnknownTimeZone, "IANA name")]
#[case::its_currency(
    json!({"rate": {"currency": "QQQ"}}),
    json!({"rate": {"currency": "EUR"}}),
    Reason::UnknownCurrency,
    "ISO 4217 code"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_cannot_be_sold_says_why_and_is_waited_for_until_it_is_put_right(
    #[case] wrong: serde_json::Value,
    #[case] right: serde_json::Value,
    #[case] reason: Reason,
    #[case] says: &str,
) {
    let mut story = Story::begin("room-wrong").await;
    let hotel = &story.hotel;
    let patch = |spec: &serde_json::Value| kube::api::Patch::Merge(json!({ "spec": spec }));
    let mut spec = serde_json::to_value(crate::support::hotel::room_spec(1)).unwrap();
    merge(&mut spec, &wrong);
    let spec: RoomSpec = serde_json::from_value(spec).unwrap();
    hotel.room_with("double", 1, |s| *s = spec).await;
    let ready = |r: &innkeeper_api::Room, status, reason: &Reason| {
        r.status.as_ref().is_some_and(|s| s.conditions.is(&C::Ready, status, reason))
    };
    let room = hotel.room_until("double", |r| ready(r, False, &reason)).await;
    let conditions = room.status.unwrap().conditions;
    assert!(conditions.is(&C::Stalled, True, &reason) && conditions.is(&C::Available, False, &reason));
    assert!(conditions.get(&C::Ready).unwrap().message.contains(says));

    hotel.reserve("anna", "double").await;
    let waits = |r: Option<&_>| r.is_some_and(|r| is(r, &C::Accepted, Unknown, &Reason::RoomNotReady));
    let anna = hotel.until("anna", waits).await;
    let message = &anna.status.unwrap().conditions.get(&C::Ready).unwrap().message.clone();
    assert!(message.contains(says) && message.contains("waited for until the deadline"), "{message}");

    hotel.rooms().patch("double", &kube::api::PatchParams::default(), &patch(&right)).await.unwrap();
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.room_until("double", |r| ready(r, True, &Reason::Sellable)).await;

    // A wrong edit later does not touch what is booked, and nothing is lost when it is put right.
    hotel.rooms().patch("double", &kube::api::PatchParams::default(), &patch(&wrong)).await.unwrap();
    hotel.room_until("double", |r| ready(r, False, &reason)).await;
    hotel.rooms().patch("double", &kube::api::PatchParams::default(), &patch(&right)).await.unwrap();
    hotel.room_until("double", |r| ready(r, True, &Reason::Sellable)).await;
    let versions = story.room_versions("double").await;
    let mut judged: Vec<_> = versions.iter().map(|v| judge(&v.object)).collect();
    judged.dedup();
    let expected = [Kstatus::InProgress, Kstatus::Failed, Kstatus::InProgress, Kstatus::Current];
    assert_eq!(judged, [&expected[..], &expected[..]].concat());
    let [anna] = story.end(["anna"]).await;
    assert_eq!(anna.phases(), ["Pending", "InProgress", "Confirmed"]);
    assert_eq!(anna.versions.len(), 5);
    assert_eq!(condition(anna.last(), "Accepted").unwrap()["status"], "True");
}

fn merge(into: &mut serde_json::Value, patch: &serde_json::Value) {
    match (into.as_object_mut(), patch.as_object()) {
        (Some(fields), Some(patch)) => {
            for (name, value) in patch {
                merge(fields.entry(name).or_insert(serde_json::Value::Null), value);
            }
        }
        _ => *into = patch.clone(),
    }
}
