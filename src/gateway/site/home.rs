//! The first page: what this is, and the form to search with.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use innkeeper_api::{MAX_UNITS, nights};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::layout::Page;
use super::parts::{self, Wrong};
use super::visitor::Visitor;
use super::wanted::Wanted;
use crate::door::Door;
use crate::search::{MOST_GUESTS, zone};

/// The first page.
pub(crate) async fn show(State(door): State<Door>, visitor: Visitor) -> Response {
    let t = visitor.texts();
    let hotels = door.model.properties();
    let first = hotels.first().map_or("", String::as_str);
    let today = today(&door, first);
    let only = if hotels.len() == 1 { first } else { "" };
    let banner = html! {
        div .hero {
            div .wrap { (skyline()) h1 { (t.home_title) } p .lead { (t.home_lead) } }
        }
    };
    let body = html! {
        section .card .over aria-label=(t.search_form) {
            (form(&visitor, &hotels, &Wanted::usual(only, today), today, &[]))
        }
        ul .promises {
            (promise(&parts::calendar(), t.promise_sold_once, t.promise_sold_once_more))
            (promise(&parts::money_back(), t.promise_money, t.promise_money_more))
            (promise(&parts::key(), t.promise_cancel, t.promise_cancel_more))
        }
    };
    Page::new(t.home_title, body).under(banner).answer(&door, &visitor, StatusCode::OK)
}

fn promise(icon: &Markup, title: &str, more: &str) -> Markup {
    html! { li { (icon) div { h2 { (title) } p { (more) } } } }
}

/// The day that it is at a property; in UTC where that is not known.
pub(super) fn today(door: &Door, property: &str) -> Date {
    let rooms = door.model.stock(property, &[]);
    let zone = rooms.first().map_or(TimeZone::UTC, |stock| zone(&stock.room.spec));
    door.now().to_zoned(zone).date()
}

/// A property as people read it: it has no name but that of its namespace.
pub(super) fn called(property: &str) -> String {
    let words = property.split('-').filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The form to search with, as it was filled in, and what is wrong with it.
pub(super) fn form(
    visitor: &Visitor,
    hotels: &[String],
    wanted: &Wanted,
    today: Date,
    wrong: &[Wrong],
) -> Markup {
    let t = visitor.texts();
    if hotels.is_empty() {
        return html! { p { (t.no_hotels) } };
    }
    let only = (hotels.len() == 1).then(|| hotels[0].as_str());
    // The night after today, at the soonest.
    let tomorrow = nights(today, Date::MAX).nth(1).unwrap_or(today);
    let date = |id: &'static str, label: &str, value: &str, soonest: Date| {
        parts::field(id, label, None, wrong, |by, invalid| {
            html! { input #(id) type="date" name=(id) value=(value) min=(soonest) required aria-describedby=[by] aria-invalid=[invalid]; }
        })
    };
    let number = |id: &'static str, label: &str, value: &str, least: u32, most: u32| {
        parts::field(id, label, None, wrong, |by, invalid| {
            html! { input #(id) type="number" name=(id) value=(value) min=(least) max=(most) inputmode="numeric" required aria-describedby=[by] aria-invalid=[invalid]; }
        })
    };
    html! {
        form action="/search" method="get" novalidate {
            (parts::summary(t, wrong))
            div .search .one-hotel[only.is_some()] {
                @if let Some(only) = only {
                    input type="hidden" name="hotel" value=(only);
                } @else {
                    div .all { (parts::field("hotel", t.hotel, None, wrong, |by, invalid| html! {
                        select #hotel name="hotel" required aria-describedby=[by] aria-invalid=[invalid] {
                            option value="" selected[wanted.hotel.is_empty()] { (t.choose_hotel) }
                            @for hotel in hotels {
                                option value=(hotel) selected[*hotel == wanted.hotel] { (called(hotel)) }
                            }
                        }
                    })) }
                }
                (date("checkIn", t.check_in, &wanted.check_in, today))
                (date("checkOut", t.check_out, &wanted.check_out, tomorrow))
                div .thirds {
                    (number("adults", t.adults, &wanted.adults, 1, MOST_GUESTS))
                    (number("children", t.children, &wanted.children, 0, MOST_GUESTS))
                    (number("units", t.units, &wanted.units, 1, MAX_UNITS))
                }
                button .button .go type="submit" { (t.search) }
            }
        }
    }
}

/// Houses by night, with a light here and there.
fn skyline() -> Markup {
    // Left edge, width, height, and whether it stands in front.
    const HOUSES: [(u32, u32, u32, bool); 7] = [
        (20, 70, 92, false),
        (160, 64, 120, false),
        (330, 80, 104, false),
        (470, 60, 86, false),
        (76, 96, 64, true),
        (216, 110, 78, true),
        (400, 100, 58, true),
    ];
    html! {
        svg viewBox="0 0 544 150" aria-hidden="true" focusable="false" {
            circle .moon cx="474" cy="30" r="15" {}
            @for (left, width, height, front) in HOUSES {
                rect .(if front { "wall" } else { "wall-2" }) x=(left) y=(150 - height) width=(width) height=(height) rx="3" {}
                @for row in 0..(height - 14) / 20 {
                    @for column in 0..(width - 12) / 18 {
                        rect .(if (left + row * 7 + column * 5) % 4 == 0 { "lit" } else { "pane" })
                            x=(left + 11 + column * 18) y=(150 - height + 12 + row * 20) width="9" height="11" rx="1" {}
                    }
                }
            }
        }
    }
}
