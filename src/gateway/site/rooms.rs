//! What was found: every room of a property, with its price, or why it is not to be had.

use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use innkeeper_api::{Display, Quote, RoomSpec, nights};
use jiff::civil::Date;
use maud::{Markup, html};

use super::lang::Lang;
use super::layout::Page;
use super::visitor::Visitor;
use super::wanted::Wanted;
use super::{home, locale, parts, policy, why};
use crate::door::Door;
use crate::identity::Scope;
use crate::model::Stock;
use crate::problem::Problem;
use crate::rest::Caller;
use crate::search::{Declined, Wish, each_night, offer, zone};

/// From so few free units on, their number is said.
const FEW: u32 = 3;

/// What was found, or what is wrong with what was looked for.
pub(crate) async fn show(
    State(door): State<Door>,
    caller: Caller,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let t = visitor.texts();
    caller.may(Scope::Search)?;
    let hotels = door.model.properties();
    let today = home::today(&door, &wanted.hotel);
    let known = hotels.contains(&wanted.hotel);
    let mut wrong = wanted.wish(t).err().unwrap_or_default();
    if !known {
        wrong.insert(0, ("hotel", t.error_hotel.to_owned()));
    }
    let form = |wrong: &[parts::Wrong]| {
        html! {
            section .card aria-label=(t.search_form) { (home::form(&visitor, &hotels, &wanted, today, wrong)) }
        }
    };
    let Ok(wish) = wanted.wish(t) else {
        let body = html! { h1 { (t.search_link) } (form(&wrong)) };
        return Ok(Page::new(t.search_link, body).answer(&door, &visitor, StatusCode::UNPROCESSABLE_ENTITY));
    };
    if !known {
        let body = html! { h1 { (t.search_link) } (form(&wrong)) };
        return Ok(Page::new(t.search_link, body).answer(&door, &visitor, StatusCode::NOT_FOUND));
    }
    door.fresh_enough()?;
    let now = door.now();
    let stock = door.model.stock(&wanted.hotel, &wish.months());
    let mut found: Vec<_> = stock.iter().map(|stock| (stock, offer(stock, &wish, now))).collect();
    // What can be had first, the cheapest of it before the others; the rest by name, as it is listed.
    found.sort_by_key(|(_, offer)| offer.verdict.as_ref().map_or(i64::MAX, |quote| quote.total));
    let available = found.iter().filter(|(_, offer)| offer.verdict.is_ok()).count();
    let title = (t.found_title)(&home::called(&wanted.hotel));
    let body = html! {
        div .stack-small {
            h1 { (title) }
            p .soft {
                (parts::day(visitor.lang, wish.check_in)) " – " (parts::day(visitor.lang, wish.check_out)) " · "
                ((t.nights)(nights(wish.check_in, wish.check_out).count())) " · "
                ((t.guests)(wish.guests.adults, wish.guests.children)) " · " ((t.units_count)(wish.units))
            }
        }
        (form(&[]))
        section .stack aria-labelledby="found" {
            h2 #found { ((t.available_count)(available)) }
            @if available == 0 { p .notice role="status" { (t.none_offered) } }
            ul .rooms {
                @for (stock, offer) in &found {
                    li {
                        @match &offer.verdict {
                            Ok(quote) => (offered(&visitor, stock, &wanted, &wish, quote, offer.free)),
                            Err(declined) => (not_offered(&visitor, stock, &wish, declined)),
                        }
                    }
                }
            }
        }
    };
    Ok(Page::new(title, body).answer(&door, &visitor, StatusCode::OK))
}

fn offered(
    visitor: &Visitor,
    stock: &Stock,
    wanted: &Wanted,
    wish: &Wish,
    quote: &Quote,
    free: u32,
) -> Markup {
    let (t, lang) = (visitor.texts(), visitor.lang);
    let title = title(lang, &stock.room.spec, &stock.room.name);
    let count = nights(wish.check_in, wish.check_out).count();
    let about = quote.total / i64::try_from(count.max(1)).unwrap_or(1);
    let to = format!("/book?room={}&{}", parts::percent_encoded(&stock.room.name), wanted.query());
    html! {
        article .card .room {
            (art(&stock.room.name))
            div .told .stack {
                div .stack-small {
                    h3 { (title) }
                    @if let Some(more) = described(lang, &stock.room.spec) { p { (more) } }
                }
                (chips(visitor, stock, Some(free)))
                div .stack-small {
                    h4 { (t.cancellation) }
                    (policy::list(lang, &quote.refund_deadlines, &zone(&stock.room.spec)))
                }
                details { summary { (t.each_night) } (prices(lang, quote, each_night(quote, wish.check_out))) }
            }
            div .terms .stack {
                div {
                    p .soft { (t.total) ", " ((t.nights)(count)) }
                    p .sum { (locale::money(lang, &quote.currency, quote.total)) }
                    @if count > 1 { p .soft .small { ((t.per_night_about)(&locale::money(lang, &quote.currency, about))) } }
                }
                a .button .wide href=(to) aria-label=((t.book_room)(&title)) { (t.book) }
            }
        }
    }
}

