//! One stay: how far it has come, live, and what there is to do with it.

use axum::extract::State;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use innkeeper_api::{Collect, RoomSpec};
use innkeeper_booking::status::Stage;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::lang::Lang;
use super::layout::Page;
use super::say::{Say, Tone, say};
use super::steps::{Mark, steps};
use super::visitor::Visitor;
use super::{home, locale, parts, policy, rooms};
use crate::desk::{is_cancellable, mine};
use crate::door::Door;
use crate::identity::Scope;
use crate::list::find;
use crate::live::{News, Teller, follow};
use crate::model::views::StayView;
use crate::problem::Problem;
use crate::rest::{At, Caller};
use crate::search::{each_night, zone};

/// How often a page without JavaScript looks again, in seconds.
const AGAIN: u32 = 3;

/// The page of a stay.
pub(crate) async fn show(
    State(door): State<Door>,
    caller: Caller,
    visitor: Visitor,
    At((property, name)): At<(String, String)>,
) -> Result<Response, Problem> {
    let found = find(&door, &caller, &property, &name).await?;
    let stay = found.stay();
    let t = visitor.texts();
    let told = say(visitor.lang, stay, &Place::of(&door, stay).zone, door.now());
    let live = (!stay.is_settled()).then(|| format!("{}/events", address(stay)));
    let body = html! {
        div .stack {
            p #say .hidden role="status" aria-live="polite" {}
            p #lost .notice role="status" hidden { (t.lost_touch) }
            div data-live=[live.as_deref()] { (part(&door, &visitor, stay)) }
            @if live.is_some() { noscript { p .soft .small { (t.refreshing) } } }
        }
    };
    let mut page = Page::new(told.title, body);
    page.again = live.map(|_| AGAIN);
    Ok(page.answer(&door, &visitor, StatusCode::OK))
}

/// The same, live: the part of the page that changes, with every change.
pub(crate) async fn events(
    State(door): State<Door>,
    caller: Caller,
    visitor: Visitor,
    At((property, name)): At<(String, String)>,
) -> Result<Response, Problem> {
    let follower = door.model.follow(&property, &name);
    let stay = mine(&door, &caller, Scope::Read, &property, &name)?;
    let tell = move |door: &Door, news: News<'_>| {
        let text = match news {
            News::Stay(stay) => part(door, &visitor, stay).into_string(),
            News::Gone => {
                let t = visitor.texts();
                html! { div data-say=(t.say_gone) { h1 { (t.say_gone) } } }.into_string()
            }
            News::Settled => return Some(Event::default().event("over").data("{}")),
        };
        // An event's line cannot have one of these in it.
        Some(Event::default().event("stay").data(text.replace('\r', "")))
    };
    let teller = Teller { tell, until_settled: true };
    Ok(follow(door.clone(), &stay, follower, teller)?.into_response())
}

/// Where a stay's page is.
pub(super) fn address(stay: &StayView) -> String {
    format!("/stays/{}/{}", stay.namespace, stay.name)
}

/// Whether there is something to show a receipt of: money that was taken, or a stay that is paid elsewhere.
pub(super) fn has_receipt(stay: &StayView) -> bool {
    let elsewhere = stay.collect != Collect::Online && stay.status.stage == Stage::Confirmed;
    stay.status.money.0 > 0 || elsewhere
}

/// Where a stay is: its Room as it is shown, and its time.
pub(super) struct Place {
    pub(super) zone: TimeZone,
    spec: Option<RoomSpec>,
}

impl Place {
    pub(super) fn of(door: &Door, stay: &StayView) -> Self {
        let stock = door.model.stock_of(&stay.namespace, &stay.room, &[]);
        let spec = stock.map(|stock| stock.room.spec.clone());
        Self { zone: spec.as_ref().map_or(TimeZone::UTC, zone), spec }
    }

    /// What the Room is called.
    pub(super) fn title(&self, lang: Lang, stay: &StayView) -> String {
        self.spec
            .as_ref()
            .map_or_else(|| home::called(&stay.room), |spec| rooms::title(lang, spec, &stay.room))
    }
}

