//! Booking.
//!
//! The name of a Reservation is computed from its guest and the key of the request, so that the API server itself sees
//! to it that one key books once: in every replica, through restarts, through answers that were lost.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use innkeeper_api::{Collect, Money, Payment, ReservationSpec};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::{At, Caller, Key, Sent};
use super::reservation::Reservation;
use super::rooms::wish;
use super::types::{Collecting, NamedAmount, Party, day, one};
use crate::contacts::Contact;
use crate::desk::{self, is_method};
use crate::door::Door;
use crate::identity::{Identity, Scope};
use crate::model::views::StayView;
use crate::problem::{FieldError, Kind, Problem};
use crate::trace::Trace;

/// Says that a booking was made by an earlier request with the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What is to be booked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BookingRequest {
    /// The Room.
    #[schema(min_length = 1, max_length = 55, example = "double")]
    room: String,
    /// First night.
    #[serde(deserialize_with = "day")]
    check_in: Date,
    /// The day of departure.
    #[serde(deserialize_with = "day")]
    check_out: Date,
    /// Units.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 200, default = 1)]
    units: u32,
    /// Who comes.
    #[serde(default)]
    guests: Party,
    /// The guest, as the partner that books for them calls them: opaque, never a name or an e-mail address. Guests who
    /// book for themselves leave it out.
    #[serde(rename = "guestID")]
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._=+/-]*$",
        example = "guest-4711"
    )]
    guest_id: Option<String>,
    /// How it is paid.
    payment: Paying,
    /// Book only if the price is at most this.
    max_total: Option<NamedAmount>,
    /// How the guest is called and reached. Kept apart from the reservation, for the hotel alone; no answer has it.
    contact: Option<Contact>,
}

/// How it is paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Paying {
    /// Who collects the money.
    #[serde(default)]
    collect: Collecting,
    /// The payment provider's token for the means of payment, never a card number. Needed where it is collected online.
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = "^[a-z]{2,12}_[A-Za-z0-9_]+$",
        example = "pm_card_visa"
    )]
    method: Option<String>,
    /// The partner's own reference.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9][A-Za-z0-9._:/#-]*$")]
    reference: Option<String>,
}