fn not_offered(visitor: &Visitor, stock: &Stock, wish: &Wish, declined: &Declined) -> Markup {
    let (t, lang) = (visitor.texts(), visitor.lang);
    html! {
        article .card .room .off {
            (art(&stock.room.name))
            div .told .stack {
                div .stack-small {
                    h3 { (title(lang, &stock.room.spec, &stock.room.name)) }
                    @if let Some(more) = described(lang, &stock.room.spec) { p .soft { (more) } }
                }
                (chips(visitor, stock, None))
                p .notice { strong { (t.not_offered) ": " } (why::because(lang, &declined.because, wish.units)) }
            }
        }
    }
}

fn chips(visitor: &Visitor, stock: &Stock, free: Option<u32>) -> Markup {
    let t = visitor.texts();
    html! {
        @let few = free.filter(|free| *free <= FEW);
        @if stock.room.spec.max_guests.is_some() || few.is_some() {
            p .chips {
                @if let Some(most) = stock.room.spec.max_guests { span .badge .still { ((t.sleeps)(most)) } }
                @if let Some(few) = few { span .badge { ((t.free_few)(few)) } }
            }
        }
    }
}

/// The price of each night, in a table.
pub(super) fn prices(lang: Lang, quote: &Quote, each: impl Iterator<Item = (Date, i64)>) -> Markup {
    let t = lang.texts();
    let money = |minor_units| locale::money(lang, &quote.currency, minor_units);
    html! {
        table .prices {
            thead { tr { th scope="col" { (t.night) } th scope="col" { (t.price) } } }
            tbody {
                @for (night, price) in each {
                    tr { th scope="row" { time datetime=(night) { (locale::short_date(lang, night)) } } td { (money(price)) } }
                }
            }
            tfoot { tr { th scope="row" { (t.total) } td { (money(quote.total)) } } }
        }
    }
}

/// A picture that is always the same for a room: a bed by a window.
fn art(room: &str) -> Markup {
    let which = room.bytes().fold(0_usize, |sum, byte| sum.wrapping_add(byte.into())) % 4;
    html! {
        div .art .(["one", "two", "three", "four"][which]) {
            svg viewBox="32 10 136 132" preserveAspectRatio="xMidYMid meet" aria-hidden="true" focusable="false" {
                rect .floor x="-1000" y="122" width="2200" height="1000" {}
                rect .glass x="68" y="22" width="64" height="48" rx="2" {}
                path .frame d="M68 24h64v46H68zM100 24v46" {}
                rect .wood x="44" y="74" width="112" height="30" rx="5" {}
                rect .sheet x="44" y="94" width="112" height="26" rx="5" {}
                rect .sheet x="54" y="84" width="38" height="16" rx="6" {}
                rect .sheet x="108" y="84" width="38" height="16" rx="6" {}
                path .cover d="M40 104h120v16a6 6 0 0 1-6 6H46a6 6 0 0 1-6-6z" {}
                path .wood d="M46 126h6v8h-6zM148 126h6v8h-6z" {}
            }
        }
    }
}

/// What is shown of a room in a language; else in English, else in the first there is.
fn shown(lang: Lang, spec: &RoomSpec) -> Option<&Display> {
    let of = |wanted: Lang| spec.display.iter().find(|display| Lang::of(&display.language) == Some(wanted));
    of(lang).or_else(|| of(Lang::En)).or_else(|| spec.display.first())
}

/// What a room is called.
pub(super) fn title(lang: Lang, spec: &RoomSpec, name: &str) -> String {
    shown(lang, spec).map_or_else(|| home::called(name), |display| display.title.clone())
}

fn described(lang: Lang, spec: &RoomSpec) -> Option<&str> {
    shown(lang, spec)?.description.as_deref()
}
