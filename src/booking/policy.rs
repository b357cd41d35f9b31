//! The cancellation policy: fixed as instants when a stay is quoted, read again when it is cancelled.

use innkeeper_api::{CancellationTier, RefundDeadline};
use jiff::{SignedDuration, Timestamp};

/// The tiers as instants, soonest first. Without tiers everything comes back until check-in, and nothing after.
#[must_use]
pub fn deadlines(tiers: &[CancellationTier], check_in_at: Timestamp) -> Vec<RefundDeadline> {
    if tiers.is_empty() {
        return vec![RefundDeadline { until: check_in_at, percent: 100 }];
    }
    let mut deadlines: Vec<RefundDeadline> = tiers
        .iter()
        .map(|tier| RefundDeadline {
            until: check_in_at
                .saturating_sub(SignedDuration::from_hours(i64::from(tier.hours_before)))
                .unwrap_or(Timestamp::MIN),
            percent: tier.refund_percent,
        })
        .collect();
    deadlines.sort_by(|a, b| a.until.cmp(&b.until).then(b.percent.cmp(&a.percent)));
    deadlines
}

/// The share that comes back when a stay is cancelled at `at`, in percent. The last instant of a tier still counts.
#[must_use]
pub fn percent_back(deadlines: &[RefundDeadline], at: Timestamp) -> u32 {
    deadlines.iter().find(|d| at <= d.until).map_or(0, |d| d.percent)
}

#[cfg(test)]
mod tests;
