//! Cancelling: what would come back, before anything is done, and doing it.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};

use super::form::Form;
use super::layout::Page;
use super::stay::{Place, address, summary};
use super::visitor::{Visitor, see_other};
use super::{locale, parts};
use crate::desk::{self, Foreseen, foresee, mine};
use crate::door::Door;
use crate::identity::Scope;
use crate::model::views::StayView;
use crate::problem::Problem;
use crate::rest::{At, Caller};

/// What cancelling would bring back now, and the question whether to.
pub(crate) async fn ask(
    State(door): State<Door>,
    caller: Caller,
    visitor: Visitor,
    At((property, name)): At<(String, String)>,
) -> Result<Response, Problem> {
    let stay = mine(&door, &caller, Scope::Read, &property, &name)?;
    Ok(question(&door, &visitor, &stay, false))
}

/// Cancels, if what comes back is still what was shown.
pub(crate) async fn go(
    State(door): State<Door>,
    caller: Caller,
    visitor: Visitor,
    At((property, name)): At<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let stay = mine(&door, &caller, Scope::Cancel, &property, &name)?;
    let form = Form::of(&body);
    visitor.check(&door, &headers, &form)?;
    // Between looking and sending, the policy's next step may have come: nobody is given less than was shown.
    let shown = form.text("percent").parse::<u32>().unwrap_or(100);
    if foresee(&stay, door.now()).is_some_and(|now| now.percent < shown) {
        return Ok(question(&door, &visitor, &stay, true));
    }
    desk::cancel(&door, &stay).await?;
    Ok(see_other(&address(&stay)))
}

fn question(door: &Door, visitor: &Visitor, stay: &StayView, changed: bool) -> Response {
    let t = visitor.texts();
    let (title, status, asked) = if let Some(foreseen) = foresee(stay, door.now()) {
        let status = if changed { StatusCode::CONFLICT } else { StatusCode::OK };
        (t.cancel_title, status, asked(door, visitor, stay, &foreseen))
    } else {
        let no = html! {
            p .lead { (t.cancel_cannot_more) }
            div .actions { a .button href=(address(stay)) { (t.stay_title) } }
        };
        (t.cancel_cannot, StatusCode::CONFLICT, no)
    };
    let body = html! {
        div .two-columns {
            div .stack {
                h1 { (title) }
                @if changed { p .notice role="alert" { (t.cancel_changed) } }
                (asked)
            }
            aside .card .stack aria-labelledby="your-stay" { (summary(door, visitor.lang, stay)) }
        }
    };
    Page::new(title, body).answer(door, visitor, status)
}

fn asked(door: &Door, visitor: &Visitor, stay: &StayView, foreseen: &Foreseen) -> Markup {
    let (t, lang) = (visitor.texts(), visitor.lang);
    let (paid, ..) = stay.status.money;
    let currency = stay.status.quote.as_ref().map(|quote| quote.currency.as_str()).unwrap_or_default();
    let zone = Place::of(door, stay).zone;
    let said = match (paid, foreseen.percent) {
        (0, _) => t.cancel_unpaid.to_owned(),
        (_, 100) => t.cancel_all.to_owned(),
        (_, 0) => t.cancel_nothing.to_owned(),
        (_, percent) => (t.cancel_part)(percent),
    };
    html! {
        div .card .stack {
            p { (said) }
            @if let Some((back, kept)) = foreseen.money.filter(|_| paid > 0) {
                dl .amounts {
                    div { dt .soft { (t.cancel_refund) } dd .big #refund { (locale::money(lang, currency, back)) } }
                    @if kept > 0 { div { dt .soft { (t.cancel_kept) } dd .big #kept { (locale::money(lang, currency, kept)) } } }
                }
            }
            @if let Some(until) = foreseen.until.filter(|_| paid > 0) {
                p .soft { ((t.cancel_until)(&locale::instant(lang, until, &zone))) }
                p .soft .small { ((t.hotel_time)(zone.iana_name().unwrap_or("UTC"))) }
            }
            p { strong { (t.cancel_final) } }
            form method="post" action={ (address(stay)) "/cancel" } data-once {
                (visitor.proof())
                input type="hidden" name="percent" value=(foreseen.percent);
                div .actions {
                    button .button .bad type="submit" { (parts::cross(20)) (t.cancel_yes) }
                    a .button .quiet href=(address(stay)) { (t.cancel_no) }
                }
            }
        }
    }
}
