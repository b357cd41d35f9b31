//! What is free, and for how much.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use innkeeper_api::{MAX_NIGHTS, MAX_UNITS, Quote, RoomSpec, nights};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Asked, At, Caller};
use super::types::{Party, Policy, Price, day, one};
use crate::door::Door;
use crate::identity::Scope;
use crate::problem::{FieldError, Problem};
use crate::search::{Declined, Impossible, MOST_GUESTS, Wish, offer, zone};

/// When, how many, and who.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// First night.
    #[param(example = "2030-07-01")]
    #[serde(deserialize_with = "day")]
    check_in: Date,
    /// The day of departure.
    #[param(example = "2030-07-03")]
    #[serde(deserialize_with = "day")]
    check_out: Date,
    /// Units of one Room.
    #[serde(default = "one")]
    #[param(minimum = 1, maximum = 200, default = 1)]
    units: u32,
    /// Grown-ups.
    #[serde(default = "one")]
    #[param(minimum = 1, maximum = 500, default = 1)]
    adults: u32,
    /// Children.
    #[serde(default)]
    #[param(minimum = 0, maximum = 500, default = 0)]
    children: u32,
}

/// What a property has for these dates.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found {
    /// The property.
    property: String,
    /// First night.
    check_in: Date,
    /// The day of departure.
    check_out: Date,
    /// How many nights that is.
    nights: usize,
    /// Every Room of the property, offered or not.
    rooms: Vec<RoomOffer>,
}

/// A Room, for these dates.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomOffer {
    /// The Room.
    room: String,
    /// What guests are shown of it, per language.
    display: Vec<Shown>,
    /// Most guests in one unit, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_guests: Option<u32>,
    /// Whether it can be had.
    offered: bool,
    /// Units free on every night of the stay.
    free: u32,
    /// The price, where it can be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
    /// What comes back on cancelling, where it can be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation: Option<Policy>,
    /// Why it cannot be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_offered: Option<NotOffered>,
}

/// What guests are shown in one language.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// BCP 47.
    language: String,
    /// One line.
    title: String,
    /// A paragraph.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// Why a Room cannot be had.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotOffered {
    /// In one word: `SoldOut`, `SaleStopped`, `RestrictionViolated`, `InvalidStay`, ...
    #[schema(example = "SoldOut")]
    reason: String,
    /// In a sentence that says what to change.
    message: String,
}

/// Which Rooms are free
///
/// Every Room of the property: what it costs for these dates and what comes back on cancelling, or why it cannot be had.
#[utoipa::path(
    get,
    path = "/v1/properties/{property}/rooms",
    operation_id = "searchRooms",
    tag = "rooms",
    params(("property" = String, Path, description = "The property (namespace)"), Search),
    responses(
        (status = 200, description = "Every Room, offered or not", body = Found),
        (status = 304, description = "As with the ETag that was sent"),
        (status = 400, description = "The query cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `search`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such property", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No such stay", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not available for a moment", body = Problem, content_type = "application/problem+json"),
    ),
    security((), ("token" = []))
)]
pub(crate) async fn search(
    State(door): State<Door>,
    caller: Caller,
    At(property): At<String>,
    Asked(search): Asked<Search>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.may_in(Scope::Search, &property)?;
    let guests = Party { adults: search.adults, children: search.children };
    let wish = wish(search.check_in, search.check_out, search.units, guests, "")?;
    door.fresh_enough()?;
    if !door.model.has_property(&property) {
        return Err(Problem::not_found("property"));
    }
    let now = door.now();
    let stock = door.model.stock(&property, &wish.months());
    let rooms = stock.iter().map(|stock| {
        let found = offer(stock, &wish, now);
        let spec = &stock.room.spec;
        let (price, cancellation, not_offered) = match &found.verdict {
            Ok(quote) => (Some(Price::of(quote, wish.check_out)), Some(policy(quote, spec)), None),
            Err(declined) => (None, None, Some(NotOffered::of(declined))),
        };
        RoomOffer {
            room: stock.room.name.clone(),
            display: shown(spec),
            max_guests: spec.max_guests,
            offered: not_offered.is_none(),
            free: found.free,
            price,
            cancellation,
            not_offered,
        }
    });
    let found = Found {
        rooms: rooms.collect(),
        property,
        check_in: wish.check_in,
        check_out: wish.check_out,
        nights: nights(wish.check_in, wish.check_out).count(),
    };
    Ok(door.read(&headers, &found))
}

/// Reads a wish, or says which of its parts are impossible wherever one goes. `party` is what stands before the names of
/// the guests' fields.
pub(super) fn wish(
    check_in: Date,
    check_out: Date,
    units: u32,
    guests: Party,
    party: &str,
) -> Result<Wish, Problem> {
    let wish = Wish { check_in, check_out, units, guests: guests.into() };
    let errors: Vec<FieldError> = wish.impossible().into_iter().map(|what| wrong(what, party)).collect();
    if errors.is_empty() { Ok(wish) } else { Err(Problem::invalid(errors)) }
}

fn wrong(what: Impossible, party: &str) -> FieldError {
    let (field, detail) = match what {
        Impossible::NoNights => ("checkOut".to_owned(), "must be after checkIn.".to_owned()),
        Impossible::TooLong => (
            "checkOut".to_owned(),
            format!("is at most {MAX_NIGHTS} nights after checkIn; split a longer stay."),
        ),
        Impossible::Units => ("units".to_owned(), format!("is from 1 to {MAX_UNITS}.")),
        Impossible::Adults => (format!("{party}adults"), format!("is from 1 to {MOST_GUESTS}.")),
        Impossible::Children => (format!("{party}children"), format!("is from 0 to {MOST_GUESTS}.")),
    };
    FieldError { field, detail }
}

impl NotOffered {
    fn of(declined: &Declined) -> Self {
        Self { reason: declined.why.as_str().to_owned(), message: declined.message.clone() }
    }
}

pub(super) fn policy(quote: &Quote, spec: &RoomSpec) -> Policy {
    Policy::of(&quote.refund_deadlines, &zone(spec))
}

fn shown(spec: &RoomSpec) -> Vec<Shown> {
    let one = |d: &innkeeper_api::Display| Shown {
        language: d.language.clone(),
        title: d.title.clone(),
        description: d.description.clone(),
    };
    spec.display.iter().map(one).collect()
}
