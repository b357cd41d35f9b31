//! What is done for whoever asks, by the API or on a page: booking, looking at one's own, cancelling.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_api::{Reason, ReservationSpec};
use innkeeper_booking::currency::Currency;
use innkeeper_booking::policy::percent_back;
use innkeeper_booking::status::{End, Stage};
use jiff::Timestamp;

use crate::contacts::Contact;
use crate::door::Door;
use crate::identity::Scope;
use crate::keys::{name_for, terms_of};
use crate::model::views::StayView;
use crate::problem::{Kind, Problem};
use crate::rest::Caller;
use crate::search::{Because, Declined, Why, Wish, judge};
use crate::trace::Trace;
use crate::writer::WriteError;

/// A stay that has been asked for.
pub(crate) struct Booked {
    /// As it was written, or as it is by now.
    pub(crate) stay: StayView,
    /// Whether an earlier request with the same key had asked for it.
    pub(crate) before: bool,
}

/// Why nothing was booked.
pub(crate) enum NotBooked {
    /// No such Room in this property.
    NoRoom,
    /// The Room does not take the stay.
    Declined(Declined),
    /// The key was used for another stay.
    KeyReused,
    /// Something else.
    Problem(Problem),
}

impl From<Problem> for NotBooked {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<NotBooked> for Problem {
    fn from(not: NotBooked) -> Self {
        match not {
            NotBooked::NoRoom => Self::not_found("Room in this property"),
            NotBooked::Declined(declined) => turned_down(&declined),
            NotBooked::KeyReused => {
                let detail = "This Idempotency-Key was used for another booking; use a new one.";
                Self::new(Kind::KeyReused, detail)
            }
            NotBooked::Problem(problem) => problem,
        }
    }
}

/// What a Room's refusal is to whoever wants to book it.
pub(crate) fn turned_down(declined: &Declined) -> Problem {
    let kind = match declined.why {
        Why::SoldOut => Kind::SoldOut,
        Why::Terms(Reason::InvalidStay) => Kind::Invalid,
        Why::Terms(_) => Kind::NotOffered,
    };
    Problem::new(kind, declined.message.clone())
}

/// Asks for a stay, once for each key. The stay's guest is the caller's, and its dates make a wish that is possible.
pub(crate) async fn book(
    door: &Door,
    property: &str,
    key: &str,
    stay: &ReservationSpec,
    contact: Option<&Contact>,
    trace: Trace,
) -> Result<Booked, NotBooked> {
    let name = name_for(property, &stay.guest_id, key);
    // Made before, perhaps long ago: then neither the stock nor the API server is asked.
    if let Some(made) = door.model.stay(property, &name) {
        return again(door, StayView::clone(&made), stay, contact).await;
    }
    door.fresh_enough()?;
    let months = Wish::of(stay).months();
    let stock = door.model.stock_of(property, &stay.room_name, &months).ok_or(NotBooked::NoRoom)?;
    let within = door.settings().breaker.write_timeout;
    if let Err(declined) = judge(&stock, stay, door.now()).verdict {
        // The last unit may be gone to this very request, sent before, of which the watch has not told us yet.
        if matches!(declined.because, Because::Full(_))
            && let Ok(Some(made)) = door.writer.read(property, &name, within).await
        {
            return again(door, StayView::of(made), stay, contact).await;
        }
        return Err(NotBooked::Declined(declined));
    }
    let besides = door.config.current().operator.extra_finalizers.clone();
    let made = match door.writer.book(property, &name, stay.clone(), &besides, trace.0, within).await {
        Ok(made) => StayView::of(made),
        Err(WriteError::Exists) => {
            let made = door.writer.read(property, &name, within).await.map_err(|e| door.unwritten(e))?;
            let made = made.ok_or_else(|| door.unwritten(WriteError::Unanswered))?;
            return again(door, StayView::of(made), stay, contact).await;
        }
        Err(error) => return Err(door.unwritten(error).into()),
    };
    tracing::info!(trace = trace.id(), namespace = property, reservation = name, "asked for");
    keep(door, &made, contact).await?;
    seen(door, &made).await;
    Ok(Booked { stay: made, before: false })
}

/// What a key that was used before has come to.
async fn again(
    door: &Door,
    made: StayView,
    stay: &ReservationSpec,
    contact: Option<&Contact>,
) -> Result<Booked, NotBooked> {
    if made.terms != terms_of(stay) {
        return Err(NotBooked::KeyReused);
    }
    keep(door, &made, contact).await?;
    Ok(Booked { stay: made, before: true })
}

/// Keeps the contact that came with a booking. Where it cannot be kept, the booking stands, and repeating the request
/// keeps the contact.
async fn keep(door: &Door, made: &StayView, contact: Option<&Contact>) -> Result<(), Problem> {
    let (Some(contacts), Some(contact)) = (&door.contacts, contact) else { return Ok(()) };
    let within = door.settings().breaker.write_timeout;
    contacts.put(made, contact, within).await.map_err(|error| {
        tracing::warn!(?error, uid = made.uid, "a contact could not be kept");
        let detail = "It is booked, but the name and address could not be kept. Repeat it as it is.";
        Problem::new(Kind::Unavailable, detail).after(Duration::from_secs(2))
    })
}

/// Waits, for a bounded time, until reads show what was written.
async fn seen(door: &Door, written: &StayView) {
    let within = door.settings().model.own_writes_within;
    if !door.model.wait_for(&written.namespace, &written.name, written.version, within).await {
        tracing::warn!(namespace = written.namespace, name = written.name, "reads do not show a write yet");
    }
}

/// The caller's own Reservation of this name. That of another is not there, for all that is said.
pub(crate) fn mine(
    door: &Door,
    caller: &Caller,
    scope: Scope,
    property: &str,
    name: &str,
) -> Result<Arc<StayView>, Problem> {
    caller.may(scope)?;
    door.model
        .stay(property, name)
        .filter(|stay| caller.0.owns(property, &stay.guest_id))
        .ok_or_else(|| Problem::not_found("reservation"))
}

/// Whether cancelling still changes anything: it has not been given up, and the stay is not over.
pub(crate) fn is_cancellable(stay: &StayView, now: Timestamp) -> bool {
    let running = matches!(stay.status.stage, Stage::Open | Stage::InProgress | Stage::Confirmed);
    running && stay.given_up.is_none() && !is_over(stay, now)
}

/// Whether the stay is over.
pub(crate) fn is_over(stay: &StayView, now: Timestamp) -> bool {
    stay.status.quote.as_ref().is_some_and(|quote| now > quote.finished_at)
}

/// What cancelling would do at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreseen {
    /// Whether it is booked, so that the policy counts. Before that everything goes back.
    pub(crate) booked: bool,
    /// Share of what was paid that comes back, in percent.
    pub(crate) percent: u32,
    /// What comes back and what stays, in minor units of the quote's currency; nothing where there is no quote.
    pub(crate) money: Option<(i64, i64)>,
    /// Until when that holds; nothing where it does not change any more.
    pub(crate) until: Option<Timestamp>,
}

