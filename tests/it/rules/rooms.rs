//! Rooms.

use rstest::rstest;
use serde_json::{Value, json};

use super::{check, offer, room};

fn season(change: &Value) -> Value {
    let season = json!({ "from": "2026-12-24", "to": "2026-12-27", "minorUnits": 1 });
    json!({ "spec": { "rates": [super::changed(&season, change)] } })
}

fn seasons(count: usize) -> Value {
    json!({ "spec": { "rates": vec![json!({ "from": "2026-12-24", "to": "2026-12-27", "minorUnits": 1 }); count] } })
}

fn out(change: &Value) -> Value {
    let out = json!({ "from": "2026-12-24", "to": "2026-12-27", "units": 1 });
    json!({ "spec": { "outOfOrder": [super::changed(&out, change)] } })
}

fn outs(count: usize) -> Value {
    json!({ "spec": { "outOfOrder": vec![json!({ "from": "2026-12-24", "to": "2026-12-27", "units": 1 }); count] } })
}

fn tiers(pairs: &[(u32, u32)]) -> Value {
    let tiers: Vec<Value> = pairs
        .iter()
        .map(|(hours, percent)| json!({ "hoursBefore": hours, "refundPercent": percent }))
        .collect();
    json!({ "spec": { "cancellation": tiers } })
}

fn shown(change: &Value) -> Value {
    let text = json!({ "language": "en", "title": "Double" });
    json!({ "spec": { "display": [super::changed(&text, change)] } })
}

fn languages(count: usize) -> Value {
    let texts: Vec<Value> =
        (0..count).map(|n| json!({ "language": format!("en-x{n:02}"), "title": "Double" })).collect();
    json!({ "spec": { "display": texts } })
}

fn restricted(restrictions: &Value) -> Value {
    json!({ "spec": { "restrictions": restrictions } })
}

#[rstest]
#[case::units_missing(json!({"spec": {"units": null}}), "spec.units: Required value", json!({"spec": {"units": 0}}))]
#[case::units_below(json!({"spec": {"units": -1}}), "greater than or equal to 0", json!({"spec": {"units": 0}}))]
#[case::units_above(json!({"spec": {"units": 201}}), "less than or equal to 200", json!({"spec": {"units": 200}}))]
#[case::units_no_number(json!({"spec": {"units": "two"}}), "must be of type integer", json!({"spec": {"units": 2}}))]
#[case::with_overbooking(json!({"spec": {"units": 150, "overbooking": 51}}), "split a bigger house into several Rooms",
    json!({"spec": {"units": 150, "overbooking": 50}}))]
#[case::overbooking_below(json!({"spec": {"overbooking": -1}}), "greater than or equal to 0", json!({"spec": {"overbooking": 0}}))]
#[case::rate_missing(json!({"spec": {"rate": null}}), "spec.rate: Required value", json!({}))]
#[case::currency_in_small_letters(json!({"spec": {"rate": {"currency": "eur"}}}), "an ISO 4217 code in capitals, such as EUR",
    json!({"spec": {"rate": {"currency": "KRW"}}}))]
#[case::currency_too_long(json!({"spec": {"rate": {"currency": "EURO"}}}), "Too long", json!({"spec": {"rate": {"currency": "ISK"}}}))]
#[case::currency_too_short(json!({"spec": {"rate": {"currency": "EU"}}}), "at least 3 chars", json!({"spec": {"rate": {"currency": "USD"}}}))]
#[case::rate_below(json!({"spec": {"rate": {"minorUnits": -1}}}), "greater than or equal to 0", json!({"spec": {"rate": {"minorUnits": 0}}}))]
#[case::rate_above(json!({"spec": {"rate": {"minorUnits": 100_000_000}}}), "less than or equal to 99999999",
    json!({"spec": {"rate": {"minorUnits": 99_999_999}}}))]
