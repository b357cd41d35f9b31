//! Calendars: overselling cannot be stored, whoever writes and however.

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, core::DynamicObject};
use rstest::rstest;
use serde_json::{Value, json};

use super::{api_of, changed, check, message_of};
use crate::support::control_plane;

const NAME: &str = "double-2026-11";
const OVERSOLD: &str = "oversold: more holders than capacity, and not all of them were there before";
const ORDER: &str = "holders must be in ascending order, each once";
const STALE: &str =
    "capacity changes only with a newer generation of the Room, and that generation never falls";
const DROPPED: &str = "a night is never dropped from a calendar";

/// One night: `03 2@1 a b` is the third, with capacity 2 from generation 1, held by a and b.
fn night(text: &str) -> Value {
    let mut words = text.split(' ');
    let date = format!("2026-11-{}", words.next().unwrap());
    let (capacity, generation) = words.next().unwrap().split_once('@').unwrap();
    let number = |text: &str| text.parse::<i64>().unwrap();
    let holders: Vec<&str> = words.collect();
    json!({ "date": date, "capacity": number(capacity), "roomGeneration": number(generation), "holders": holders })
}

/// A calendar with these nights, separated by commas.
fn calendar(nights: &str) -> Value {
    json!({
        "apiVersion": "innkeeper.dev/v1alpha1",
        "kind": "RoomCalendar",
        "metadata": { "name": NAME },
        "roomName": "double",
        "roomUID": "5d1c7a52-8a53-4a3c-b6a8-3c1f2e9d7b60",
        "month": "2026-11",
        "nights": nights.split(", ").map(night).collect::<Vec<_>>(),
    })
}

/// The ways in which something can be written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Patch,
    Replace,
    Apply,
}

async fn write(api: &Api<DynamicObject>, how: How, object: &Value) -> Result<(), String> {
    let outcome = match how {
        How::Patch => api.patch(NAME, &PatchParams::default(), &Patch::Merge(object)).await,
        How::Apply => api.patch(NAME, &PatchParams::apply("innkeeper").force(), &Patch::Apply(object)).await,
        How::Replace => {
            let mut object = object.clone();
            object["metadata"]["resourceVersion"] =
                json!(api.get(NAME).await.unwrap().metadata.resource_version);
            api.replace(NAME, &PostParams::default(), &serde_json::from_value(object).unwrap()).await
        }
    };
    outcome.map(|_| ()).map_err(|error| message_of(&error))
}

/// A calendar with a history of nights, each step of which must pass.
async fn with_history(steps: &[&str]) -> Api<DynamicObject> {
    let namespace = control_plane().namespace("nights");
    let api = api_of(control_plane().client(), &namespace, &calendar("01 1@1"));
    for step in steps {
        // By apply, so that whatever is applied afterwards can also take away.
        write(&api, How::Apply, &calendar(step)).await.unwrap();
    }
    api
}

