//! Small parts of pages: icons, dates, amounts, a list of what is wrong with a form.

use jiff::civil::Date;
use maud::{Markup, PreEscaped, html};

use super::lang::Lang;
use super::locale;
use super::texts::Texts;

/// Line drawings, 24 by 24.
fn icon(size: u32, paths: &'static str) -> Markup {
    html! {
        svg width=(size) height=(size) viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8"
            stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false" { (PreEscaped(paths)) }
    }
}

pub(crate) fn house() -> Markup {
    icon(26, r#"<path d="M4 21V9l8-6 8 6v12h-5.500v-6.500h-5v6.500z"/>"#)
}

pub(crate) fn bed(size: u32) -> Markup {
    icon(
        size,
        r#"<path d="M3 18v-6.500a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2V18M3 15.500h18M6 9.500V7a1.500 1.500 0 0 1 1.500-1.500h9A1.500 1.500 0 0 1 18 7v2.500"/>"#,
    )
}

pub(crate) fn check(size: u32) -> Markup {
    icon(size, r#"<path d="m5 12.500 4.500 4.500L19 7"/>"#)
}

pub(crate) fn cross(size: u32) -> Markup {
    icon(size, r#"<path d="m6.500 6.500 11 11M17.500 6.500l-11 11"/>"#)
}

pub(crate) fn clock(size: u32) -> Markup {
    icon(size, r#"<circle cx="12" cy="12" r="8.500"/><path d="M12 7v5l3.500 2"/>"#)
}

pub(crate) fn money_back() -> Markup {
    icon(
        28,
        r#"<path d="M4 12a8 8 0 1 0 2.500-5.800M4 4v3.500h3.500M12 8v8M14.500 9.800c-.6-.7-1.500-1-2.500-1-1.400 0-2.500.6-2.500 1.700 0 2.300 5 1.100 5 3.300 0 1-1.100 1.700-2.500 1.700-1.100 0-2-.4-2.600-1.100"/>"#,
    )
}

pub(crate) fn key() -> Markup {
    icon(
        28,
        r#"<circle cx="8" cy="15" r="4"/><path d="m11 12 8.500-8.500M16 7l2.500 2.500M13.500 9.500l1.500 1.500"/>"#,
    )
}

pub(crate) fn calendar() -> Markup {
    icon(
        28,
        r#"<rect x="4" y="5.500" width="16" height="15" rx="2"/><path d="M4 10h16M8.500 3v4M15.500 3v4M9.500 14l5 4M14.500 14l-5 4"/>"#,
    )
}

/// A day, for people and for programs.
pub(crate) fn day(lang: Lang, date: Date) -> Markup {
    html! { time datetime=(date) { (locale::date(lang, date)) } }
}

/// A part of a form that is wrong: the id of its field, and what it must be.
pub(crate) type Wrong = (&'static str, String);

/// What is wrong with a form, in one list at its top, each with the way to its field.
pub(crate) fn summary(t: &Texts, wrong: &[Wrong]) -> Markup {
    html! {
        @if !wrong.is_empty() {
            div .notice .bad role="alert" tabindex="-1" {
                h2 { (t.errors_title) }
                ul { @for (field, what) in wrong { li { a href={ "#" (field) } { (label(t, field)) ": " (what) } } } }
            }
        }
    }
}

/// What a field is called.
fn label(t: &Texts, field: &str) -> &'static str {
    match field {
        "hotel" => t.hotel,
        "checkIn" => t.check_in,
        "checkOut" => t.check_out,
        "adults" => t.adults,
        "children" => t.children,
        "units" => t.units,
        "name" => t.name,
        "email" => t.email,
        _ => t.pay_title,
    }
}

/// What is wrong with a field.
pub(crate) fn wrong_with<'a>(wrong: &'a [Wrong], field: &str) -> Option<&'a str> {
    wrong.iter().find(|(of, _)| *of == field).map(|(_, what)| what.as_str())
}

/// A field with its label; `input` is given the ids of what describes it, and whether it is wrong.
pub(crate) fn field(
    id: &str,
    label: &str,
    hint: Option<&str>,
    wrong: &[Wrong],
    input: impl FnOnce(Option<&str>, Option<&str>) -> Markup,
) -> Markup {
    let wrong = wrong_with(wrong, id);
    let by = match (hint, wrong) {
        (None, None) => None,
        (Some(_), None) => Some(format!("{id}-hint")),
        (None, Some(_)) => Some(format!("{id}-wrong")),
        (Some(_), Some(_)) => Some(format!("{id}-hint {id}-wrong")),
    };
    html! {
        div .field {
            label for=(id) { (label) }
            @if let Some(hint) = hint { span .hint id={ (id) "-hint" } { (hint) } }
            @if let Some(wrong) = wrong { span .wrong id={ (id) "-wrong" } { (wrong) } }
            (input(by.as_deref(), wrong.map(|_| "true")))
        }
    }
}

/// A text as a part of a query.
pub(crate) fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            // Writing to a text does not fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}