#[case::a_rate_with_cents_behind_a_dot(json!({"spec": {"rate": {"minorUnits": 120.5}}}), "must be of type integer", json!({}))]
#[case::season_of_no_night(season(&json!({"to": "2026-12-24"})), "a season ends after it begins", season(&json!({"to": "2026-12-25"})))]
#[case::season_without_a_price(season(&json!({"minorUnits": null})), "minorUnits: Required value", season(&json!({"minorUnits": 0})))]
#[case::season_price_above(season(&json!({"minorUnits": 100_000_000})), "less than or equal to 99999999", season(&json!({"minorUnits": 99_999_999})))]
#[case::no_such_day(season(&json!({"from": "2026-11-31"})), "must be of type date", season(&json!({"from": "2026-11-30"})))]
#[case::no_leap_year(season(&json!({"from": "2026-02-29"})), "must be of type date", season(&json!({"from": "2024-02-29"})))]
#[case::no_such_weekday(season(&json!({"weekdays": ["Funday"]})), "Unsupported value: \"Funday\"", season(&json!({"weekdays": ["Sunday"]})))]
#[case::weekday_twice(season(&json!({"weekdays": ["Sunday", "Sunday"]})), "Duplicate value", season(&json!({"weekdays": ["Sunday", "Monday"]})))]
#[case::too_many_seasons(seasons(65), "must have at most 64 items", seasons(64))]
#[case::out_of_order_for_no_night(out(&json!({"to": "2026-12-24"})), "out of order ends after it begins", out(&json!({"to": "2026-12-25"})))]
#[case::out_of_order_without_units(out(&json!({"units": 0})), "greater than or equal to 1", out(&json!({"units": 1})))]
#[case::out_of_order_above(out(&json!({"units": 201})), "less than or equal to 200", out(&json!({"units": 200})))]
#[case::out_of_order_reason(out(&json!({"reason": "x".repeat(257)})), "Too long", out(&json!({"reason": "x".repeat(256)})))]
#[case::too_many_out_of_order(outs(65), "must have at most 64 items", outs(64))]
#[case::no_such_sale(json!({"spec": {"sale": "Closed"}}), "supported values: \"Open\", \"Stopped\"", json!({"spec": {"sale": "Stopped"}}))]
#[case::no_such_flow(json!({"spec": {"flow": "PayNever"}}), "Unsupported value", json!({"spec": {"flow": "PayFirst"}}))]
#[case::min_nights_above_max(restricted(&json!({"minNights": 3, "maxNights": 2})), "minNights is at most maxNights",
    restricted(&json!({"minNights": 3, "maxNights": 3})))]
#[case::min_nights_below(restricted(&json!({"minNights": 0})), "greater than or equal to 1", restricted(&json!({"minNights": 1})))]
#[case::max_nights_above(restricted(&json!({"maxNights": 63})), "less than or equal to 62", restricted(&json!({"maxNights": 62})))]
#[case::days_ahead_above_max(restricted(&json!({"minDaysAhead": 3, "maxDaysAhead": 2})), "minDaysAhead is at most maxDaysAhead",
    restricted(&json!({"minDaysAhead": 3, "maxDaysAhead": 3})))]
#[case::days_ahead_below(restricted(&json!({"minDaysAhead": -1})), "greater than or equal to 0", restricted(&json!({"minDaysAhead": 0})))]
#[case::days_ahead_above(restricted(&json!({"maxDaysAhead": 1001})), "less than or equal to 1000", restricted(&json!({"maxDaysAhead": 1000})))]
#[case::a_tier_further_ahead_gives_less(tiers(&[(168, 50), (24, 100)]), "must not give back less than one nearer to it",
    tiers(&[(24, 100), (168, 100)]))]
