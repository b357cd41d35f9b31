//! Booking: what it costs and what comes back, who stays, how it is paid, and then the stay itself.

mod page;
mod pay;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use innkeeper_api::{Collect, Money, Payment, ReservationSpec};
use innkeeper_booking::terms::Objection;
use serde::Deserialize;
use uuid::Uuid;

use super::form::Form;
use super::parts::Wrong;
use super::stay::address;
use super::visitor::{Visitor, see_other};
use super::wanted::Wanted;
use super::why;
use crate::contacts::Contact;
use crate::desk::{self, NotBooked, is_key, is_method};
use crate::door::Door;
use crate::identity::Scope;
use crate::model::Stock;
use crate::problem::{Kind, Problem};
use crate::rest::Caller;
use crate::search::{Because, Declined, Offer, Wish, offer};
use crate::trace::Trace;

/// Which room, and for when.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chosen {
    room: String,
    #[serde(flatten)]
    wanted: Wanted,
}

/// What has been filled in so far.
#[derive(Default)]
struct Filled {
    name: String,
    email: String,
    method: String,
    /// The same for as long as this is the same booking: sent twice, it books once.
    key: String,
}

/// A room that is looked at to be booked.
struct Looked {
    chosen: Chosen,
    wish: Wish,
    stock: Stock,
    offer: Offer,
}

fn look(door: &Door, visitor: &Visitor, chosen: Chosen) -> Result<Looked, Problem> {
    let wish = chosen.wanted.wish(visitor.texts());
    let wish = wish.map_err(|_| Problem::new(Kind::Malformed, "The dates or numbers cannot be read."))?;
    door.fresh_enough()?;
    let stock = door.model.stock_of(&chosen.wanted.hotel, &chosen.room, &wish.months());
    let stock = stock.ok_or_else(|| Problem::not_found("Room in this property"))?;
    let offer = offer(&stock, &wish, door.now());
    Ok(Looked { chosen, wish, stock, offer })
}

/// The form to book with; for those who have not signed in, the way there.
pub(crate) async fn show(
    State(door): State<Door>,
    caller: Caller,
    visitor: Visitor,
    Query(chosen): Query<Chosen>,
) -> Result<Response, Problem> {
    caller.may(Scope::Search)?;
    let looked = look(&door, &visitor, chosen)?;
    let Ok(quote) = &looked.offer.verdict else {
        return Ok(declined(&door, &visitor, &looked));
    };
    let filled = Filled {
        name: visitor.name().unwrap_or_default().to_owned(),
        email: visitor.email().unwrap_or_default().to_owned(),
        method: String::new(),
        key: Uuid::new_v4().to_string(),
    };
    Ok(page::answer(&door, &visitor, &looked, quote, &filled, &[], None, StatusCode::OK))
}

fn declined(door: &Door, visitor: &Visitor, looked: &Looked) -> Response {
    let because = looked.offer.verdict.as_ref().err().map(|declined| &declined.because);
    let said = because.map(|because| why::because(visitor.lang, because, looked.wish.units));
    let full = matches!(because, Some(Because::Full(_)));
    page::not_to_be_had(door, visitor, looked, full, &said.unwrap_or_default())
}

