//! What one booking costs alone: every write of it, the calendar's and the Room's status included.

use crate::Result;
use crate::bed::{Bed, wish};
use crate::load::{all_are_confirmed, book};
use crate::report::{Aim, Report};
use crate::server::quiet;

const PART: &str = "cost";
const BOOKINGS: usize = 10;

/// Counts the revisions of bookings one after another, each left alone until everything has followed.
pub async fn run(bed: &Bed, report: &mut Report) -> Result<()> {
    let hotel = bed.hotel("cost");
    let operator = hotel.operator().await?;
    hotel.room("double").await?;
    let reservations = hotel.reservations();
    // The month's calendar is there already, as it is for all but the first booking of a month.
    book(&reservations, &operator, vec![wish("first", "double", 0, true)]).await?;
    quiet(&bed.client).await?;
    for born in [true, false] {
        let before = bed.counts().await?;
        for number in 0..BOOKINGS {
            let name = format!("{}-{number}", if born { "born" } else { "plain" });
            book(&reservations, &operator, vec![wish(&name, "double", number, born)]).await?;
            quiet(&bed.client).await?;
        }
        let spent = bed.counts().await?.since(&before);
        let (what, most) = if born { ("born with the finalizer", 5.0) } else { ("not born with it", 6.0) };
        let each = spent.revisions() as f64 / BOOKINGS as f64;
        report.figure(PART, &format!("revisions, alone, {what}"), each, Aim::AtMost(most));
        report.figure(PART, &format!("no-op writes, alone, {what}"), spent.no_ops() as f64, Aim::AtMost(0.0));
        report.note(format!("alone, {what}, writes of each booking: {}", spent.by_resource(BOOKINGS)));
    }
    all_are_confirmed(&reservations, 2 * BOOKINGS + 1).await?;
    operator.ends().await
}
