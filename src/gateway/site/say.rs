//! How far a stay has come, in a headline and a sentence or two.

use innkeeper_api::{FactKind, Reason};
use innkeeper_booking::status::{End, Stage};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::lang::Lang;
use super::locale;
use crate::desk::is_over;
use crate::model::views::StayView;

/// How a headline is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It is as the guest wanted it.
    Good,
    /// It is not.
    Bad,
    /// It is over, as was asked.
    Ended,
    /// It goes on.
    Moving,
}

/// A headline, and what is said below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Say {
    /// How it is meant.
    pub(crate) tone: Tone,
    /// The headline.
    pub(crate) title: String,
    /// What is said below.
    pub(crate) more: Vec<String>,
}

/// Whether something has happened to a stay.
pub(crate) fn has(stay: &StayView, kind: &FactKind) -> bool {
    stay.status.history.iter().any(|fact| fact.fact == *kind)
}

/// How far a stay has come. What was asked for and not decided yet goes first: whoever has just cancelled must not read
/// that they are booked.
pub(crate) fn say(lang: Lang, stay: &StayView, zone: &TimeZone, now: Timestamp) -> Say {
    let t = lang.texts();
    let as_ = |tone, title: &str, more: Vec<String>| Say { tone, title: title.to_owned(), more };
    let stage = match stay.ending() {
        Some(end) => Stage::Closing(end),
        None => stay.status.stage,
    };
    let full = has(stay, &FactKind::OutOfStock);
    match stage {
        Stage::Open | Stage::Foreign => as_(Tone::Moving, t.say_open, vec![t.say_running_more.to_owned()]),
        Stage::InProgress => as_(Tone::Moving, t.say_running, vec![t.say_running_more.to_owned()]),
        // Nobody is to be expected who has been there.
        Stage::Confirmed if is_over(stay, now) => {
            as_(Tone::Ended, t.say_over, vec![t.say_over_more.to_owned()])
        }
        Stage::Confirmed => {
            let more = stay.status.quote.as_ref().map(|quote| {
                let at = quote.check_in_at.to_zoned(zone.clone());
                (t.say_confirmed_more)(&locale::date(lang, at.date()), &locale::time(lang, at.time()))
            });
            as_(Tone::Good, t.say_confirmed, more.into_iter().collect())
        }
        Stage::Closing(_) if has(stay, &FactKind::RefundFailed) => {
            as_(Tone::Bad, t.say_refund_failed, vec![t.say_refund_failed_more.to_owned()])
        }
        Stage::Closing(End::Cancelled) => as_(Tone::Moving, t.say_cancelling, money(lang, stay)),
        Stage::Closing(End::Withdrawn) | Stage::Closed(End::Withdrawn) => {
            as_(Tone::Bad, t.say_withdrawing, money(lang, stay))
        }
        Stage::Closing(End::Rejected) if full => {
            let more = [t.say_rejecting_full_more.to_owned()].into_iter().chain(money(lang, stay));
            as_(Tone::Bad, t.say_rejecting_full, more.collect())
        }
        Stage::Closed(End::Cancelled) => as_(Tone::Ended, t.say_cancelled, money(lang, stay)),
        Stage::Closed(End::Rejected) if full => as_(Tone::Bad, t.say_rejecting_full, money(lang, stay)),
        Stage::Closed(End::Rejected) if has(stay, &FactKind::Declined) => {
            as_(Tone::Bad, t.say_declined, vec![t.say_declined_more.to_owned()])
        }
        Stage::Closing(End::Rejected) | Stage::Closed(End::Rejected) => {
            as_(Tone::Bad, refused(lang, stay), money(lang, stay))
        }
    }
}

fn refused(lang: Lang, stay: &StayView) -> &'static str {
    let t = lang.texts();
    match stay.status.why.as_ref().map(|(reason, _)| reason) {
        _ if has(stay, &FactKind::Declined) => t.say_declined,
        Some(Reason::TimedOut | Reason::HoldExpired) => t.say_timed_out,
        _ => t.say_rejected,
    }
}

/// What becomes of the money of a stay that was given up.
fn money(lang: Lang, stay: &StayView) -> Vec<String> {
    let t = lang.texts();
    let Some(quote) = &stay.status.quote else { return vec![t.say_nothing_charged.to_owned()] };
    let text = |amount| locale::money(lang, &quote.currency, amount);
    let (paid, refunded, kept) = stay.status.money;
    if paid == 0 {
        let settled = matches!(stay.status.stage, Stage::Closed(_));
        return settled.then(|| t.say_nothing_charged.to_owned()).into_iter().collect();
    }
    let mut said = Vec::new();
    if refunded == paid {
        said.push((t.say_full_refunded)(&text(paid)));
    } else if refunded > 0 {
        said.push((t.say_refunded)(&text(refunded)));
    }
    let coming = paid - refunded - kept;
    // Until it is decided, what stays with the hotel is not known.
    if coming > 0 && matches!(stay.status.stage, Stage::Closing(_)) {
        said.push((t.say_refund_coming)(&text(coming)));
    }
    if kept > 0 {
        said.push((t.say_kept)(&text(kept)));
    }
    said
}