#[rstest]
#[case::a_unit_is_taken(&["01 2@1 a"], "01 2@1 a b", None)]
#[case::one_more_than_there_is(&["01 2@1 a b"], "01 2@1 a b c", Some(OVERSOLD))]
#[case::two_at_once_for_one_unit(&["01 2@1 a"], "01 2@1 a b c", Some(OVERSOLD))]
#[case::into_a_night_that_is_not_sold(&["01 0@1"], "01 0@1 a", Some(OVERSOLD))]
#[case::one_goes_and_one_comes(&["01 2@1 a b"], "01 2@1 b c", None)]
#[case::another_unit_of_the_same_stay(&["01 2@1 a"], "01 2@1 a a/2", None)]
#[case::the_last_one_goes(&["01 2@1 a"], "01 2@1", None)]
#[case::the_hotel_lowers_its_units_under_guests(&["01 3@1 a b c"], "01 1@2 a b c", None)]
#[case::then_one_goes(&["01 3@1 a b c", "01 1@2 a b c"], "01 1@2 a c", None)]
#[case::then_all_go_but_one(&["01 3@1 a b c", "01 1@2 a b c"], "01 1@2 b", None)]
#[case::then_nobody_is_put_in_for_one_that_goes(&["01 3@1 a b c", "01 1@2 a b c"], "01 1@2 a d", Some(OVERSOLD))]
#[case::then_nobody_is_swapped(&["01 3@1 a b c", "01 1@2 a b c"], "01 1@2 a b d", Some(OVERSOLD))]
#[case::lowering_and_taking_at_once(&["01 3@1 a b"], "01 1@2 a b c", Some(OVERSOLD))]
#[case::somebody_twice(&["01 3@1 a"], "01 3@1 a a", Some(ORDER))]
#[case::out_of_order(&["01 3@1 b"], "01 3@1 b a", Some(ORDER))]
#[case::an_older_view_of_the_room(&["01 2@1", "01 3@2"], "01 3@1", Some(STALE))]
#[case::an_older_view_with_its_capacity(&["01 3@1", "01 2@2"], "01 3@1", Some(STALE))]
#[case::another_capacity_at_the_same_generation(&["01 2@1"], "01 3@1", Some(STALE))]
#[case::less_at_the_same_generation(&["01 2@1"], "01 1@1", Some(STALE))]
#[case::a_newer_generation(&["01 2@1"], "01 3@2", None)]
#[case::a_newer_generation_with_the_same_capacity(&["01 2@1"], "01 2@2", None)]
#[case::many_generations_later(&["01 2@1"], "01 0@99", None)]
#[case::a_rebuilt_one_gets_its_true_capacity(&["01 2@0 a b"], "01 1@4 a b", None)]
#[case::a_night_is_dropped(&["01 2@1, 02 2@1"], "01 2@1", Some(DROPPED))]
#[case::an_empty_night_is_dropped_for_another(&["01 2@1, 02 2@1"], "01 2@1, 03 2@1", Some(DROPPED))]
#[case::a_night_is_added(&["01 2@1"], "01 2@1, 02 2@1", None)]
#[case::a_night_is_added_oversold(&["01 2@1"], "01 2@1, 02 1@1 a b", Some(OVERSOLD))]
#[case::the_other_night_is_full(&["01 2@1, 02 1@1 a"], "01 2@1 b, 02 1@1 a b", Some(OVERSOLD))]
#[case::a_night_appears_twice(&["01 2@1"], "01 2@1, 01 2@1", Some("uplicate"))]
#[tokio::test]
async fn nights_are_written(
    #[case] history: &[&str],
    #[case] written: &str,
    #[case] refused: Option<&str>,
    #[values(How::Patch, How::Replace, How::Apply)] how: How,
) {
    let api = with_history(history).await;
    let before = api.get(NAME).await.unwrap();
    match (write(&api, how, &calendar(written)).await, refused) {
        (Ok(()), None) => {
            let nights = api.get(NAME).await.unwrap().data["nights"].clone();
            assert_eq!(nights, calendar(written)["nights"]);
        }
        (Err(said), Some(words)) => {
            assert!(said.contains(words), "{said}");
            assert_eq!(
                api.get(NAME).await.unwrap().metadata.resource_version,
                before.metadata.resource_version
            );
        }
        (outcome, _) => panic!("{how:?}: {outcome:?}"),
    }
}

#[rstest]
#[case::another_room(json!({"roomUID": "another"}), "roomUID is immutable: a calendar belongs to one Room for good")]
#[case::another_name(json!({"roomName": "single"}), "roomName and month are immutable")]
#[case::another_month(json!({"month": "2026-12"}), "roomName and month are immutable")]
#[tokio::test]
async fn what_a_calendar_is_for_never_changes(
    #[case] change: Value,
    #[case] words: &str,
    #[values(How::Patch, How::Replace, How::Apply)] how: How,
) {
    let api = with_history(&["01 2@1 a"]).await;
    let said = write(&api, how, &changed(&calendar("01 2@1 a"), &change)).await.unwrap_err();
    assert!(said.contains(words), "{said}");
}

#[tokio::test]
async fn holders_left_out_are_no_holders() {
    let api = with_history(&["01 2@1 a b"]).await;
    let night = json!({ "date": "2026-11-01", "capacity": 2, "roomGeneration": 1 });
    write(&api, How::Patch, &json!({ "nights": [night] })).await.unwrap();
    assert!(api.get(NAME).await.unwrap().data["nights"][0].get("holders").is_none());
    write(&api, How::Patch, &calendar("01 2@1 a b")).await.unwrap();
}

