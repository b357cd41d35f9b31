//! Money: what is kept for every Reservation is what its outcome says, and no money is nobody's.

use std::collections::BTreeMap;

use innkeeper_api::{Collect, Quote, Reason, Reservation};
use kube::ResourceExt;

use crate::{About, Books, Imbalance, Payment, claimed};

const LOOK: &str = "Look at the payment in the provider's dashboard and refund what is too much there.";

/// One Reservation against its payments.
pub(crate) fn of_a_reservation(reservation: &Reservation, payments: &[&Payment], found: &mut Vec<Imbalance>) {
    let ids: Vec<&str> = payments.iter().filter(|p| p.captured > 0).map(|p| p.id.as_str()).collect();
    let ids = ids.join(", ");
    let mut add = |about, what: String, to_do: &str| {
        let (namespace, name) = (reservation.namespace().unwrap_or_default(), reservation.name_any());
        found.push(Imbalance { about, namespace, name, what, to_do: to_do.to_owned() });
    };
    let captures = payments.iter().filter(|p| p.captured > 0).count();
    if captures > 1 {
        add(About::Charged, format!("It was charged {captures} times ({ids})."), LOOK);
    }
    if payments.iter().any(|p| p.kept() < 0) {
        add(About::Charged, format!("More went back than was taken ({ids})."), LOOK);
    }
    let kept: i64 = payments.iter().map(|p| p.kept()).sum();
    let status = reservation.status.clone().unwrap_or_default();
    let price = status.quote.as_ref().map_or(0, price);
    let price = if reservation.spec.payment.collect == Collect::Online { price } else { 0 };
    let Some(outcome) = claimed(reservation) else {
        // On its way: between nothing and the whole price anything may be so.
        if kept > price {
            add(About::Charged, format!("{kept} is kept, and the price is {price} ({ids})."), LOOK);
        }
        return;
    };
    let due = match outcome {
        Reason::Confirmed => price,
        Reason::Cancelled => captured(payments) - back(&status, captured(payments)),
        _ => 0,
    };
    if kept != due {
        let what = format!("It is {outcome}, {kept} is kept, and {due} is due ({ids}).");
        let to_do = if kept > due {
            "Refund the difference in the provider's dashboard."
        } else {
            "Somebody has refunded it in the provider's dashboard: collect it again, or cancel the stay."
        };
        add(About::Kept, what, to_do);
    }
    let shown = status.payment.clone().unwrap_or_default();
    if kept == due && shown.captured - shown.refunded != kept {
        let what = format!("Its status shows {} kept, and it is {kept}.", shown.captured - shown.refunded);
        add(About::Kept, what, "Annotate it with anything, so that the operator looks at it again.");
    }
    if payments.iter().any(|p| p.moves()) {
        let what = format!("It is {outcome}, and a payment or a refund of it is still under way ({ids}).");
        add(About::Kept, what, "Wait until the provider has come to an end with it, and look again.");
    }
}

/// What was agreed to be collected, counted from its lines: they, not their sum, are what a guest has seen.
fn price(quote: &Quote) -> i64 {
    let lines: i64 = quote.lines.iter().map(|line| i64::from(line.nights) * line.minor_units).sum();
    // Half up to what can be charged.
    let step = step(&quote.currency);
    if quote.collect_online == 0 { 0 } else { (lines + step / 2) / step * step }
}

fn captured(payments: &[&Payment]) -> i64 {
    payments.iter().map(|p| p.captured).sum()
}

/// What was to go back when it was cancelled: by the deadlines agreed and the instant that is stored; everything, if it
/// was never booked. Half up to what the currency can be refunded in; that step is read from what has gone back.
fn back(status: &innkeeper_api::ReservationStatus, captured: i64) -> i64 {
    let Some((quote, decision)) = status.quote.as_ref().zip(status.decision.as_ref()) else {
        return captured;
    };
    let booked = status.history.iter().any(|fact| fact.fact == innkeeper_api::FactKind::Confirmed);
    let percent = if booked {
        let share = quote.refund_deadlines.iter().find(|d| decision.at <= d.until);
        share.map_or(0, |d| i64::from(d.percent))
    } else {
        100
    };
    let step = step(&quote.currency);
    ((captured * percent + 50 * step) / (100 * step) * step).min(captured)
}

/// The smallest amount that Stripe refunds, in its minor units: a whole one where it keeps two decimals that no coin has,
/// ten where there are three.
fn step(currency: &str) -> i64 {
    match currency {
        "ISK" | "UGX" => 100,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 10,
        _ => 1,
    }
}

/// Payments whose Reservation is not there.
pub(crate) fn without_a_reservation(
    books: &Books,
    by_uid: &BTreeMap<&str, Vec<&Payment>>,
    found: &mut Vec<Imbalance>,
) {
    for (uid, payments) in by_uid {
        if books.reservations.iter().any(|r| r.uid().as_deref() == Some(uid)) {
            continue;
        }
        for payment in payments.iter().filter(|p| (p.kept() != 0 || p.moves()) && !p.settled) {
            let Payment { id, currency, .. } = payment;
            let another = books.reservations.iter().any(|r| {
                r.name_any() == payment.name && r.namespace().as_deref() == Some(&payment.namespace)
            });
            let check_in = payment.check_in.map_or("a day not known".to_owned(), |day| day.to_string());
            let what = format!(
                "Payment {id} keeps {} {currency} (minor units) for a stay from {check_in}, whose Reservation ({uid}) is not there.",
                payment.kept()
            );
            let to_do = if another {
                "Another Reservation of that name is there. If it is the same stay, annotate it with innkeeper.dev/already-charged=adopt; else refund the payment in the provider's dashboard."
            } else {
                "Create the Reservation anew and let it adopt the payment, or leave it: the operator's sweep gives it back, through the brake."
            };
            found.push(Imbalance {
                about: About::Orphan,
                namespace: payment.namespace.clone(),
                name: payment.name.clone(),
                what,
                to_do: to_do.to_owned(),
            });
        }
    }
}
