//! A cancellation policy in words, so that a guest knows before paying what comes back and until when.

use innkeeper_api::RefundDeadline;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The policy, one sentence for each share, soonest first, in the Room's own time.
#[must_use]
pub fn policy(deadlines: &[RefundDeadline], zone: &TimeZone) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    let mut before: Option<&RefundDeadline> = None;
    for deadline in counting(deadlines) {
        let share = match deadline.percent {
            100 => "everything comes back".to_owned(),
            0 => "nothing comes back".to_owned(),
            percent => format!("{percent}% of the price comes back"),
        };
        let until = local(deadline.until, zone);
        sentences.push(match before {
            None => format!("Cancelled by {until}, {share}."),
            Some(_) => format!("After that and by {until}, {share}."),
        });
        before = Some(deadline);
    }
    sentences.push(match before {
        None => "Nothing comes back on cancelling.".to_owned(),
        Some(last) if last.percent == 0 => return sentences,
        Some(_) => "After that nothing comes back.".to_owned(),
    });
    sentences
}

/// The deadlines that count: where two end at the same instant, only the first of them ever does.
pub fn counting(deadlines: &[RefundDeadline]) -> impl Iterator<Item = &RefundDeadline> {
    let mut before = None;
    deadlines.iter().filter(move |deadline| before.replace(deadline.until) != Some(deadline.until))
}

/// An instant as a guest reads it: in the Room's time, with its zone.
#[must_use]
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    let name = zone.iana_name().unwrap_or("UTC");
    format!("{} ({name})", at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::free_until_check_in(
        &[("2030-07-01T06:00:00Z", 100)],
        &["Cancelled by 2030-07-01 15:00 (Asia/Seoul), everything comes back.", "After that nothing comes back."]
    )]
    #[case::in_steps(
        &[("2030-06-24T06:00:00Z", 100), ("2030-06-30T06:00:00Z", 50)],
        &[
            "Cancelled by 2030-06-24 15:00 (Asia/Seoul), everything comes back.",
            "After that and by 2030-06-30 15:00 (Asia/Seoul), 50% of the price comes back.",
            "After that nothing comes back.",
        ]
    )]
    #[case::never(&[("2030-07-01T06:00:00Z", 0)], &["Cancelled by 2030-07-01 15:00 (Asia/Seoul), nothing comes back."])]
    #[case::the_same_instant_twice(
        &[("2030-07-01T06:00:00Z", 80), ("2030-07-01T06:00:00Z", 20)],
        &[
            "Cancelled by 2030-07-01 15:00 (Asia/Seoul), 80% of the price comes back.",
            "After that nothing comes back.",
        ]
    )]
    #[case::no_tiers(&[], &["Nothing comes back on cancelling."])]
    fn a_policy_says_what_comes_back_until_when(#[case] tiers: &[(&str, u32)], #[case] says: &[&str]) {
        let deadline = |(until, percent): &(&str, u32)| RefundDeadline {
            until: until.parse().unwrap(),
            percent: *percent,
        };
        let deadlines: Vec<RefundDeadline> = tiers.iter().map(deadline).collect();
        assert_eq!(policy(&deadlines, &TimeZone::get("Asia/Seoul").unwrap()), says);
    }
}
