use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::fixtures::{at, day};
use crate::room::SellableRoom;

fn tiers(pairs: &[(u32, u32)]) -> Vec<CancellationTier> {
    pairs
        .iter()
        .map(|(hours_before, refund_percent)| CancellationTier {
            hours_before: *hours_before,
            refund_percent: *refund_percent,
        })
        .collect()
}

// A tier's hours are hours, not days on the wall: where the clocks change in between, the wall shows another time.
#[rstest]
#[case::without_tiers_check_in_itself("Europe/Lisbon", "2026-12-01", &[], &[("2026-12-01T15:00:00Z", 100)])]
#[case::the_very_hour("Europe/Lisbon", "2026-12-01", &[(0, 30)], &[("2026-12-01T15:00:00Z", 30)])]
#[case::soonest_first_however_written("Europe/Lisbon", "2026-12-01", &[(24, 50), (168, 100)],
    &[("2026-11-24T15:00:00Z", 100), ("2026-11-30T15:00:00Z", 50)])]
#[case::at_one_instant_the_better_counts("Europe/Lisbon", "2026-12-01", &[(24, 50), (24, 80)],
    &[("2026-11-30T15:00:00Z", 80), ("2026-11-30T15:00:00Z", 50)])]
#[case::clocks_put_forward_in_between("Europe/Berlin", "2026-03-29", &[(24, 100)], &[("2026-03-28T13:00:00Z", 100)])]
#[case::clocks_put_back_in_between("Europe/Berlin", "2026-10-25", &[(24, 100)], &[("2026-10-24T14:00:00Z", 100)])]
#[case::south_of_the_equator("Australia/Lord_Howe", "2026-10-04", &[(24, 100)], &[("2026-10-03T04:00:00Z", 100)])]
#[case::first_to_see_the_day("Pacific/Kiritimati", "2026-12-01", &[(24, 100)], &[("2026-11-30T01:00:00Z", 100)])]
#[case::the_other_side_of_the_date_line("Pacific/Pago_Pago", "2026-12-01", &[(24, 100)], &[("2026-12-01T02:00:00Z", 100)])]
#[case::samoa_skipped_a_day("Pacific/Apia", "2011-12-31", &[(24, 100)], &[("2011-12-30T01:00:00Z", 100)])]
#[case::over_the_years_end("Asia/Seoul", "2027-01-01", &[(24, 100)], &[("2026-12-31T06:00:00Z", 100)])]
#[case::from_march_to_the_leap_day("Europe/Lisbon", "2028-03-01", &[(24, 100)], &[("2028-02-29T15:00:00Z", 100)])]
#[case::a_leap_year_before("Europe/Lisbon", "2028-12-31", &[(8784, 100)], &[("2027-12-31T15:00:00Z", 100)])]
fn tiers_become_instants(
    #[case] zone: &str,
    #[case] check_in: &str,
    #[case] written: &[(u32, u32)],
    #[case] wanted: &[(&str, u32)],
) {
    let spec = innkeeper_api::RoomSpec { time_zone: zone.to_owned(), ..crate::fixtures::room() };
    let room = SellableRoom::check(&spec).unwrap();
    let check_in_at = room.instant(day(check_in), room.check_in_time).unwrap();
    let got: Vec<(String, u32)> =
        deadlines(&tiers(written), check_in_at).iter().map(|d| (d.until.to_string(), d.percent)).collect();
    let wanted: Vec<(String, u32)> = wanted.iter().map(|(t, p)| ((*t).to_owned(), *p)).collect();
    assert_eq!(got, wanted);
}

#[rstest]
#[case::long_before("2026-01-01T00:00:00Z", 100)]
#[case::the_last_instant_of_a_tier_counts("2026-11-24T15:00:00Z", 100)]
#[case::a_nanosecond_later_does_not("2026-11-24T15:00:00.000000001Z", 50)]
#[case::the_last_instant_of_the_next("2026-11-30T15:00:00Z", 50)]
#[case::after_the_last("2026-11-30T15:00:01Z", 0)]
#[case::after_check_in("2026-12-05T00:00:00Z", 0)]
fn cancelling_gives_back(#[case] when: &str, #[case] percent: u32) {
    let deadlines = deadlines(&tiers(&[(168, 100), (24, 50)]), at("2026-12-01T15:00:00Z"));
    assert_eq!(percent_back(&deadlines, at(when)), percent);
}

#[test]
fn without_deadlines_nothing_comes_back() {
    assert_eq!(percent_back(&[], at("2026-01-01T00:00:00Z")), 0);
}

proptest! {
    // Rooms whose tiers give less further ahead are refused by the API server.
    #[test]
    fn cancelling_later_never_gives_back_more(
        mut hours in prop::collection::vec(0..=8784_u32, 0..=8),
        mut shares in prop::collection::vec(0..=100_u32, 8),
        first in -9000..100_i64,
        second in -9000..100_i64,
    ) {
        hours.sort_unstable();
        shares.sort_unstable();
        let pairs: Vec<(u32, u32)> = hours.into_iter().zip(shares).collect();
        let check_in = at("2026-12-01T15:00:00Z");
        let deadlines = deadlines(&tiers(&pairs), check_in);
        let when = |hours: i64| check_in + SignedDuration::from_hours(hours);
        let (early, late) = (first.min(second), first.max(second));
        prop_assert!(percent_back(&deadlines, when(early)) >= percent_back(&deadlines, when(late)));
    }
}
