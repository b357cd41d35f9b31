//! Months and nights: how a stay falls into calendars. Half-open everywhere: the day of check-out is no night.

use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;

/// The nights of a half-open stay, ascending. Empty when `to` is not after `from`.
pub fn nights(from: Date, to: Date) -> impl Iterator<Item = Date> + Clone {
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let night = next.filter(|n| *n < to)?;
        next = night.checked_add(1.day()).ok();
        Some(night)
    })
}

/// One calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Date,
}

impl Month {
    /// The month a night falls in.
    #[must_use]
    pub fn of(night: Date) -> Self {
        Self { first: night.first_of_month() }
    }

    /// Every night of the month, ascending.
    pub fn nights(self) -> impl Iterator<Item = Date> + Clone {
        let last = self.first.last_of_month();
        // `nights` is half-open; the last month that jiff can represent has no day after it, and loses one night.
        nights(self.first, last.checked_add(1.day()).unwrap_or(last))
    }

    /// Months that a half-open stay touches, ascending.
    #[must_use]
    pub fn of_stay(from: Date, to: Date) -> Vec<Self> {
        let mut months: Vec<Self> = nights(from, to).map(Self::of).collect();
        months.dedup();
        months
    }

    /// The month's last day.
    #[must_use]
    pub fn last(self) -> Date {
        self.first.last_of_month()
    }

    /// The name of a Room's calendar for this month: `<room>-2026-11`.
    #[must_use]
    pub fn calendar_name(self, room: &str) -> String {
        format!("{room}-{self}")
    }

    /// Reads `2026-11`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let first: Date = format!("{text}-01").parse().ok()?;
        (Self { first }.to_string() == text).then_some(Self { first })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::within_one(date(2026, 11, 3), date(2026, 11, 5), &["2026-11"], 2)]
    #[case::checkout_on_the_first_is_not_a_night_of_it(date(2026, 11, 30), date(2026, 12, 1), &["2026-11"], 1)]
    #[case::over_the_year(date(2026, 12, 31), date(2027, 1, 2), &["2026-12", "2027-01"], 2)]
    #[case::leap_february(date(2028, 1, 31), date(2028, 3, 2), &["2028-01", "2028-02", "2028-03"], 31)]
    #[case::empty(date(2026, 11, 5), date(2026, 11, 5), &[], 0)]
    #[case::backwards(date(2026, 11, 5), date(2026, 11, 3), &[], 0)]
    fn a_stay_falls_into_months(
        #[case] from: Date,
        #[case] to: Date,
        #[case] months: &[&str],
        #[case] count: usize,
    ) {
        let got: Vec<String> = Month::of_stay(from, to).iter().map(ToString::to_string).collect();
        assert_eq!(got, months);
        assert_eq!(nights(from, to).count(), count);
    }

    #[test]
    fn a_month_reads_back_what_it_prints_and_nothing_else() {
        let month = Month::of(date(2028, 2, 29));
        assert_eq!(Month::parse(&month.to_string()), Some(month));
        assert_eq!(month.nights().count(), 29);
        assert_eq!(month.calendar_name("sea-view"), "sea-view-2028-02");
        for bad in ["2028-2", "2028-13", "28-02", "", "2028-02-01"] {
            assert_eq!(Month::parse(bad), None, "{bad}");
        }
    }
}
