//! Money, dates and times as each language writes them (after CLDR 48: the standard currency pattern, and the medium
//! date and short time with the day of the week). Two languages and Gregorian dates are small enough for tables.

use innkeeper_booking::currency::Currency;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::lang::Lang;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// From Monday.
const DAYS: [(&str, &str); 7] =
    [("Mon", "월"), ("Tue", "화"), ("Wed", "수"), ("Thu", "목"), ("Fri", "금"), ("Sat", "토"), ("Sun", "일")];

/// Signs of currencies: in English, in Korean. All others are written with their code.
const SIGNS: [(&str, &str, &str); 21] = [
    ("AUD", "A$", "AU$"),
    ("BRL", "R$", "R$"),
    ("CAD", "CA$", "CA$"),
    ("CNY", "CN¥", "CN¥"),
    ("EUR", "€", "€"),
    ("GBP", "£", "£"),
    ("HKD", "HK$", "HK$"),
    ("ILS", "₪", "₪"),
    ("INR", "₹", "₹"),
    ("JPY", "¥", "JP¥"),
    ("KRW", "₩", "₩"),
    ("MXN", "MX$", "MX$"),
    ("NZD", "NZ$", "NZ$"),
    ("PHP", "₱", "₱"),
    ("TWD", "NT$", "NT$"),
    ("USD", "$", "US$"),
    ("VND", "₫", "₫"),
    ("XAF", "FCFA\u{a0}", "FCFA\u{a0}"),
    ("XCD", "EC$", "EC$"),
    ("XOF", "F\u{202f}CFA\u{a0}", "F\u{202f}CFA\u{a0}"),
    ("XPF", "CFPF\u{a0}", "CFPF\u{a0}"),
];

/// An amount in minor units. Amounts are not negative.
pub(crate) fn money(lang: Lang, code: &str, minor_units: i64) -> String {
    let known = Currency::of(code);
    let decimals = known.map_or(0, Currency::decimals);
    let unit = 10_i64.pow(decimals);
    let (whole, rest) = (minor_units / unit, minor_units % unit);
    // Where the last two digits are always 00, nobody writes them.
    let shown = if known.is_some_and(|currency| currency.step() == unit) { 0 } else { decimals as usize };
    let sign = SIGNS.iter().find(|(of, ..)| *of == code).map(|(_, en, ko)| match lang {
        Lang::En => *en,
        Lang::Ko => *ko,
    });
    let sign = sign.map_or_else(|| format!("{code}\u{a0}"), str::to_owned);
    let rest = if shown == 0 { String::new() } else { format!(".{rest:0shown$}") };
    format!("{sign}{}{rest}", grouped(whole))
}

fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn names(day: Date) -> (&'static str, &'static str, &'static str) {
    let at = |number: i8, of: usize| usize::try_from(number).unwrap_or(1).clamp(1, of) - 1;
    let (en, ko) = DAYS[at(day.weekday().to_monday_one_offset(), 7)];
    (MONTHS[at(day.month(), 12)], en, ko)
}

/// A day, with its day of the week.
pub(crate) fn date(lang: Lang, day: Date) -> String {
    let (month, en, ko) = names(day);
    match lang {
        Lang::En => format!("{en}, {month} {}, {}", day.day(), day.year()),
        Lang::Ko => format!("{}년 {}월 {}일 ({ko})", day.year(), day.month(), day.day()),
    }
}

/// The same without the year, for lists.
pub(crate) fn short_date(lang: Lang, day: Date) -> String {
    let (month, en, ko) = names(day);
    match lang {
        Lang::En => format!("{en}, {month} {}", day.day()),
        Lang::Ko => format!("{}월 {}일 ({ko})", day.month(), day.day()),
    }
}

/// A time of day.
pub(crate) fn time(lang: Lang, time: Time) -> String {
    let hour = (time.hour() + 11) % 12 + 1;
    let afternoon = time.hour() >= 12;
    match (lang, afternoon) {
        (Lang::En, false) => format!("{hour}:{:02}\u{202f}AM", time.minute()),
        (Lang::En, true) => format!("{hour}:{:02}\u{202f}PM", time.minute()),
        (Lang::Ko, false) => format!("오전 {hour}:{:02}", time.minute()),
        (Lang::Ko, true) => format!("오후 {hour}:{:02}", time.minute()),
    }
}

/// An instant, as it is there.
pub(crate) fn instant(lang: Lang, at: Timestamp, zone: &TimeZone) -> String {
    let there = at.to_zoned(zone.clone());
    let (day, clock) = (there.date(), time(lang, there.time()));
    match lang {
        Lang::En => format!("{}, {clock}", date(lang, day)),
        Lang::Ko => format!("{} {clock}", date(lang, day)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date as day;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("EUR", 24_000, "€240.00", "€240.00")]
    #[case("EUR", 123_456_789, "€1,234,567.89", "€1,234,567.89")]
    #[case("USD", 5, "$0.05", "US$0.05")]
    #[case("KRW", 189_000, "₩189,000", "₩189,000")]
    #[case("JPY", 999, "¥999", "JP¥999")]
    #[case("CHF", 100_000, "CHF\u{a0}1,000.00", "CHF\u{a0}1,000.00")]
    #[case("KWD", 12_350, "KWD\u{a0}12.350", "KWD\u{a0}12.350")]
    #[case("ISK", 1_234_500, "ISK\u{a0}12,345", "ISK\u{a0}12,345")]
    fn money_is_written_as_each_language_writes_it(
        #[case] code: &str,
        #[case] minor_units: i64,
        #[case] en: &str,
        #[case] ko: &str,
    ) {
        assert_eq!(money(Lang::En, code, minor_units), en);
        assert_eq!(money(Lang::Ko, code, minor_units), ko);
    }

    #[test]
    fn days_are_written_as_each_language_writes_them() {
        let monday = day(2030, 7, 1);
        assert_eq!(date(Lang::En, monday), "Mon, Jul 1, 2030");
        assert_eq!(date(Lang::Ko, monday), "2030년 7월 1일 (월)");
        assert_eq!(short_date(Lang::En, day(2030, 12, 29)), "Sun, Dec 29");
        assert_eq!(short_date(Lang::Ko, day(2030, 12, 29)), "12월 29일 (일)");
    }

    #[rstest]
    #[case(0, 5, "12:05\u{202f}AM", "오전 12:05")]
    #[case(11, 59, "11:59\u{202f}AM", "오전 11:59")]
    #[case(12, 0, "12:00\u{202f}PM", "오후 12:00")]
    #[case(15, 0, "3:00\u{202f}PM", "오후 3:00")]
    fn times_are_written_as_each_language_writes_them(
        #[case] hour: i8,
        #[case] minute: i8,
        #[case] en: &str,
        #[case] ko: &str,
    ) {
        let at = jiff::civil::time(hour, minute, 0, 0);
        assert_eq!(time(Lang::En, at), en);
        assert_eq!(time(Lang::Ko, at), ko);
    }

    #[test]
    fn an_instant_is_written_in_the_time_of_the_place() {
        let (at, zone) = ("2030-07-01T06:00:00Z".parse().unwrap(), TimeZone::get("Asia/Seoul").unwrap());
        assert_eq!(instant(Lang::En, at, &zone), "Mon, Jul 1, 2030, 3:00\u{202f}PM");
        assert_eq!(instant(Lang::Ko, at, &zone), "2030년 7월 1일 (월) 오후 3:00");
    }
}
