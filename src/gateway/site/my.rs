//! My stays: those ahead, those that were, and those that came to nothing.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use innkeeper_api::nights;
use innkeeper_booking::status::{End, Stage};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::Page;
use super::stay::{Place, address};
use super::visitor::Visitor;
use super::{home, locale, parts};
use crate::desk::is_over;
use crate::door::Door;
use crate::identity::Scope;
use crate::list::{self, Listed};
use crate::model::views::StayView;
use crate::problem::Problem;
use crate::rest::{Caller, read_cursor};

/// Stays on one page.
const MOST: usize = 50;

/// Which part of the list.
#[derive(Deserialize)]
pub(crate) struct Part {
    after: Option<String>,
}

/// Where in the list a stay is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shelf {
    Upcoming,
    Past,
    Ended,
}

fn shelf(stay: &StayView, now: Timestamp) -> Shelf {
    let given_up =
        stay.given_up.is_some() || matches!(stay.status.stage, Stage::Closing(_) | Stage::Closed(_));
    if given_up {
        Shelf::Ended
    } else if is_over(stay, now) {
        Shelf::Past
    } else {
        Shelf::Upcoming
    }
}

/// My stays.
pub(crate) async fn show(
    State(door): State<Door>,
    caller: Caller,
    visitor: Visitor,
    Query(part): Query<Part>,
) -> Result<Response, Problem> {
    caller.may(Scope::Read)?;
    let t = visitor.texts();
    let from = part.after.as_deref().map(read_cursor).transpose()?;
    let first = from.is_none();
    let listed = match caller.0.owner() {
        Some(owner) => list::list(&door, &caller, owner, from.unwrap_or_default(), MOST).await,
        None => Listed::default(),
    };
    let Listed { live, filed, next, missing } = listed;
    let stays: Vec<Arc<StayView>> = live.into_iter().chain(filed.into_iter().map(Arc::new)).collect();
    let now = door.now();
    let on = |wanted: Shelf| {
        let mut stays: Vec<Arc<StayView>> =
            stays.iter().filter(|stay| shelf(stay, now) == wanted).cloned().collect();
        // What is soonest first; of what was, what was last.
        stays.sort_by_key(|stay| stay.check_in);
        if wanted != Shelf::Upcoming {
            stays.reverse();
        }
        stays
    };
    let (upcoming, over, ended) = (on(Shelf::Upcoming), on(Shelf::Past), on(Shelf::Ended));
    let body = html! {
        h1 { (t.my_title) }
        @if missing.is_some() { p .notice role="status" { (t.past_missing) } }
        @if stays.is_empty() && first && missing.is_none() {
            div .card .empty {
                (parts::bed(44))
                h2 { (t.no_stays) }
                p .soft { (t.no_stays_more) }
                a .button href="/" { (t.search_link) }
            }
        } @else {
            // What comes later in the list is older: there is nothing to be said of what is ahead.
            @if first || !upcoming.is_empty() {
                section .stack aria-labelledby="upcoming" {
                    h2 #upcoming { (t.upcoming) }
                    @if upcoming.is_empty() { p .soft { (t.no_upcoming) } }
                    (entries(&door, &visitor, &upcoming))
                }
            }
            @for (id, title, stays) in [("past", t.past, &over), ("ended", t.ended, &ended)] {
                @if !stays.is_empty() {
                    section .stack aria-labelledby=(id) { h2 id=(id) { (title) } (entries(&door, &visitor, stays)) }
                }
            }
            @if let Some(next) = &next { p { a href={ "/stays?after=" (next.write()) } { (t.older) } } }
        }
    };
    Ok(Page::new(t.my_title, body).answer(&door, &visitor, StatusCode::OK))
}

fn entries(door: &Door, visitor: &Visitor, stays: &[Arc<StayView>]) -> Markup {
    html! { ul .stays { @for stay in stays { li { (entry(door, visitor, stay)) } } } }
}

fn entry(door: &Door, visitor: &Visitor, stay: &StayView) -> Markup {
    let (t, lang) = (visitor.texts(), visitor.lang);
    let room = Place::of(door, stay).title(lang, stay);
    let count = nights(stay.check_in, stay.check_out).count();
    html! {
        article .card .stay {
            div .stack-small {
                (badge(visitor, stay, door.now()))
                h3 { (room) }
                p {
                    (home::called(&stay.namespace)) " · "
                    (parts::day(lang, stay.check_in)) " – " (parts::day(lang, stay.check_out))
                }
                p .soft {
                    ((t.nights)(count)) " · " ((t.guests)(stay.guests.adults, stay.guests.children))
                    @if let Some(quote) = &stay.status.quote { " · " span .number { (locale::money(lang, &quote.currency, quote.total)) } }
                }
            }
            a .button .quiet href=(address(stay)) aria-label=((t.details_of)(&room, &locale::date(lang, stay.check_in))) { (t.details) }
        }
    }
}

/// How a stay stands, in a word.
fn badge(visitor: &Visitor, stay: &StayView, now: Timestamp) -> Markup {
    let t = visitor.texts();
    let stage = stay.ending().map_or(stay.status.stage, Stage::Closing);
    let (class, text) = match stage {
        Stage::Confirmed if is_over(stay, now) => ("still", t.badge_over),
        Stage::Confirmed => ("good", t.badge_confirmed),
        Stage::Open | Stage::InProgress | Stage::Foreign => ("moving", t.badge_running),
        Stage::Closing(End::Cancelled) => ("moving", t.badge_cancelling),
        Stage::Closing(_) => ("moving", t.badge_rejecting),
        Stage::Closed(End::Cancelled) => ("still", t.badge_cancelled),
        Stage::Closed(End::Rejected) => ("bad", t.badge_rejected),
        Stage::Closed(End::Withdrawn) => ("bad", t.badge_withdrawn),
    };
    html! { p { span .badge .(class) { (text) } } }
}