/// Books and pays, once however often it is sent, and goes to where it can be followed.
pub(crate) async fn go(
    State(door): State<Door>,
    caller: Caller,
    visitor: Visitor,
    trace: Trace,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let form = Form::of(&body);
    let field = |name: &str| form.text(name).to_owned();
    let wanted = Wanted {
        hotel: field("hotel"),
        check_in: field("checkIn"),
        check_out: field("checkOut"),
        adults: field("adults"),
        children: field("children"),
        units: field("units"),
    };
    let chosen = Chosen { room: field("room"), wanted };
    let here = format!("/book?{}", query(&chosen));
    // The session has ended meanwhile: that page says how to go on.
    if !visitor.is_guest() {
        return Ok(see_other(&here));
    }
    let visitor = visitor.coming_back_to(here);
    caller.may(Scope::Book)?;
    visitor.check(&door, &headers, &form)?;
    let filled =
        Filled { name: field("name"), email: field("email"), method: field("method"), key: field("key") };
    if !is_key(&filled.key) {
        return Err(Problem::new(Kind::Malformed, "The form has no key."));
    }
    let looked = look(&door, &visitor, chosen)?;
    // Asked for only where it can be kept.
    let contact = door.contacts.as_ref().map(|_| Contact {
        name: filled.name.clone(),
        email: Some(filled.email.clone()),
        phone: None,
    });
    let wrong = judge(&visitor, &filled, contact.as_ref());
    if !wrong.is_empty() {
        return Ok(match &looked.offer.verdict {
            Ok(quote) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                page::answer(&door, &visitor, &looked, quote, &filled, &wrong, None, status)
            }
            Err(_) => declined(&door, &visitor, &looked),
        });
    }
    let most = form.text("most").parse::<i64>().ok().filter(|most| *most >= 0);
    let most = most.map(|minor_units| Money { currency: field("currency"), minor_units });
    let Some(most) = most.filter(|most| most.currency.len() == 3) else {
        return Err(Problem::new(Kind::Malformed, "The form does not say which price was shown."));
    };
    let guest_id = caller.0.guest_id(None);
    let guest_id = guest_id.ok_or_else(|| Problem::new(Kind::NotSignedIn, "Sign in to book."))?;
    let stay = ReservationSpec {
        room_name: looked.chosen.room.clone(),
        check_in: looked.wish.check_in,
        check_out: looked.wish.check_out,
        units: looked.wish.units,
        guest_id,
        guests: looked.wish.guests.clone(),
        payment: Payment { collect: Collect::Online, method: Some(filled.method.clone()), reference: None },
        // Nobody pays more than the page has said.
        max_total: Some(most),
        state: None,
        ttl_after_finished: None,
    };
    let hotel = &looked.chosen.wanted.hotel;
    match desk::book(&door, hotel, &filled.key, &stay, contact.as_ref(), trace).await {
        Ok(booked) => Ok(see_other(&address(&booked.stay))),
        Err(NotBooked::Declined(declined)) => Ok(not_booked(&door, &visitor, &looked, &filled, &declined)),
        // The page was gone back to and sent with something else in it: what was booked is in the list.
        Err(NotBooked::KeyReused) => Ok(see_other("/stays")),
        Err(other) => Err(other.into()),
    }
}

fn not_booked(
    door: &Door,
    visitor: &Visitor,
    looked: &Looked,
    filled: &Filled,
    declined: &Declined,
) -> Response {
    let said = why::because(visitor.lang, &declined.because, looked.wish.units);
    let dearer = matches!(
        declined.because,
        Because::Terms(Objection::AboveMax { .. } | Objection::OtherCurrency { .. })
    );
    match &looked.offer.verdict {
        Ok(quote) if dearer => {
            page::answer(door, visitor, looked, quote, filled, &[], Some(&said), StatusCode::CONFLICT)
        }
        _ => {
            let full = matches!(declined.because, Because::Full(_));
            page::not_to_be_had(door, visitor, looked, full, &said)
        }
    }
}

/// What is wrong with what was filled in.
fn judge(visitor: &Visitor, filled: &Filled, contact: Option<&Contact>) -> Vec<Wrong> {
    let t = visitor.texts();
    let faults = contact.map(|contact| contact.faults("")).unwrap_or_default();
    let right = |field: &str| !faults.iter().any(|fault| fault.field == field);
    let checks = [
        ("name", right("name"), t.error_name),
        ("email", right("email"), t.error_email),
        ("method", is_method(&filled.method), t.error_method),
    ];
    checks.into_iter().filter(|(_, right, _)| !right).map(|(at, _, what)| (at, what.to_owned())).collect()
}

fn query(chosen: &Chosen) -> String {
    format!("room={}&{}", super::parts::percent_encoded(&chosen.room), chosen.wanted.query())
}