fn nights(nights: &[Value]) -> Value {
    json!({ "nights": nights })
}

fn one(change: &Value) -> Value {
    nights(&[changed(&night("01 2@1"), change)])
}

fn held_by(count: usize) -> Value {
    let holders: Vec<String> = (0..count).map(|n| format!("u{n:03}")).collect();
    one(&json!({ "capacity": 200, "holders": holders }))
}

#[rstest]
#[case::born_oversold(nights(&[night("01 1@1 a b")]), OVERSOLD, nights(&[night("01 2@1 a b")]))]
#[case::born_in_disorder(nights(&[night("01 2@1 b a")]), ORDER, nights(&[night("01 2@1 a b")]))]
#[case::by_another_name(json!({"roomName": "single"}), "a calendar is named <room>-<month>",
    json!({"roomName": "single", "metadata": {"name": "single-2026-11"}}))]
#[case::by_another_month(json!({"month": "2026-12"}), "a calendar is named <room>-<month>",
    json!({"month": "2026-12", "metadata": {"name": "double-2026-12"}}))]
#[case::no_such_month(json!({"month": "2026-13", "metadata": {"name": "double-2026-13"}}), "should match",
    json!({"month": "2027-01", "metadata": {"name": "double-2027-01"}}))]
#[case::capacity_above(one(&json!({"capacity": 201})), "less than or equal to 200", one(&json!({"capacity": 200})))]
#[case::capacity_below(one(&json!({"capacity": -1})), "greater than or equal to 0", one(&json!({"capacity": 0})))]
#[case::generation_below(one(&json!({"roomGeneration": -1})), "greater than or equal to 0", one(&json!({"roomGeneration": 0})))]
#[case::generation_missing(one(&json!({"roomGeneration": null})), "roomGeneration: Required value", one(&json!({})))]
#[case::capacity_missing(one(&json!({"capacity": null})), "capacity: Required value", one(&json!({})))]
#[case::nights_missing(json!({"nights": null}), "nights: Required value", json!({}))]
#[case::no_such_day(one(&json!({"date": "2026-11-31"})), "must be of type date", one(&json!({"date": "2026-11-30"})))]
#[case::too_many_holders(held_by(201), "must have at most 200 items", held_by(200))]
#[case::holder_too_long(one(&json!({"holders": ["u".repeat(41)]})), "Too long", one(&json!({"holders": ["u".repeat(40)]})))]
#[case::holder_empty(one(&json!({"holders": [""]})), "at least 1 chars", one(&json!({"holders": ["u"]})))]
#[case::no_room(json!({"roomUID": ""}), "at least 1 chars", json!({"roomUID": "u"}))]
#[tokio::test]
async fn a_calendar_is_refused(#[case] refused: Value, #[case] words: &str, #[case] passes: Value) {
    check(&calendar("01 2@1"), &refused, words, &passes).await;
}

#[tokio::test]
async fn a_month_has_at_most_31_nights() {
    let days = |count: u32| -> Vec<Value> {
        let first = jiff::civil::date(2026, 10, 1);
        let night = |date| json!({ "date": date, "capacity": 1, "roomGeneration": 1 });
        innkeeper_api::nights(first, first + jiff::Span::new().days(count)).map(night).collect()
    };
    check(&calendar("01 2@1"), &nights(&days(32)), "must have at most 31 items", &nights(&days(31))).await;
}

#[tokio::test]
async fn the_largest_calendar_there_can_be_is_stored() {
    // 31 nights, 200 units, entries of several units of few Reservations: within every budget of the API server.
    let uid = "0a2f9f6e-3f5b-4d7e-9c3e-5b8d6a1f0c11";
    let mut holders: Vec<String> = innkeeper_api::holder_entries(uid, 200).collect();
    holders.sort();
    let month: Vec<Value> = (1..=30)
        .map(|day| changed(&night(&format!("{day:02} 200@1")), &json!({ "holders": holders })))
        .collect();
    let api = with_history(&["01 200@1"]).await;
    let full = changed(&calendar("01 200@1"), &nights(&month));
    write(&api, How::Replace, &full).await.unwrap();
    write(&api, How::Patch, &full).await.unwrap();
    write(&api, How::Apply, &full).await.unwrap();
}
