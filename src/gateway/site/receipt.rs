//! A receipt, made to be printed.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use innkeeper_api::Collect;
use maud::html;

use super::layout::Page;
use super::stay::{Place, address, has_receipt};
use super::visitor::Visitor;
use super::{home, locale, parts, rooms};
use crate::door::Door;
use crate::list::find;
use crate::problem::Problem;
use crate::rest::{At, Caller};
use crate::search::each_night;

/// The receipt of a stay.
pub(crate) async fn show(
    State(door): State<Door>,
    caller: Caller,
    visitor: Visitor,
    At((property, name)): At<(String, String)>,
) -> Result<Response, Problem> {
    let found = find(&door, &caller, &property, &name).await?;
    let stay = found.stay();
    let (t, lang) = (visitor.texts(), visitor.lang);
    let Some(quote) = stay.status.quote.as_deref().filter(|_| has_receipt(stay)) else {
        let body = html! {
            div .trouble .narrow {
                h1 { (t.receipt_none) }
                p .lead { (t.receipt_none_more) }
                a .button href=(address(stay)) { (t.stay_title) }
            }
        };
        return Ok(Page::new(t.receipt_none, body).answer(&door, &visitor, StatusCode::NOT_FOUND));
    };
    let place = Place::of(&door, stay);
    let (paid, refunded, _) = stay.status.money;
    let money = |amount| locale::money(lang, &quote.currency, amount);
    let today = door.now().to_zoned(place.zone.clone()).date();
    let hotel = home::called(&stay.namespace);
    let body = html! {
        article .card .stack .receipt .narrow {
            header { h1 { (t.receipt_title) } p { strong { (hotel) } } }
            dl .facts {
                @if let Some(guest) = visitor.name() { div { dt { (t.receipt_for) } dd { (guest) } } }
                div { dt { (t.receipt_date) } dd { (parts::day(lang, today)) } }
                div { dt { (t.reference) } dd .code { (stay.name) } }
                div { dt { (t.room) } dd { (place.title(lang, stay)) @if stay.units > 1 { " × " (stay.units) } } }
                div { dt { (t.check_in) } dd { (parts::day(lang, stay.check_in)) } }
                div { dt { (t.check_out) } dd { (parts::day(lang, stay.check_out)) } }
                div { dt { (t.who) } dd { ((t.guests)(stay.guests.adults, stay.guests.children)) } }
            }
            (rooms::prices(lang, quote, each_night(quote, stay.check_out)))
            dl .facts {
                @if stay.collect != Collect::Online { div { dt { (t.due_at_hotel) } dd .number { (money(quote.total)) } } }
                div { dt { (t.paid) } dd .number { (money(paid)) } }
                @if refunded > 0 { div { dt { (t.refunded) } dd .number { "−" (money(refunded)) } } }
                div .sum { dt { (t.receipt_balance) } dd .number { (money(paid - refunded)) } }
            }
        }
        div .actions .narrow {
            button .button type="button" data-print hidden { (t.print) }
            a .button .quiet href=(address(stay)) { (t.stay_title) }
        }
    };
    let title = format!("{} {}", t.receipt_title, stay.name);
    Ok(Page::new(title, body).answer(&door, &visitor, StatusCode::OK))
}
