//! Cancelling: what would come back now, and doing it.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use super::booking::answer;
use super::extract::{At, Caller};
use super::reservation::Reservation;
use super::types::{Amount, Policy};
use crate::desk::{self, ended, mine};
use crate::door::Door;
use crate::identity::Scope;
use crate::model::views::StayView;
use crate::problem::Problem;
use crate::search::zone;

/// What cancelling would do now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cancellation {
    /// Whether it can be cancelled.
    cancellable: bool,
    /// Why not, or what happens.
    message: String,
    /// Share of what was paid that would come back, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<u32>,
    /// What would come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<Amount>,
    /// What would stay with the hotel.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Amount>,
    /// Until when that holds; absent where it does not change any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// The policy agreed; absent until there is a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
}

/// What cancelling would bring back now
#[utoipa::path(
    get,
    path = "/v1/reservations/{property}/{name}/cancellation",
    operation_id = "previewCancellation",
    tag = "reservations",
    params(
        ("property" = String, Path, description = "The property (namespace)"),
        ("name" = String, Path, description = "The reservation's name"),
    ),
    responses(
        (status = 200, description = "What would come back, and until when", body = Cancellation),
        (status = 304, description = "As with the ETag that was sent"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not there, or not yours", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not available for a moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = []), ("session" = []))
)]
pub(crate) async fn preview(
    State(door): State<Door>,
    caller: Caller,
    At((property, name)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let stay = mine(&door, &caller, Scope::Read, &property, &name)?;
    let room = door.model.stock_of(&property, &stay.room, &[]);
    let zone = room.map_or(TimeZone::UTC, |stock| zone(&stock.room.spec));
    Ok(door.read(&headers, &foresee(&stay, &zone, door.now())))
}

/// Cancel
///
/// What comes back follows the policy agreed, by the moment at which this is recorded. It cannot be taken back. Repeating it changes nothing.
#[utoipa::path(
    post,
    path = "/v1/reservations/{property}/{name}/cancellation",
    operation_id = "cancelReservation",
    tag = "reservations",
    params(
        ("property" = String, Path, description = "The property (namespace)"),
        ("name" = String, Path, description = "The reservation's name"),
    ),
    responses(
        (status = 202, description = "Recorded; the refund is under way", body = Reservation, headers(("Location" = String, description = "Its address"))),
        (status = 200, description = "Cancelled before", body = Reservation),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `cancel`, or a guest's request has not the right `x-csrf-token`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not there, or not yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has ended", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The hotel's rules refuse it", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not available for a moment; repeat it", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = []), ("session" = []))
)]
pub(crate) async fn cancel(
    State(door): State<Door>,
    caller: Caller,
    At((property, name)): At<(String, String)>,
) -> Result<Response, Problem> {
    let stay = mine(&door, &caller, Scope::Cancel, &property, &name)?;
    let cancelled = desk::cancel(&door, &stay).await?;
    let status = if cancelled.before { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(answer(&door, status, &cancelled.stay))
}

/// What cancelling would do at this moment.
fn foresee(stay: &StayView, zone: &TimeZone, now: Timestamp) -> Cancellation {
    let quote = stay.status.quote.as_deref();
    let policy = quote.map(|quote| Policy::of(&quote.refund_deadlines, zone));
    let Some(foreseen) = desk::foresee(stay, now) else {
        let message = ended(stay);
        return Cancellation {
            cancellable: false,
            message,
            percent: None,
            refund: None,
            kept: None,
            until: None,
            policy,
        };
    };
    let desk::Foreseen { booked, percent, money, until } = foreseen;
    let message = if booked && percent < 100 {
        format!("{percent}% of what was paid would come back.")
    } else {
        "Everything that was paid would come back.".to_owned()
    };
    let amount = |minor_units| quote.map(|quote| Amount::new(&quote.currency, minor_units));
    let (refund, kept) = money.map(|(back, kept)| (amount(back), amount(kept))).unwrap_or_default();
    Cancellation { cancellable: true, message, percent: Some(percent), refund, kept, until, policy }
}