/// The part of the page that changes.
fn part(door: &Door, visitor: &Visitor, stay: &StayView) -> Markup {
    let (t, lang) = (visitor.texts(), visitor.lang);
    let zone = Place::of(door, stay).zone;
    let Say { tone, title, more } = say(lang, stay, &zone, door.now());
    let (seal, icon) = match tone {
        Tone::Good => ("good", parts::check(28)),
        Tone::Bad => ("bad", parts::cross(28)),
        Tone::Ended => ("still", parts::check(28)),
        Tone::Moving => ("moving", parts::clock(28)),
    };
    let failed = matches!(tone, Tone::Bad) && stay.is_settled();
    html! {
        div .two-columns data-say={ (title) ". " (more.join(" ")) } {
            div .stack {
                div .headline {
                    span .seal .(seal) { (icon) }
                    div .stack-small { h1 { (title) } @for line in &more { p { (line) } } }
                }
                section .card .stack aria-labelledby="progress" {
                    h2 #progress { (t.progress) }
                    ol .steps { @for step in steps(lang, stay) { (step_of(visitor, stay, &step, &zone)) } }
                    (money(lang, stay))
                }
                div .actions {
                    @if failed { a .button href="/" { (t.again) } }
                    @if has_receipt(stay) { a .button .quiet href={ (address(stay)) "/receipt" } { (t.receipt_link) } }
                    @if is_cancellable(stay, door.now()) { a .button .quiet href={ (address(stay)) "/cancel" } { (t.cancel_link) } }
                    a .plain href="/stays" { (t.back_to_stays) }
                }
            }
            aside .card .stack aria-labelledby="your-stay" { (summary(door, lang, stay)) }
        }
    }
}

fn step_of(visitor: &Visitor, stay: &StayView, step: &super::steps::Step, zone: &TimeZone) -> Markup {
    let (t, lang) = (visitor.texts(), visitor.lang);
    let currency = stay.status.quote.as_ref().map(|quote| quote.currency.as_str());
    let (class, state, mark) = match step.mark {
        Mark::Done => ("done", t.step_done, Some(parts::check(18))),
        Mark::Bad => ("bad", t.step_bad, Some(parts::cross(18))),
        Mark::Now => ("now", t.step_now, None),
        Mark::Later => ("later", t.step_later, None),
    };
    html! {
        li .(class) aria-current=[matches!(step.mark, Mark::Now).then_some("step")] {
            @if let Some(mark) = mark { span .mark { (mark) } }
            span .what { (step.what) span .hidden { " (" (state) ")" } }
            @if let (Some(amount), Some(currency)) = (step.amount, currency) {
                span .much { (locale::money(lang, currency, amount)) }
            }
            @if let Some(at) = step.at { span .when { time datetime=(at) { (locale::instant(lang, at, zone)) } } }
        }
    }
}

/// The money that moved.
pub(super) fn money(lang: Lang, stay: &StayView) -> Markup {
    let t = lang.texts();
    let (paid, refunded, kept) = stay.status.money;
    let rows: Vec<(&str, i64)> = [(t.paid, paid), (t.refunded, refunded), (t.kept, kept)]
        .into_iter()
        .filter(|(_, amount)| *amount > 0)
        .collect();
    let currency = stay.status.quote.as_ref().map(|quote| quote.currency.as_str()).unwrap_or_default();
    html! {
        @if !rows.is_empty() {
            dl .facts { @for (what, amount) in rows { div { dt { (what) } dd .number { (locale::money(lang, currency, amount)) } } } }
        }
    }
}

/// What has been booked.
pub(super) fn summary(door: &Door, lang: Lang, stay: &StayView) -> Markup {
    let t = lang.texts();
    let place = Place::of(door, stay);
    let quote = stay.status.quote.as_deref();
    html! {
        h2 #your-stay { (t.your_stay) }
        dl .facts {
            div { dt { (t.hotel) } dd { (home::called(&stay.namespace)) } }
            div { dt { (t.room) } dd { (place.title(lang, stay)) } }
            div { dt { (t.check_in) } dd { (parts::day(lang, stay.check_in)) } }
            div { dt { (t.check_out) } dd { (parts::day(lang, stay.check_out)) } }
            div { dt { (t.who) } dd { ((t.guests)(stay.guests.adults, stay.guests.children)) } }
            div { dt { (t.units) } dd { (stay.units) } }
            @if let Some(quote) = quote {
                div .sum { dt { (t.total) } dd .number { (locale::money(lang, &quote.currency, quote.total)) } }
            }
        }
        @if let Some(quote) = quote {
            details { summary { (t.each_night) } (rooms::prices(lang, quote, each_night(quote, stay.check_out))) }
            @if is_cancellable(stay, door.now()) {
                div .stack-small { h3 { (t.cancellation) } (policy::list(lang, &quote.refund_deadlines, &place.zone)) }
            }
        }
        div { p .soft .small { (t.reference) } p .code { (stay.name) } }
    }
}
