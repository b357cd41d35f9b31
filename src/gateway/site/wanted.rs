//! What a visitor looks for, as the form says it: read leniently, kept as it was typed, and judged field by field.

use std::fmt::Write as _;

use innkeeper_api::{Guests, MAX_NIGHTS, MAX_UNITS};
use jiff::civil::Date;
use serde::Deserialize;

use super::parts::{Wrong, percent_encoded};
use super::texts::Texts;
use crate::search::{Impossible, MOST_GUESTS, Wish};

/// What the form says, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Wanted {
    /// The property.
    pub(crate) hotel: String,
    /// First night.
    pub(crate) check_in: String,
    /// The day of departure.
    pub(crate) check_out: String,
    /// Grown-ups.
    pub(crate) adults: String,
    /// Children.
    pub(crate) children: String,
    /// Units.
    pub(crate) units: String,
}

impl Wanted {
    /// What stands in a form that nobody has filled in: the night after this day, for two.
    pub(crate) fn usual(hotel: &str, today: Date) -> Self {
        let day = |days: i64| today.saturating_add(jiff::Span::new().days(days)).to_string();
        Self {
            hotel: hotel.to_owned(),
            check_in: day(1),
            check_out: day(2),
            adults: "2".to_owned(),
            children: "0".to_owned(),
            units: "1".to_owned(),
        }
    }

    /// As a wish, or what is wrong with it.
    pub(crate) fn wish(&self, t: &Texts) -> Result<Wish, Vec<Wrong>> {
        let mut wrong: Vec<Wrong> = Vec::new();
        let mut day = |field, text: &str| {
            // A date and nothing more: jiff would take a date and time, too.
            let text = text.trim();
            let day = text.parse::<Date>().ok().filter(|day| day.to_string() == text);
            if day.is_none() {
                wrong.push((field, t.error_date.to_owned()));
            }
            day.unwrap_or_default()
        };
        let (check_in, check_out) = (day("checkIn", &self.check_in), day("checkOut", &self.check_out));
        // What is no number is none that there can be.
        let number = |text: &str, usual: u32| match text.trim() {
            "" => usual,
            text => text.parse().unwrap_or(u32::MAX),
        };
        let guests = Guests { adults: number(&self.adults, 1), children: number(&self.children, 0) };
        let wish = Wish { check_in, check_out, units: number(&self.units, 1), guests };
        let dates_are_there = wrong.is_empty();
        for impossible in wish.impossible() {
            wrong.push(match impossible {
                Impossible::NoNights | Impossible::TooLong if !dates_are_there => continue,
                Impossible::NoNights => ("checkOut", t.error_order.to_owned()),
                Impossible::TooLong => ("checkOut", (t.error_too_long)(MAX_NIGHTS)),
                Impossible::Units => ("units", (t.error_range)(1, MAX_UNITS)),
                Impossible::Adults => ("adults", (t.error_range)(1, MOST_GUESTS)),
                Impossible::Children => ("children", (t.error_range)(0, MOST_GUESTS)),
            });
        }
        if wrong.is_empty() { Ok(wish) } else { Err(wrong) }
    }

    /// As a part of an address.
    pub(crate) fn query(&self) -> String {
        let mut query = String::new();
        for (name, value) in [
            ("hotel", &self.hotel),
            ("checkIn", &self.check_in),
            ("checkOut", &self.check_out),
            ("adults", &self.adults),
            ("children", &self.children),
            ("units", &self.units),
        ] {
            let between = if query.is_empty() { "" } else { "&" };
            // Writing to a text does not fail.
            let _ = write!(query, "{between}{name}={}", percent_encoded(value));
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::site::lang::Lang;

    fn wanted() -> Wanted {
        Wanted { check_in: "2030-07-01".into(), check_out: "2030-07-03".into(), ..Wanted::default() }
    }

    fn fields(wanted: &Wanted) -> Vec<&'static str> {
        let wrong = wanted.wish(Lang::En.texts()).err().unwrap_or_default();
        wrong.into_iter().map(|(field, _)| field).collect()
    }

    #[rstest]
    #[case::as_it_should_be(|_: &mut Wanted| (), &[])]
    #[case::no_dates(|w: &mut Wanted| { w.check_in.clear(); w.check_out.clear(); }, &["checkIn", "checkOut"])]
    #[case::no_such_day(|w: &mut Wanted| w.check_in = "2030-02-30".into(), &["checkIn"])]
    #[case::more_than_a_day(|w: &mut Wanted| w.check_in = "2030-07-01T10:00".into(), &["checkIn"])]
    #[case::backwards(|w: &mut Wanted| w.check_out = "2030-07-01".into(), &["checkOut"])]
    #[case::too_long(|w: &mut Wanted| w.check_out = "2031-07-01".into(), &["checkOut"])]
    #[case::nobody(|w: &mut Wanted| w.adults = "0".into(), &["adults"])]
    #[case::no_numbers(
        |w: &mut Wanted| { w.adults = "two".into(); w.children = "-1".into(); w.units = "1e9".into(); },
        &["units", "adults", "children"]
    )]
    fn what_is_wrong_is_said_of_each_field(#[case] change: fn(&mut Wanted), #[case] wrong: &[&str]) {
        let mut typed = wanted();
        change(&mut typed);
        assert_eq!(fields(&typed), wrong);
    }

    #[test]
    fn a_query_carries_what_was_typed_and_nothing_else() {
        let typed = Wanted { hotel: "a&b=c d".into(), ..wanted() };
        assert!(typed.query().starts_with("hotel=a%26b%3Dc%20d&checkIn=2030-07-01&"), "{}", typed.query());
    }
}
