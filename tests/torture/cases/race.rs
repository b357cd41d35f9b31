//! Many guests for few rooms.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use innkeeper_api::{ConditionStatus, ConditionType, Reason, Reservation};
use jiff::civil::date;
use kube::api::ListParams;

use super::Done;
use crate::support::PATIENCE;
use crate::support::checker::{Checker, claimed};
use crate::support::history::History;
use crate::support::hotel::{Hotel, is};

/// So many guests race for 1 to 5 units of five Rooms, with so many operators and no Lease: as many are confirmed as
/// there are units, and everybody else is at net 0.
pub async fn overlapping(guests: usize, operators: usize) -> Done {
    let hotel = Hotel::open("contenders").await;
    let history = History::of(&hotel).await;
    for units in 1..=5_usize {
        hotel.room(&format!("room-{units}"), u32::try_from(units).unwrap()).await;
    }
    let operators: Vec<_> = (0..operators).map(|_| hotel.operator()).collect();
    // All stays of a Room have the last night of July in them, and many of them the first of August.
    let common = date(2030, 7, 31);
    let asked = (0..guests).map(|n| {
        let hotel = &hotel;
        let days = |count: usize| jiff::Span::new().days(i64::try_from(count).unwrap());
        let (from, to) = (common - days(n % 4), common + days(1 + (n / 4) % 3));
        async move {
            hotel
                .reserve_with(&format!("guest-{n}"), &format!("room-{}", 1 + n % 5), |s| {
                    s.check_in = from;
                    s.check_out = to;
                })
                .await;
        }
    });
    stream::iter(asked).buffer_unordered(64).collect::<Vec<()>>().await;
    let ended = all_ended(&hotel, guests).await;

    let confirmed = |units: usize| {
        let room = format!("room-{units}");
        ended.iter().filter(|r| r.spec.room_name == room && claimed(r) == Some(Reason::Confirmed)).count()
    };
    let asked = |units: usize| (0..guests).filter(|n| 1 + n % 5 == units).count();
    for units in 1..=5 {
        assert_eq!(confirmed(units), units.min(asked(units)), "of room-{units}");
    }
    for loser in ended.iter().filter(|r| claimed(r) != Some(Reason::Confirmed)) {
        assert!(is(loser, &ConditionType::Settled, ConditionStatus::True, &Reason::Rejected));
        assert!(is(loser, &ConditionType::Ready, ConditionStatus::False, &Reason::OutOfStock));
    }
    Checker::of(&hotel).check().await;
    history.check().await;
    for operator in operators {
        operator.stop().await;
    }
    Done { reached: true, faults: 0 }
}

/// Waits until all of them are settled, for as long as one after the other is.
async fn all_ended(hotel: &Hotel, guests: usize) -> Vec<Reservation> {
    let (mut before, mut since) = (0, Instant::now());
    loop {
        let all = hotel.reservations().list(&ListParams::default()).await.unwrap().items;
        let ended = all.iter().filter(|r| claimed(r).is_some()).count();
        if ended == guests {
            return all;
        }
        if ended > before {
            (before, since) = (ended, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{ended} of {guests} have ended, and nobody more");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
