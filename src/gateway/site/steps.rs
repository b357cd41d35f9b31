//! The steps of a booking: what has happened, what happens now, and what is to come.

use innkeeper_api::{Collect, FactKind};
use innkeeper_booking::status::Stage;
use jiff::Timestamp;

use super::lang::Lang;
use super::say::has;
use super::texts::Texts;
use crate::model::views::StayView;

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It has happened.
    Done,
    /// It has happened, and is nothing good.
    Bad,
    /// It happens now.
    Now,
    /// It is to come.
    Later,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// How it stands.
    pub(crate) mark: Mark,
    /// What it is.
    pub(crate) what: &'static str,
    /// When it happened.
    pub(crate) at: Option<Timestamp>,
    /// Money that moved.
    pub(crate) amount: Option<i64>,
}

/// The steps of a stay, in their order.
pub(crate) fn steps(lang: Lang, stay: &StayView) -> Vec<Step> {
    let t = lang.texts();
    let mut steps: Vec<Step> = stay
        .status
        .history
        .iter()
        .map(|fact| {
            let bad = matches!(fact.fact, FactKind::Declined | FactKind::OutOfStock | FactKind::RefundFailed);
            Step {
                mark: if bad { Mark::Bad } else { Mark::Done },
                what: called(t, &fact.fact),
                at: Some(fact.time),
                // That of the request is what was asked for; nothing has moved by then.
                amount: fact.minor_units.filter(|_| fact.fact != FactKind::Requested),
            }
        })
        .collect();
    for (at, what) in ahead(t, stay).into_iter().enumerate() {
        steps.push(Step {
            mark: if at == 0 { Mark::Now } else { Mark::Later },
            what,
            at: None,
            amount: None,
        });
    }
    steps
}

fn called(t: &Texts, fact: &FactKind) -> &'static str {
    match fact {
        FactKind::Requested => t.fact_requested,
        FactKind::Paid => t.fact_paid,
        FactKind::Declined => t.fact_declined,
        FactKind::Confirmed => t.fact_confirmed,
        FactKind::OutOfStock => t.fact_out_of_stock,
        FactKind::CancelRequested => t.fact_cancel_requested,
        FactKind::Refunded => t.fact_refunded,
        FactKind::RefundFailed => t.fact_refund_failed,
        FactKind::Cancelled => t.fact_cancelled,
        FactKind::Rejected => t.fact_rejected,
        FactKind::Withdrawn => t.fact_withdrawn,
        FactKind::Unknown(_) => t.fact_unknown,
    }
}

/// What is still to happen, as far as it goes well.
fn ahead(t: &Texts, stay: &StayView) -> Vec<&'static str> {
    if stay.is_settled() {
        return Vec::new();
    }
    let giving_up = stay.given_up.is_some() || matches!(stay.status.stage, Stage::Closing(_));
    if giving_up {
        let (paid, refunded, kept) = stay.status.money;
        let coming = paid - refunded - kept > 0;
        return coming.then_some(t.next_refunded).into_iter().chain([t.next_closed]).collect();
    }
    [
        (FactKind::Requested, t.next_requested, true),
        (FactKind::Paid, t.next_paid, stay.collect == Collect::Online),
        (FactKind::Confirmed, t.next_confirmed, true),
    ]
    .into_iter()
    .filter(|(fact, _, due)| *due && !has(stay, fact))
    .map(|(_, what, _)| what)
    .collect()
}
