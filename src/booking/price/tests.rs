use innkeeper_api::Rate;
use jiff::civil::date;
use rstest::rstest;

use super::*;
use crate::fixtures::{day, room};

/// `2026-12-24..2026-12-27 Friday,Saturday 200`
fn season(text: &str) -> SeasonalRate {
    let mut words = text.split(' ').peekable();
    let (from, to) = words.next().unwrap().split_once("..").unwrap();
    let days = words.next_if(|w| w.starts_with(char::is_alphabetic)).unwrap_or_default();
    let weekdays = days.split(',').filter(|d| !d.is_empty()).map(|d| match d {
        "Thursday" => Weekday::Thursday,
        "Friday" => Weekday::Friday,
        "Saturday" => Weekday::Saturday,
        other => panic!("no such day in these tests: {other}"),
    });
    SeasonalRate {
        from: day(from),
        to: day(to),
        weekdays: weekdays.collect(),
        minor_units: words.next().unwrap().parse().unwrap(),
    }
}

/// The base rate is 100.
fn sold(currency: &str, base: i64, seasons: &[&str]) -> RoomSpec {
    RoomSpec {
        rate: Rate { currency: currency.to_owned(), minor_units: base },
        rates: seasons.iter().map(|s| season(s)).collect(),
        ..room()
    }
}

// 24 December 2026 is a Thursday.
#[rstest]
#[case::without_seasons(&[], "2026-12-24", 100)]
#[case::the_first_night_of_a_season(&["2026-12-24..2026-12-27 200"], "2026-12-24", 200)]
#[case::its_last_night(&["2026-12-24..2026-12-27 200"], "2026-12-26", 200)]
#[case::its_end_is_no_night_of_it(&["2026-12-24..2026-12-27 200"], "2026-12-27", 100)]
#[case::the_night_before_it(&["2026-12-24..2026-12-27 200"], "2026-12-23", 100)]
#[case::the_last_match_wins(&["2026-12-01..2027-01-01 200", "2026-12-24..2026-12-25 300"], "2026-12-24", 300)]
#[case::even_where_it_is_the_wider_one(&["2026-12-24..2026-12-25 300", "2026-12-01..2027-01-01 200"], "2026-12-24", 200)]
#[case::what_does_not_match_does_not_win(&["2026-12-01..2027-01-01 200", "2026-12-25..2026-12-26 300"], "2026-12-24", 200)]
#[case::on_its_weekdays(&["2026-12-01..2027-01-01 Thursday 200"], "2026-12-24", 200)]
#[case::not_on_others(&["2026-12-01..2027-01-01 Friday,Saturday 200"], "2026-12-24", 100)]
#[case::a_weekday_outside_its_season(&["2026-12-25..2027-01-01 Thursday 200"], "2026-12-24", 100)]
#[case::the_same_weekday_a_week_later(&["2026-12-25..2027-01-01 Thursday 200"], "2026-12-31", 200)]
#[case::over_the_years_end(&["2026-12-31..2027-01-02 200"], "2027-01-01", 200)]
#[case::the_leap_day(&["2028-02-29..2028-03-01 200"], "2028-02-29", 200)]
#[case::a_night_may_be_free(&["2026-12-24..2026-12-25 0"], "2026-12-24", 0)]
fn a_night_costs(#[case] seasons: &[&str], #[case] night: &str, #[case] wanted: i64) {
    assert_eq!(nightly(&sold("EUR", 100, seasons), day(night)), wanted);
}

#[rstest]
#[case(0, Weekday::Monday)]
#[case(1, Weekday::Tuesday)]
#[case(2, Weekday::Wednesday)]
#[case(3, Weekday::Thursday)]
#[case(4, Weekday::Friday)]
#[case(5, Weekday::Saturday)]
#[case(6, Weekday::Sunday)]
fn a_night_has_the_weekday_on_which_it_begins(#[case] after: i32, #[case] wanted: Weekday) {
    let monday = date(2026, 11, 30);
    assert_eq!(weekday(monday + jiff::Span::new().days(after)), wanted);
}

#[rstest]
#[case::one_price(&[], 1, &[("2026-12-24", 3, 100)], 300)]
#[case::two_units(&[], 2, &[("2026-12-24", 3, 200)], 600)]
#[case::a_season_in_the_middle(&["2026-12-25..2026-12-26 250"], 1,
    &[("2026-12-24", 1, 100), ("2026-12-25", 1, 250), ("2026-12-26", 1, 100)], 450)]
#[case::two_seasons_at_one_price_are_one_line(&["2026-12-24..2026-12-25 250", "2026-12-25..2026-12-27 250"], 1,
    &[("2026-12-24", 3, 250)], 750)]
fn a_stay_of_three_nights_is_made_of(
    #[case] seasons: &[&str],
    #[case] units: u32,
    #[case] lines: &[(&str, i32, i64)],
    #[case] total: i64,
) {
    let spec = sold("EUR", 100, seasons);
    let got =
        price(&spec, Currency::of("EUR").unwrap(), date(2026, 12, 24), date(2026, 12, 27), units).unwrap();
    let shown: Vec<(String, i32, i64)> =
        got.lines.iter().map(|l| (l.from.to_string(), l.nights, l.minor_units)).collect();
    let wanted: Vec<(String, i32, i64)> = lines.iter().map(|(d, n, m)| ((*d).to_owned(), *n, *m)).collect();
    assert_eq!(shown, wanted);
    assert_eq!(got.total, total);
}

// Two nights. The sum is rounded once, not each night; what is quoted can be charged and refunded.
#[rstest]
#[case::cents("EUR", 12_345, Some(24_690))]
#[case::no_decimals("KRW", 99_999, Some(199_998))]
#[case::whole_kronur_rounded_down("ISK", 12_324, Some(24_600))]
#[case::whole_kronur_half_up("ISK", 12_325, Some(24_700))]
#[case::each_night_alone_would_round_down("UGX", 12_340, Some(24_700))]
#[case::three_decimals_end_in_nought("KWD", 12_343, Some(24_690))]
#[case::free("EUR", 0, Some(0))]
#[case::the_most_that_can_be_charged("EUR", 49_999_999, Some(99_999_998))]
#[case::more_than_that("EUR", 50_000_000, None)]
#[case::rounded_up_to_more_than_that("UGX", 49_999_975, None)]
fn a_total_is_rounded_to_what_can_be_charged(
    #[case] currency: &str,
    #[case] night: i64,
    #[case] wanted: Option<i64>,
) {
    let spec = sold(currency, night, &[]);
    let got = price(&spec, Currency::of(currency).unwrap(), date(2026, 12, 1), date(2026, 12, 3), 1);
    assert_eq!(got.map(|p| p.total), wanted);
}

#[test]
fn the_dearest_stay_that_can_be_asked_for_has_no_price() {
    let spec = sold("EUR", MAX_AMOUNT, &[]);
    assert_eq!(price(&spec, Currency::of("EUR").unwrap(), date(2026, 1, 1), date(2026, 3, 4), 200), None);
    let spec = sold("EUR", i64::MAX, &[]);
    assert_eq!(price(&spec, Currency::of("EUR").unwrap(), date(2026, 1, 1), date(2026, 3, 4), 200), None);
}