#[case::too_many_tiers(tiers(&[(0, 0); 9]), "must have at most 8 items", tiers(&[(0, 0); 8]))]
#[case::tier_hours_above(tiers(&[(8785, 100)]), "less than or equal to 8784", tiers(&[(8784, 100)]))]
#[case::tier_percent_above(tiers(&[(24, 101)]), "less than or equal to 100", tiers(&[(24, 100)]))]
#[case::zone_missing(json!({"spec": {"timeZone": null}}), "spec.timeZone: Required value", json!({"spec": {"timeZone": "UTC"}}))]
#[case::zone_empty(json!({"spec": {"timeZone": ""}}), "at least 1 chars", json!({"spec": {"timeZone": "Asia/Seoul"}}))]
#[case::zone_is_no_name(json!({"spec": {"timeZone": "UTC+9 hours"}}), "an IANA name such as Asia/Seoul", json!({"spec": {"timeZone": "Etc/GMT+9"}}))]
#[case::zone_is_a_path(json!({"spec": {"timeZone": "../zone"}}), "an IANA name", json!({"spec": {"timeZone": "America/Argentina/Buenos_Aires"}}))]
#[case::zone_too_long(json!({"spec": {"timeZone": "A".repeat(65)}}), "Too long", json!({"spec": {"timeZone": "A".repeat(64)}}))]
#[case::no_such_time(json!({"spec": {"checkInTime": "24:00"}}), "from 00:00 to 23:59, such as 15:00", json!({"spec": {"checkInTime": "23:59"}}))]
#[case::a_time_with_one_digit(json!({"spec": {"checkInTime": "9:00"}}), "from 00:00 to 23:59", json!({"spec": {"checkInTime": "09:00"}}))]
#[case::a_time_with_seconds(json!({"spec": {"checkInTime": "09:00:00"}}), "Too long", json!({"spec": {"checkInTime": "00:00"}}))]
#[case::language_in_capitals(shown(&json!({"language": "EN"})), "a BCP 47 tag such as en, ko or pt-BR", shown(&json!({"language": "pt-BR"})))]
#[case::language_too_long(shown(&json!({"language": "en-abcdefgh-abcdefgh"})), "Too long", shown(&json!({"language": "en-abcdefgh-abcd"})))]
#[case::title_empty(shown(&json!({"title": ""})), "at least 1 chars", shown(&json!({"title": "D"})))]
#[case::title_too_long(shown(&json!({"title": "x".repeat(129)})), "Too long", shown(&json!({"title": "x".repeat(128)})))]
#[case::description_too_long(shown(&json!({"description": "x".repeat(4097)})), "Too long", shown(&json!({"description": "x".repeat(4096)})))]
#[case::too_many_languages(languages(17), "must have at most 16 items", languages(16))]
#[case::one_language_twice(
    json!({"spec": {"display": [{"language": "en", "title": "Double"}, {"language": "en", "title": "Twin"}]}}),
    "Duplicate value",
    json!({"spec": {"display": [{"language": "en", "title": "Double"}, {"language": "ko", "title": "Twin"}]}}))]
#[case::no_guests(json!({"spec": {"maxGuests": 0}}), "greater than or equal to 1", json!({"spec": {"maxGuests": 1}}))]
#[case::too_many_guests(json!({"spec": {"maxGuests": 51}}), "less than or equal to 50", json!({"spec": {"maxGuests": 50}}))]
#[case::name_too_long(json!({"metadata": {"name": "x".repeat(56)}}), "at most 55 characters, because its calendars are named",
    json!({"metadata": {"name": "x".repeat(55)}}))]
#[tokio::test]
async fn a_room_is_refused(#[case] refused: Value, #[case] words: &str, #[case] passes: Value) {
    check(&room(), &refused, words, &passes).await;
}

#[tokio::test]
async fn a_room_with_everything_passes() {
    let everything = json!({ "spec": {
        "rates": [{ "from": "2026-12-24", "to": "2026-12-27", "weekdays": ["Friday", "Saturday"], "minorUnits": 20_000 }],
        "overbooking": 1,
        "outOfOrder": [{ "from": "2026-12-01", "to": "2026-12-03", "units": 1, "reason": "New windows." }],
        "sale": "Stopped",
        "restrictions": { "minNights": 2, "maxNights": 14, "minDaysAhead": 0, "maxDaysAhead": 365 },
        "flow": "PayFirst",
        "cancellation": [{ "hoursBefore": 168, "refundPercent": 100 }, { "hoursBefore": 24, "refundPercent": 50 }],
        "checkInTime": "16:00",
        "display": [{ "language": "ko", "title": "바다 전망", "description": "두 개의 침대." }],
        "maxGuests": 3,
    } });
    assert_eq!(offer(&super::changed(&room(), &everything)).await, Ok(()));
}
