//! What comes back on cancelling, in the visitor's words and in the hotel's time.

use innkeeper_api::RefundDeadline;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::lang::Lang;
use super::locale;
use crate::words::counting;

/// The policy as a list, soonest first.
pub(crate) fn list(lang: Lang, deadlines: &[RefundDeadline], zone: &TimeZone) -> Markup {
    let t = lang.texts();
    let last = counting(deadlines).last();
    html! {
        ul .policy .stack-small .small {
            @for deadline in counting(deadlines) {
                li .all[deadline.percent == 100] .part[(1..100).contains(&deadline.percent)] {
                    span { ((t.back_until)(&locale::instant(lang, deadline.until, zone), &share(lang, deadline.percent))) }
                }
            }
            @match last {
                None => li { span { (t.back_never) } },
                Some(last) if last.percent > 0 => li { span { (t.back_after) } },
                Some(_) => {}
            }
        }
        p .soft .small { ((t.hotel_time)(zone.iana_name().unwrap_or("UTC"))) }
    }
}

fn share(lang: Lang, percent: u32) -> String {
    let t = lang.texts();
    match percent {
        0 => t.back_nothing.to_owned(),
        100 => t.back_all.to_owned(),
        percent => (t.back_part)(percent),
    }
}
