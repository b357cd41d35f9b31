//! Why a room is not offered, in the visitor's words.

use innkeeper_booking::terms::Objection;

use super::lang::Lang;
use super::locale;
use crate::search::Because;

/// Nights that are named one by one; more are counted.
const NAMED: usize = 4;

/// Why a room is not offered to somebody who asks for so many units.
pub(crate) fn because(lang: Lang, because: &Because, units: u32) -> String {
    let t = lang.texts();
    match because {
        Because::Full(nights) => {
            let named: Vec<String> =
                nights.iter().take(NAMED).map(|night| locale::short_date(lang, *night)).collect();
            let (named, more) = (named.join(", "), nights.len().saturating_sub(NAMED));
            let named = if more > 0 { (t.and_more)(&named, more) } else { named };
            if units == 1 { (t.full_on)(&named) } else { (t.too_few_on)(&named, units) }
        }
        Because::Going => t.stopped.to_owned(),
        Because::Unfit => t.unfit.to_owned(),
        Because::Terms(objection) => against(lang, objection),
    }
}

fn against(lang: Lang, objection: &Objection) -> String {
    let t = lang.texts();
    match objection {
        Objection::NoNights => t.error_order.to_owned(),
        Objection::TooLong { most } => (t.error_too_long)(*most),
        Objection::InThePast { today, .. } => (t.in_the_past)(&locale::date(lang, *today)),
        Objection::SaleStopped => t.stopped.to_owned(),
        Objection::FewerNights { min, .. } => (t.fewer_nights)(*min),
        Objection::MoreNights { max, .. } => (t.more_nights)(*max),
        Objection::TooSoon { min, .. } => (t.too_soon)(*min),
        Objection::TooFarAhead { max, .. } => (t.too_far)(*max),
        Objection::TooManyGuests { places, .. } => (t.too_many_guests)(*places),
        Objection::TooManyUnits { most, .. } => (t.too_many_units)(*most),
        Objection::TooMuchForOneCharge => t.too_much.to_owned(),
        Objection::AboveMax { currency, total, .. } => {
            (t.price_rose)(&locale::money(lang, currency.code(), *total))
        }
        Objection::OtherCurrency { .. } | Objection::OutOfTime => t.impossible.to_owned(),
    }
}