/// Book
///
/// Sold out is said at once, and nothing is booked or charged then. Else the answer is a reservation that is under way:
/// follow it at its `Location`, or its `events`. The same Idempotency-Key gives the same reservation, however often and
/// wherever it is sent.
#[utoipa::path(
    post,
    path = "/v1/properties/{property}/reservations",
    operation_id = "bookStay",
    tag = "reservations",
    params(
        ("property" = String, Path, description = "The property (namespace)"),
        ("Idempotency-Key" = String, Header, description = "8 to 128 visible characters, new for every booking, the same when one is repeated", min_length = 8, max_length = 128),
    ),
    request_body = BookingRequest,
    responses(
        (status = 201, description = "Under way", body = Reservation, headers(("Location" = String, description = "Its address"))),
        (status = 200, description = "Booked by an earlier request with the same key", body = Reservation, headers(("Idempotency-Replayed" = String, description = "`true`"))),
        (status = 400, description = "The body or the key cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `book`, or a guest's request has not the right `x-csrf-token`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such property or Room", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Sold out", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not as it must be, not offered, or the key was used for another booking", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not available for a moment; repeat it with the same key", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = []), ("session" = []))
)]
pub(crate) async fn book(
    State(door): State<Door>,
    caller: Caller,
    At(property): At<String>,
    Key(key): Key,
    trace: Trace,
    Sent(body): Sent<BookingRequest>,
) -> Result<Response, Problem> {
    caller.may_in(Scope::Book, &property)?;
    let (stay, contact) = read(&caller, body)?;
    if contact.is_some() && door.contacts.is_none() {
        let detail = "names and addresses are not kept here; leave it out.".to_owned();
        return Err(Problem::invalid(vec![FieldError { field: "contact".to_owned(), detail }]));
    }
    // What is impossible anywhere is said before it is looked for.
    wish(stay.check_in, stay.check_out, stay.units, party(&stay), "guests.")?;
    let booked = desk::book(&door, &property, &key, &stay, contact.as_ref(), trace).await?;
    let status = if booked.before { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = answer(&door, status, &booked.stay);
    if booked.before {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The answer to a write: the Reservation as reads show it by now, which may be further than what was written.
pub(super) fn answer(door: &Door, status: StatusCode, written: &StayView) -> Response {
    let known = door.model.stay(&written.namespace, &written.name);
    let newest = known.as_deref().filter(|known| known.version >= written.version).unwrap_or(written);
    let mut response = (status, Json(Reservation::of(newest, door.now()))).into_response();
    let address = format!("/v1/reservations/{}/{}", written.namespace, written.name);
    if let Ok(address) = HeaderValue::from_str(&address) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn party(stay: &ReservationSpec) -> Party {
    Party { adults: stay.guests.adults, children: stay.guests.children }
}

/// Reads what is to be booked, or says of every field what is wrong with it.
fn read(caller: &Caller, body: BookingRequest) -> Result<(ReservationSpec, Option<Contact>), Problem> {
    let collect = Collect::from(body.payment.collect);
    if !caller.0.may_collect(collect) {
        let detail = "Only partners book without paying here; leave payment.collect out.";
        return Err(Problem::new(Kind::NotAllowed, detail));
    }
    let mut errors = Vec::new();
    let mut check = |field: &str, right: bool, detail: &str| {
        if !right {
            errors.push(FieldError { field: field.to_owned(), detail: detail.to_owned() });
        }
    };
    let form = |text: &Option<String>, most: usize, more: &str| {
        text.as_deref().is_none_or(|text| is_id(text, most, more))
    };
    let guest_id = caller.0.guest_id(body.guest_id.as_deref());
    let missing = if matches!(caller.0, Identity::Guest(_)) {
        "is nobody's but your own; leave it out."
    } else {
        "is needed: the guest, as you call them."
    };
    check("guestID", guest_id.is_some(), missing);
    check(
        "guestID",
        form(&body.guest_id, 64, "._=+/-"),
        "is an opaque id of at most 64 letters, digits and ._=+/-; never a name or an e-mail address.",
    );
    check(
        "payment.method",
        (collect == Collect::Online) == body.payment.method.is_some(),
        "is needed where it is collected online, and only there.",
    );
    check(
        "payment.method",
        body.payment.method.as_deref().is_none_or(is_method),
        "is a token of the payment provider such as pm_card_visa; never send a card number.",
    );
    check(
        "payment.reference",
        form(&body.payment.reference, 128, "._:/#-"),
        "is an id of at most 128 letters, digits and ._:/#-; never a name or an e-mail address.",
    );
    let max = body.max_total.as_ref();
    check(
        "maxTotal.currency",
        max.is_none_or(|m| m.currency.len() == 3 && m.currency.bytes().all(|b| b.is_ascii_uppercase())),
        "is an ISO 4217 code in capitals, such as EUR.",
    );
    check(
        "maxTotal.minorUnits",
        max.is_none_or(|m| (0..=99_999_999).contains(&m.minor_units)),
        "is from 0 to 99999999.",
    );
    errors.extend(body.contact.iter().flat_map(|contact| contact.faults("contact.")));
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let guest_id = guest_id.ok_or_else(|| Problem::new(Kind::NotSignedIn, "Say who you are to book."))?;
    let spec = ReservationSpec {
        room_name: body.room,
        check_in: body.check_in,
        check_out: body.check_out,
        units: body.units,
        guest_id,
        guests: body.guests.into(),
        payment: Payment { collect, method: body.payment.method, reference: body.payment.reference },
        max_total: body
            .max_total
            .map(|money| Money { currency: money.currency, minor_units: money.minor_units }),
        state: None,
        ttl_after_finished: None,
    };
    Ok((spec, body.contact))
}

/// Letters, digits and a few more, beginning with a letter or a digit.
fn is_id(text: &str, most: usize, more: &str) -> bool {
    (1..=most).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_opaque() {
        assert!(is_id("guest-1", 64, "._=+/-"));
        for wrong in ["", "-a", "anna@example.com", "Anna Smith", "a:b", &"a".repeat(65)] {
            assert!(!is_id(wrong, 64, "._=+/-"), "{wrong}");
        }
    }
}