/// What cancelling would do at this moment; nothing where it changes nothing any more.
pub(crate) fn foresee(stay: &StayView, now: Timestamp) -> Option<Foreseen> {
    if !is_cancellable(stay, now) {
        return None;
    }
    let quote = stay.status.quote.as_deref();
    let booked = stay.status.stage == Stage::Confirmed;
    let deadlines = quote.map_or(&[][..], |quote| &quote.refund_deadlines);
    let percent = if booked { percent_back(deadlines, now) } else { 100 };
    let (paid, ..) = stay.status.money;
    let money = quote.map(|quote| {
        let back = Currency::of(&quote.currency).map_or(paid, |currency| currency.share(paid, percent));
        (back, paid - back)
    });
    let until = booked.then(|| deadlines.iter().map(|d| d.until).find(|until| now <= *until)).flatten();
    Some(Foreseen { booked, percent, money, until })
}

/// A cancellation that has been asked for.
pub(crate) struct Cancelled {
    /// The stay, as it was written or as it is by now.
    pub(crate) stay: StayView,
    /// Whether it had been asked for before.
    pub(crate) before: bool,
}

/// Asks to cancel a stay of the caller's. Asked again, it changes nothing.
pub(crate) async fn cancel(door: &Door, stay: &StayView) -> Result<Cancelled, Problem> {
    if stay.given_up == Some(End::Cancelled) {
        return Ok(Cancelled { stay: stay.clone(), before: true });
    }
    if !is_cancellable(stay, door.now()) {
        return Err(Problem::new(Kind::NotCancellable, ended(stay)));
    }
    let within = door.settings().breaker.write_timeout;
    let written = door.writer.cancel(&stay.namespace, &stay.name, &stay.uid, within).await;
    let written = StayView::of(written.map_err(|error| door.unwritten(error))?);
    seen(door, &written).await;
    Ok(Cancelled { stay: written, before: false })
}

/// Why it cannot be cancelled.
pub(crate) fn ended(stay: &StayView) -> String {
    match (stay.given_up, stay.status.stage) {
        (Some(End::Cancelled), _) => "It is cancelled already.".to_owned(),
        (Some(_), _) => "The hotel has withdrawn it; everything comes back.".to_owned(),
        (None, Stage::Confirmed) => "The stay is over.".to_owned(),
        (None, _) => format!("It has ended already: {}.", stay.status.phase),
    }
}

/// Whether a text is a token of the payment provider: a kind, an underscore, and the rest. Never a card number.
pub(crate) fn is_method(text: &str) -> bool {
    text.len() <= 128
        && text.split_once('_').is_some_and(|(kind, rest)| {
            (2..=12).contains(&kind.len())
                && kind.bytes().all(|b| b.is_ascii_lowercase())
                && !rest.is_empty()
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
}

/// Whether a text can be the key of a booking.
pub(crate) fn is_key(text: &str) -> bool {
    (8..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_means_of_payment_is_a_token_and_never_a_card_number() {
        for right in ["pm_card_visa", "tok_1"] {
            assert!(is_method(right), "{right}");
        }
        for wrong in ["4242424242424242", "pm_", "_x", "PM_x", "pm_a-b", "p_x", ""] {
            assert!(!is_method(wrong), "{wrong}");
        }
    }
}
