//! The page to book on, and the page that says that there is nothing to book.

use axum::response::Response;
use http::StatusCode;
use innkeeper_api::Quote;
use maud::{Markup, html};

use super::pay::{self, Amount};
use super::{Filled, Looked, query};
use crate::door::Door;
use crate::search::{each_night, zone};
use crate::site::layout::Page;
use crate::site::parts::{self, Wrong};
use crate::site::visitor::Visitor;
use crate::site::{home, locale, policy, rooms};

/// The form, as it was filled in, with what is wrong with it and what has changed.
#[allow(clippy::too_many_arguments, reason = "all of them are what the page shows")]
pub(super) fn answer(
    door: &Door,
    visitor: &Visitor,
    looked: &Looked,
    quote: &Quote,
    filled: &Filled,
    wrong: &[Wrong],
    changed: Option<&str>,
    status: StatusCode,
) -> Response {
    let t = visitor.texts();
    let stripe = door.settings().site.stripe_publishable_key.clone();
    let body = html! {
        h1 { (t.book_title) }
        @if let Some(changed) = changed { p .notice role="alert" { (changed) } }
        div .two-columns {
            div {
                @if visitor.is_guest() {
                    (form(door, visitor, looked, quote, filled, wrong, stripe.as_deref()))
                } @else {
                    div .card .stack {
                        h2 { (t.sign_in_to_book) }
                        p { (t.sign_in_why) }
                        a .button href=(Visitor::sign_in_at(&format!("/book?{}", query(&looked.chosen)))) { (t.sign_in_to_book) }
                    }
                }
            }
            aside .card .stack aria-labelledby="your-stay" { (summary(visitor, looked, quote)) }
        }
    };
    let mut page = Page::new(t.book_title, body);
    page.pays_with_stripe = stripe.is_some() && visitor.is_guest();
    page.answer(door, visitor, status)
}

fn form(
    door: &Door,
    visitor: &Visitor,
    looked: &Looked,
    quote: &Quote,
    filled: &Filled,
    wrong: &[Wrong],
    stripe: Option<&str>,
) -> Markup {
    let (t, lang) = (visitor.texts(), visitor.lang);
    let wanted = &looked.chosen.wanted;
    let hidden = [
        ("room", looked.chosen.room.as_str()),
        ("hotel", &wanted.hotel),
        ("checkIn", &wanted.check_in),
        ("checkOut", &wanted.check_out),
        ("adults", &wanted.adults),
        ("children", &wanted.children),
        ("units", &wanted.units),
        ("key", &filled.key),
        ("currency", &quote.currency),
    ];
    let amount = Amount { currency: &quote.currency, minor_units: quote.total };
    let text = |id: &'static str, kind: &str, value: &str, label: &str, hint: &str, autocomplete: &str| {
        parts::field(id, label, Some(hint), wrong, |by, invalid| {
            html! { input #(id) type=(kind) name=(id) value=(value) autocomplete=(autocomplete) maxlength="254" required aria-describedby=[by] aria-invalid=[invalid]; }
        })
    };
    html! {
        form .stack method="post" action="/book" novalidate data-once {
            (visitor.proof())
            @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
            input type="hidden" name="most" value=(quote.total);
            (parts::summary(t, wrong))
            @if door.contacts.is_some() {
                section .card .stack aria-labelledby="guest" {
                    h2 #guest { (t.guest_title) }
                    (text("name", "text", &filled.name, t.name, t.name_hint, "name"))
                    (text("email", "email", &filled.email, t.email, t.email_hint, "email"))
                    p .soft .small { (t.contact_note) }
                }
            }
            section .card .stack aria-labelledby="pay" {
                h2 #pay { (t.pay_title) }
                @match stripe {
                    Some(key) => (pay::stripe(visitor, key, &amount, wrong)),
                    None => (pay::test_cards(visitor, filled, wrong)),
                }
            }
            div .stack-small {
                button .button .wide type="submit" {
                    ((t.pay_and_book)(&locale::money(lang, &quote.currency, quote.total)))
                }
                p .soft .small { (t.booking_note) }
            }
        }
    }
}

fn summary(visitor: &Visitor, looked: &Looked, quote: &Quote) -> Markup {
    let (t, lang) = (visitor.texts(), visitor.lang);
    let (wish, room) = (&looked.wish, &looked.stock.room);
    html! {
        h2 #your-stay { (t.your_stay) }
        dl .facts {
            div { dt { (t.hotel) } dd { (home::called(&looked.chosen.wanted.hotel)) } }
            div { dt { (t.room) } dd { (rooms::title(lang, &room.spec, &room.name)) } }
            div { dt { (t.check_in) } dd { (parts::day(lang, wish.check_in)) } }
            div { dt { (t.check_out) } dd { (parts::day(lang, wish.check_out)) } }
            div { dt { (t.who) } dd { ((t.guests)(wish.guests.adults, wish.guests.children)) } }
            div { dt { (t.units) } dd { (wish.units) } }
        }
        (rooms::prices(lang, quote, each_night(quote, wish.check_out)))
        div .stack-small { h3 { (t.cancellation) } (policy::list(lang, &quote.refund_deadlines, &zone(&room.spec))) }
    }
}

/// That the room is not to be had, why, and where to go on.
pub(super) fn not_to_be_had(
    door: &Door,
    visitor: &Visitor,
    looked: &Looked,
    full: bool,
    why: &str,
) -> Response {
    let t = visitor.texts();
    let title = if full { t.sold_out_title } else { t.not_offered };
    let body = html! {
        div .trouble .narrow {
            h1 { (title) }
            @if full { p .lead { (t.sold_out_lead) } }
            p .notice { (why) }
            div .actions { a .button href={ "/search?" (looked.chosen.wanted.query()) } { (t.other_rooms) } }
        }
    };
    Page::new(title, body).answer(door, visitor, StatusCode::CONFLICT)
}
